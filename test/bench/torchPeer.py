"""The bench workloads in PyTorch: the plain loop (zero_grad, forward, loss, backward, step) on random data of the same shapes.
Usage: python3 torchPeer.py REPEATS WORKLOAD... ; prints one JSON line a workload and thread count: {workload, threads, best, median, torch}."""
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLES, BATCH, REPEAT_SECONDS = 8960, 64, 0.08
WORKLOADS = {"simplenet": [784, 128, 10], "optimizednet": [784, 256, 128, 10]}


def network(sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batches(x, y):
    while True:
        for rows in torch.randperm(len(x)).split(BATCH):
            yield x[rows], y[rows]


def measure(sizes, repeats):
    torch.manual_seed(0)
    x, y = torch.randn(SAMPLES, sizes[0]), torch.randint(sizes[-1], (SAMPLES,))
    net, data = network(sizes), batches(x, y)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)

    def run(steps):
        start = time.perf_counter()
        for _ in range(steps):
            images, labels = next(data)
            adam.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            adam.step()
        return time.perf_counter() - start

    run(50)
    steps = max(1, round(REPEAT_SECONDS / (run(50) / 50)))
    return sorted(steps / run(steps) for _ in range(repeats))


repeats = int(sys.argv[1])
for workload in sys.argv[2:]:
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        rates = measure(WORKLOADS[workload], repeats)
        result = {"workload": workload, "threads": threads, "best": rates[-1], "median": rates[len(rates) // 2]}
        print(json.dumps({**result, "torch": torch.__version__}), flush=True)
