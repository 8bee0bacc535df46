"""Sentences that state a number, and pairs of results that agree, checked by the cell that states them."""

import html
import json
import operator
import os
import string
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsFloat

from IPython.display import display

from ._arguments import DataSet, as_html, image_data, kind, number, shown
from ._files import resource

if TYPE_CHECKING:
    import torch

_lesson = "00"
_numbers: dict[str, int] = {}  # sentence -> its number in this lesson
_agreements: dict[str, int] = {}  # the same for agreements
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


Stated = SupportsFloat | str  # a tensor or NumPy value of one element will do
Bound = Stated | dict[str, Stated] | None
Found = tuple[bool | None, str]  # whether the bounds hold, None where nobody has checked; and they in words


class ClaimError(AssertionError):
    """A stated number is not true.

    Example:
        >>> claim("Two and two make {value}.", 2 + 2, equals=5)
        Traceback (most recent call last):
        course_utils.claims.ClaimError: This claim is false: Two and two make 4. The value is 4; stated was: equals 5.
    """


@dataclass
class Statement:
    """A claim as it is shown: HTML in a notebook, one line of text elsewhere.

    Example:
        >>> Statement("LeNet has {value:,} parameters.", 61706, "claim", "checked", "equals 61,706")
        [claim 06-01, checked] LeNet has 61,706 parameters.
    """

    sentence: str
    value: object
    kind: str  # "claim", "data" or "measured"
    status: str  # "checked", "skipped" or "missed"
    note: str
    copy: str = ""

    def __post_init__(self) -> None:
        self.text = _written(self.sentence, self.value)

    @cached_property
    def id(self) -> str:
        """The lesson and the claim's number in it, which it gets when it is first shown."""
        return f"{_lesson}-{_numbers.setdefault(self.sentence, len(_numbers) + 1):02}"

    def __repr__(self) -> str:
        return f"[claim {self.id}, {self.status}] {self.text}"

    def _repr_html_(self) -> str:
        attributes = {"id": self.id, "kind": self.kind, "status": self.status, "value": self.value, "copy": self.copy}
        if self.kind == "measured":
            attributes["sentence"] = self.sentence
        marks = " ".join(f'data-{name}="{html.escape(str(text))}"' for name, text in attributes.items())
        colour = {"checked": "#009E73", "skipped": "#888888", "missed": "#D55E00"}[self.status]
        return (
            f'<div class="claim" {marks} style="border-left: 4px solid {colour}; padding: .2em .8em; margin: .3em 0">'
            f"{as_html(self.text)}<br><small>claim {self.id} · {html.escape(self.note, quote=False)}</small></div>"
        )


@dataclass
class Agreement:
    """Two results that agree, as it is shown: one quiet line.

    Example:
        >>> Agreement("our sum and torch's: exactly equal", 0.0, 0.0)
        [agreement 06-a01] our sum and torch's: exactly equal
    """

    text: str
    difference: float
    within: float

    @cached_property
    def id(self) -> str:
        """The lesson and the agreement's number in it, which it gets when it is first shown."""
        return f"{_lesson}-a{_agreements.setdefault(self.text.rpartition(':')[0], len(_agreements) + 1):02}"

    def __repr__(self) -> str:
        return f"[agreement {self.id}] {self.text}"

    def _repr_html_(self) -> str:
        marks = f'data-id="{self.id}" data-difference="{self.difference}" data-within="{self.within}"'
        return f'<div class="agreement" {marks} style="font-size: 90%">✓ {as_html(self.text)}</div>'


def agree(what: str, ours: Any, theirs: Any, *, within: float) -> None:
    """State that two results are equal up to a largest difference; show one quiet line, or raise.

    Args:
        what: which two, such as "our convolution and `F.conv2d`".
        ours, theirs: numbers, tensors or arrays, of one shape; two tensors or arrays also of one dtype.
        within: how far apart two numbers may be; 0 for exactly equal.

    Raises:
        ClaimError: they differ by more, in shape or in dtype, or one holds NaN.
        TypeError, ValueError: what is no text, within no number of at least 0, or a side is nothing to compare.

    Example:
        >>> import torch
        >>> agree("our sum and torch's", 1 + 2 + 3, torch.tensor([1, 2, 3]).sum(), within=0)
        [agreement 06-a01] our sum and torch's: exactly equal
    """
    kind("what", what, str, "a few words, such as 'our convolution and F.conv2d'")
    within = number("within", within, least=0)
    a, b = _tensor("ours", ours), _tensor("theirs", theirs)
    if a.shape != b.shape or (hasattr(ours, "dtype") and hasattr(theirs, "dtype") and a.dtype != b.dtype):
        raise ClaimError(f"Not equal: {what}. Ours is {shown(a)}, theirs {shown(b)}.")
    apart = (a.double() - b.double()).abs().masked_fill(a == b, 0)  # inf is equal to inf
    difference = apart.max().item() if apart.numel() else 0.0  # NaN is the largest
    if not difference <= within:
        found = f"The largest difference is {difference:.2g}, stated was {within:g} or less."
        raise ClaimError(f"Not equal: {what}. {found}")
    mantissa, _, power = f"{difference:.0e}".partition("e")
    size = f"{mantissa}·10{str(int(power)).translate(_RAISED)}"
    words = f"equal, largest difference {size}" if difference else "exactly equal"
    display(Agreement(f"{what}: {words}", difference, within))


def _tensor(name: str, value: Any) -> "torch.Tensor":
    """A number, tensor or array, on the CPU; a number of Python's as float64."""
    import torch

    try:
        return torch.as_tensor(value, dtype=None if hasattr(value, "dtype") else torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a number, a tensor or an array; got {shown(value)}.") from None


def begin(lesson: str) -> None:
    """Number claims from 1 in the lesson of this name; running a lesson's setup cell again keeps the numbers.

    Example:
        >>> begin("08_capacity")
        >>> claim("Two and two make {value}.", 2 + 2, equals=4)
        [claim 08-01, checked] Two and two make 4.
    """
    global _lesson
    if kind("lesson", lesson, str, "a lesson's name, such as '06_lenet'")[:2] != _lesson:
        _lesson = lesson[:2]
        _numbers.clear()
        _agreements.clear()


def _bound(value: Any, equals: Bound, within: float, at_least: Bound, at_most: Bound) -> Found:
    """Whether the bounds hold, and the bounds in words."""
    if equals is None and at_least is None and at_most is None:
        raise ValueError("A claim needs something to be checked against: equals=, at_least= or at_most=.")
    given = {"equals": equals, "at_least": at_least, "at_most": at_most}
    exact, least, most = (_comparable(name, bound, value) for name, bound in given.items())
    words, holds, within = [], True, number("within", within, least=0)
    if exact is not None:
        known = f"{exact:.6g}" if isinstance(exact, float) else f"{exact:,}" if _is_number(exact) else exact
        words.append(f"equals {known}" + (f" within {within:g}" if within else ""))
        holds &= abs(value - exact) <= within if within else value == exact
    for side, bound, lies_there in (("least", least, operator.ge), ("most", most, operator.le)):
        if bound is not None:
            words.append(f"at {side} {bound:.6g}")
            holds &= lies_there(value, bound)
    return bool(holds), " and ".join(words)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(name: str, given: Bound, value: object) -> Any:
    """The bound as a plain value: None, a number if the value is one, else for `equals` something of the same type."""
    bound = None if given is None else _plain(name, given)
    alike = _is_number(bound) if _is_number(value) else name == "equals" and type(bound) is type(value)
    if bound is not None and (not alike or bound != bound):  # NaN is no bound
        raise TypeError(f"{name} must be something to compare the value {value!r} with; got {shown(given)}.")
    return bound


def _plain(name: str, value: Any) -> Any:
    """A Python number, truth value or string, from a tensor or NumPy scalar if need be."""
    if hasattr(value, "item"):
        try:
            value = value.item()
        except (RuntimeError, ValueError):  # not exactly one element
            raise ValueError(f"{name} must be one number; got {shown(value)}.") from None
    if not isinstance(value, int | float | str):
        raise TypeError(f"{name} must be a number, a truth value or a string; got {shown(value)}.")
    return value


def _value(value: Stated) -> float | str:
    """What a claim states, as a plain value. NaN is never true."""
    plain = _plain("value", value)
    if plain != plain:
        raise ClaimError("The value of a claim is NaN: no bound can hold for it.")
    return plain


def _written(sentence: str, value: object) -> str:
    """The sentence with the value in its place."""
    kind("sentence", sentence, str, "one sentence with {value} in it")
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}
    except ValueError:  # a brace that is never closed, say
        names = set()
    if names != {"value"}:
        raise ValueError(f"sentence must hold {{value}} and no other field; got {sentence!r}.")
    try:
        return sentence.format(value=value)
    except ValueError as problem:
        raise ValueError(f"value must fit the format in {sentence!r}; got {value!r} ({problem}).") from None


class Claims:
    """`claim(...)` states what is true anywhere, `claim.data` what is true of a data set, `claim.measured` a result.

    Each shows its sentence, in which `{value}` stands for the number (any format such as `{value:.1%}` will do),
    with its own number in the lesson. A claim that is false raises `ClaimError`.

    Example:
        >>> claim("LeNet has {value:,} parameters.", 61706, equals=61706)
        [claim 06-01, checked] LeNet has 61,706 parameters.
    """

    def __call__(
        self,
        sentence: str,
        value: Stated,
        *,
        equals: Stated | None = None,
        within: float = 0,
        at_least: Stated | None = None,
        at_most: Stated | None = None,
    ) -> None:
        """State what is true on any machine and any data. Always checked.

        Args:
            sentence: one sentence with `{value}` in it; code spans in backticks, no dollar signs.
            value: a number, truth value or string; one-element tensors will do.
            equals, within: the value must equal this, up to an absolute tolerance (0: exactly).
            at_least, at_most: the value must lie on this side, the bound included.

        Raises:
            ClaimError: the sentence is false.
            ValueError, TypeError: no bound, or a sentence, value or bound that do not fit each other.

        Example:
            >>> claim("The mean is {value:.2f}.", 0.1307, equals=0.13, within=0.001)
            [claim 06-01, checked] The mean is 0.13.
        """
        value = _value(value)
        return self._show(sentence, value, "claim", _bound(value, equals, within, at_least, at_most))

    def data(
        self,
        sentence: str,
        value: Stated,
        *,
        data: DataSet,
        equals: Bound = None,
        within: float = 0,
        at_least: Bound = None,
        at_most: Bound = None,
    ) -> None:
        """State what is true of one data set; checked when `data` is the real one, skipped on the sample.

        Args:
            data: the `ImageData` that the value was computed from.
            equals, at_least, at_most: a number, or a dict from the names of data copies to numbers; a copy without a
                number is skipped.

        Raises:
            ClaimError: the sentence is false of this data.
            ValueError, TypeError: as above, or data is no `ImageData`.

        Example:
            >>> from course_utils import load
            >>> data = load("mnist")
            >>> claim.data("{value:,} images are left.", len(data.train), data=data, equals={"official": 55_000})
            [claim 06-01, skipped] 1,200 images are left.
        """
        value, copy = _value(value), image_data("data", data).source
        bounds = [bound.get(copy) if isinstance(bound, dict) else bound for bound in (equals, at_least, at_most)]
        if copy == "sample" or all(bound is None for bound in bounds):
            return self._show(sentence, value, "data", (None, f"not checked on this data ({copy})"), copy)
        holds, words = _bound(value, bounds[0], within, *bounds[1:])
        return self._show(sentence, value, "data", (holds, f"{words} ({data.name}, {copy})"), copy)

    def measured(
        self,
        sentence: str,
        value: Stated,
        *,
        data: DataSet,
        stated: bool = True,
        at_least: Stated | None = None,
        at_most: Stated | None = None,
    ) -> None:
        """State what training reached. Without an explicit bound it is three standard deviations below the mean of
        the book's own runs (`make calibrate`).

        Checked on real data when `stated` is true, that is, when the lesson ran at the size it states. A miss raises
        only when the environment variable `COURSE_STRICT` is 1, as when the book is built.

        Args:
            data: the `ImageData` that the model was measured on.
            stated: whether sizes and epochs are those that the sentence speaks of.

        Raises:
            ClaimError: strict, and the value missed its bound, or no runs are recorded (those on another copy of the
                data make a skipped claim: their bound says nothing of this one).
            ValueError, TypeError: as above.

        Example:
            >>> from course_utils import load
            >>> claim.measured("It reads {value:.1%} of the digits.", 0.95, data=load("mnist"))
            [claim 06-01, skipped] It reads 95.0% of the digits.
        """
        value, copy, strict = _value(value), image_data("data", data).source, os.environ.get("COURSE_STRICT") == "1"
        if copy == "sample" or not stated:
            why = f" on this data ({copy})" if copy == "sample" else ": the lesson ran at another size"
            return self._show(sentence, value, "measured", (None, f"not checked{why}"), copy)
        runs, known = _recorded_runs(sentence, copy) if at_least is None and at_most is None else ({}, True)
        at_least = runs.get("at_least", at_least)
        if at_least is None and at_most is None:
            if strict and not known:
                remedy = f"run `make calibrate LESSON={_lesson}`"
                raise ClaimError(f"No runs are recorded for {sentence!r} on the {copy}: {remedy}.")
            return self._show(sentence, value, "measured", (None, f"no recorded runs on this data ({copy})"), copy)
        holds, words = _bound(value, None, 0, at_least, at_most)
        if runs:
            words = _in_words(sentence, runs)
        return self._show(sentence, value, "measured", (holds, f"{words} ({data.name}, {copy})"), copy, strict)

    @staticmethod
    def _show(sentence: str, value: float | str, kind: str, found: Found, copy: str = "", raises: bool = True) -> None:
        """Show the claim, with what was found of it. A false one may raise instead."""
        holds, words = found
        status = {True: "checked", False: "missed", None: "skipped"}[holds]
        note = words if holds is None else f"{status}: {words}"
        statement = Statement(sentence, value, kind, status, note, copy)
        if holds is False and raises:
            raise ClaimError(f"This claim is false: {statement.text} The value is {value!r}; stated was: {words}.")
        display(statement)


def _recorded_runs(sentence: str, copy: str) -> tuple[dict, bool]:
    """The book's own runs on this copy of the data, and whether there are any, on whatever copy."""
    try:
        recorded = json.loads(resource(f"results/bounds_{_lesson}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, False
    runs = recorded["claims"].get(sentence, {})
    return (runs if recorded["copy"] == copy else {}), bool(runs)


def _in_words(sentence: str, runs: dict) -> str:
    """The book's own runs, written as the sentence writes its value."""
    spec = next(spec for _, name, spec, _ in string.Formatter().parse(sentence) if name == "value")
    mean, sd, low = (format(runs[key], spec or "") for key in ("mean", "sd", "at_least"))
    return f"the book's {len(runs['values'])} runs gave {mean} ± {sd}; at least {low}"


claim = Claims()
