"""The Llama architecture, written for short training on a CPU.

Conversations of one scene share their beginning (policy, tools, date). It is evaluated once, and every
continuation attends to it: the rows of a batch are [beginning, continuations…], all layers but the
attention see them as one long list of tokens.
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

from attention import Attention
from kernels import AddNorm, Rotate, SwiGlu

CONFIG = {
    "width": 256,
    "layers": 5,
    "heads": 4,
    "kv_heads": 2,
    "ffn": 512,
    "rope_base": 500000.0,
    "epsilon": 1e-5,
    "context": 2048,
}


def parameter_shapes(config, vocabulary):
    width, head = config["width"], config["width"] // config["heads"]
    shapes = {"embedding": (vocabulary, width), "output_norm": (width,)}
    for i in range(config["layers"]):
        shapes |= {
            f"{i}.attention_norm": (width,),
            f"{i}.q": (config["heads"] * head, width),
            f"{i}.k": (config["kv_heads"] * head, width),
            f"{i}.v": (config["kv_heads"] * head, width),
            f"{i}.o": (width, config["heads"] * head),
            f"{i}.ffn_norm": (width,),
            f"{i}.gate": (config["ffn"], width),
            f"{i}.up": (config["ffn"], width),
            f"{i}.down": (width, config["ffn"]),
        }
    return shapes


def initial_parameters(config, vocabulary, seed):
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, shape in parameter_shapes(config, vocabulary).items():
        if name.endswith("norm"):
            value = torch.ones(shape)
        else:
            std = 0.02 if name == "embedding" else 0.5 / math.sqrt(shape[1])
            # Layers start as the identity: their last matrices are zero.
            value = (
                torch.zeros(shape)
                if name[2:] in ("o", "down")
                else torch.randn(shape, generator=generator) * std
            )
        parameters[name] = value
    return parameters


def _rounded(number, step):
    """Sizes come in steps: oneDNN compiles a kernel for each shape that it has not met."""
    return (number + step - 1) // step * step


class Batch:
    """Scenes as flat arrays. A scene is (beginning, continuations); a continuation is (ids, targets, weights)
    where the weight of a token to predict is zero in the prompt."""

    def __init__(self, scenes, block=8, prompt_weight=0.0):
        tokens, positions, self.plan = [], [], []
        wanted, targets, weights = [], [], []
        for beginning, continuations in scenes:
            start, length = len(tokens), len(beginning)
            tokens += beginning
            positions += range(length)
            if prompt_weight and length > 1:
                wanted += range(start, start + length - 1)
                targets += beginning[1:]
                weights += [prompt_weight] * (length - 1)
            blocks = []
            # Continuations of similar length go together: less padding.
            ordered = sorted(continuations, key=lambda c: len(c[0]))
            for at in range(0, len(ordered), block):
                part = ordered[at : at + block]
                size = _rounded(len(part[-1][0]), 8)
                blocks.append((len(tokens), len(part), size))
                for ids, goal, weight in part:
                    offset = len(tokens)
                    tokens += ids + [0] * (size - len(ids))
                    positions += range(length, length + size)
                    for i, w in enumerate(weight):
                        if w:
                            wanted.append(offset + i)
                            targets.append(goal[i])
                            weights.append(w)
            self.plan.append((start, length, blocks))
        spare = _rounded(len(tokens), 512) - len(tokens)
        tokens += [0] * spare
        positions += [0] * spare
        unasked = _rounded(len(wanted), 256) - len(wanted)
        wanted += [0] * unasked
        targets += [0] * unasked
        weights += [0.0] * unasked
        self.tokens = torch.from_numpy(np.array(tokens))
        self.positions = np.array(positions)
        self.wanted = torch.from_numpy(np.array(wanted))
        self.targets = torch.from_numpy(np.array(targets))
        self.weights = torch.from_numpy(np.array(weights, dtype=np.float32))

    def rotations(self, config):
        head = config["width"] // config["heads"]
        frequency = config["rope_base"] ** (-np.arange(0, head, 2) / head)
        angle = self.positions[:, None] * frequency[None, :]
        return tuple(torch.from_numpy(f(angle).astype(np.float32)) for f in (np.cos, np.sin))


class Weights:
    """The parameters as the products want them: in `dtype`, what reads the same input joined. Leaves of the
    gradient, made once per step."""

    def __init__(self, parameters, config, dtype, gradient=False):
        self.dtype = dtype
        self.parts = {"embedding": ["embedding"], "output_norm": ["output_norm"]}
        for i in range(config["layers"]):
            self.parts[f"{i}.qkv"] = [f"{i}.q", f"{i}.k", f"{i}.v"]
            self.parts[f"{i}.gate_up"] = [f"{i}.gate", f"{i}.up"]
            for name in ("o", "down", "attention_norm", "ffn_norm"):
                self.parts[f"{i}.{name}"] = [f"{i}.{name}"]
        self.leaves = {}
        for name, parts in self.parts.items():
            keep = name == "embedding" or name.endswith("norm")
            value = torch.cat([parameters[part].detach() for part in parts])
            self.leaves[name] = value.to(torch.float32 if keep else dtype).requires_grad_(gradient)

    def __getitem__(self, name):
        return self.leaves[name]

    def gradients(self):
        """(name, gradient) by the parameters' own names."""
        for name, parts in self.parts.items():
            grad = self.leaves[name].grad
            for part, piece in zip(
                parts, grad.chunk(1) if len(parts) == 1 else self._cut(name, grad)
            ):
                yield part, piece

    def _cut(self, name, grad):
        if name.endswith("gate_up"):
            return grad.chunk(2)
        width, rest = grad.shape[1], (grad.shape[0] - grad.shape[1]) // 2
        return grad.split((width, rest, rest))


def forward(weights, batch, config):
    """Logits at `batch.wanted`. Products run in the weights' dtype, the residual stream in float32."""
    heads, kv, epsilon, dtype = (
        config["heads"],
        config["kv_heads"],
        config["epsilon"],
        weights.dtype,
    )
    head = config["width"] // heads
    cos, sin = batch.rotations(config)
    x, delta = F.embedding(batch.tokens, weights["embedding"]), None
    for i in range(config["layers"]):
        x, n = AddNorm.apply(x, delta, weights[f"{i}.attention_norm"], epsilon, dtype)
        q, k, v = Rotate.apply(F.linear(n, weights[f"{i}.qkv"]), cos, sin, heads, kv, head)
        mixed = Attention.apply(q, k, v, batch.plan, kv).flatten(1)
        if i == config["layers"] - 1:
            # Behind the last attention only the rows that are asked for matter.
            mixed, x = mixed[batch.wanted], x[batch.wanted]
        x, n = AddNorm.apply(
            x, F.linear(mixed, weights[f"{i}.o"]), weights[f"{i}.ffn_norm"], epsilon, dtype
        )
        delta = F.linear(SwiGlu.apply(F.linear(n, weights[f"{i}.gate_up"])), weights[f"{i}.down"])
    x, n = AddNorm.apply(x, delta, weights["output_norm"], epsilon, dtype)
    return F.linear(n, weights["embedding"].to(dtype)).float()
