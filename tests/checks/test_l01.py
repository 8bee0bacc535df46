"""Every exercise of lesson 1: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import pytest
import torch
import torch.nn.functional as F

from tests.checks.checkers import Checkers


def learn(km, fare, lr, steps, clear=True, reduction="mean", sign=1, plain=True, start=0.0, forget_step=False):
    w, b = (torch.tensor(start, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        loss = F.mse_loss(w * km + b, fare, reduction=reduction)
        if clear:
            w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            for p in () if forget_step else (w, b):
                p -= sign * lr * p.grad
    return (w.item(), b.item()) if plain else (w, b)


def learn_anew(km, fare, lr, steps, mode):
    """The mistake `w = w - …`: a new tensor in each step."""
    w = torch.tensor(0.0, requires_grad=True)
    for _ in range(steps):
        ((w * km - fare) ** 2).mean().backward()
        with mode():
            w = w - lr * w.grad
    return w.item(), 0.0


def learn_recorded(km, fare, lr, steps):
    """The mistake of a step without `no_grad`."""
    w = torch.tensor(0.0, requires_grad=True)
    ((w * km - fare) ** 2).mean().backward()
    w -= lr * w.grad
    return w.item(), 0.0


def piecewise(w, read, count, size, clear="first", weigh="count", last=True):
    pieces = range(0, count if last else count - count % size, size)
    if clear == "first":
        w.grad = None
    for start in pieces:
        if clear == "each":
            w.grad = None
        x, y = read(start, min(start + size, count))
        squares = (x @ w - y).pow(2)
        rows = len(x)
        divide = {"count": count, "piece": rows, "means": rows * len(pieces), "size": rows * count / size, "none": 1}[
            weigh
        ]
        (squares.sum() / divide).backward()
    return w.grad


def by_pencil(x, y, w1, w2, two=2, gate="input", order=1, hidden="after"):
    before = x @ w1
    after = before.clamp(min=0)
    g = two * (after @ w2 - y)
    back = g @ w2.T
    gates = {"input": before > 0, "none": 1, "output": after, "gradient": back > 0, "flipped": before < 0}
    for_w1, for_w2 = x.T @ (back * gates[gate]), (after if hidden == "after" else before).T @ g
    return (for_w1, for_w2)[::order]


def by_autograd(x, y, w1, w2):
    """Not asked for: autograd does it, even where its recording was switched off."""
    with torch.enable_grad():
        leaves = [w.clone().requires_grad_() for w in (w1, w2)]
        ((x @ leaves[0]).clamp(min=0) @ leaves[1] - y).pow(2).sum().backward()
        return [leaf.grad for leaf in leaves]


RIGHT = {
    "1.1": [(64, 7), (7, 20), (7,)],
    "1.2": 54,
    "1.3": ["first.weight", "first.bias", "last.weight"],
    "1.4": 0.11,
    "1.5": learn,
    "1.6": piecewise,
    "1.7": by_pencil,
}
WRONG = [
    ("1.1", [(64, 7), (20, 7), (7,)], "outputs first"),
    ("1.1", [(7,), (7, 20), (7,)], "two axes"),
    ("1.1", [(7, 64), (7, 20), (7,)], "A row for each input"),
    ("1.1", [(64, 7), (64, 7), (7,)], "for any batch"),
    ("1.1", [(64, 7), (7, 20), (1, 7)], "in a single axis"),
    ("1.1", [(64, 7), (7, 20), 20], "One number for each output"),
    ("1.1", (64, 7), "three tuples"),
    ("1.2", 27, "2e, not e"),
    ("1.2", 30, "Add the other"),
    ("1.2", 24, "Add the other"),
    ("1.2", 42, "2w times as fast"),
    ("1.2", -54, "its sign"),
    ("1.2", 9, "Slope of the square"),
    ("1.3", ["0.weight", "0.bias", "2.weight"], "no names"),
    ("1.3", ["first.weight", "first.bias", "act.weight", "last.weight"], "nothing to learn"),
    ("1.3", ["first.weight", "first.bias", "last.weight", "last.bias"], "bias=False"),
    ("1.3", ["first", "last"], "two parts"),
    ("1.3", ["first.bias", "first.weight", "last.weight"], "weight before the bias"),
    ("1.3", ["first.weight", "last.weight"], "unless told otherwise"),
    ("1.3", "first.weight, first.bias, last.weight", "a string of its own"),
    ("1.3", {"first.weight", "first.bias", "last.weight"}, "Give a list"),
    ("1.4", 1 / 18, "|1 − 18·lr|"),
    ("1.4", 2 / 9, "Was the 2 forgotten"),
    ("1.4", 1 / 3, "counts twice"),
    ("1.4", 0.0845, "five rides"),
    ("1.4", 0.5, "below −1"),
    ("1.5", lambda *args: learn(*args, clear=False), "Clear them"),
    ("1.5", lambda *args: learn(*args, reduction="sum"), "mean of the squares"),
    ("1.5", lambda *args: learn(*args, sign=-1), "subtract"),
    ("1.5", lambda *args: learn(*args, plain=False), "w.item()"),
    ("1.5", lambda *args: learn_anew(*args, torch.no_grad), "makes a new tensor"),
    ("1.5", lambda *args: learn_anew(*args, torch.enable_grad), "makes a new tensor"),
    ("1.5", learn_recorded, "under torch.no_grad()"),
    ("1.5", lambda *args: learn(*args, forget_step=True), "change both w and b themselves"),
    ("1.5", lambda *args: learn(*args, start=1.0), "Start both at 0"),
    ("1.5", lambda *args: learn(*args)[0], "two plain numbers"),
    ("1.5", lambda *args: learn(*args)[::-1], "Return (w, b)"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, lr, 1), "stand in the loop"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, lr, steps - 1), "range(steps)"),
    ("1.5", lambda *args: (learn(*args)[0], 0.0), "both w and b"),
    ("1.6", lambda *args: piecewise(*args, clear="never"), "clear it first"),
    ("1.6", lambda *args: piecewise(*args, clear="each"), "Clear once"),
    ("1.6", lambda *args: piecewise(*args, clear="each", weigh="piece"), "Clear once"),
    ("1.6", lambda *args: piecewise(*args, weigh="none"), "Divide by count"),
    ("1.6", lambda *args: piecewise(*args, weigh="means"), "weigh half"),
    ("1.6", lambda *args: piecewise(*args, weigh="size"), "weigh half"),
    ("1.6", lambda *args: piecewise(*args, weigh="piece"), "counts a tenth"),
    ("1.6", lambda *args: piecewise(*args, last=False), "the last piece is shorter"),
    ("1.6", lambda w, read, count, size: piecewise(w, read, count, count), "4 is the limit"),
    ("1.6", lambda *args: piecewise(*args).sum(), "as long as w"),
    ("1.6", lambda *args: 3 * piecewise(*args), "one share for each piece"),
    ("1.7", by_autograd, "without autograd"),
    ("1.7", lambda *args: by_pencil(*args, order=-1), "(for_w1, for_w2)"),
    ("1.7", lambda *args: by_pencil(*args, two=1), "twice the error"),
    ("1.7", lambda *args: by_pencil(*args, gate="none"), "forgotten ReLU"),
    ("1.7", lambda *args: by_pencil(*args, gate="output"), "1 or 0"),
    ("1.7", lambda *args: by_pencil(*args, gate="gradient"), "ReLU's input was positive"),
    ("1.7", lambda *args: by_pencil(*args, gate="flipped"), "through ReLU, through x"),
    ("1.7", lambda *args: by_pencil(*args, hidden="before"), "lets through"),
    ("1.7", lambda *args: tuple(-gradient for gradient in by_pencil(*args)), "First rule"),
    ("1.7", lambda *args: tuple(gradient.T for gradient in by_pencil(*args)), "shape of its weight"),
]


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # what PyTorch tells a reader who has lost a gradient
class TestLesson01(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)
