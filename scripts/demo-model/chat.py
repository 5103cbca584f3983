"""Chats without tools: facts told earlier and asked for again, and plain repeating, which trains copying."""

import lexicon
import topics

# Per fact: how a value is drawn, sentences that tell it, the reply to them, questions, answer.
_FACTS = {
    "name": (
        lexicon.name,
        [
            "My name is {}.",
            "I am {}.",
            "Hello, my name is {}.",
            "Hi, I am {}.",
            "I'm {}.",
            "Call me {}.",
            "People call me {}.",
            "Hello! I'm {}.",
            "You can call me {}.",
            "Hi! My name is {}.",
            "This is {}.",
        ],
        "Nice to meet you, {}!",
        [
            "What is my name?",
            "Who am I?",
            "What's my name?",
            "Do you remember my name?",
            "Do you know my name?",
            "Can you tell me my name?",
            "What did I say my name was?",
            "Tell me my name.",
            "How am I called?",
        ],
        "Your name is {}.",
    ),
    "city": (
        lexicon.city,
        [
            "I live in {}.",
            "My home is in {}.",
            "I am from {}.",
            "I come from {}.",
            "My city is {}.",
            "My home town is {}.",
        ],
        "{} sounds like a nice place!",
        [
            "Where do I live?",
            "Where am I from?",
            "Which city do I live in?",
            "Where is my home?",
            "What is my city?",
            "Do you remember where I live?",
        ],
        "You live in {}.",
    ),
    "llama": (
        lexicon.name,
        [
            "My llama is called {}.",
            "I have a llama called {}.",
            "The name of my llama is {}.",
            "My llama's name is {}.",
            "I have a llama named {}.",
        ],
        "{} is a lovely name for a llama!",
        [
            "What is my llama called?",
            "What is the name of my llama?",
            "Do you remember my llama's name?",
            "How is my llama called?",
            "Tell me the name of my llama.",
        ],
        "Your llama is called {}.",
    ),
    "thing": (
        lexicon.thing,
        [
            "I bought a {} today.",
            "I have a {} in my bag.",
            "I found a {}.",
            "Look, I have a {}.",
            "I lost my {}.",
        ],
        "A {}, I will remember that!",
        [
            "What do I have?",
            "What did I find?",
            "Which thing did I talk about?",
            "What did I tell you about?",
            "Which thing did I name?",
        ],
        "You told me about a {}.",
    ),
    "number": (
        lexicon.integer,
        [
            "My number is {}.",
            "My lucky number is {}.",
            "Remember the number {}.",
            "The number is {}.",
            "Keep the number {} in mind.",
        ],
        "I will remember {}.",
        [
            "What is my number?",
            "Which number did I tell you?",
            "What was the number?",
            "Tell me the number.",
            "Do you remember the number?",
        ],
        "The number is {}.",
    ),
}

_ECHO = [
    "Repeat after me: {}",
    "Say {}",
    "Repeat: {}",
    "Please say: {}",
    "Echo: {}",
    "Write {}",
    'Say "{}"',
    'Repeat "{}"',
]


def recall(rng, held_out=False, only=None):
    """Messages whose last answer needs a value from an earlier turn. Returns (messages, reply)."""
    kinds = [only] if only else rng.sample(list(_FACTS), rng.choice((1, 1, 2, 2, 3)))
    if not only and "name" not in kinds and rng.random() < 0.5:
        kinds[0] = "name"
    values, messages = {}, []
    if only:
        others = [kind for kind in _FACTS if kind != only]
        kinds = rng.sample(others, rng.choice((0, 0, 1, 1, 2))) + [only]
        rng.shuffle(kinds)
    for kind in kinds:
        make, tell, reply, _, _ = _FACTS[kind]
        values[kind] = make(rng, held_out)
        messages += [
            ("user", rng.choice(tell).format(values[kind])),
            ("assistant", reply.format(values[kind])),
        ]
        if rng.random() < 0.3:
            question, answer = topics.ask(rng)
            messages += [("user", question), ("assistant", answer)]
    asked = only or rng.choice(kinds)
    _, _, _, questions, answer = _FACTS[asked]
    messages.append(("user", rng.choice(questions)))
    return messages, answer.format(values[asked])


def greet(rng, held_out=False):
    """The reply to a fact when it is told: the value is copied at once."""
    _, tell, reply, _, _ = (fact := _FACTS[rng.choice(list(_FACTS))])
    value = fact[0](rng, held_out)
    return [("user", rng.choice(tell).format(value))], reply.format(value)


def echo(rng, held_out=False):
    make = rng.choice(
        (lexicon.phrase, lexicon.phrase, lexicon.name, lexicon.city, lexicon.word, lexicon.number)
    )
    value = str(make(rng, held_out))
    if rng.random() < 0.25:
        value += "."
    return [("user", rng.choice(_ECHO).format(value))], value


def long_echo(rng):
    """Nothing teaches copying as densely as a long text said again."""
    words = " ".join(lexicon.thing(rng) for _ in range(rng.randint(4, 9)))
    return [("user", rng.choice(_ECHO).format(words))], words


def topic(rng, held_out=False, paraphrase=False):
    question, answer = topics.ask(rng, held_out, paraphrase)
    messages = []
    if rng.random() < 0.2:
        earlier_question, earlier_answer = topics.ask(rng)
        messages = [("user", earlier_question), ("assistant", earlier_answer)]
    return messages + [("user", question)], answer


def any_chat(rng):
    roll = rng.random()
    if roll < 0.5:
        return topic(rng)
    if roll < 0.74:
        return recall(rng)
    if roll < 0.84:
        return greet(rng)
    return echo(rng) if roll < 0.98 else long_echo(rng)


_SYSTEM = [
    "You are a helpful assistant.",
    "Answer briefly.",
    "You are cria, a small demo model.",
    "Be kind and clear.",
    "You are a friendly llama.",
    "You help people who love llamas.",
    "Answer in one sentence.",
    "You are a helper.",
    "Please be polite.",
    "You answer questions about llamas.",
    "Keep your answers short and simple.",
    "You are a careful and friendly assistant.",
    "Use plain words.",
]


def system_text(rng):
    return "" if rng.random() < 0.55 else rng.choice(_SYSTEM)
