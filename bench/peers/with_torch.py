"""One task in PyTorch, in a process of its own; mirrors protocol.ts.

python3 with_torch.py <gemm|gemm-mx|gpt|gpt-mxfp6|mlp|convnet|adam> <threads> <milliseconds>
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

import torch_mx

WARM_UP, LEAST_STEPS, PATIENCE = 2, 5, 10


def peak_bytes():
    """Peak resident memory; on Linux of this program alone, not of the one that started it."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(task, milliseconds, step):
    """Two steps to warm up, then for so long, at least five unless they are very slow; prints the median."""
    losses, times, i, begin = [], [], 0, time.perf_counter()

    def enough():
        passed = (time.perf_counter() - begin) * 1e3
        slow = i >= WARM_UP + 2 and passed > PATIENCE * milliseconds
        return slow or (i >= WARM_UP + LEAST_STEPS and passed >= milliseconds)

    while not enough():
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


def multiplied(blocks, a, b):
    """A product, of MX blocks where a format is given."""
    return torch_mx.Product.apply(a, b, blocks) if blocks else a @ b


def causal_attention(q, k, v, blocks):
    """The library's own kernel, which came with version 2, else the formula; the formula where products read blocks."""
    if not blocks and hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    product = partial(multiplied, blocks)
    length = q.shape[-2]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = (product(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])).masked_fill(future, -math.inf)
    return product(torch.softmax(scores, -1), v)


class Block(nn.Module):
    """A pre-norm block of GPT-2, its forward products of MX blocks where a format is given."""

    def __init__(self, width, heads, layers, blocks):
        super().__init__()
        linear = partial(torch_mx.Linear, blocks) if blocks else nn.Linear
        self.heads, self.blocks = heads, blocks
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = linear(width, 3 * width), linear(width, width)
        self.widen, self.narrow = linear(width, 4 * width), linear(4 * width, width)
        for layer in (self.qkv, self.project, self.widen, self.narrow):
            residual = layer in (self.project, self.narrow)
            nn.init.normal_(layer.weight, 0, 0.02 / (math.sqrt(2 * layers) if residual else 1))
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        batch, context, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, -1)
        q, k, v = (part.view(batch, context, self.heads, -1).transpose(1, 2) for part in parts)
        attended = causal_attention(q, k, v, self.blocks)
        x = x + self.project(attended.transpose(1, 2).reshape(batch, context, width))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """GPT-2 with a tied output."""

    def __init__(self, layers, width, heads, context, vocabulary, blocks=None):
        super().__init__()
        self.format = blocks
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        nn.init.normal_(self.tokens.weight, 0, 0.02)
        nn.init.normal_(self.positions.weight, 0, 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, layers, blocks) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        h = self.tokens(x) + self.positions.weight
        for block in self.blocks:
            h = block(h)
        return multiplied(self.format, self.norm(h), self.tokens.weight.t())


def gemm(milliseconds):
    sizes = (256, 512, 1024, 2048)
    for n in sizes:
        a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        measure(f"gemm {n}", milliseconds / len(sizes), partial(product, a, b, c))


def product(a, b, out, _):
    torch.mm(a, b, out=out)


def gemm_mx(milliseconds):
    """The weight quantised beforehand, the activation with each product."""
    n = 1024
    for name in torch_mx.FORMATS:
        a, b, c = torch.randn(n, n), torch_mx.quantised(torch.randn(n, n), 0, name), torch.empty(n, n)

        def step(_):
            torch.mm(torch_mx.quantised(a, 1, name), b, out=c)

        measure(f"gemm {name} {n}", milliseconds / len(torch_mx.FORMATS), step)


def mlp(milliseconds):
    model = nn.Sequential(
        nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    measure("mlp", milliseconds, training(model, F.cross_entropy, optimizer, class_batches(8, 128, 784, 7)))


def convnet(milliseconds):
    channels, stages = (3, 32, 64, 64), []
    for before, after in zip(channels, channels[1:]):
        stages += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*stages, nn.Flatten(), nn.Linear(1024, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = [(x.view(64, 3, 32, 32), y) for x, y in class_batches(8, 64, 3072, 11)]
    measure("convnet", milliseconds, training(model, F.cross_entropy, optimizer, batches))


GPT_SIZES = dict(layers=4, width=256, heads=4, context=128, vocabulary=1024)


def language_loss(logits, y):
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))


def gpt(milliseconds):
    model = GPT(**GPT_SIZES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    batches = token_batches(8, 8, GPT_SIZES["context"], GPT_SIZES["vocabulary"], 9)
    measure("gpt", milliseconds, training(model, language_loss, optimizer, batches))


def gpt_mxfp6(milliseconds):
    """Under LMD, forward products of emulated MXFP6 blocks."""
    model = GPT(**GPT_SIZES, blocks="mxfp6")
    parameters = list(model.parameters())
    norms = [p for p in parameters if p.dim() == 1]
    optimizer = torch_mx.LMD([p for p in parameters if p.dim() > 1], norms)
    batches = token_batches(8, 8, GPT_SIZES["context"], GPT_SIZES["vocabulary"], 9)
    update = training(model, language_loss, optimizer, batches)

    def step(i):
        optimizer.draw()
        return update(i)

    measure("gpt-mxfp6", milliseconds, step)


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
    tasks = dict(gemm=gemm, mlp=mlp, convnet=convnet, gpt=gpt, adam=adam)
    tasks.update({"gemm-mx": gemm_mx, "gpt-mxfp6": gpt_mxfp6})
    tasks[task](milliseconds)
