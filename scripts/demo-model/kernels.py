"""Builds kernels.cpp for this processor and wraps it for torch's autograd."""

import ctypes
import os
import subprocess
from pathlib import Path

import torch

from engine import ROOT


def _library():
    source = Path(__file__).with_name("kernels.cpp")
    built = ROOT / ".build/demo-model/kernels.so"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(parents=True, exist_ok=True)
        part = built.with_suffix(f".{os.getpid()}")
        flags = ["-std=c++17", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run(
            [os.environ.get("CXX", "g++"), *flags, str(source), "-o", str(part)], check=True
        )
        part.rename(built)
    return ctypes.CDLL(str(built))


_LIBRARY = _library()


def _call(name, dtype, *arguments):
    """Tensors go as pointers; they must be contiguous and of the right type, which is asserted here."""
    passed = []
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            assert argument.is_contiguous() and argument.dtype in (dtype, torch.float32), (
                name,
                argument.dtype,
            )
            passed.append(ctypes.c_void_p(argument.data_ptr()))
        elif isinstance(argument, float):
            passed.append(ctypes.c_float(argument))
        else:
            passed.append(ctypes.c_void_p() if argument is None else ctypes.c_int64(argument))
    getattr(_LIBRARY, f"{name}_{str(dtype).removeprefix('torch.')}")(*passed)


class AddNorm(torch.autograd.Function):
    """(x, delta, weight) to (x + delta, its RMS norm in `dtype`)."""

    @staticmethod
    def forward(ctx, x, delta, weight, epsilon, dtype):
        rows, width = x.shape
        total, out, scales = (
            torch.empty_like(x),
            torch.empty(rows, width, dtype=dtype),
            torch.empty(rows),
        )
        _call("norm_forward", dtype, x, delta, weight, epsilon, total, out, scales, rows, width)
        ctx.save_for_backward(total, scales, weight)
        ctx.dtype, ctx.added = dtype, delta is not None
        return total, out

    @staticmethod
    def backward(ctx, grad_total, grad):
        total, scales, weight = ctx.saved_tensors
        rows, width = total.shape
        grad_x, grad_weight = grad_total.clone(), torch.zeros_like(weight)
        grad_delta = torch.empty(rows, width, dtype=ctx.dtype) if ctx.added else None
        _call(
            "norm_backward",
            ctx.dtype,
            grad.contiguous(),
            total,
            scales,
            weight,
            grad_x,
            grad_delta,
            grad_weight,
            rows,
            width,
        )
        return grad_x, grad_delta, grad_weight, None, None


class Rotate(torch.autograd.Function):
    """Cuts q, k and v out of one product and turns q and k to their positions; q is scaled as well."""

    @staticmethod
    def forward(ctx, joined, cos, sin, heads, kv, head):
        rows, dtype = joined.shape[0], joined.dtype
        q, k, v = (torch.empty(rows, n, head, dtype=dtype) for n in (heads, kv, kv))
        ctx.shape = (rows, heads, kv, head)
        ctx.save_for_backward(cos, sin)
        _call("rotate", dtype, joined, q, k, v, cos, sin, head**-0.5, 0, *ctx.shape)
        return q, k, v

    @staticmethod
    def backward(ctx, q, k, v):
        cos, sin = ctx.saved_tensors
        rows, heads, kv, head = ctx.shape
        joined = torch.empty(rows, (heads + 2 * kv) * head, dtype=q.dtype)
        parts = (part.contiguous() for part in (q, k, v))
        _call("rotate", q.dtype, joined, *parts, cos, sin, head**-0.5, 1, *ctx.shape)
        return joined, None, None, None, None, None


class SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, joined):
        rows, width = joined.shape[0], joined.shape[1] // 2
        out = torch.empty(rows, width, dtype=joined.dtype)
        _call("swiglu_forward", joined.dtype, joined, out, rows, width)
        ctx.save_for_backward(joined)
        return out

    @staticmethod
    def backward(ctx, grad):
        (joined,) = ctx.saved_tensors
        out = torch.empty_like(joined)
        _call(
            "swiglu_backward",
            joined.dtype,
            joined,
            grad.contiguous(),
            out,
            joined.shape[0],
            joined.shape[1] // 2,
        )
        return out


def softmax_(shared, own):
    """In place; rows of `own` end at the diagonal. `shared` may be None."""
    size, length = own.shape[-1], 0 if shared is None else shared.shape[-1]
    _call("softmax_forward", own.dtype, shared, own, own.numel() // size, size, length)


def softmax_backward_(shared, own, grad_shared, grad_own):
    size, length = own.shape[-1], 0 if shared is None else shared.shape[-1]
    _call(
        "softmax_backward",
        own.dtype,
        shared,
        own,
        grad_shared,
        grad_own,
        own.numel() // size,
        size,
        length,
    )
