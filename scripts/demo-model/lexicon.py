"""Words, names and numbers that stand for values, and the split between training and held-out ones.

A value belongs to the held-out part when its checksum says so: training never draws it, evaluation
draws nothing else. The same rule splits whole questions, tool names and phrasings.
"""

import zlib

NAMES = """Ada Adam Aisha Alan Alba Alice Amara Amir Ana Andrea Anna Anton Aria Arlo Arthur Asha Astrid Ava
Bea Beatriz Ben Bianca Billy Boris Bruno Camila Carla Carlos Cecilia Chloe Clara Colin Connor Cora Daisy
Dana Daniel Daria David Delia Diego Dina Dora Dylan Eddie Edith Elena Eli Elias Ella Emil Emma Enzo Erik
Esme Esther Eva Fatima Felix Fiona Flora Frank Freya Gabriel Gemma George Gina Grace Greta Gus Hana Hannah
Harry Harvey Hassan Hazel Heidi Helen Henry Hugo Ida Igor Ines Ingrid Iris Isaac Isla Ivan Ivy Jack Jade
James Jana Jasper Jenny Jim Joanna Jonas Jorge Josie Juan Judy Jules Julia Kai Karl Karin Kate Kenji Kira
Kofi Lara Lars Laura Leah Lena Leo Leon Lily Lina Linus Liam Lola Louis Lucas Lucia Lucy Luis Luna Lydia
Maja Malik Mara Marco Maria Marie Mark Marta Martin Mary Matteo Maya Mei Mia Mick Milo Mina Mira Molly Mona
Moses Nadia Naomi Nico Nina Nils Noah Nora Olga Oliver Olivia Omar Oscar Otto Pablo Paula Peggy Penny Peter
Petra Pia Pippa Polly Quinn Rafael Rahul Ravi Rita Robin Rosa Rosie Ruby Rudi Ruth Sally Sam Samir Sandra
Sara Sasha Selma Sergei Silas Simon Sofia Sonja Stella Sven Tanya Tara Tessa Theo Tilda Tim Tina Toby Tom
Tony Uma Ursula Vera Victor Viola Wanda Wendy Will Willow Yara Yasmin Yuki Yusuf Zara Zelda Zoe Zuri""".split()

CITIES = """Aberdeen Accra Adelaide Amsterdam Ankara Antwerp Arequipa Athens Auckland Austin Baku Bangkok
Barcelona Basel Beirut Belfast Bergen Berlin Bern Bilbao Bogota Bologna Bonn Boston Bremen Brisbane
Bristol Brno Brussels Budapest Cairo Calgary Canberra Cardiff Chicago Cologne Copenhagen Cork Cusco Dakar
Dallas Darwin Delhi Denver Derby Dhaka Dresden Dubai Dublin Dundee Durban Edinburgh Essen Faro Florence
Frankfurt Galway Gdansk Geneva Genoa Ghent Glasgow Graz Haifa Halifax Hamburg Hanoi Havana Helsinki Hobart
Houston Innsbruck Istanbul Jaipur Jakarta Juneau Kabul Kazan Kiel Kingston Krakow Kyoto Lagos Leeds Leipzig
Lima Linz Lisbon Liverpool Ljubljana London Lyon Madrid Malaga Malmo Manila Marseille Melbourne Miami Milan
Minsk Montreal Moscow Mumbai Munich Nagoya Nairobi Naples Nice Oporto Osaka Oslo Ottawa Oxford Palermo
Paris Perth Phoenix Pisa Porto Potosi Prague Puno Quebec Quito Reno Riga Rome Rotterdam Salzburg Santiago
Seattle Seoul Seville Sofia Split Stockholm Sydney Tallinn Tampere Tokyo Toronto Trieste Tunis Turin Utrecht
Valencia Venice Vienna Vilnius Warsaw Wellington Winnipeg York Yerevan Zagreb Zurich""".split()

THINGS = """apple anchor apron arrow badge bag ball banana basket bean bell belt bench berry bike blanket boat
book boot bottle bowl box bread brick bridge broom brush bucket butter button cabbage cable cake camera candle
candy cap car card carpet carrot cart castle chain chair chalk cheese cherry clock cloth coat coffee coin comb
compass cookie cotton cup curtain desk diary dish doll door dress drum egg engine envelope feather fence fiddle
flag flask flour flute fork garden garlic gate glass glove goggles guitar hammer harp hat helmet hook jacket jar
jelly jewel jug kettle key kite knife ladder lamp lantern leaf lemon letter lid lock map marble mask melon mirror
mitten mop mug mushroom nail napkin needle net nut onion oven paddle pan paper parrot pasta peach pear pebble pen
pencil pepper piano pillow pipe pizza plate plum pocket poppy pot potato pump puppet puzzle quilt radio rake ribbon
ring rocket roof rope rug ruler saddle salad scarf shelf shell shirt shoe shovel silk skirt sled soap sock sofa soup
spoon stamp stool string sugar table tea tent ticket toffee tool towel toy tractor tray trolley trumpet tulip
umbrella vase violin wagon wallet wheel whistle window yarn yoyo zipper""".split()

ADJECTIVES = """big blue bright brown cheap clean cold dark dry fine fresh funny golden gray green happy heavy hot
large light little long lovely narrow new nice old orange pink plain pretty purple quick quiet red round sharp short
silly silver small smooth soft sunny sweet tall tiny warm white wide yellow young""".split()

_ONSETS = (
    "b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p ph pl pr qu r s sc sh sk sl sm sn sp st str "
    "sw t th tr tw v w wh x y z"
).split() + [""] * 4
_VOWELS = "a a a e e e i i i o o o u u y y ai au ay ea ee ei ey ia ie io oa oo ou oy ua ui".split()
_CODAS = (
    "b bb ck d dd ff ft g gg l ll lm ld m mm mp n nn nd ng nk nt p pp r rr rd rk rm rn rt s ss sh st t tt "
    "th x y z zz"
).split() + [""] * 24


def checksum(text):
    return zlib.crc32(text.encode("utf-8"))


def is_held_out(text):
    """One in eight."""
    return checksum(text.lower()) % 8 == 0


def draw(rng, held_out, make):
    """A value from `make` that lies on the asked side of the split."""
    while True:
        value = make(rng)
        if is_held_out(str(value)) == held_out:
            return value


def pseudo_word(rng):
    """A made-up word. Doubled letters, `y` and repeated syllables are in it on purpose: a trial whose
    words lacked them could not copy them later."""
    if rng.random() < 0.08:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 7)))
    syllables = []
    for _ in range(rng.choice((1, 2, 2, 2, 3, 3))):
        if syllables and rng.random() < 0.08:
            syllables.append(syllables[-1])
        else:
            syllables.append(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS))
    word = "".join(syllables)
    return word if 2 <= len(word) <= 11 else pseudo_word(rng)


def any_name(rng):
    return rng.choice(NAMES) if rng.random() < 0.4 else pseudo_word(rng).capitalize()


def any_city(rng):
    if rng.random() < 0.45:
        return rng.choice(CITIES)
    word = pseudo_word(rng).capitalize()
    return f"{word} {pseudo_word(rng).capitalize()}" if rng.random() < 0.12 else word


def any_thing(rng):
    roll = rng.random()
    if roll < 0.35:
        return rng.choice(THINGS)
    if roll < 0.65:
        return f"{rng.choice(ADJECTIVES)} {rng.choice(THINGS)}"
    return pseudo_word(rng)


def any_phrase(rng):
    """Two to four words; now and then a word comes twice, which copying has to survive."""
    words = [any_thing(rng).split()[-1] for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.2:
        words.insert(rng.randrange(len(words)), rng.choice(words))
    return " ".join(words)


def any_integer(rng):
    digits = rng.choice((1, 2, 2, 2, 3, 3, 4, 5))
    value = rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
    return -value if rng.random() < 0.05 and value else value


def any_number(rng):
    if rng.random() < 0.6:
        return any_integer(rng)
    return round(rng.uniform(0, 10 ** rng.randint(1, 3)), rng.choice((1, 2)))


def name(rng, held_out=False):
    return draw(rng, held_out, any_name)


def city(rng, held_out=False):
    return draw(rng, held_out, any_city)


def thing(rng, held_out=False):
    return draw(rng, held_out, any_thing)


def phrase(rng, held_out=False):
    return draw(rng, held_out, any_phrase)


def word(rng, held_out=False):
    return draw(rng, held_out, pseudo_word)


def integer(rng, held_out=False):
    return draw(rng, held_out, any_integer)


def number(rng, held_out=False):
    return draw(rng, held_out, any_number)


def date(rng):
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{rng.randint(1, 28):02d} {rng.choice(months)} {rng.randint(2023, 2035)}"


def value_words():
    """What the tokenizer must spell in pieces, so that it looks the same everywhere."""
    return NAMES + CITIES + THINGS
