"""Attention over scenes: every continuation sees the beginning of its scene and its own past."""

import torch

import kernels


def _by_group(x, count, size, kv):
    """(count * size, heads, head) to (kv, count, heads per kv, size, head), so that both the beginning (one
    for all) and the own past (one each) are plain batched products."""
    return x.view(count, size, kv, -1, x.shape[-1]).permute(2, 0, 3, 1, 4).contiguous()


def _flat(x):
    kv, count, group, size, head = x.shape
    return x.permute(1, 3, 0, 2, 4).reshape(count * size, kv * group, head)


class Attention(torch.autograd.Function):
    """(q, k, v) flat, q scaled; a beginning is a block without anything shared before it."""

    @staticmethod
    def forward(ctx, q, k, v, plan, kv):
        # Spare rows at the end belong to no scene and must not hold garbage.
        out, ctx.kept = torch.zeros_like(q), []
        ctx.kv, ctx.shapes = kv, (q.shape, k.shape)
        for start, length, blocks in plan:
            before = None
            whole = ([(start, 1, length)] if length else []) + blocks
            for number, (at, count, size) in enumerate(whole):
                end = at + count * size
                qb, kb, vb = (_by_group(x[at:end], count, size, kv) for x in (q, k, v))
                shape, head = qb.shape, q.shape[-1]
                pair = qb.view(kv * count, -1, head)
                keys, values = kb.view(kv * count, size, head), vb.view(kv * count, size, head)
                own, shared = torch.bmm(pair, keys.transpose(1, 2)), None
                if before:
                    shared = torch.bmm(qb.view(kv, -1, head), before[0].transpose(1, 2))
                kernels.softmax_(shared, own)
                mixed = torch.bmm(own, values).view(shape)
                if before:
                    mixed += torch.bmm(shared, before[1]).view(shape)
                out[at:end] = _flat(mixed)
                ctx.kept.append((at, end, qb, keys, values, own, shared, before))
                if length and number == 0:
                    before = (kb.view(kv, length, head), vb.view(kv, length, head), at, end)
        return out

    @staticmethod
    def backward(ctx, grad):
        grad, kv = grad.contiguous(), ctx.kv
        q_shape, k_shape = ctx.shapes
        grads = [torch.zeros(shape, dtype=grad.dtype) for shape in (q_shape, k_shape, k_shape)]
        pending = {}  # what continuations send back to the keys and values of their beginning
        # Backwards, so that a beginning comes after all that saw it.
        for at, end, qb, keys, values, own, shared, before in reversed(ctx.kept):
            kvs, count, _, size, head = qb.shape
            g = _by_group(grad[at:end], count, size, kv)
            pair, gp = qb.view(kv * count, -1, head), g.view(kv * count, -1, head)
            d_own, d_shared = torch.bmm(gp, values.transpose(1, 2)), None
            if before:
                all_q, all_g = qb.view(kv, -1, head), g.view(kv, -1, head)
                d_shared = torch.bmm(all_g, before[1].transpose(1, 2))
            kernels.softmax_backward_(shared, own, d_shared, d_own)
            gq = torch.bmm(d_own, keys).view(qb.shape)
            gk = torch.bmm(d_own.transpose(1, 2), pair)
            gv = torch.bmm(own.transpose(1, 2), gp)
            if before:
                gq += torch.bmm(d_shared, before[0]).view(qb.shape)
                sent = (
                    torch.bmm(d_shared.transpose(1, 2), all_q),
                    torch.bmm(shared.transpose(1, 2), all_g),
                )
                known = pending.get(before[2])
                pending[before[2]] = tuple(a + b for a, b in zip(known, sent)) if known else sent
            elif at in pending:
                sent = pending.pop(at)
                gk, gv = gk + sent[0], gv + sent[1]
            grads[0][at:end] = _flat(gq)
            for target, part in zip(grads[1:], (gk, gv)):
                target[at:end] = _flat(part.view(kv, count, 1, size, head))
        return *grads, None, None
