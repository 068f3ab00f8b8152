"""The bench workloads in PyTorch: the plain loop (zero_grad, forward, loss, backward, step) on random data of the same shapes.
Usage: python3 torchPeer.py REPEATS WORKLOAD... ; prints one JSON line a workload and thread count: {workload, threads, best, median, version}."""
import json
import math
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

REPEAT_SECONDS, WARM_UP_SECONDS = 0.08, 0.4


def mlp(*sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet():
    stage = lambda inputs, outputs: [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*stage(1, 32), *stage(32, 64), nn.Flatten(), nn.Linear(1600, 10))


class CharLSTM(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.embed = nn.Embedding(symbols, 64)
        self.rnn = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(128, symbols)

    def forward(self, tokens):
        return self.head(self.rnn(self.embed(tokens))[0])


class Attention(nn.Module):
    """Causal self-attention by the fastest way that this PyTorch has."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        batch, time_, dim = x.shape
        q, k, v = self.qkv(x).view(batch, time_, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-1, -2) / math.sqrt(dim // self.heads)
            later = torch.triu(torch.ones(time_, time_, dtype=torch.bool), 1)
            mixed = scores.masked_fill(later, -1e9).softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, time_, dim))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads))
        self.think = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.think(x)


class GPT(nn.Module):
    def __init__(self, symbols, length, dim=128, depth=4, heads=4):
        super().__init__()
        self.embed = nn.Embedding(symbols, dim)
        self.positions = nn.Parameter(torch.randn(length, dim))
        self.blocks = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, symbols))

    def forward(self, tokens):
        return self.head(self.blocks(self.embed(tokens) + self.positions))


def images(*shape):
    return torch.randn(8960, *shape), torch.randint(10, (8960,)), 64


def text(batch):
    symbols = torch.randint(65, (4096, 65))
    return symbols[:, :-1].contiguous(), symbols[:, 1:].contiguous(), batch


# A network, and its data with the batch size.
WORKLOADS = {
    "simplenet": lambda: (mlp(784, 128, 10), images(784)),
    "optimizednet": lambda: (mlp(784, 256, 128, 10), images(784)),
    "lenet": lambda: (lenet(), images(1, 28, 28)),
    "charlstm": lambda: (CharLSTM(65), text(32)),
    "gpt-tiny": lambda: (GPT(65, 64), text(16)),
}


def batches(x, y, batch):
    while True:
        for rows in torch.randperm(len(x)).split(batch):
            yield x[rows], y[rows]


def measure(workload, repeats):
    torch.manual_seed(0)
    net, data = WORKLOADS[workload]()
    data = batches(*data)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)

    def run(steps):
        start = time.perf_counter()
        for _ in range(steps):
            inputs, targets = next(data)
            adam.zero_grad()
            loss = F.cross_entropy(net(inputs).flatten(0, -2), targets.flatten())
            loss.backward()
            adam.step()
        return time.perf_counter() - start

    warm = max(1, round(WARM_UP_SECONDS / run(1)))
    steps = max(1, round(REPEAT_SECONDS / (run(warm) / warm)))
    return sorted(steps / run(steps) for _ in range(repeats))


if __name__ == "__main__":
    for name in sys.argv[2:]:
        for threads in sorted({1, os.cpu_count() or 1}):
            torch.set_num_threads(threads)
            rates = measure(name, int(sys.argv[1]))
            result = {"workload": name, "threads": threads, "best": rates[-1], "median": rates[len(rates) // 2]}
            print(json.dumps({**result, "version": torch.__version__}), flush=True)
