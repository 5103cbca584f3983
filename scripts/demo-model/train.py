"""Trains the demo model: two single-threaded processes on shared parameters, a fixed number of steps.

Usage: train.py [--steps N] [--out DIR] [--dtype auto|bfloat16|float32]
"""

import argparse
import json
import math
import os
import random
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
import torch.multiprocessing as mp
from torch.nn import functional as F

import data
import disjoint
import lexicon
import mixture
import tokenizer as bpe
import tools
from model import CONFIG, Batch, Weights, forward, initial_parameters

PROCESSES = 2
LEAST_COUNT, PAIRS = 6, 320
MUON_RATE, ADAM_RATE = 0.02, 3e-3
COPYING_STEPS = 120  # plain copying comes first, and long prompts not yet
PROMPT_STEPS, PROMPT_WEIGHT = 240, 0.1
WARM_STEPS, DECAY_PART = 40, 0.8


def make_tokenizer(seed):
    rng = random.Random(f"tokenizer {seed}")
    scenes = []
    for scene in (scene for _ in range(500) for scene in step_scenes(rng, COPYING_STEPS)):
        parts = [[*case.prompt, ("text", case.reply)] for case in scene]
        scenes.append([text for part in parts for kind, text in part if kind == "text"])
    values = (
        lexicon.value_words() + tools.identifier_words() + [lexicon.word(rng) for _ in range(3000)]
    )
    return bpe.train(scenes, values, LEAST_COUNT, PAIRS)


def step_scenes(rng, step):
    """What one process reads in one step; about the same amount each time, so that neither waits long."""
    copying = step < COPYING_STEPS
    scenes = [mixture.chats(rng, 20)]
    scenes.append(
        mixture.copying(rng, 20)
        if copying
        else mixture.tool_calls(rng, 5, rng.choice((2, 2, 3)), 0.3)
    )
    scenes.append(mixture.tool_calls(rng, 6, 1, 0.7))
    scenes.append(mixture.tool_calls(rng, 6, 1, 0.0))
    if not copying:
        scenes.append(mixture.tool_results(rng, 6, 1, rng.choice((0.0, 1.0))))
    scenes.append(mixture.guards(rng, 14, rng.random() < 0.5, "8b" if rng.random() < 0.7 else "1b"))
    if rng.random() < 0.4:
        scenes.append(mixture.tales(rng, 4))
    return scenes


def micro_batches(tokenizer, scenes, step, limit=6500):
    """Usually one; a limit for the rare long step."""
    # Prompts are full of names said twice: at first they teach copying, later they only cost time.
    prompt_weight = PROMPT_WEIGHT if step < PROMPT_STEPS else 0.0
    group, size = [], 0
    for cases in scenes:
        encoded = data.scene(tokenizer, cases, prompt_weight)
        length = len(encoded[0]) + sum(len(c[0]) for c in encoded[1])
        if group and size + length > limit:
            yield Batch(group, prompt_weight=prompt_weight)
            group, size = [], 0
        group.append(encoded)
        size += length
    yield Batch(group, prompt_weight=prompt_weight)


def orthogonal(matrix, dtype):
    """Muon's Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = (x.t() if tall else x).to(dtype).contiguous()
    for _ in range(5):
        square = x @ x.t()
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.t() if tall else x).float()


class Optimizer:
    """Muon for the matrices of the layers, Adam for embedding and norms. Each process owns a share of the
    parameters and updates it in place in shared memory."""

    def __init__(self, parameters, rank, dtype):
        names = sorted(parameters, key=lambda n: (-parameters[n].numel(), n))
        self.names, self.parameters, self.dtype = names[rank::PROCESSES], parameters, dtype
        self.first = {n: torch.zeros_like(parameters[n]) for n in self.names}
        self.second = {n: torch.zeros_like(parameters[n]) for n in self.names if not self._muon(n)}

    @staticmethod
    def _muon(name):
        return name != "embedding" and not name.endswith("norm")

    def step(self, gradient, number, scale):
        for name in self.names:
            value, grad, first = self.parameters[name], gradient(name), self.first[name]
            if self._muon(name):
                first.mul_(0.95).add_(grad)
                update = orthogonal(grad + 0.95 * first, self.dtype)
                value.add_(
                    update,
                    alpha=-MUON_RATE * scale * math.sqrt(max(1.0, value.shape[0] / value.shape[1])),
                )
            else:
                second = self.second[name]
                first.mul_(0.9).add_(grad, alpha=0.1)
                second.mul_(0.99).addcmul_(grad, grad, value=0.01)
                m, v = first / (1 - 0.9**number), second / (1 - 0.99**number)
                value.addcdiv_(m, v.sqrt().add_(1e-8), value=-ADAM_RATE * scale)


def rate(step, steps):
    """Warm up shortly, hold, then fall to 1 % in a line."""
    return min(1.0, (step + 1) / WARM_STEPS, max(0.01, (steps - step) / (steps * DECAY_PART)))


def accuracy(parameters, tokenizer, cases, dtype):
    """Part of the cases whose greedy reply is exactly right: every token is the most likely one."""
    right, weights = 0, Weights(parameters, CONFIG, dtype)
    for at in range(0, len(cases), 10):
        part = cases[at : at + 10]
        made = [data.scene(tokenizer, [case]) for case in part]
        # Batch orders continuations inside a scene only, so cases stay in order.
        batch = Batch(made)
        with torch.no_grad():
            best = forward(weights, batch, CONFIG).argmax(-1)
        good = (best == batch.targets).tolist()
        for case in part:
            length = len(data.encode(tokenizer, case)[1])
            right += all(good[:length])
            good = good[length:]
    return right / len(cases)


def pick_dtype(wanted):
    """bfloat16 where the processor multiplies it much faster (AMX); elsewhere it only costs accuracy."""
    if wanted != "auto":
        return getattr(torch, wanted)
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(1024, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
        a @ b
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        times[dtype] = time.perf_counter() - start
    return torch.bfloat16 if times[torch.bfloat16] < times[torch.float32] / 2 else torch.float32


def work(rank, options, tokenizer, parameters, gradients, totals, barrier):
    torch.set_num_threads(1)
    dtype = pick_dtype(options.dtype)
    optimizer = Optimizer(parameters, rank, dtype)
    rng = random.Random(f"data {options.seed} {rank}")
    log = open(Path(options.out) / "log.txt", "w") if rank == 0 else None
    started, seen, computed = time.time(), 0, 0
    step = 0
    while step < options.steps:
        weights = Weights(parameters, CONFIG, dtype, gradient=True)
        loss_sum, weight_sum = 0.0, 0.0
        for batch in micro_batches(tokenizer, step_scenes(rng, step), step):
            logits = forward(weights, batch, CONFIG)
            loss = (F.cross_entropy(logits, batch.targets, reduction="none") * batch.weights).sum()
            loss.backward()
            loss_sum, weight_sum = loss_sum + loss.item(), weight_sum + batch.weights.sum().item()
            computed += len(batch.tokens)
            seen += sum(
                length * (sum(b[1] for b in blocks)) for _, length, blocks in batch.plan
            ) + len(batch.tokens)
        for name, gradient in weights.gradients():
            gradients[rank][name].copy_(gradient)
        totals[rank] = torch.tensor([loss_sum, weight_sum])
        barrier.wait()
        weight = totals[:, 1].sum().item()
        loss_now = totals[:, 0].sum().item() / weight
        optimizer.step(
            lambda n: (gradients[0][n] + gradients[1][n]) / weight,
            step + 1,
            rate(step, options.steps),
        )
        barrier.wait()
        if rank == 0 and (step % 20 == 0 or step == options.steps - 1):
            passed = time.time() - started
            print(
                f"step {step} loss {loss_now:.4f} {passed:.0f} s {PROCESSES * computed / passed:.0f} tokens/s "
                f"({PROCESSES * seen / passed:.0f} with shared beginnings)",
                file=log,
                flush=True,
            )
        step += 1
        if step % options.check_every == 0 and step < options.steps:
            report(rank, options, tokenizer, parameters, dtype, 24, log, f"step {step}", barrier)
    report(rank, options, tokenizer, parameters, dtype, options.cases, log, "end", barrier)


def report(rank, options, tokenizer, parameters, dtype, count, log, title, barrier):
    if rank == 0:
        torch.save(
            {
                "parameters": dict(parameters),
                "tokens": tokenizer.tokens,
                "merges": tokenizer.merges,
                "config": CONFIG,
            },
            Path(options.out) / "model.pt",
        )
        for name in mixture.HELD_OUT:
            share = accuracy(parameters, tokenizer, mixture.held_out_cases(name, count), dtype)
            print(f"{title}: {name}: {share:.3f}", file=log, flush=True)
    barrier.wait()


def write_cases(path, count):
    with open(path, "w") as file:
        for name in mixture.HELD_OUT:
            for case in mixture.held_out_cases(name, count):
                prompt = [{kind: text} for kind, text in case.prompt]
                print(
                    json.dumps(
                        {"task": name, "prompt": prompt, "expected": case.reply}, ensure_ascii=False
                    ),
                    file=file,
                )


def keep_memory():
    """Large tensors come and go all the time; by default each costs a round of page faults. The same goes for
    oneDNN's kernels, compiled per shape."""
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.environ |= {
            "MALLOC_MMAP_THRESHOLD_": "33554432",
            "MALLOC_TRIM_THRESHOLD_": "8589934592",
            "MALLOC_TOP_PAD_": "268435456",
            "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "8192",
        }
        os.execv(sys.executable, [sys.executable, *sys.argv])


def main():
    keep_memory()
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1450)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", default=str(Path(__file__).parents[2] / ".build/demo-model"))
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--check-every", type=int, default=300)
    options = parser.parse_args()
    Path(options.out).mkdir(parents=True, exist_ok=True)
    disjoint.check(lambda rng: step_scenes(rng, COPYING_STEPS), options.cases)
    write_cases(Path(options.out) / "held-out.jsonl", options.cases)
    torch.manual_seed(options.seed)
    tokenizer = make_tokenizer(options.seed)
    parameters = initial_parameters(CONFIG, len(tokenizer.tokens), options.seed)
    print(
        f"{sum(p.numel() for p in parameters.values())} parameters, {len(tokenizer.tokens)} tokens",
        flush=True,
    )
    gradients = [
        {n: torch.zeros_like(p).share_memory_() for n, p in parameters.items()}
        for _ in range(PROCESSES)
    ]
    for p in parameters.values():
        p.share_memory_()
    totals = torch.zeros(PROCESSES, 2).share_memory_()
    context = mp.get_context("fork")
    # A process that dies must not leave the other waiting for ever.
    barrier = context.Barrier(PROCESSES, timeout=1800)
    workers = [
        context.Process(
            target=work, args=(rank, options, tokenizer, parameters, gradients, totals, barrier)
        )
        for rank in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(max(worker.exitcode or 0 for worker in workers))


if __name__ == "__main__":
    main()
