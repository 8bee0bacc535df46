"""Every exercise of lesson 15: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import argparse

import torch

from course_utils.exercises import check
from course_utils.records import recorded
from tests.checks.checkers import Checkers

CAUSES = {run["flight"]: run["cause"] for run in recorded("flights")["runs"]}


def swapped(first, second):
    where = {cause: flight for flight, cause in CAUSES.items()}
    return CAUSES | {where[first]: second, where[second]: first}


def gradient_norms(model, measure=torch.Tensor.norm):
    return {name: measure(value.grad).item() for name, value in model.named_parameters() if value.grad is not None}


def with_none(model):
    return {name: None if value.grad is None else value.grad.norm().item() for name, value in model.named_parameters()}


def weight_norms(model):
    return {name: value.norm().item() for name, value in model.named_parameters() if value.grad is not None}


def by_number(model):
    return {k: value.grad.norm().item() for k, value in enumerate(model.parameters()) if value.grad is not None}


def smoothed(values, weight, last=0.0, corrected=True):
    shown = []
    for n, value in enumerate(values, start=1):
        last = weight * last + (1 - weight) * value
        shown.append(last / (1 - weight**n) if corrected else last)
    return shown


def smoothed_shown(values, weight):
    last, shown = 0.0, []
    for n, value in enumerate(values, start=1):
        last = (weight * last + (1 - weight) * value) / (1 - weight**n)
        shown.append(last)
    return shown


def decay(text):
    if float(text) < 0:
        raise argparse.ArgumentTypeError("below 0")
    return float(text)


def add_weight_decay(parser, *names, **options):
    parser.add_argument(*names or ["--weight-decay"], **{"type": decay, "default": 0.0} | options)
    return parser


def returned_nothing(parser):
    parser.add_argument("--weight-decay", type=decay, default=0.0)


def text_option(parser):
    parser.add_argument("--weight-decay", default=0.0)
    return parser


class Test(Checkers):
    RIGHT = {"15.1": CAUSES, "15.2": gradient_norms, "15.3": smoothed, "15.4": add_weight_decay}
    CHANGES = ("15.4",)
    WRONG = [
        ("15.1", swapped("leak", "healthy"), "learned by heart"),
        ("15.1", swapped("rate", "dead"), "loss"),
        ("15.1", {"A": "leak"}, "one key for each"),
        ("15.1", CAUSES | {"A": "unlucky"}, "The causes are"),
        ("15.1", dict.fromkeys("ABCD", "leak"), "belongs to one flight"),
        ("15.1", "leak", "Give a dict"),
        ("15.2", lambda model: list(gradient_norms(model).values()), "A dict"),
        ("15.2", with_none, "Leave out"),
        ("15.2", weight_norms, "norm of the weights"),
        ("15.2", by_number, "such as '0.weight'"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.norm() ** 2), "Take the root"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.abs().max()), "largest entry"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.abs().mean()), "mean of the absolute"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.abs().sum()), "sum of the absolute"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.square().mean().sqrt()), "not their mean"),
        ("15.2", lambda model: gradient_norms(model, lambda g: g.norm() + 1), "grad.norm()"),
        ("15.3", lambda values, weight: smoothed(values, weight, corrected=False), "Divide what is shown"),
        ("15.3", lambda values, weight: smoothed(values, weight, last=values[0], corrected=False), "Begin with 0"),
        ("15.3", lambda values, weight: smoothed(values, 1 - weight) if weight else values, "Multiply the old"),
        ("15.3", smoothed_shown, "Keep `last`"),
        ("15.3", lambda values, weight: smoothed(values, weight)[-1], "numbers"),
        ("15.4", returned_nothing, "gives nothing back"),
        ("15.4", lambda parser: parser, "no option --weight-decay"),
        ("15.4", lambda parser: add_weight_decay(parser, default=None), "`default=0.0`"),
        ("15.4", text_option, "makes it a number"),
        ("15.4", lambda parser: add_weight_decay(parser, type=float), "ArgumentTypeError"),
        ("15.4", lambda parser: add_weight_decay(parser, type=int), "from 0 up"),
        ("15.4", lambda parser: add_weight_decay(parser, "--decay"), "no option --weight-decay"),
        ("15.4", lambda parser: parser.parse_args([]), "Return the parser"),
    ]


def test_other_ways_to_be_right():
    assert check("15.1", {flight.lower(): cause.upper() for flight, cause in CAUSES.items()})
    assert check("15.2", lambda model: gradient_norms(model, lambda g: g.square().sum().sqrt()))
    assert check("15.3", lambda values, weight: torch.tensor(smoothed(values, weight)))
