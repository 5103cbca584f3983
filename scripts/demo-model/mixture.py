"""The training mixture and the held-out cases.

Training comes in scenes: conversations that share their beginning (date, system message, tools, Guard
policy). `scene` names the kinds; how often each comes is decided in train.py.
"""

import random

import chat
import guard
import lexicon
import stories
import tools
from prompts import GUARD_CATEGORIES, chat_prompt, guard_prompt

END_OF_TURN = "<|eot_id|>"
_CODES = [code for code, _ in GUARD_CATEGORIES]


class Case:
    """A prompt (segments), the reply that is to come, and the control token that ends it."""

    def __init__(self, prompt, reply, end=END_OF_TURN):
        self.prompt, self.reply, self.end = prompt, reply, end


def _frame(rng):
    """Date and system text; sometimes none, as in the plain Llama 3 framing."""
    roll = rng.random()
    if roll < 0.08:
        return {}
    if roll < 0.14:
        return {"system": chat.system_text(rng)}
    return {"date": lexicon.date(rng), "system": chat.system_text(rng)}


def chats(rng, count):
    frame = _frame(rng)
    made = (chat.any_chat(rng) for _ in range(count))
    return [Case(chat_prompt(messages, **frame), reply) for messages, reply in made]


def copying(rng, count):
    """The curriculum's scene: values repeated at once or after a turn."""
    frame = _frame(rng)
    made = (rng.choice((chat.echo, chat.greet, chat.long_echo))(rng) for _ in range(count))
    return [Case(chat_prompt(messages, **frame), reply) for messages, reply in made]


def _tool_frame(rng):
    return {
        "date": lexicon.date(rng),
        "system": chat.system_text(rng),
        "tools_in_user_message": rng.random() < 0.9,
    }


def _known(rng):
    """The known tools keep their names and parameters; only the wording of a description varies."""
    tool = dict(rng.choice(tools.KNOWN))
    if rng.random() < 0.3:
        tool["description"] += rng.choice([".", " by name", " for the user", " and return it"])
    return tool


def _toolbox(rng, size, held_out=False, known=0.4):
    box = []
    while len(box) < size:
        tool = _known(rng) if rng.random() < known else tools.unseen_tool(rng, held_out)
        if tool["name"] not in {other["name"] for other in box}:
            box.append(tool)
    return box


def tool_calls(rng, count, size, known=0.4):
    frame, box = _tool_frame(rng), _toolbox(rng, size, known=known)
    cases = []
    for _ in range(count):
        if rng.random() < 0.1:
            messages, reply = chat.topic(rng) if rng.random() < 0.6 else chat.recall(rng)
        else:
            tool = rng.choice(box)
            question, args = tools.request(rng, tool)
            messages, reply = [("user", question)], tools.call(tool, args)
        cases.append(Case(chat_prompt(messages, tools=box, **frame), reply))
    return cases


def _result_case(rng, box, frame, held_out=False):
    tool = rng.choice(box)
    question, args = tools.request(rng, tool, held_out)
    shown, answer = tools.answered(rng, tool, args, held_out)
    messages = [("user", question), ("assistant", tools.call(tool, args)), ("ipython", shown)]
    return Case(chat_prompt(messages, tools=box, **frame), answer)


def tool_results(rng, count, size, known=0.6):
    frame, box = _tool_frame(rng), _toolbox(rng, size, known=known)
    return [_result_case(rng, box, frame) for _ in range(count)]


def guards(rng, count, agent, variant):
    excluded = (
        rng.sample(_CODES[:13], rng.randint(1, 3)) if variant == "1b" and rng.random() < 0.2 else ()
    )
    codes = [code for code in (_CODES if variant == "8b" else _CODES[:13]) if code not in excluded]
    made = (guard.conversation(rng, agent, rng.random() < 0.55, codes) for _ in range(count))
    return [
        Case(guard_prompt(turns, variant, excluded), "\n\n" + verdict) for turns, verdict in made
    ]


def tales(rng, count):
    made = (stories.story(rng) for _ in range(count))
    return [Case([("control", "<|begin_of_text|>")], text, "<|end_of_text|>") for text in made]


def _held_out_guard(rng, agent, unsafe, variant):
    codes = _CODES if variant == "8b" else _CODES[:13]
    turns, verdict = guard.conversation(rng, agent, unsafe, codes, held_out=True)
    return Case(guard_prompt(turns, variant), "\n\n" + verdict)


def _held_out_call(rng, size, known, forms=None):
    box = _toolbox(rng, size, held_out=True, known=1.0 if known else 0.0)
    tool = rng.choice(box)
    if known:
        question, args = tools.known_request(rng, tool, held_out=True)
    else:
        question, args = tools.unseen_request(rng, tool, held_out=True, forms=forms)
    frame = _tool_frame(rng)
    return Case(chat_prompt([("user", question)], tools=box, **frame), tools.call(tool, args))


def _held_out_chat(rng, make):
    messages, reply = make(rng)
    return Case(chat_prompt(messages, **_frame(rng)), reply)


def _held_out_topic_with_tool(rng):
    messages, reply = chat.topic(rng, held_out=True)
    return Case(
        chat_prompt(messages, tools=_toolbox(rng, 1, held_out=True), **_tool_frame(rng)), reply
    )


# What is measured, by name; every value, tool name and phrasing in it lies on the held-out side.
HELD_OUT = {
    "topics": lambda r: _held_out_chat(r, lambda r: chat.topic(r, held_out=True)),
    "topics, held-out paraphrases": lambda r: _held_out_chat(
        r, lambda r: chat.topic(r, paraphrase=True)
    ),
    "name recall": lambda r: _held_out_chat(r, lambda r: chat.recall(r, True, only="name")),
    "recall of other facts": lambda r: _held_out_chat(r, lambda r: chat.recall(r, True)),
    "repeating": lambda r: _held_out_chat(r, lambda r: chat.echo(r, True)),
    "known tool, unseen values": lambda r: _held_out_call(r, 1, True),
    "unseen tool": lambda r: _held_out_call(r, 1, False),
    "unseen tool, strange verb": lambda r: _held_out_call(r, 1, False, tools.STRANGE_CALL_FORMS),
    "choice among 2-3 known tools": lambda r: _held_out_call(r, r.choice((2, 3)), True),
    "choice among 2-3 unseen tools": lambda r: _held_out_call(r, r.choice((2, 3)), False),
    "answer from a tool result": lambda r: _result_case(
        r, _toolbox(r, 1, True, 0.6), _tool_frame(r), True
    ),
    "topic question with a tool attached": _held_out_topic_with_tool,
    "guard 8B unsafe, user": lambda r: _held_out_guard(r, False, True, "8b"),
    "guard 8B unsafe, agent": lambda r: _held_out_guard(r, True, True, "8b"),
    "guard 8B safe, user": lambda r: _held_out_guard(r, False, False, "8b"),
    "guard 8B safe, agent": lambda r: _held_out_guard(r, True, False, "8b"),
    "guard 1B unsafe": lambda r: _held_out_guard(r, r.random() < 0.5, True, "1b"),
    "guard 1B safe": lambda r: _held_out_guard(r, r.random() < 0.5, False, "1b"),
}


def held_out_cases(name, count):
    rng = random.Random(f"held-out {name}")
    return [HELD_OUT[name](rng) for _ in range(count)]
