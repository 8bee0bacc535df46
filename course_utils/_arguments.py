"""Checks of arguments, so that every function refuses a wrong one in the same words: name, expected, got.

Nothing here needs torch until a tensor is asked for.
"""

import html
import math
import operator
import re
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


class DataSet(Protocol):
    """What knows its name and where it came from, as `ImageData` does."""

    name: str
    source: str


def whole(name: str, value: SupportsIndex, *, least: int | None = None, most: int | None = None) -> int:
    """value as a whole number from least to most. Raises: TypeError, ValueError."""
    expected = f"{name} must be a whole number{_range(least, most)}"
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        raise TypeError(f"{expected}; got {shown(value)}.")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}; got {shown(value)}.") from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(f"{expected}; got {number}.")
    return number


def number(name: str, value: float, *, least: float | None = None, most: float | None = None) -> float:
    """value as a finite number from least to most. Raises: TypeError, ValueError."""
    expected = f"{name} must be a number{_range(least, most)}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{expected}; got {shown(value)}.")
    if not math.isfinite(value) or (least is not None and value < least) or (most is not None and value > most):
        raise ValueError(f"{expected}; got {value!r}.")
    return float(value)


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """value, which must be one of the choices. Raises: TypeError, ValueError."""
    expected = f"{name} must be one of {', '.join(map(repr, choices))}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}; got {shown(value)}.")
    if value not in choices:
        raise ValueError(f"{expected}; got {value!r}.")
    return value


def kind(name: str, value: T, wanted: Any, such_as: str) -> T:  # a union has no type of its own
    """value, which must be of the type wanted; such_as is an example of it. Raises: TypeError."""
    if not isinstance(value, wanted):
        raise TypeError(f"{name} must be {such_as}; got {shown(value)}.")
    return value


def tensor(name: str, value: "torch.Tensor", shape: str, *, floating: bool = False, hint: str = "") -> "torch.Tensor":
    """value, a tensor with as many axes as shape, such as "N×C×H×W", has letters or numbers; hint says how to mend one.

    Raises:
        TypeError: value is no tensor, or with `floating` none of real numbers.
        ValueError: another number of axes, or another length of an axis that shape gives as a number.
    """
    import torch

    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, {shape}; got {shown(value)}.")
    if floating and not value.is_floating_point():
        raise TypeError(f"{name} must be a tensor of floating-point numbers; got {value.dtype}.")
    axes = shape.split("×")
    if value.ndim != len(axes) or any(a.isdigit() and int(a) != n for a, n in zip(axes, value.shape, strict=True)):
        raise ValueError(f"{name} must be a tensor, {shape}; got shape {tuple(value.shape)}.{hint and ' ' + hint}")
    return value


def image_data(name: str, value: DataSet) -> DataSet:
    """value, a data set that knows its name and its source. Raises: TypeError."""
    if not hasattr(value, "source") or not hasattr(value, "name"):
        raise TypeError(f"{name} must be ImageData, as load('mnist') returns it; got {shown(value)}.")
    return value


def shape(name: str, value: Sequence[int]) -> tuple[int, ...]:
    """value, the shape of a batch: a tuple of whole numbers of at least 1. Raises: TypeError, ValueError."""
    if not isinstance(value, tuple | list) or not value:
        raise TypeError(f"{name} must be a tuple of whole numbers, such as (1, 1, 28, 28); got {shown(value)}.")
    return tuple(whole(f"{name}[{axis}]", length, least=1) for axis, length in enumerate(value))


def _range(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of at least {least}" if least is not None else f" of at most {most}" if most is not None else ""


def shown(value: object) -> str:
    """value in an error message: short; a tensor or an array by its type and shape."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type):
        return f"{type(value).__name__} of {value.dtype} and shape {tuple(value.shape)}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"


def as_html(text: str) -> str:
    """A sentence with its code spans, for a page."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
