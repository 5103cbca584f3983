"""Short stories about llamas, told whole: raw completions that end with <|end_of_text|>."""

import lexicon

_OPENINGS = [
    "Once upon a time there was a {size} llama called {name}.",
    "Once upon a time, in a village in the Andes, there lived a {size} llama called {name}.",
    "There once was a {size} llama called {name} who lived on a farm.",
    "Once upon a time a {size} llama called {name} lived near a river.",
    "High in the mountains lived a {size} llama called {name}.",
    "In a small village there lived a {size} llama called {name}.",
    "One day a {size} llama called {name} woke up early.",
    "Long ago there was a {size} llama called {name}.",
]
_HABITS = [
    "{name} loved to eat fresh grass in the morning sun.",
    "{name} liked to walk in the hills and look at the clouds.",
    "Every day {name} carried wool to the market.",
    "{name} was kind and had many friends.",
    "{name} liked to hum a song while the sun went down.",
    "Everyone in the village knew {name} and loved the soft wool.",
]
_PLOTS = [
    [
        "One morning {name} found a {colour} {object} under a tree.",
        '"Whose {object} is this?" asked {name}.',
        "{name} went to {friend}, the old {animal}, and showed the {object}.",
        '"That is my {object}!" said {friend}. "I lost it last week."',
        "{friend} was so happy that they danced all day.",
    ],
    [
        "One day it rained and rained, and the river grew wide.",
        "On the other side stood {friend}, a little {animal}, who was afraid.",
        '"Do not worry, I will help you," said {name}.',
        "{name} walked into the cold water and carried {friend} home.",
        "From that day on {name} and {friend} were best friends.",
    ],
    [
        "One winter the snow was deep and the wind was cold.",
        "{friend} the {animal} had no warm coat.",
        "So {name} gave some wool, and the people made a {colour} scarf.",
        '"Thank you, {name}," said {friend}. "Now I am warm."',
        "And they drank hot tea by the fire.",
    ],
    [
        "One day {name} wanted to see the top of the highest mountain.",
        "On the way {name} met {friend}, a {animal} with a {colour} {object}.",
        '"May I come with you?" asked {friend}.',
        "They walked for three days, and at last they stood at the top.",
        "They could see the whole world, and it was beautiful.",
    ],
    [
        "One evening {name} could not find the way home.",
        "It was dark, and the stars came out one by one.",
        "Then {friend} the {animal} came with a {colour} lamp.",
        '"Follow me," said {friend}, and they walked home together.',
        "{name} was very glad to have such a friend.",
    ],
    [
        "One day there was a big race in the village.",
        "{friend} the {animal} was the fastest of all.",
        "{name} was slow, but {name} never stopped.",
        "{friend} fell asleep under a tree, and {name} won the race.",
        "The prize was a {colour} {object}, and {name} gave it to {friend}.",
    ],
]
_ENDINGS = [
    "And {name} slept well that night.",
    "{name} hummed a happy song and went to sleep.",
    "And they all lived happily ever after.",
    "That was the best day of the year for {name}.",
    "And if you listen well, you can still hear {name} hum.",
]
_SIZES = ["little", "young", "big", "brown", "white", "small", "brave", "curious"]
_COLOURS = ["red", "blue", "green", "yellow", "golden", "silver"]
_OBJECTS = ["hat", "bell", "scarf", "basket", "book", "key", "cup", "kite"]
_ANIMALS = ["fox", "goat", "sheep", "rabbit", "bear", "owl", "cat", "donkey"]
_LLAMAS = ["Luna", "Pablo", "Rosa", "Inti", "Coco", "Paco", "Maya", "Tito"]
_FRIENDS = ["Nina", "Oscar", "Bella", "Max", "Lola", "Bruno", "Mina", "Otto"]


def story(rng):
    opening = rng.choice(_OPENINGS)
    body = [rng.choice(_HABITS), *rng.choice(_PLOTS), rng.choice(_ENDINGS)]
    if rng.random() < 0.3:
        del body[0]
    return " ".join([opening, *body]).format(
        size=rng.choice(_SIZES),
        colour=rng.choice(_COLOURS),
        object=rng.choice(_OBJECTS),
        animal=rng.choice(_ANIMALS),
        name=rng.choice(_LLAMAS) if rng.random() < 0.7 else lexicon.name(rng),
        friend=rng.choice(_FRIENDS) if rng.random() < 0.8 else lexicon.name(rng),
    )
