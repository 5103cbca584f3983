"""Questions on fixed topics with their fixed answers.

What is held out is never trained on: whole questions, and a part of the combinations of lead-in,
question and ending.
"""

from lexicon import is_held_out
from topic_table import TOPICS

_SUBJECT_QUESTIONS = [
    "What is {}?",
    "What's {}?",
    "Tell me about {}.",
    "Tell me what {} is.",
    "Explain {}.",
    "Explain what {} is.",
    "Describe {}.",
    "What do you know about {}?",
    "What does {} mean?",
    "Define {}.",
    "I want to know about {}.",
    "Say something about {}.",
    "Who or what is {}?",
    "Do you know what {} is?",
    "Give me a description of {}.",
    "How would you describe {}?",
]
_HELD_OUT_SUBJECT_QUESTIONS = [
    "Please write a sentence about {}.",
    "What can you say about {}?",
    "What exactly is {}?",
    "How would you explain {}?",
]

_LEAD_INS = [
    "",
    "",
    "",
    "",
    "Hello! ",
    "Hi, ",
    "Please answer: ",
    "A question: ",
    "Hey. ",
    "One more question. ",
]
_LEAD_INS += ["Can you help me? ", "I wonder: ", "Quick question: ", "Good morning. "]
_ENDINGS = [
    "",
    "",
    "",
    "",
    " Please be brief.",
    " Thank you.",
    " Thanks!",
    " Please.",
    " Answer in one sentence.",
]


def _questions(topic):
    _, subject, *listed = topic
    questions, held_out = (text.split(" | ") for text in listed)
    general = [text.format(subject) for text in _SUBJECT_QUESTIONS] if subject else []
    general_held_out = (
        [text.format(subject) for text in _HELD_OUT_SUBJECT_QUESTIONS] if subject else []
    )
    trained = list(dict.fromkeys(general + questions))
    return trained, [text for text in general_held_out + held_out if text not in trained]


_TABLE = [(topic[0], *_questions(topic)) for topic in TOPICS]
TRAINED_QUESTIONS = {question for _, trained, _ in _TABLE for question in trained}
HELD_OUT_QUESTIONS = {question for _, _, held_out in _TABLE for question in held_out}
assert not TRAINED_QUESTIONS & HELD_OUT_QUESTIONS


def ask(rng, held_out=False, paraphrase=False):
    """(question, answer). `held_out`: combinations never trained; `paraphrase`: questions never trained."""
    while True:
        answer, trained, held_out_questions = rng.choice(_TABLE)
        question = rng.choice(held_out_questions if paraphrase else trained)
        small_talk = question.endswith("!") or question.endswith(" you.")
        if small_talk:
            if held_out:
                continue
            return question, answer
        # People also type without capitals and question marks.
        asked = question[0].lower() + question[1:] if rng.random() < 0.1 else question
        asked = asked.rstrip("?.") if rng.random() < 0.1 else asked
        text = rng.choice(_LEAD_INS) + asked + (rng.choice(_ENDINGS) if asked[-1] in "?." else "")
        # The bare question is always trained: it is what people type first.
        if paraphrase or (text != question and is_held_out(text)) == held_out:
            return text, answer
