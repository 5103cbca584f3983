"""From scenes of cases to batches of tokens."""

import os

STORY_WEIGHT = 0.25  # a story is ten times as long as an answer and would drown them


def encode(tokenizer, case):
    prompt = tokenizer.encode_segments(case.prompt)
    reply = tokenizer.encode(case.reply) + [tokenizer.control[case.end]]
    return prompt, reply


def scene(tokenizer, cases, prompt_weight=0.0):
    """(beginning shared by all, continuations). The last prompt token predicts, so it is never shared."""
    encoded = [encode(tokenizer, case) for case in cases]
    prompts = [prompt for prompt, _ in encoded]
    shared = len(os.path.commonprefix(prompts)) if len(prompts) > 1 else 0
    shared = min([shared, *(len(prompt) - 1 for prompt in prompts)]) // 8 * 8
    continuations = []
    for (prompt, reply), case in zip(encoded, cases):
        ids = (prompt + reply)[shared:]
        silent = len(prompt) - shared - 1
        weight = STORY_WEIGHT if case.end == "<|end_of_text|>" else 1.0
        continuations.append((ids[:-1], ids[1:], [prompt_weight] * silent + [weight] * len(reply)))
    return prompts[0][:shared], continuations
