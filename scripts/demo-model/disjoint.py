"""Asserts that what is measured was never trained on."""

import json
import random

import guard
import mixture
import tools
import topics
from lexicon import is_held_out

TRAINING_SAMPLE = (
    400  # steps; beyond the sample the split holds because both sides draw by checksum
)


def _texts(case):
    return [text for kind, text in case.prompt if kind == "text"]


def _key(task, case):
    """What makes a case new: the conversation judged, the question, or the values in the reply."""
    if task.startswith("guard"):
        text = max(_texts(case), key=len, default="")
        return text.partition("<BEGIN CONVERSATION>")[2].partition("<END CONVERSATION>")[0]
    if task.startswith("topic"):
        # Behind it come only the role and the line break of the reply's header.
        return "".join(_texts(case)[-3:-2]).split("\n\n")[-1]
    return case.reply


def _check_call(task, case):
    call = json.loads(case.reply)
    values = list(call["parameters"].values())
    assert all(is_held_out(str(value)) for value in values), case.reply
    if "unseen tool" in task:
        assert is_held_out(call["name"]) and all(map(is_held_out, call["parameters"])), case.reply


def check(training_scenes, count):
    """`training_scenes(rng)` makes the scenes of one step."""
    assert not topics.TRAINED_QUESTIONS & topics.HELD_OUT_QUESTIONS
    for trained, held_out in (
        (guard.TRAINED_FRAMES, guard.HELD_OUT_FRAMES),
        (guard.TRAINED_ACTS, guard.HELD_OUT_ACTS),
        (set(tools.CALL_FORMS), set(tools.HELD_OUT_CALL_FORMS)),
    ):
        assert trained and held_out and not trained & held_out
    rng = random.Random("disjoint")
    trained = set()
    for _ in range(TRAINING_SAMPLE):
        for case in (case for scene in training_scenes(rng) for case in scene):
            # A training case may fall under any task: all its keys count.
            trained |= {_key(task, case) for task in ("guard", "topic", "reply")}
    for task in mixture.HELD_OUT:
        for case in mixture.held_out_cases(task, count):
            assert _key(task, case) not in trained, (task, _key(task, case))
            if case.reply.startswith('{"name"'):
                _check_call(task, case)
