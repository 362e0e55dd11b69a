"""One task in PyTorch, in a process of its own; mirrors protocol.ts.

python3 with_torch.py <gemm|gpt|mlp|adam> <threads> <milliseconds>
"""

import json
import math
import random
import resource
import sys
import time
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

WARM_UP, LEAST_STEPS = 2, 5


def peak_bytes():
    """Peak resident memory; on Linux of this program alone, not of the one that started it."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(task, milliseconds, step):
    """Two steps to warm up, then for so long, at least five; prints the median."""
    losses, times, i, begin = [], [], 0, time.perf_counter()
    while i < WARM_UP + LEAST_STEPS or (time.perf_counter() - begin) * 1e3 < milliseconds:
        start = time.perf_counter()
        loss = step(i)
        if i >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
        if loss is not None:
            losses.append(loss)
        i += 1
    times.sort()
    result = dict(
        task=task, milliseconds=times[len(times) // 2], steps=len(times), peakBytes=peak_bytes()
    )
    if losses:
        result["loss"] = [losses[0], sum(losses[-4:]) / len(losses[-4:])]
    print(json.dumps(result), flush=True)


def training(model, loss_of, optimizer, batches):
    """A training step that gives its loss."""

    def step(i):
        x, y = batches[i % len(batches)]
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def token_batches(count, batch, context, vocabulary, seed):
    """next = (5 token + 7) mod vocabulary, one time in ten broken."""
    draw = random.Random(seed)
    batches = []
    for _ in range(count):
        xs, ys = [], []
        for _ in range(batch):
            token, x, y = draw.randrange(vocabulary), [], []
            for _ in range(context):
                x.append(token)
                token = draw.randrange(vocabulary) if draw.random() < 0.1 else (5 * token + 7) % vocabulary
                y.append(token)
            xs.append(x)
            ys.append(y)
        batches.append((torch.tensor(xs), torch.tensor(ys)))
    return batches


def class_batches(count, batch, features, seed):
    """Ten classes: half a prototype and noise."""
    draw = torch.Generator().manual_seed(seed)
    prototypes = torch.randn(10, features, generator=draw)
    batches = []
    for _ in range(count):
        y = torch.randint(0, 10, (batch,), generator=draw)
        batches.append((0.5 * prototypes[y] + torch.randn(batch, features, generator=draw), y))
    return batches


def causal_attention(q, k, v):
    """The library's own kernel, which came with version 2, else the formula."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[-2]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(future, -math.inf)
    return torch.softmax(scores, -1) @ v


class Block(nn.Module):
    """A pre-norm block of GPT-2."""

    def __init__(self, width, heads, layers):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.qkv, self.project, self.widen, self.narrow):
            residual = layer in (self.project, self.narrow)
            nn.init.normal_(layer.weight, 0, 0.02 / (math.sqrt(2 * layers) if residual else 1))
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        batch, context, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, -1)
        q, k, v = (part.view(batch, context, self.heads, -1).transpose(1, 2) for part in parts)
        attended = causal_attention(q, k, v)
        x = x + self.project(attended.transpose(1, 2).reshape(batch, context, width))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """GPT-2 with a tied output."""

    def __init__(self, layers, width, heads, context, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        nn.init.normal_(self.tokens.weight, 0, 0.02)
        nn.init.normal_(self.positions.weight, 0, 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, layers) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        h = self.tokens(x) + self.positions.weight
        for block in self.blocks:
            h = block(h)
        return self.norm(h) @ self.tokens.weight.t()


def gemm(milliseconds):
    sizes = (256, 512, 1024, 2048)
    for n in sizes:
        a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        measure(f"gemm {n}", milliseconds / len(sizes), partial(product, a, b, c))


def product(a, b, out, _):
    torch.mm(a, b, out=out)


def mlp(milliseconds):
    model = nn.Sequential(
        nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    measure("mlp", milliseconds, training(model, F.cross_entropy, optimizer, class_batches(8, 128, 784, 7)))


def gpt(milliseconds):
    batch, context, vocabulary = 8, 128, 1024
    model = GPT(layers=4, width=256, heads=4, context=context, vocabulary=vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def loss_of(logits, y):
        return F.cross_entropy(logits.view(-1, vocabulary), y.view(-1))

    batches = token_batches(8, batch, context, vocabulary, 9)
    measure("gpt", milliseconds, training(model, loss_of, optimizer, batches))


def adam(milliseconds):
    """The fused kernel where this version has one for processors, else the next best."""
    weight = nn.Parameter(torch.randn(10_000_000))
    weight.grad = torch.randn(10_000_000)
    try:
        optimizer = torch.optim.Adam([weight], lr=1e-3, fused=True)
        optimizer.step()
    except (RuntimeError, TypeError):
        optimizer = torch.optim.Adam([weight], lr=1e-3, foreach=True)

    def step(_):
        optimizer.step()

    measure("adam", milliseconds, step)


if __name__ == "__main__":
    task, threads, milliseconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    {"gemm": gemm, "mlp": mlp, "gpt": gpt, "adam": adam}[task](milliseconds)
