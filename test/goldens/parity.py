"""Answers what PyTorch makes of the cases of parity.test.ts: a JSON list on stdin, results and gradients in double precision on stdout."""

import json
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
DTYPES = {"f32": torch.float64, "i32": torch.int64, "bool": torch.bool}


def tensor(spec):
    values = torch.tensor([float(v) for v in spec["data"]]).reshape(spec["shape"])
    return values.to(DTYPES[spec["dtype"]])


def plain(t):
    return [v if math.isfinite(v) else repr(v) for v in t.detach().double().flatten().tolist()]


def answer(case):
    names = {"torch": torch, "F": F, "nn": nn, "math": math}
    for helper in case.get("helpers", []):
        exec(helper, names)
    given = {name: tensor(spec) for name, spec in case["inputs"].items()}
    for name, t in given.items():
        t.requires_grad_(t.is_floating_point() and name != "weights")
    weights = {}
    if "module" in case:
        module = eval(case["module"], names)
        weights = dict(module.named_parameters())
        with torch.no_grad():
            for name, p in weights.items():
                p.copy_(tensor(case["weights"][name]))
        names["module"] = module
    y = eval(case["value"], {**names, **given})
    gradients = {}
    if y.requires_grad:
        (y * tensor(case["adjoint"])).sum().backward()
        gradients = {name: t.grad for name, t in {**given, **weights}.items() if t.requires_grad}
        gradients = {name: plain(torch.zeros_like(given.get(name, weights.get(name))) if g is None else g) for name, g in gradients.items()}
    return {"y": plain(y), "gradients": gradients}


def main():
    answers = []
    for case in json.load(sys.stdin):
        try:
            answers.append(answer(case))
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(answers, sys.stdout)


main()
