"""Writes the numbers that the tests hold against PyTorch: run it with any python that has torch, it prints the version used.

    python test/goldens/make.py

Inputs and initial weights come from the generator that test/goldens/inputs.ts repeats, so only results are stored.
"""

import json
import math
import pathlib
import unittest.mock

import torch
import torch.nn.functional as F

DATA = pathlib.Path(__file__).parent / "data"


class Lcg:
    """Numerical Recipes' generator; the 24 high bits make numbers in [-1, 1) that f32 holds exactly."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) / 2**23 - 1

    def tensor(self, *shape):
        count = math.prod(shape)
        return torch.tensor([self.next() for _ in range(count)], dtype=torch.float32).reshape(shape)

    def classes(self, count, classes):
        return torch.tensor([int((self.next() + 1) / 2 * classes) for _ in range(count)])


def write(name, value):
    def tidy(v):
        if isinstance(v, dict):
            return {k: tidy(x) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [tidy(x) for x in v]
        if isinstance(v, torch.Tensor):
            return tidy(v.detach().flatten().tolist())
        return float(f"{v:.9g}") if isinstance(v, float) else v

    text = json.dumps(tidy(value), separators=(",", ":"), indent=None)
    (DATA / name).write_text(text.replace('},"', '},\n"') + "\n")
    print(name, len(text))


def digest(t):
    """The norm and 32 evenly strided elements of a tensor."""
    flat = t.detach().flatten()
    stride = max(1, flat.numel() // 32)
    return {"norm": flat.double().norm().item(), "samples": flat[::stride][:32].tolist()}


# Networks: 'small' suits the slow reference backend, 'simplenet' is the example's.
NETS = {
    "small": {"sizes": [24, 16, 5], "samples": 96, "batch": 16},
    "simplenet": {"sizes": [784, 128, 10], "samples": 1600, "batch": 64},
}


def problem(net):
    """Class prototypes under noise, a fifth of the labels redrawn, so that the loss falls but not to nothing."""
    sizes, samples = net["sizes"], net["samples"]
    lcg = Lcg(7)
    prototypes = lcg.tensor(sizes[-1], sizes[0])
    kinds = lcg.classes(samples, sizes[-1])
    labels = torch.tensor([lcg.classes(1, sizes[-1]).item() if lcg.next() > 0.6 else kind.item() for kind in kinds])
    x = prototypes[kinds] * 0.25 + lcg.tensor(samples, sizes[0])
    weights = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        bound = 2.0 ** round(math.log2(fan_in**-0.5))
        weights += [lcg.tensor(fan_out, fan_in) * bound, lcg.tensor(fan_out) * bound]
    return x, labels, weights


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}, {"lr": 0.1}),
    "sgd_momentum": (
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
    ),
    "sgd_nesterov": (
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
    ),
    "adam": (torch.optim.Adam, {"lr": 1e-3}, {"lr": 1e-3}),
    "adam_decay": (
        torch.optim.Adam,
        {"lr": 2e-3, "betas": (0.5, 0.99), "eps": 1e-6, "weight_decay": 0.01},
        {"lr": 2e-3, "beta1": 0.5, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.01},
    ),
    "adamw": (torch.optim.AdamW, {"lr": 1e-3}, {"lr": 1e-3}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 1e-3}, {"lr": 1e-3}),
    "rmsprop_centered": (
        torch.optim.RMSprop,
        {"lr": 1e-3, "alpha": 0.9, "centered": True, "momentum": 0.9, "weight_decay": 1e-4},
        {"lr": 1e-3, "alpha": 0.9, "centered": True, "momentum": 0.9, "weight_decay": 1e-4},
    ),
    "adam_amsgrad": (
        torch.optim.Adam,
        {"lr": 2e-3, "betas": (0.8, 0.7), "amsgrad": True},
        {"lr": 2e-3, "beta1": 0.8, "beta2": 0.7, "amsgrad": True},
    ),
    "adamax": (torch.optim.Adamax, {"lr": 2e-3, "weight_decay": 0.01}, {"lr": 2e-3, "weight_decay": 0.01}),
    "radam": (torch.optim.RAdam, {"lr": 1e-3, "weight_decay": 0.01}, {"lr": 1e-3, "weight_decay": 0.01}),
    "adadelta": (torch.optim.Adadelta, {"lr": 1.0, "weight_decay": 0.01}, {"lr": 1.0, "weight_decay": 0.01}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.02, "lr_decay": 0.01}, {"lr": 0.02, "lr_decay": 0.01}),
}


def groups(parameters, vectors):
    """Matrices with the optimiser's own settings, biases and the like with `vectors`."""
    return [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim < 2], **vectors},
    ]


class MuonWithAdamW:
    """Muon for matrices, AdamW without decay for the rest. torch computes the iteration in bfloat16; here it is held to float32."""

    def __init__(self, parameters, lr, **args):
        matrices, vectors = groups(parameters, {})
        self.muon = torch.optim.Muon(matrices["params"], lr=lr, **args)
        self.adamw = torch.optim.AdamW(vectors["params"], lr=lr, weight_decay=0)

    def zero_grad(self):
        self.muon.zero_grad()
        self.adamw.zero_grad()

    def step(self):
        with unittest.mock.patch.object(torch, "bfloat16", torch.float32):
            self.muon.step()
        self.adamw.step()


def adamw_matrices(parameters, **args):
    return torch.optim.AdamW(groups(parameters, {"weight_decay": 0}), **args)


def train(net, make, torch_args, clip=None, schedule=None, steps=100, average=None, clip_value=None):
    x, labels, initial = problem(net)
    parameters = [w.clone().requires_grad_() for w in initial]
    optimizer = make(parameters, **torch_args)
    scheduler = schedule(optimizer) if schedule else None
    batches = net["samples"] // net["batch"]
    losses, gradients = [], []
    holder = torch.nn.ParameterList(parameters)
    ema = average and torch.optim.swa_utils.AveragedModel(
        holder, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(average)
    )
    for step in range(steps):
        at = step % batches * net["batch"]
        xb, yb = x[at : at + net["batch"]], labels[at : at + net["batch"]]
        w1, b1, w2, b2 = parameters
        loss = F.cross_entropy(F.linear(F.relu(F.linear(xb, w1, b1)), w2, b2), yb)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradients = [digest(p.grad) for p in parameters]
        if clip_value:
            torch.nn.utils.clip_grad_value_(parameters, clip_value)
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        if ema:
            ema.update_parameters(holder)
        if scheduler and (step + 1) % batches == 0:
            scheduler.step()
        losses.append(loss.item())
    averages = {"averages": [digest(p) for p in ema.module]} if ema else {}
    return {"losses": losses, "gradients": gradients, "weights": [digest(p) for p in parameters], **averages}


def training():
    for name, net in NETS.items():
        runs = {}
        for key, (make, torch_args, args) in OPTIMIZERS.items():
            runs[key] = {"optimizer": make.__name__.lower(), "args": args, **train(net, make, torch_args)}
        runs["adam_clipped"] = {
            "optimizer": "adam",
            "args": {"lr": 1e-3},
            "clip": 0.25,
            **train(net, torch.optim.Adam, {"lr": 1e-3}, clip=0.25),
        }
        runs["sgd_step_decay"] = {
            "optimizer": "sgd",
            "args": {"lr": 0.1},
            "schedule": {"every": 2, "gamma": 0.5},
            **train(net, torch.optim.SGD, {"lr": 0.1}, schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5)),
        }
        runs["adam_clipped_by_value"] = {
            "optimizer": "adam",
            "args": {"lr": 1e-3},
            "clip": 0.02,
            "clipValue": 0.001,
            **train(net, torch.optim.Adam, {"lr": 1e-3}, clip=0.02, clip_value=0.001),
        }
        runs["sgd_averaged"] = {
            "optimizer": "sgd",
            "args": {"lr": 0.1},
            "average": 0.9,
            **train(net, torch.optim.SGD, {"lr": 0.1}, average=0.9),
        }
        runs["adamw_matrices"] = {
            "optimizer": "adamw",
            "args": {"lr": 1e-3, "weight_decay": 0.3, "decay_vectors": False},
            **train(net, adamw_matrices, {"lr": 1e-3, "weight_decay": 0.3}),
        }
        for key, own, adjust in [("muon", True, "match_rms_adamw"), ("muon_original", False, "original")]:
            runs[key] = {
                "optimizer": "muon",
                "args": {"lr": 2e-3, "match_adam": own},
                **train(net, MuonWithAdamW, {"lr": 2e-3, "adjust_lr_fn": adjust}),
            }
        gradients = runs["sgd"]["gradients"]
        for run in runs.values():
            assert run.pop("gradients") == gradients
        write(f"training-{name}.json", {"net": net, "gradients": gradients, "runs": runs})


def schedules():
    lr = torch.optim.lr_scheduler

    def sequence(make, count, base):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = make(optimizer)
        values = []
        for _ in range(count):
            values.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return values

    cases = [
        ("step_decay", {"every": 5, "gamma": 0.1}, "epoch", 1e-3, lambda o: lr.StepLR(o, 5, 0.1)),
        ("step_decay", {"every": 3, "gamma": 0.7}, "epoch", 0.1, lambda o: lr.StepLR(o, 3, 0.7)),
        ("multi_step", {"milestones": [3, 7, 7, 20], "gamma": 0.5}, "epoch", 0.1, lambda o: lr.MultiStepLR(o, [3, 7, 7, 20], 0.5)),
        ("exponential_decay", {"gamma": 0.9}, "epoch", 1e-2, lambda o: lr.ExponentialLR(o, 0.9)),
        ("cosine", {"steps": 30, "min": 1e-5}, "step", 1e-3, lambda o: lr.CosineAnnealingLR(o, 30, 1e-5)),
        ("cosine_restarts", {"every": 7, "min": 1e-5}, "step", 1e-3, lambda o: lr.CosineAnnealingWarmRestarts(o, 7, eta_min=1e-5)),
        ("polynomial_decay", {"steps": 60}, "step", 1e-3, lambda o: lr.PolynomialLR(o, 60)),
        ("polynomial_decay", {"steps": 80, "power": 2.5}, "step", 1e-3, lambda o: lr.PolynomialLR(o, 80, 2.5)),
        ("linear_warmup", {"steps": 8, "start": 0.1}, "step", 1e-3, lambda o: lr.LinearLR(o, 0.1, 1.0, 8)),
    ]
    for steps, args in [(30, {"steps": 30}), (30, {"steps": 30, "rise": 0.5, "div": 10, "final_div": 100})]:
        torch_args = {"pct_start": args.get("rise", 0.3), "div_factor": args.get("div", 25), "final_div_factor": args.get("final_div", 1e4)}
        make = lambda o, a=torch_args, n=steps: lr.OneCycleLR(o, 0.1, total_steps=n, **a)
        cases.append(("one_cycle", args, "step", 0.1, make))
    out = [
        {"name": name, "args": args, "unit": unit, "base": base, "values": sequence(make, 30, base)}
        for name, args, unit, base, make in cases
    ]
    chained = sequence(
        lambda o: lr.ChainedScheduler([lr.LinearLR(o, 0.1, 1.0, 8), lr.ExponentialLR(o, 0.9)]), 30, 1e-2
    )
    plateaus = [
        ("lower", {"factor": 0.5, "patience": 2, "threshold": 1e-3, "cooldown": 2, "min": 1e-2}),
        ("higher", {"factor": 0.1, "patience": 1, "threshold": 0.01, "cooldown": 0, "min": 1e-4}),
    ]
    write(
        "schedules.json",
        {"single": out, "warmup_of_exponential": chained, "plateau": [plateau(*each) for each in plateaus]},
    )


def plateau(better, args):
    """The lr after each epoch of a metric that gets better, wavers and gets stuck."""
    lcg = Lcg(5)
    way = -1 if better == "lower" else 1
    metrics = [1 + way * (0.5 * min(i, 6) / 6 + 0.05 * lcg.next()) for i in range(30)]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        "min" if better == "lower" else "max",
        factor=args["factor"],
        patience=args["patience"],
        threshold=args["threshold"],
        cooldown=args["cooldown"],
        min_lr=args["min"],
    )
    values = []
    for metric in metrics:
        scheduler.step(metric)
        values.append(optimizer.param_groups[0]["lr"])
    return {"better": better, "args": args, "base": 0.2, "metrics": metrics, "values": values}


ACTIVATIONS = {
    "relu": (F.relu, {}),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.01), {"slope": 0.01}),
    "elu": (lambda x: F.elu(x, 1.0), {"alpha": 1.0}),
    "selu": (F.selu, {}),
    "gelu": (F.gelu, {}),
    "gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), {"tanh": True}),
    "silu": (F.silu, {}),
    "sigmoid": (torch.sigmoid, {}),
    "tanh": (torch.tanh, {}),
    "softplus": (F.softplus, {}),
    "softsign": (F.softsign, {}),
    "mish": (F.mish, {}),
    "hardtanh": (F.hardtanh, {"min": -1.0, "max": 1.0}),
    "relu6": (F.relu6, {}),
    "log_sigmoid": (F.logsigmoid, {}),
    "tanhshrink": (F.tanhshrink, {}),
    "softshrink": (lambda x: F.softshrink(x, 0.5), {"lambda": 0.5}),
    "hardshrink": (lambda x: F.hardshrink(x, 0.5), {"lambda": 0.5}),
    "celu": (lambda x: F.celu(x, 1.5), {"alpha": 1.5}),
    "softmin": (lambda x: F.softmin(x, -1), {"axis": -1}),
    "hard_sigmoid": (F.hardsigmoid, {}),
    "hard_swish": (F.hardswish, {}),
    "abs": (torch.abs, {}),
    "clamp": (lambda x: torch.clamp(x, -2.5, 1.5), {"min": -2.5, "max": 1.5}),
    "softmax": (lambda x: F.softmax(x, -1), {"axis": -1}),
    "log_softmax": (lambda x: F.log_softmax(x, -1), {"axis": -1}),
}
POSITIVE = {"log": (torch.log, {}), "sqrt": (torch.sqrt, {}), "pow": (lambda x: x**1.5, {"exponent": 1.5}), "exp": (torch.exp, {})}


def activations():
    grid = torch.tensor([i / 4 for i in range(-26, 26)], dtype=torch.float32).reshape(4, 13)
    big = torch.tensor([[-1000.0, -80.0, -20.0, 0.0, 20.0, 80.0, 1000.0]])
    runs = {}
    for name, (f, args) in {**ACTIVATIONS, **POSITIVE}.items():
        x = (grid.abs() + 0.25 if name in POSITIVE else grid).clone().requires_grad_()
        y = f(x)
        (y * Lcg(3).tensor(4, 13)).sum().backward()
        large = [] if name in POSITIVE else [repr(v) for v in f(big).flatten().tolist()]
        runs[name] = {"args": args, "values": y, "gradients": x.grad, "large": large}
    write("activations.json", runs)


def losses():
    lcg = Lcg(11)
    logits = lcg.tensor(6, 5) * 4
    target = lcg.classes(6, 5)
    a, b = lcg.tensor(6, 5), lcg.tensor(6, 5)
    zero_one = (lcg.tensor(6, 5) > 0).float()
    probability = torch.sigmoid(lcg.tensor(6, 5) * 2)
    log_p, q = F.log_softmax(a, -1), F.softmax(b, -1)
    sign = zero_one * 2 - 1
    weights = torch.tensor([1, 2, 0.5, 0, 3])
    kept = torch.tensor([True, False, True, True, False, True])
    cases = {
        "cross_entropy": (logits, {}, lambda x: F.cross_entropy(x, target)),
        "cross_entropy smoothing": (logits, {"smoothing": 0.1}, lambda x: F.cross_entropy(x, target, label_smoothing=0.1)),
        "cross_entropy large": (logits * 1024, {}, lambda x: F.cross_entropy(x, target)),
        "bce": (logits, {}, lambda x: F.binary_cross_entropy_with_logits(x, zero_one)),
        "bce large": (logits * 64, {}, lambda x: F.binary_cross_entropy_with_logits(x, zero_one)),
        "bce probabilities": (probability, {"logits": False}, lambda x: F.binary_cross_entropy(x, zero_one)),
        "cross_entropy weights": (logits, {"weights": [1, 2, 0.5, 0, 3]}, lambda x: F.cross_entropy(x, target, weight=weights)),
        "cross_entropy weights smoothing": (logits, {"weights": [1, 2, 0.5, 0, 3], "smoothing": 0.2}, lambda x: F.cross_entropy(x, target, weight=weights, label_smoothing=0.2)),
        "cross_entropy where": (logits, {"where": [1, 0, 1, 1, 0, 1]}, lambda x: F.cross_entropy(x, torch.where(kept, target, -100))),
        "cross_entropy weights where": (logits, {"where": [1, 0, 1, 1, 0, 1], "weights": [1, 2, 0.5, 0, 3]}, lambda x: F.cross_entropy(x, torch.where(kept, target, -100), weight=weights)),
        "soft_cross_entropy": (logits, {}, lambda x: F.cross_entropy(x, q)),
        "nll": (log_p, {"weights": [1, 2, 0.5, 0, 3]}, lambda x: F.nll_loss(x, target, weight=weights)),
        "bce weighted": (logits, {"positive_weight": 3.0}, lambda x: F.binary_cross_entropy_with_logits(x, zero_one, pos_weight=torch.tensor(3.0))),
        "smooth_l1": (a * 4, {"beta": 0.5}, lambda x: F.smooth_l1_loss(x, b, beta=0.5)),
        "poisson": (a, {}, lambda x: F.poisson_nll_loss(x, b)),
        "cosine": (a, {}, lambda x: F.cosine_embedding_loss(x, b, torch.ones(6))),
        "triplet": (a, {"margin": 0.5}, lambda x: F.triplet_margin_loss(x, b, probability, margin=0.5)),
        "mse": (a, {}, lambda x: F.mse_loss(x, b)),
        "mae": (a, {}, lambda x: F.l1_loss(x, b)),
        "huber": (a * 4, {"delta": 1.0}, lambda x: F.huber_loss(x, b, delta=1.0)),
        "kl": (log_p, {}, lambda x: F.kl_div(x, q, reduction="batchmean")),
        "hinge": (a * 2, {}, lambda x: torch.clamp(1 - x * sign, min=0).mean()),
    }
    out = {}
    for name, (x, args, f) in cases.items():
        x = x.detach().clone().requires_grad_()
        y = f(x)
        y.backward()
        out[name] = {"args": args, "value": y.item(), "gradients": x.grad}
    write("losses.json", out)


def ctc():
    """Lengths that leave room, that leave none, repeated labels, labels of one."""
    labels = torch.tensor([[1, 2, 2, 3], [3, 3, 0, 0], [4, 0, 0, 0]])
    cases = [([9, 9, 9], [4, 2, 1], False), ([7, 3, 5], [4, 2, 1], False), ([4, 2, 1], [4, 2, 1], True)]
    out = []
    for inputs, targets, zero in cases:
        x = (Lcg(29).tensor(3, 9, 5) * 3).requires_grad_()
        y = F.ctc_loss(F.log_softmax(x, -1).transpose(0, 1), labels, torch.tensor(inputs), torch.tensor(targets), zero_infinity=zero)
        y.backward()
        out.append({"zero_infinity": zero, "inputs": inputs, "targets": targets, "labels": labels, "value": y.item(), "gradients": x.grad})
    write("ctc.json", out)


def layers():
    """Values and weight gradients of the layers with weights, on the same formula inputs."""
    lcg = Lcg(13)
    out = {}

    def record(name, shape, module, args, tensors):
        x = (Lcg(5).tensor(*shape)).requires_grad_()
        fill = Lcg(17)
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(fill.tensor(*p.shape) * 0.5)
        y = module(x)
        y = y[0] if isinstance(y, tuple) else y
        (y * Lcg(19).tensor(*y.shape)).sum().backward()
        out[name] = {
            "shape": list(shape),
            "args": args,
            "result": list(y.shape),
            "values": digest(y),
            "input": digest(x.grad),
            "parameters": {k: {"shape": list(p.shape), **digest(p.grad)} for k, p in module.named_parameters()},
        }
        return tensors

    nn = torch.nn
    record("linear", (3, 4, 6), nn.Linear(6, 5), {"out": 5}, None)
    record("layer_norm", (3, 4, 6), nn.LayerNorm(6), {}, None)
    record("rms_norm", (3, 4, 6), nn.RMSNorm(6, eps=1e-6), {"eps": 1e-6}, None)
    record("batch_norm", (6, 5), nn.BatchNorm1d(5), {}, None)
    record("batch_norm images", (4, 3, 5, 5), nn.BatchNorm2d(3), {}, None)
    record("conv2d", (2, 3, 7, 6), nn.Conv2d(3, 4, 3), {"out": 4, "kernel": 3}, None)
    record("conv2d strided", (2, 3, 8, 8), nn.Conv2d(3, 4, 3, stride=2, padding=1), {"out": 4, "kernel": 3, "stride": 2, "padding": 1}, None)
    record("conv2d rectangular", (2, 4, 9, 8), nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3), groups=2), {"out": 6, "kernel": [3, 2], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 3], "groups": 2}, None)
    record("conv2d same", (2, 3, 5, 6), nn.Conv2d(3, 2, 4, padding="same", bias=False), {"out": 2, "kernel": 4, "padding": "same", "bias": False}, None)
    record("conv2d depthwise", (2, 3, 6, 5), nn.Conv2d(3, 3, 3, padding=1, groups=3), {"out": 3, "kernel": 3, "padding": 1, "groups": 3}, None)
    record("conv1d", (2, 3, 9), nn.Conv1d(3, 4, 3, stride=2, padding=2, dilation=2), {"out": 4, "kernel": 3, "stride": 2, "padding": 2, "dilation": 2}, None)
    record("conv_transpose2d", (2, 3, 4, 5), nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1), {"out": 4, "kernel": 4, "stride": 2, "padding": 1}, None)
    record("conv_transpose2d grouped", (2, 4, 3, 4), nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(2, 0), output_padding=(1, 0), groups=2, dilation=(1, 2)), {"out": 6, "kernel": [3, 2], "stride": [2, 3], "padding": [2, 0], "output_padding": [1, 0], "groups": 2, "dilation": [1, 2]}, None)
    record("conv_transpose1d", (2, 3, 5), nn.ConvTranspose1d(3, 2, 3, stride=2), {"out": 2, "kernel": 3, "stride": 2}, None)
    record("max_pool1d", (2, 3, 9), nn.MaxPool1d(3, stride=2, padding=1), {"size": 3, "stride": 2, "padding": 1}, None)
    record("avg_pool1d", (2, 3, 9), nn.AvgPool1d(2), {"size": 2}, None)
    record("avg_pool2d padded", (2, 3, 7, 6), nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), {"size": [3, 2], "stride": [2, 1], "padding": [1, 0]}, None)
    record("adaptive_avg_pool2d", (2, 3, 7, 6), nn.AdaptiveAvgPool2d((3, 4)), {"size": [3, 4]}, None)
    record("adaptive_avg_pool2d whole", (2, 3, 6, 8), nn.AdaptiveAvgPool2d(2), {"size": 2}, None)
    record("upsample", (2, 3, 3, 4), nn.Upsample(scale_factor=2), {"scale": 2}, None)
    record("upsample bilinear", (2, 3, 3, 4), nn.Upsample(scale_factor=3, mode="bilinear"), {"scale": 3, "bilinear": True}, None)
    record("max_pool2d", (2, 3, 6, 6), nn.MaxPool2d(2), {"size": 2}, None)
    record("max_pool2d overlapping", (2, 3, 7, 7), nn.MaxPool2d(3, stride=2), {"size": 3, "stride": 2}, None)
    record("avg_pool2d", (2, 3, 6, 6), nn.AvgPool2d(2), {"size": 2}, None)
    record("group_norm", (2, 4, 3, 2), nn.GroupNorm(2, 4), {"groups": 2}, None)
    record("instance_norm", (2, 3, 4, 2), nn.InstanceNorm2d(3, affine=True), {"affine": True}, None)
    record("prelu", (2, 3, 4), nn.PReLU(3), {"channels": True}, None)
    record("prelu one", (2, 6), nn.PReLU(), {}, None)
    record("glu", (2, 3, 8), nn.GLU(), {}, None)
    record("lstm", (2, 5, 4), nn.LSTM(4, 3, batch_first=True), {"size": 3}, None)
    record("gru", (2, 5, 4), nn.GRU(4, 3, batch_first=True), {"size": 3}, None)
    record("rnn", (2, 5, 4), nn.RNN(4, 3, batch_first=True), {"size": 3}, None)

    class SelfAttention(nn.Module):
        def __init__(self, causal):
            super().__init__()
            self.causal = causal
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1) if self.causal else None
            return self.attention(x, x, x, need_weights=False, attn_mask=mask)

    record("self_attention", (2, 5, 8), SelfAttention(False), {"heads": 2}, None)
    record("self_attention causal", (2, 5, 8), SelfAttention(True), {"heads": 2, "causal": True}, None)
    mask = torch.tensor([[True, True, True, False, False], [True, True, True, True, False]])

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            causal = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
            return self.attention(x, x, x, need_weights=False, attn_mask=causal, key_padding_mask=~mask)

    class Cross(nn.Module):
        """The context is the input itself, backwards and without its last step."""

        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            context = x.flip(1)[:, 1:]
            return self.attention(x, context, context, need_weights=False, key_padding_mask=~mask[:, :4])

    record("self_attention masked", (2, 5, 8), Masked(), {"heads": 2, "causal": True}, None)
    record("cross_attention", (2, 5, 8), Cross(), {"heads": 2}, None)
    for name, module in [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)]:
        deep = module(4, 3, num_layers=2, bidirectional=True, batch_first=True)
        record(f"{name} deep", (2, 5, 4), deep, {"size": 3, "layers": 2, "bidirectional": True}, None)

    class Started(nn.Module):
        """The states before the first step are steps of the input."""

        def __init__(self, module):
            super().__init__()
            self.attention = module

        def forward(self, x):
            h, c = x[:, 0].unsqueeze(0), x[:, 1].unsqueeze(0)
            return self.attention(x, (h, c) if isinstance(self.attention, nn.LSTM) else h)

    record("lstm started", (2, 5, 4), Started(nn.LSTM(4, 4, batch_first=True)), {"size": 4}, None)
    record("gru started", (2, 5, 4), Started(nn.GRU(4, 4, batch_first=True)), {"size": 4}, None)
    assert lcg
    write("layers.json", out)


def early_stopping():
    """The tutorial's class: stop after `patience` epochs in a row that do not beat the best by more than min_delta."""
    curves = [[1 / (1 + i) for i in range(12)], [1.0, 0.5, 0.4] + [0.4 + 0.01 * i for i in range(9)]]
    curves.append([1.0, 0.9, 0.899, 0.898, 0.897, 0.7, 0.699, 0.698, 0.697, 0.696, 0.695, 0.694])
    curves.append([0.5 + 0.2 * Lcg(23 + i).next() for i in range(12)])
    out = []
    for curve in curves:
        for patience, min_delta in [(1, 0.0), (3, 0.0), (5, 0.0), (3, 0.005), (2, 0.15)]:
            best, waited, stopped = math.inf, 0, None
            for epoch, loss in enumerate(curve, 1):
                if loss < best - min_delta:
                    best, waited = loss, 0
                else:
                    waited += 1
                if waited >= patience:
                    stopped = epoch
                    break
            out.append({"curve": curve, "patience": patience, "minDelta": min_delta, "stopped": stopped})
    write("early-stopping.json", out)


def transforms():
    """Resampled images as torch.nn.functional.interpolate makes them; audio by torchaudio's formulas over torch.stft."""
    resize = []
    for shape, size, mode, antialias in [
        ((2, 7, 9), (4, 5), "bilinear", True),
        ((2, 7, 9), (4, 5), "bilinear", False),
        ((1, 5, 6), (8, 13), "bilinear", True),
        ((1, 5, 6), (8, 13), "bilinear", False),
        ((3, 8, 8), (3, 8), "nearest", False),
        ((1, 4, 5), (7, 3), "nearest", False),
    ]:
        x = Lcg(31).tensor(1, *shape)
        options = {} if mode == "nearest" else {"antialias": antialias, "align_corners": False}
        y = F.interpolate(x, size=size, mode=mode, **options)
        resize.append({"shape": shape, "size": size, "method": mode, "antialias": antialias, "y": y})

    def power(x, n_fft, hop):
        return torch.stft(x, n_fft, hop, window=torch.hann_window(n_fft), center=True, pad_mode="reflect", return_complex=True).abs().pow(2)

    def mel_filters(points, rate, bins, low, high):
        frequencies = torch.linspace(0, rate // 2, points)
        mels = torch.linspace(2595 * math.log10(1 + low / 700), 2595 * math.log10(1 + high / 700), bins + 2)
        corners = 700 * (10 ** (mels / 2595) - 1)
        gaps = corners[1:] - corners[:-1]
        slopes = corners.unsqueeze(0) - frequencies.unsqueeze(1)
        return torch.clamp(torch.minimum(-slopes[:, :-2] / gaps[:-1], slopes[:, 2:] / gaps[1:]), min=0)

    def decibels(p, top):
        level = 10 * torch.log10(torch.clamp(p, min=1e-10))
        return torch.maximum(level, level.max() - top)

    def cosines(count, bins):
        n, k = torch.arange(bins, dtype=torch.float64), torch.arange(count, dtype=torch.float64).unsqueeze(1)
        dct = torch.cos(math.pi / bins * (n + 0.5) * k)
        dct[0] *= 1 / math.sqrt(2)
        return (dct * math.sqrt(2 / bins)).float()

    audio = []
    for length, n_fft, hop, rate, bins, low, high, coefficients in [
        (800, 256, 100, 8000, 20, 0.0, 4000.0, 13),
        (500, 64, 32, 16000, 12, 100.0, 7000.0, 12),
        (400, 50, 25, 11025, 9, 0.0, 5512.0, 5),
    ]:
        x = Lcg(37).tensor(length) * torch.arange(length) / 1024
        p = power(x, n_fft, hop)
        mel = mel_filters(p.shape[0], rate, bins, low, high).t() @ p
        out = {"spectrogram": p, "mel": mel, "decibels": decibels(mel, 30), "mfcc": cosines(coefficients, bins) @ decibels(mel, 80)}
        args = {"n_fft": n_fft, "hop": hop, "rate": rate, "bins": bins, "low": low, "high": high, "coefficients": coefficients}
        audio.append({"length": length, "args": args, "shape": p.shape, **{k: digest(v) for k, v in out.items()}})
    write("transforms.json", {"resize": resize, "audio": audio})


class Block(torch.nn.Module):
    """Pre-norm Transformer block; `mask` holds true for the keys that may be seen."""

    def __init__(self, dim, heads, causal):
        super().__init__()
        nn = torch.nn
        self.causal = causal
        self.norm1, self.attn = nn.LayerNorm(dim), nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2, self.up, self.down = nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, mask=None):
        h = self.norm1(x)
        causal = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1) if self.causal else None
        hidden = None if mask is None else ~mask
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=causal, key_padding_mask=hidden)[0]
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Net(torch.nn.Module):
    """Named parts and a function of them and the inputs."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


# Models whose losses in mixed precision are kept: a small network and small transformers.
MIXED = ["lenet", "resnet", "gpt", "bert"]


def descend(net, values, target, kept, mixed=False):
    """Losses of ten steps of gradient descent on one batch, and the first gradients; `mixed`: by autocast to f16 with scaled gradients."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=mixed)
    losses, gradients = [], {}
    for step in range(10):
        with torch.autocast("cpu", dtype=torch.float16, enabled=mixed):
            logits = net(*values)
            loss = F.cross_entropy(logits[kept].float(), target[kept])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if step == 0:
            gradients = {k: {"shape": list(p.shape), **digest(p.grad)} for k, p in net.named_parameters()}
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses, gradients


def models():
    """Gradients of every tensor at the start and the losses of ten steps of gradient descent on one batch."""
    nn = torch.nn
    conv = lambda i, o, stride=1, k=3: nn.Conv2d(i, o, k, stride=stride, padding=k // 2, bias=False)

    def resnet(n, x):
        x = F.relu(n.bn1(n.conv1(x)))
        x = F.relu(x + n.bn3(n.conv3(F.relu(n.bn2(n.conv2(x))))))
        x = F.relu(n.bn6(n.shortcut(x)) + n.bn5(n.conv5(F.relu(n.bn4(n.conv4(x))))))
        return n.fc(x.mean((2, 3)))

    def lenet(n, x):
        x = F.max_pool2d(F.relu(n.conv1(x)), 2)
        return n.fc(F.relu(n.conv2(x)).flatten(1))

    def gpt(n, tokens):
        return n.head(n.norm(n.b2(n.b1(n.embed(tokens) + n.pos.weight))))

    def encoder(n, tokens):
        mask = tokens != 0
        return n.head(n.norm(n.b1(n.embed(tokens) + n.pos.weight, mask))[:, 0])

    def bert(n, tokens):
        x = n.norm(n.b1(n.embed(tokens) + n.pos.weight))
        return n.head(F.gelu(n.dense(x)))

    def seq2seq(n, source, target):
        encoded, state = n.encoder(n.embed(source))
        decoded, _ = n.decoder(n.embed2(target), state)
        weights = F.softmax(decoded @ encoded.transpose(1, 2) / math.sqrt(6), -1)
        return n.head(torch.cat([decoded, weights @ encoded], -1))

    embed = lambda dim=8, vocabulary=7: nn.Embedding(vocabulary, dim)
    text = dict(embed=embed(), pos=nn.Embedding(6, 8), b1=Block(8, 2, False), norm=nn.LayerNorm(8))
    bn = nn.BatchNorm2d
    table = {
        "lenet": (Net(lenet, conv1=nn.Conv2d(1, 3, 3), conv2=nn.Conv2d(3, 4, 3), fc=nn.Linear(36, 5)), [[1, 12, 12]], 0),
        "resnet": (
            Net(resnet, conv1=conv(1, 3), bn1=bn(3), conv2=conv(3, 3), bn2=bn(3), conv3=conv(3, 3), bn3=bn(3),
                conv4=conv(3, 6, 2), bn4=bn(6), conv5=conv(6, 6), bn5=bn(6), shortcut=conv(3, 6, 2, 1), bn6=bn(6), fc=nn.Linear(6, 5)),
            [[1, 8, 8]], 0,
        ),
        "charlstm": (Net(lambda n, t: n.head(n.rnn(n.embed(t))[0]), embed=embed(5), rnn=nn.LSTM(5, 6, batch_first=True), head=nn.Linear(6, 7)), ["tokens"], 6),
        "gpt": (Net(gpt, embed=embed(), pos=nn.Embedding(6, 8), b1=Block(8, 2, True), b2=Block(8, 2, True), norm=nn.LayerNorm(8), head=nn.Linear(8, 7)), ["tokens"], 6),
        "encoder": (Net(encoder, **text, head=nn.Linear(8, 5)), ["tokens"], 0),
        "bert": (Net(bert, **text, dense=nn.Linear(8, 8), head=nn.Linear(8, 7)), ["tokens"], 6),
        "seq2seq": (Net(seq2seq, embed=embed(5), encoder=nn.GRU(5, 6, batch_first=True), embed2=embed(5), decoder=nn.GRU(5, 6, batch_first=True), head=nn.Linear(12, 7)), ["tokens", "tokens"], 6),
    }
    batch = 4
    out, mixed = {}, {}
    for name, (net, inputs, length) in table.items():
        lcg = Lcg(31)
        values = [lcg.classes(batch * 6, 7).reshape(batch, 6) if shape == "tokens" else lcg.tensor(batch, *shape) for shape in inputs]
        # The first token of the encoder's samples is never padding.
        if name == "encoder":
            values[0][:, 0] = 1
        target = lcg.classes(batch * length, 7).reshape(batch, length) if length else lcg.classes(batch, 5)
        kept = (target < 3) if name == "bert" else torch.ones_like(target, dtype=torch.bool)
        fill = Lcg(37)
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(fill.tensor(*p.shape) * 0.5)
        start = {k: v.clone() for k, v in net.state_dict().items()}
        losses, gradients = descend(net, values, target, kept)
        out[name] = {"losses": losses, "gradients": gradients}
        if name in MIXED:
            net.load_state_dict(start)
            mixed[name] = descend(net, values, target, kept, mixed=True)[0]
    write("models.json", out)
    write("mixed.json", mixed)


def gan():
    """Both losses of ten steps of a GAN, the gradients that each objective gives its network in the first, and the weights after the last."""
    nn = torch.nn
    g = nn.ModuleDict({"up": nn.Linear(3, 8), "norm": nn.BatchNorm1d(8), "out": nn.Linear(8, 6)})
    d = nn.ModuleDict({"enter": nn.Linear(6, 8), "out": nn.Linear(8, 1)})
    make = lambda z: torch.tanh(g["out"](F.relu(g["norm"](g["up"](z)))))
    judge = lambda x: d["out"](F.leaky_relu(d["enter"](x), 0.2))
    lcg, fill = Lcg(31), Lcg(37)
    noise, real = lcg.tensor(4, 3), lcg.tensor(4, 6)
    with torch.no_grad():
        for p in [*g.parameters(), *d.parameters()]:
            p.copy_(fill.tensor(*p.shape) * 0.5)
    optimizers = {"d": torch.optim.Adam(d.parameters(), lr=0.01, betas=(0.5, 0.999)), "g": torch.optim.Adam(g.parameters(), lr=0.01, betas=(0.5, 0.999))}
    bce = F.binary_cross_entropy_with_logits
    losses, gradients = [], {}

    def descend(key, net, loss):
        optimizers[key].zero_grad()
        loss.backward()
        if not losses:
            gradients.update({f"{key}.{name}": digest(p.grad) for name, p in net.named_parameters()})
        optimizers[key].step()
        return loss.item()

    for step in range(10):
        fake = make(noise)
        real_scores, fake_scores = judge(real), judge(fake.detach())
        first = descend("d", d, bce(real_scores, torch.ones_like(real_scores)) + bce(fake_scores, torch.zeros_like(fake_scores)))
        scores = judge(fake)
        losses.append([first, descend("g", g, bce(scores, torch.ones_like(scores)))])
    named = {f"{key}.{name}": p for key, net in [("g", g), ("d", d)] for name, p in net.named_parameters()}
    weights = {name: {"shape": list(p.shape), **digest(p)} for name, p in named.items()}
    write("gan.json", {"losses": losses, "gradients": gradients, "weights": weights})


def resize():
    """A grey image of bytes, shrunk and enlarged with antialiasing."""
    image = (torch.arange(5 * 7) * 37 % 256).reshape(1, 1, 5, 7).to(torch.uint8)
    out = {}
    for size in [(3, 4), (9, 10), (2, 7), (1, 1), (5, 3)]:
        result = F.interpolate(image, size=size, mode="bilinear", antialias=True)
        out[f"{size[0]}x{size[1]}"] = {"size": size, "result": result}
    write("resize.json", out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    print("torch", torch.__version__)
    training()
    schedules()
    activations()
    losses()
    ctc()
    layers()
    models()
    gan()
    early_stopping()
    transforms()
    resize()
