"""Reading what a student gives: every form that means the same, and else the form that is wanted, in one wording.

A checker reads its answer first, `count = whole(answer)`, and then compares plain Python numbers or tensors.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, SupportsFloat

import torch
from torch import Tensor, nn

from course_utils._arguments import shown

RETURNED = "what your function returns"
DIVIDED = "Was something divided by 0, or a logarithm or root taken of it?"  # of what is not finite
ENOUGH = 60_000  # parts that are taken of what may never end
COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


class Refused(Exception):
    """An answer that can't be judged: what was found, and a hint that names the form that is wanted."""

    def __init__(self, finding: str, *, hint: str):
        super().__init__(finding)
        self.finding, self.hint = finding, hint


class Unfinished(Exception):
    """The dots of the stub still stand in the answer."""


class GaveNothing(Exception):
    """A function of the student's gave nothing back, for these arguments."""

    def __init__(self, function: Any, given: Sequence[object]):
        self.function, self.given = function, given


def number(answer: Any, such_as: str = "one number, such as 0.5", *, what: str = "your answer") -> float:
    """The answer as a float: a number of Python's or NumPy's, or a tensor, an array or a list of one number."""
    answer = _unpacked(answer, what)
    if isinstance(answer, tuple | list) and answer:
        if len(answer) > 1:
            raise Refused(f"{what} has {len(answer)} parts", hint=f"Give {such_as}.")
        return number(answer[0], such_as, what=what)
    if isinstance(answer, bool | str | bytes) or not isinstance(answer, SupportsFloat):
        raise Refused(f"{what} is {shown(answer)}", hint=f"Give {such_as}.")
    try:
        value = float(answer)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Refused(f"{what} is {shown(answer)}", hint=f"Give {such_as}.") from None
    if not math.isfinite(value):
        raise Refused(f"{what} is {value}", hint=DIVIDED)
    return value


def whole(answer: Any, such_as: str = "one whole number, such as 5", *, what: str = "your answer") -> int:
    """The answer as an int; 5.0 is whole, too."""
    value = number(answer, such_as, what=what)
    if value != round(value):
        raise Refused(f"{what} is {value:g}", hint=f"Give {such_as}.")
    return round(value)


def numbers(answer: Any, count: int | None, form: str, *, what: str = "your answer") -> list[float]:
    """The answer as a list of so many floats (of any length for None); form names them: "(weights, parameters)"."""
    wanted = f"{'a list of numbers' if count is None else COUNTS[count] + ' numbers'}, {form}"
    values = items(answer, wanted, what=what)
    if len(values) == 1 and isinstance(values[0], tuple | list):  # a row of its own, such as [[1, 2]]
        values = list(values[0])
    if count is not None and len(values) != count:
        raise Refused(f"{what} has {len(values)} parts", hint=f"Give {wanted}.")
    read = []
    for k, value in enumerate(values):
        if value is None or value is ...:
            raise Refused(f"number {k + 1} of {len(values)} is still missing", hint=f"Give {wanted}.")
        read.append(number(value, f"plain numbers: {form}", what=f"number {k + 1} of {what}"))
    return read


def wholes(answer: Any, count: int | None, form: str, *, what: str = "your answer") -> list[int]:
    """The answer as a list of whole numbers."""
    values = numbers(answer, count, form, what=what)
    return [whole(value, "whole numbers", what=f"number {k + 1} of {what}") for k, value in enumerate(values)]


def items(answer: Any, wanted: str, *, what: str = "your answer") -> list[Any]:
    """The answer as a list: a list, a tuple, a range, a tensor, an array, or what gives its parts one by one."""
    one = isinstance(answer, Tensor) and answer.ndim > 0 and answer.numel() == 1
    answer = [_unpacked(answer, what)] if one else _unpacked(answer, what)
    if isinstance(answer, str | bytes | dict | set | frozenset) or not isinstance(answer, Iterable):
        raise Refused(f"{what} is {shown(answer)}", hint=f"Give {wanted}.")
    values = list(islice(answer, ENOUGH))
    if values and all(value is ... or value is None for value in values):
        raise Unfinished
    return values


def texts(answer: Any, wanted: str, *, what: str = "your answer") -> list[str]:
    """The answer as a list of plain strings; a set comes in the order of the alphabet."""
    values = items(sorted(answer, key=str) if isinstance(answer, set | frozenset) else answer, wanted, what=what)
    for value in values:
        if not isinstance(value, str):
            raise Refused(f"{what} holds {shown(value)}", hint=f"Give {wanted}.")
    return [str(value) for value in values]


def truth(answer: Any, *, what: str = "your answer") -> bool:
    """The answer as True or False: Python's, NumPy's, or a tensor of one truth value."""
    answer = _unpacked(answer, what)
    if not isinstance(answer, bool):
        raise Refused(f"{what} is {shown(answer)}", hint="Give True or False.")
    return answer


def table(answer: Any, wanted: str, *, what: str = "your answer", finite: bool = True) -> Tensor:
    """The answer as a tensor of float64: rows of numbers as lists or tuples, an array, or a tensor.

    What is not finite is refused, unless the caller has something else to look at first.
    """
    try:
        if not isinstance(answer, Tensor) and not hasattr(answer, "__array__"):
            answer = [_floats(row, what) for row in items(answer, wanted, what=what)]
        values = torch.as_tensor(answer).detach().cpu().to_dense()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        values = torch.tensor(1j)
    if values.is_complex() or values.dtype == torch.bool:
        raise Refused(f"{what} is {shown(answer)}", hint=f"Give {wanted}.")
    return _finite(values.double(), f"{what} has") if finite else values.double()


def tensor(result: Any, shape: str = "", *, what: str = "your function returns") -> Tensor:
    """What a function returned, as a detached tensor of float64 on the CPU; anything but a tensor is refused."""
    if not isinstance(result, Tensor):
        hint = f"Return a tensor{shape and ' of shape ' + shape}; torch.tensor(…) or torch.stack(…) makes one."
        raise Refused(f"{what} {shown(result)}", hint=hint)
    if result.is_complex():
        raise Refused(f"{what} complex numbers", hint=f"Return a tensor of real numbers{shape and ', ' + shape}.")
    return _finite(result.detach().to("cpu", torch.float64).as_subclass(Tensor), what)


def subclass(answer: Any, name: str) -> type[nn.Module]:
    """The answer, a class of networks; a network that is built already is refused."""
    if isinstance(answer, nn.Module):
        raise Refused("this is a network already", hint=f"Give the class itself, without brackets: {name}.")
    if not (isinstance(answer, type) and issubclass(answer, nn.Module)):
        found = "a function or another class" if callable(answer) else shown(answer)
        raise Refused(f"your answer is {found}", hint="Give the class itself: a subclass of nn.Module.")
    return answer


def network(answer: Any) -> nn.Module:
    """The answer, a network; its class is refused."""
    if not isinstance(answer, nn.Module):
        found = "a function or a class" if callable(answer) else shown(answer)
        raise Refused(f"your answer is {found}", hint="Give the network itself, an nn.Module.")
    return answer


def scores(model: nn.Module, *inputs: Any) -> Tensor:
    """What a network of the student's answers: a tensor, in its own type and with its own record."""
    result = model(*inputs)
    if result is None or result is ...:
        raise GaveNothing(type(model).forward, inputs)
    if not isinstance(result, Tensor):
        raise Refused(f"the network answers with {shown(result)}", hint="Its forward must return a tensor.")
    return result


def size_of(model: nn.Module) -> int:
    """How many numbers a network owns: its parameters, frozen ones included, and its buffers."""
    return sum(each.numel() for _, each in (*model.named_parameters(), *model.named_buffers()))


def near(mine: float, expected: float, *, places: int) -> bool:
    """Whether mine is right to so many places after the point. False for NaN."""
    return abs(mine - expected) <= 0.5 * 10**-places + 1e-9


def close(mine: Tensor, expected: Tensor, *, tolerance: float = 1e-5) -> bool:
    """Whether two tensors have one shape and the same numbers, up to a share of the largest. False for NaN."""
    if mine.shape != expected.shape:
        return False
    mine, expected = mine.double(), expected.double()
    return bool(((mine - expected).abs() <= tolerance * max(1.0, expected.abs().max().item())).all())


def _unpacked(answer: Any, what: str) -> Any:
    """A tensor or an array as plain numbers or lists of them; a function is refused; anything else as it is."""
    if callable(answer) and not isinstance(answer, Tensor):
        raise Refused(f"{what} is a function or class", hint="Call it, and give what it returns.")
    if isinstance(answer, Tensor):
        return answer.detach().cpu().to_dense().squeeze().tolist()
    if hasattr(answer, "__array__") and hasattr(answer, "tolist"):
        return answer.tolist()
    return answer


def _floats(value: Any, what: str) -> Any:
    """Numbers in nested lists, with fractions and the like as floats."""
    value = _unpacked(value, what)
    if isinstance(value, list | tuple):
        return [_floats(part, what) for part in value]
    return float(value) if isinstance(value, SupportsFloat) and not isinstance(value, bool) else value


def _finite(values: Tensor, what: str) -> Tensor:
    if strange := int((~values.isfinite()).sum()):
        kind = "nan" if values.isnan().any() else "inf"
        raise Refused(f"{what} {kind} in {strange} of {values.numel()} places", hint=DIVIDED)
    return values
