"""Checkers of lesson 15, instruments."""

import argparse
import math

import torch
from torch import nn

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong
from course_utils.networks import lenet
from course_utils.records import recorded

from ._answers import Refused, number, numbers

SIGNS = {
    "healthy": "Both losses fall. After a few epochs the validation loss is above, and levels off: a gap opens.",
    "rate": "With too high a rate the loss jumps, and settles far above where it could be, or never settles.",
    "dead": "Dead units pass no gradient. From the first epoch on, the loss stays at that of guessing, ln 10.",
    "leak": "Validation images that are also training images are learned by heart, so no gap opens.",
}


@checker("15.1")
def flight_causes(answer):
    """a dict from "A", "B", "C" and "D" to "healthy", "rate", "dead" and "leak"."""
    if not isinstance(answer, dict):
        raise Refused(f"your answer is {shown(answer)}", hint='Give a dict such as {"A": "healthy", "B": "rate", …}.')
    causes = {run["flight"]: run["cause"] for run in recorded("flights")["runs"]}
    mine = {str(flight).strip().upper(): str(cause).strip().lower() for flight, cause in answer.items()}
    if set(mine) != set(causes):
        return wrong(
            f"your dict has the keys {', '.join(map(str, answer))}", hint="Give one key for each of A, B, C and D."
        )
    if unknown := [cause for cause in mine.values() if cause not in SIGNS]:
        return wrong(f"{unknown[0]!r} is not one of the causes", hint=f"The causes are {', '.join(SIGNS)}.")
    if len(set(mine.values())) < len(causes):
        return wrong("one cause is named twice", hint="Each cause belongs to one flight.")
    off = [flight for flight in causes if mine[flight] != causes[flight]]
    if off:
        return wrong(f"{len(off)} of four are not right, {off[0]} among them", hint=SIGNS[causes[off[0]]])
    return right("Training longer will not help a flat line at ln 10, and a missing gap is no reason for praise.")


def _judge_norms(model, mine, frozen):
    """Refuse what is not the dict of norms of this model."""
    expected = {name: value.grad.norm().item() for name, value in model.named_parameters() if value.grad is not None}
    if not isinstance(mine, dict):
        hint = "A dict, {name: norm}: `named_parameters()` gives names and parameters."
        raise Refused(f"your function returns {shown(mine)}", hint=hint)
    if set(mine) - set(expected) == frozen:
        raise Refused("parameters without a gradient are in the dict", hint="Leave out those whose `.grad` is None.")
    if set(mine) != set(expected):
        hint = f"Use the names from `named_parameters()`, such as '0.weight'; there are {len(expected)} here."
        raise Refused(f"the names are {', '.join(map(str, list(mine)[:4]))}…", hint=hint)
    for name, norm in expected.items():
        value = number(mine[name], what=f"the norm of {name}")
        if math.isclose(value, norm, rel_tol=1e-4):
            continue
        gradient, weight = model.get_parameter(name).grad, model.get_parameter(name)
        for mistake, hint in (
            (norm**2, "Take the root: the norm is the root of the sum of the squares."),
            (gradient.abs().max().item(), "That is the largest entry. `norm()` uses all of them."),
            (
                gradient.abs().mean().item(),
                "That is the mean of the absolute values. Take the root of the sum of squares.",
            ),
            (
                gradient.abs().sum().item(),
                "That is the sum of the absolute values. Take the root of the sum of squares.",
            ),
            (weight.norm().item(), "That is the norm of the weights. Take that of their `.grad`."),
            (gradient.square().mean().sqrt().item(), "Take the sum of the squares, not their mean."),
        ):
            if math.isclose(value, mistake, rel_tol=1e-4):
                raise Refused(f"the norm of {name} is not {value:.4g}", hint=hint)
        raise Refused(f"the norm of {name} is not {value:.4g}", hint="`parameter.grad.norm().item()`.")


@checker("15.2")
def gradient_norms(answer):
    """a function of a model that returns a dict from names to norms."""
    for model in (lenet(), nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1352, 3))):
        frozen = list(dict(model.named_children()))[-1]  # its last layer gets no gradient
        model.get_submodule(frozen).requires_grad_(False)
        model(torch.randn(4, 1, 28, 28)).logsumexp(1).sum().backward()
        with torch.no_grad():
            model[0].weight.grad.mul_(100)
        _judge_norms(model, answer(model), {f"{frozen}.weight", f"{frozen}.bias"})
    return right("Log them every hundred steps: norms explode, or vanish layer by layer, before the loss shows it.")


def _alike(mine, others):
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(mine, others, strict=True))


def _smoothed(values, weight, last=0.0, corrected=True):
    shown_values = []
    for n, value in enumerate(values, start=1):
        last = weight * last + (1 - weight) * value
        shown_values.append(last / (1 - weight**n) if corrected else last)
    return shown_values


@checker("15.3")
def smoothed(answer):
    """a function of (values, weight) that returns the smoothed values as a list."""
    for values, weight in (([3.0, 1.0, 4.0, 1.0, 5.0], 0.6), ([2.0] * 4, 0.9), ([7.0, -1.0], 0.0), ([0.5], 0.99)):
        mine = numbers(answer(list(values), weight), len(values), f"the shown values for {values} at {weight}")
        if _alike(mine, _smoothed(values, weight)):
            continue
        finding = f"{values} at {weight} becomes {[round(value, 4) for value in mine]}"
        mistakes = {
            "Divide what is shown by 1 − weightⁿ; at the start n is 1.": _smoothed(values, weight, corrected=False),
            "Begin with 0, not with the first value, and divide by 1 − weightⁿ.": _smoothed(
                values, weight, last=values[0], corrected=False
            ),
            "Multiply the old `last` by `weight`, and the new value by 1 − weight.": _smoothed(values, 1 - weight),
        }
        for hint, mistake in mistakes.items():
            if _alike(mine, mistake):
                return wrong(finding, hint=hint)
        hint = "Keep `last` as it is, without the division; only what is shown is divided. n counts from 1."
        return wrong(finding, hint=hint)
    return right("At 0.6 the curve averages over about 1/(1 − 0.6) = 2.5 steps. Smooth the picture, never the log.")


class _Silent(argparse.ArgumentParser):
    """Reports a refusal as an exception."""

    def error(self, message):
        raise SystemExit(message)


@checker("15.4", changes=True)
def add_weight_decay(answer):
    """a function of a parser that adds the option and returns the parser."""
    parser = answer(_Silent())
    if not isinstance(parser, argparse.ArgumentParser):
        return wrong(f"your function returns {shown(parser)}", hint="Return the parser that it was given.")

    def read(*typed):
        try:
            return parser.parse_args(list(typed))
        except SystemExit as refusal:
            return str(refusal)

    default = read()
    if not hasattr(default, "weight_decay"):
        return wrong("the parser has no option --weight-decay", hint='`parser.add_argument("--weight-decay", …)`.')
    if default.weight_decay is None or number(default.weight_decay) != 0:
        return wrong(f"without the option it is {shown(default.weight_decay)}", hint="`default=0.0`.")
    for typed, value in (("0.05", 0.05), ("1e-4", 1e-4), ("0", 0.0), ("2", 2.0)):
        given = read("--weight-decay", typed)
        if isinstance(given, str):
            return wrong(f"--weight-decay {typed} is refused: {given}", hint="Every number from 0 up must be accepted.")
        if isinstance(given.weight_decay, str):
            return wrong(
                f"--weight-decay {typed} gives the text {given.weight_decay!r}", hint="`type=` makes it a number."
            )
        if not math.isclose(given.weight_decay, value):
            return wrong(f"--weight-decay {typed} gives {given.weight_decay!r}", hint="`type=float`, or your function.")
    for typed in ("-0.1", "-1e-9"):
        if not isinstance(read(f"--weight-decay={typed}"), str):
            hint = "Your own function for `type` reads the text, and raises `argparse.ArgumentTypeError` below 0."
            return wrong(f"--weight-decay={typed} is not refused", hint=hint)
    if not isinstance(read("--weight-decay", "much"), str):
        return wrong("--weight-decay much is not refused", hint="Let `float(text)` raise its ValueError.")
    return right("A refusal at the start costs a second. The same mistake found at the end costs the run.")
