"""Tools: a few known families with unseen values, and unseen tools named after made-up things.

Every scene is one list of tools with several requests to it, so that the long definitions are read once
in training for all of them (see model.py).
"""

import json

import lexicon
from prompts import tool_call

_PLACES = [
    "the barn",
    "the garden",
    "the field",
    "the stable",
    "the village",
    "the hills",
    "the river",
    "the market",
]
_CONDITIONS = ["sunny", "cloudy", "rainy", "windy", "foggy", "snowy", "stormy", "clear"]


def _weather_result(rng, args, held_out):
    degrees = lexicon.draw(rng, held_out, lambda r: r.randint(-20, 45))
    sky = rng.choice(_CONDITIONS)
    return {
        "temperature": degrees,
        "condition": sky,
    }, f"It is {degrees} degrees and {sky} in {args['city']}."


def _time_result(rng, args, held_out):
    clock = lexicon.draw(rng, held_out, lambda r: f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}")
    return {"time": clock}, f"It is {clock} in {args['city']}."


def _price_result(rng, args, held_out):
    price = lexicon.integer(rng, held_out)
    return {"price": price}, f"The price of the {args['item']} is {price} dollars."


def _find_result(rng, args, held_out):
    place = rng.choice(_PLACES)
    return {"place": place}, f"{args['name']} is in {place}."


def _sum_result(rng, args, held_out):
    total = lexicon.number(rng, held_out)
    return {"result": total}, f"The result is {total}."


def _sent_result(rng, args, held_out):
    return {"status": "sent"}, f"Your message to {args['recipient']} was sent."


def _timer_result(rng, args, held_out):
    return {"status": "started"}, f"The timer runs for {args['minutes']} minutes."


# Known tools: definition, how each argument is drawn, ways to ask, and what a result is answered with.
KNOWN = [
    {
        "name": "get_weather",
        "description": "Get the current weather for a city",
        "parameters": [("city", "string", "The name of the city")],
        "draw": {"city": lexicon.city},
        "result": _weather_result,
        "ask": [
            "What is the weather in {city}?",
            "How is the weather in {city}?",
            "What's the weather like in {city}?",
            "Tell me the weather in {city}.",
            "How is the weather in {city} today?",
            "Is it warm in {city}?",
            "What is the weather like in {city} right now?",
            "Weather in {city}, please.",
        ],
    },
    {
        "name": "get_time",
        "description": "Get the local time in a city",
        "parameters": [("city", "string", "The name of the city")],
        "draw": {"city": lexicon.city},
        "result": _time_result,
        "ask": [
            "What time is it in {city}?",
            "Tell me the time in {city}.",
            "What is the time in {city}?",
            "How late is it in {city}?",
        ],
    },
    {
        "name": "get_price",
        "description": "Look up the price of an item",
        "parameters": [("item", "string", "The item to look up")],
        "draw": {"item": lexicon.thing},
        "result": _price_result,
        "ask": [
            "How much is the {item}?",
            "What does the {item} cost?",
            "What is the price of the {item}?",
            "Tell me the price of the {item}.",
        ],
    },
    {
        "name": "find_llama",
        "description": "Find out where a llama is",
        "parameters": [("name", "string", "The name of the llama")],
        "draw": {"name": lexicon.name},
        "result": _find_result,
        "ask": [
            "Where is {name}?",
            "Where is the llama {name}?",
            "Find {name}.",
            "Can you find the llama called {name}?",
        ],
    },
    {
        "name": "add",
        "description": "Add two numbers",
        "parameters": [("a", "number", "The first number"), ("b", "number", "The second number")],
        "draw": {"a": lexicon.number, "b": lexicon.number},
        "result": _sum_result,
        "ask": [
            "What is {a} plus {b}?",
            "Add {a} and {b}.",
            "How much is {a} plus {b}?",
            "What is the sum of {a} and {b}?",
        ],
    },
    {
        "name": "multiply",
        "description": "Multiply two numbers",
        "parameters": [("a", "number", "The first number"), ("b", "number", "The second number")],
        "draw": {"a": lexicon.number, "b": lexicon.number},
        "result": _sum_result,
        "ask": [
            "What is {a} times {b}?",
            "Multiply {a} by {b}.",
            "How much is {a} times {b}?",
            "What is the product of {a} and {b}?",
        ],
    },
    {
        "name": "send_message",
        "description": "Send a message to a person",
        "parameters": [
            ("recipient", "string", "Who gets the message"),
            ("text", "string", "The text of the message"),
        ],
        "draw": {"recipient": lexicon.name, "text": lexicon.phrase},
        "result": _sent_result,
        "ask": [
            'Send "{text}" to {recipient}.',
            'Write to {recipient}: "{text}"',
            'Tell {recipient} "{text}".',
            'Send {recipient} the message "{text}".',
        ],
    },
    {
        "name": "set_timer",
        "description": "Start a timer",
        "parameters": [("minutes", "integer", "How many minutes the timer runs")],
        "draw": {"minutes": lexicon.integer},
        "result": _timer_result,
        "ask": [
            "Set a timer for {minutes} minutes.",
            "Start a timer of {minutes} minutes.",
            "Wake me in {minutes} minutes.",
            "I need a timer for {minutes} minutes.",
        ],
    },
]

_VERBS = (
    "get find read set make open list check count fetch show move start stop save load book order "
    "create update search play turn plan"
).split()
_NOUNS = (
    "order member file room lamp song task note page map train flight hotel table door car mail list "
    "game team field stock album recipe book event report invoice ticket sensor parcel photo account "
    "letter colour route seat"
).split()
_PARAMETERS = (
    "id title size level color amount date place member owner limit target speed label topic count "
    "source key value kind mode number person street country language width height weight age floor "
    "seat email code day month year unit format"
).split()


def identifier_words():
    """What names of tools and parameters are made of; spelled like values, to be copied like them."""
    return _VERBS + _NOUNS + _PARAMETERS


_DESCRIBED = [
    "{verb} the {noun}",
    "{verb} a {noun}",
    "{verb} the {noun} of a {other}",
    "{verb} one {noun} by its {other}",
    "{verb} every {noun} in the {other}",
]
_EXPLAINED = ["The {} of the {}", "The {} to use", "Which {} to use", "The {}", "A {} for the {}"]
_VALUE_MAKERS = {
    "string": [lexicon.name, lexicon.city, lexicon.thing, lexicon.word, lexicon.phrase],
    "integer": [lexicon.integer],
    "number": [lexicon.number],
}


def _identifier(rng, held_out, real, joined):
    def make(r):
        word = r.choice(real) if r.random() < 0.5 else lexicon.pseudo_word(r)
        return (
            f"{word}_{lexicon.pseudo_word(r) if r.random() < 0.5 else r.choice(real)}"
            if r.random() < joined
            else word
        )

    return lexicon.draw(rng, held_out, make)


def unseen_tool(rng, held_out=False):
    def name(r):
        verb = r.choice(_VERBS) if r.random() < 0.8 else lexicon.pseudo_word(r)
        nouns = [
            r.choice(_NOUNS) if r.random() < 0.5 else lexicon.pseudo_word(r)
            for _ in range(1 if r.random() < 0.8 else 2)
        ]
        return "_".join([verb, *nouns])

    def described(r):
        verb, _, noun = tool_name.partition("_")
        other = r.choice(_NOUNS) if r.random() < 0.5 else lexicon.pseudo_word(r)
        return r.choice(_DESCRIBED).format(
            verb=verb.capitalize(), noun=noun.replace("_", " "), other=other
        )

    tool_name = lexicon.draw(rng, held_out, name)
    names = []
    while len(names) < rng.choice((1, 1, 2, 2, 3)):
        parameter = _identifier(rng, held_out, _PARAMETERS, 0.15)
        if parameter not in names:
            names.append(parameter)
    subject = tool_name.split("_")[-1]
    return {
        "name": tool_name,
        "description": lexicon.draw(rng, held_out, described),
        "parameters": [
            (
                n,
                rng.choice(("string", "string", "string", "integer", "number")),
                lexicon.draw(
                    rng,
                    held_out,
                    lambda r, n=n: r.choice(_EXPLAINED).format(
                        n.replace("_", " "), r.choice((subject, lexicon.pseudo_word(r)))
                    ),
                ),
            )
            for n in names
        ],
    }


CALL_FORMS = [
    "Call {tool} with {args}.",
    "Use {tool} with {args}.",
    "Run {tool} with {args}.",
    "Please call {tool} with {args}.",
    "Please use {tool} with {args}.",
    "I want to call {tool} with {args}.",
    "Do {tool} with {args}.",
    "{tool} with {args}, please.",
    "Can you call {tool} with {args}?",
    "Start {tool} with {args}.",
]
HELD_OUT_CALL_FORMS = [
    "I want to use {tool} with {args}.",
    "Can you use {tool} with {args}?",
    "Please, call {tool} with {args}.",
]
# The same with a verb that training never shows inside a sentence: measured apart.
STRANGE_CALL_FORMS = ["Please run {tool} with {args}.", "I want to run {tool} with {args}."]
_ARGUMENT_FORMS = ["{} set to {}", "{} {}", "{} = {}", "{} as {}", "{} equal to {}", "{}: {}"]
_BY_DESCRIPTION = [
    "{described} with {args}.",
    "Please {described}: {args}.",
    "I want to {described} with {args}.",
    "Can you {described} with {args}?",
]


def _joined(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def unseen_request(rng, tool, held_out=False, by_description=False, forms=None):
    """(question, arguments) for a tool of `unseen_tool`."""
    args = {
        name: rng.choice(_VALUE_MAKERS[kind])(rng, held_out) for name, kind, _ in tool["parameters"]
    }
    form = rng.choice(_ARGUMENT_FORMS)
    quoted = rng.random() < 0.25
    shown = [
        form.format(name, f'"{value}"' if quoted and isinstance(value, str) else value)
        for name, value in args.items()
    ]
    if by_description:
        described = tool["description"][0].lower() + tool["description"][1:]
        text = rng.choice(_BY_DESCRIPTION).format(described=described, args=_joined(shown))
        return text[0].upper() + text[1:], args
    forms = forms or (HELD_OUT_CALL_FORMS if held_out else CALL_FORMS)
    return rng.choice(forms).format(tool=tool["name"], args=_joined(shown)), args


def known_request(rng, tool, held_out=False):
    args = {name: make(rng, held_out) for name, make in tool["draw"].items()}
    return rng.choice(tool["ask"]).format(**args), args


def request(rng, tool, held_out=False):
    if "draw" in tool:
        return known_request(rng, tool, held_out)
    return unseen_request(rng, tool, held_out, by_description=rng.random() < 0.2)


def call(tool, args):
    return tool_call(tool["name"], args)


def _shown_result(rng, result):
    """Results come as objects, as strings (JSON-quoted by the template) or as strings that hold JSON."""
    roll = rng.random()
    if roll < 0.45:
        return json.dumps(result)
    if roll < 0.7:
        return json.dumps(json.dumps(result))
    if roll < 0.85 and len(result) == 1:
        return json.dumps(str(next(iter(result.values()))))
    return json.dumps(result, separators=(",", ":"))


def answered(rng, tool, args, held_out=False):
    """(tool result as shown, final answer)."""
    if "result" in tool:
        result, answer = tool["result"](rng, args, held_out)
    else:
        fields = [_identifier(rng, held_out, _PARAMETERS, 0) for _ in range(rng.choice((1, 1, 2)))]
        values = [
            rng.choice((lexicon.word, lexicon.integer, lexicon.name, lexicon.thing))(rng, held_out)
            for _ in fields
        ]
        result = dict(zip(fields, values))
        pairs = list(result.items())
        shown = _shown_result(rng, result)
        if not shown.startswith(("{", '"{')):
            return shown, f"The result is {pairs[0][1]}."
        return (
            shown,
            "The " + " and the ".join(f"{field} is {value}" for field, value in pairs) + ".",
        )
    return _shown_result(rng, result), answer
