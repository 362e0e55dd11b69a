"""MX block formats emulated with plain PyTorch operations, as microxcaling emulates them: every value is a float32 that a
block could hold, and the products are float32 products of those."""

import torch
from torch import nn

BLOCK = 32
# (exponent of the largest power of two, mantissa bits, largest magnitude); the smallest exponent is 0 in both.
FORMATS = {"mxfp4": (2, 1, 6.0), "mxfp6": (2, 3, 7.5)}


def quantised(x, axis, name):
    """x in blocks of 32 along an axis, elements rounded to nearest even, the scale by its largest exponent."""
    top, mantissa, largest = FORMATS[name]
    moved = x.movedim(axis, -1)
    blocks = moved.reshape(*moved.shape[:-1], -1, BLOCK)
    peak = blocks.abs().amax(-1, keepdim=True)
    exponent = torch.floor(torch.log2(peak + (peak == 0))) - top
    scale = torch.exp2(exponent.clamp(-127, 127))
    scaled = blocks / scale
    own = torch.floor(torch.log2(scaled.abs() + (scaled == 0))).clamp_min(0)
    step = torch.exp2(own - mantissa)
    rounded = torch.round(scaled / step).mul_(step).clamp_(-largest, largest).mul_(scale)
    return rounded.reshape(moved.shape).movedim(-1, axis)


class Product(torch.autograd.Function):
    """a @ b of quantised operands; the backward pass reads them unquantised."""

    @staticmethod
    def forward(ctx, a, b, name):
        ctx.save_for_backward(a, b)
        return quantised(a, -1, name) @ quantised(b, -2, name)

    @staticmethod
    def backward(ctx, error):
        a, b = ctx.saved_tensors
        left, right = error @ b.transpose(-1, -2), a.transpose(-1, -2) @ error
        while right.dim() > b.dim():
            right = right.sum(0)
        return left, right, None


class Linear(nn.Linear):
    """A linear layer whose forward product reads MX blocks."""

    def __init__(self, name, inputs, outputs):
        super().__init__(inputs, outputs)
        self.format = name

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        return (Product.apply(flat, self.weight.t(), self.format) + self.bias).view(*x.shape[:-1], -1)


class LMD:
    """Log-normal multiplicative dynamics with the defaults of ours; biases and norms are left to AdamW."""

    def __init__(self, weights, others, lr=0.015, deviation=0.02, floor=0.1, strength=0.05, cap=16.0):
        self.lr, self.deviation, self.strength = lr, deviation, strength
        self.exempt = torch.optim.AdamW(others, lr=1e-3, weight_decay=0.01)
        share = torch.exp(torch.tensor(-(deviation**2) / 2)).item()
        self.prior = floor * share
        self.slots = []
        for weight in weights:
            with torch.no_grad():
                parts = [((sign * weight).clamp_min(0) + floor) * share for sign in (1, -1)]
                limit = cap * (weight.square().mean().sqrt().item() + floor)
            moments = torch.zeros_like(weight), torch.zeros_like(weight)
            self.slots.append((weight, parts, moments, limit))
        self.count = 0

    @torch.no_grad()
    def draw(self):
        """The weights of the next forward pass."""
        for weight, (plus, minus), _, _ in self.slots:
            first = torch.randn_like(weight).mul_(self.deviation).exp_().mul_(plus)
            second = torch.randn_like(weight).mul_(self.deviation).exp_().mul_(minus)
            weight.copy_(first.sub_(second))

    def zero_grad(self, set_to_none=True):
        self.exempt.zero_grad(set_to_none=set_to_none)
        for weight, *_ in self.slots:
            weight.grad = None

    @torch.no_grad()
    def step(self):
        self.exempt.step()
        self.count += 1
        first = (1 - 0.9) / (1 - 0.9**self.count)
        second = (1 - 0.99) / (1 - 0.99**self.count)
        for weight, parts, (m, v), limit in self.slots:
            m.lerp_(weight.grad, first)
            v.lerp_(weight.grad.square(), second)
            direction = (m / v.sqrt()).nan_to_num_(0, 10, -10).clamp_(-10, 10)
            for part, sign in zip(parts, (1, -1)):
                pull = (part / self.prior).log_().mul_(self.strength)
                part.mul_(pull.add_(direction, alpha=sign).mul_(-self.lr).exp_()).clamp_max_(limit)
