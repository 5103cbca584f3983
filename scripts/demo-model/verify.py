"""Checks that llama.cpp reads the model as the training meant it.

Tokens of several hundred texts must be the same, and the logits of an F32 file must be those of the
training code (cache in F32, flash attention off).

Usage: verify.py MODEL.pt MODEL-F32.gguf
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import data
import mixture
from engine import reference_program
from model import Batch, Weights, forward
from tokenizer import Tokenizer

TOLERANCE = 1e-3
_ODD_TEXTS = [
    "",
    " ",
    "  \n\n  x",
    "a\tb\r\nc",
    "It's we'll I'M you'Re",
    "12345 3.14 -7",
    "caf\u00e9 na\u00efve \u6771\u4eac \u0e44\u0e17\u0e22 \U0001f642",
    "<|eot_id|> is text here",
    "x = {'a': [1, 2]};",
    "\u00bd \u0661\u0662 \u2167",
    "end  \n",
    "...!?\n\nNext",
    "\u00a0nbsp\u2003em",
    "def f(x):\n    return x ** 2\n",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0395\u03bb\u03bb\u03ac\u03b4\u03b1",
]


def texts():
    rng = random.Random("verify")
    found = list(_ODD_TEXTS)
    for name in mixture.HELD_OUT:
        for case in mixture.held_out_cases(name, 25):
            found += [
                max((text for kind, text in case.prompt if kind == "text"), key=len),
                case.reply,
            ]
    for _ in range(200):
        found.append(
            "".join(
                chr(
                    rng.choice(
                        (rng.randint(32, 126), rng.randint(32, 126), rng.randint(160, 0x24FF))
                    )
                )
                for _ in range(40)
            )
        )
    return found


def compare_tokens(tokenizer, model):
    documents = texts()
    answer = subprocess.run(
        [reference_program(), "tokenize", model],
        input="".join(t + "\0" for t in documents).encode(),
        capture_output=True,
        check=True,
    )
    theirs = json.loads(answer.stdout)["tokens"]
    assert len(theirs) == len(documents), (len(theirs), len(documents))
    wrong = [text for text, ids in zip(documents, theirs) if tokenizer.encode(text) != ids]
    print(f"tokens: {len(documents)} texts, {len(wrong)} differ")
    for text in wrong[:5]:
        print("  ", repr(text))
    return not wrong


def compare_logits(checkpoint, tokenizer, model):
    worst = 0.0
    for name in ("answer from a tool result", "guard 8B unsafe, user", "name recall"):
        prompt, reply = data.encode(tokenizer, mixture.held_out_cases(name, 1)[0])
        ids = prompt + reply
        batch = Batch([([], [(ids, ids, [1.0] * len(ids))])])
        with torch.no_grad():
            ours = forward(
                Weights(checkpoint["parameters"], checkpoint["config"], torch.float32),
                batch,
                checkpoint["config"],
            )[: len(ids)].numpy()
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "logits"
            subprocess.run(
                [
                    reference_program(),
                    "logits",
                    model,
                    "--output",
                    output,
                    "--fa",
                    "off",
                    "--type-k",
                    "f32",
                    "--type-v",
                    "f32",
                ],
                input=" ".join(map(str, ids)).encode(),
                capture_output=True,
                check=True,
            )
            theirs = np.fromfile(output, dtype=np.float32).reshape(len(ids), -1)
        difference = float(np.abs(ours - theirs).max())
        worst = max(worst, difference)
        print(f"logits: {name}, {len(ids)} positions, largest difference {difference:.2e}")
    return worst <= TOLERANCE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("model")
    options = parser.parse_args()
    checkpoint = torch.load(options.checkpoint)
    tokenizer = Tokenizer(checkpoint["tokens"], checkpoint["merges"])
    good = compare_tokens(tokenizer, options.model)
    good = compare_logits(checkpoint, tokenizer, options.model) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
