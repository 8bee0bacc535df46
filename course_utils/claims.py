"""Sentences that state a number, checked by the cell that states them."""

import html
import json
import math
import os
import re
import string
from dataclasses import dataclass

from ._arguments import image_data, kind, number, shown
from ._files import resource

_lesson = "00"
_numbers = {}  # sentence -> its number in this lesson


class ClaimError(AssertionError):
    """A stated number is not true."""


@dataclass
class Statement:
    """A claim as it is shown: HTML in a notebook, one line of text elsewhere."""

    sentence: str
    value: object
    kind: str  # "claim", "data" or "measured"
    status: str  # "checked", "skipped" or "missed"
    note: str
    copy: str = ""

    def __post_init__(self):
        self.text = _written(self.sentence, self.value)
        number = _numbers.setdefault(self.sentence, len(_numbers) + 1)
        self.id = f"{_lesson}-{number:02}"

    def __repr__(self):
        return f"[claim {self.id}, {self.status}] {self.text}"

    def show(self):
        """Show this claim once, where its cell shows things."""
        from IPython.display import display

        display(self)

    def _repr_html_(self):
        attributes = {"id": self.id, "kind": self.kind, "status": self.status, "value": self.value, "copy": self.copy}
        if self.kind == "measured":
            attributes["sentence"] = self.sentence
        marks = " ".join(f'data-{name}="{html.escape(str(text))}"' for name, text in attributes.items())
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.text, quote=False))
        colour = {"checked": "#009E73", "skipped": "#888888", "missed": "#D55E00"}[self.status]
        return (
            f'<div class="claim" {marks} style="border-left: 4px solid {colour}; padding: .2em .8em; margin: .3em 0">'
            f"{text}<br><small>claim {self.id} · {html.escape(self.note, quote=False)}</small></div>"
        )


def begin(lesson: str) -> None:
    """Number claims from 1 in the lesson of this name; running a lesson's setup cell again keeps the numbers."""
    global _lesson
    if not re.match(r"\d\d", kind("lesson", lesson, str, "a lesson's name, such as '06_lenet'")):
        raise ValueError(f"lesson must begin with its number, such as '06_lenet'; got {lesson!r}.")
    if lesson[:2] != _lesson:
        _lesson = lesson[:2]
        _numbers.clear()


def _bound(value, equals, within, at_least, at_most):
    """Whether the bounds hold, and the bounds in words."""
    if equals is None and at_least is None and at_most is None:
        raise ValueError("A claim needs something to be checked against: equals=, at_least= or at_most=.")
    equals, at_least, at_most = (
        _comparable(name, bound, value)
        for name, bound in (("equals", equals), ("at_least", at_least), ("at_most", at_most))
    )
    words, holds, within = [], True, number("within", within, least=0)
    if equals is not None:
        known = f"{equals:.6g}" if isinstance(equals, float) else f"{equals:,}" if _is_number(equals) else equals
        words.append(f"equals {known}" + (f" within {within:g}" if within else ""))
        holds &= abs(value - equals) <= within if within else value == equals
    if at_least is not None:
        words.append(f"at least {at_least:.6g}")
        holds &= value >= at_least
    if at_most is not None:
        words.append(f"at most {at_most:.6g}")
        holds &= value <= at_most
    return bool(holds), " and ".join(words)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(name, given, value):
    """The bound as a plain value: None, a number if the value is one, else for `equals` something of the same type."""
    bound = None if given is None else _plain(name, given)
    alike = _is_number(bound) if _is_number(value) else name == "equals" and type(bound) is type(value)
    if bound is not None and (not alike or bound != bound):  # NaN is no bound
        raise TypeError(f"{name} must be something to compare the value {value!r} with; got {shown(given)}.")
    return bound


def _plain(name, value):
    """A Python number, truth value or string, from a tensor or NumPy scalar if need be."""
    if hasattr(value, "item"):
        try:
            value = value.item()
        except (RuntimeError, ValueError):  # not exactly one element
            raise ValueError(f"{name} must be one number; got {shown(value)}.") from None
    if not isinstance(value, int | float | str):
        raise TypeError(f"{name} must be a number, a truth value or a string; got {shown(value)}.")
    return value


def _value(value):
    """What a claim states, as a plain value. NaN is never true."""
    value = _plain("value", value)
    if _is_number(value) and math.isnan(value):
        raise ClaimError("The value of a claim is NaN: no bound can hold for it.")
    return value


def _written(sentence, value):
    """The sentence with the value in its place."""
    kind("sentence", sentence, str, "one sentence with {value} in it")
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}
    except ValueError:  # a brace that is never closed, say
        names = None
    if names != {"value"}:
        raise ValueError(f"sentence must hold {{value}} and no other field; got {sentence!r}.")
    try:
        return sentence.format(value=value)
    except ValueError as problem:
        raise ValueError(f"value must fit the format in {sentence!r}; got {value!r} ({problem}).") from None


def _here(bound, copy):
    """A bound may differ from data copy to data copy; None where it says nothing of this one."""
    return bound.get(copy) if isinstance(bound, dict) else bound


class Claims:
    """`claim(...)` states what is true anywhere, `claim.data` what is true of a data set, `claim.measured` a result.

    Each shows its sentence, in which `{value}` stands for the number (any format such as `{value:.1%}` will do),
    with its own number in the lesson. A claim that is false raises `ClaimError`.
    """

    def __call__(self, sentence, value, *, equals=None, within=0, at_least=None, at_most=None):
        """State what is true on any machine and any data. Always checked.

        Args:
            sentence: one sentence with `{value}` in it; code spans in backticks, no dollar signs.
            value: a number, truth value or string; one-element tensors will do.
            equals, within: the value must equal this, up to an absolute tolerance (0: exactly).
            at_least, at_most: the value must lie on this side, the bound included.

        Raises:
            ClaimError: the sentence is false.
            ValueError, TypeError: no bound, or a sentence, value or bound that do not fit each other.
        """
        value = _value(value)
        holds, words = _bound(value, equals, within, at_least, at_most)
        return self._show(sentence, value, "claim", holds, words)

    def data(self, sentence, value, *, data, equals=None, within=0, at_least=None, at_most=None):
        """State what is true of one data set; checked when `data` is the real one, skipped on the sample.

        Args:
            data: the `ImageData` that the value was computed from.
            equals, at_least, at_most: a number, or a dict from the names of data copies to numbers; a copy without a
                number is skipped.

        Raises:
            ClaimError: the sentence is false of this data.
            ValueError, TypeError: as above, or data is no `ImageData`.
        """
        value, copy = _value(value), image_data("data", data).source
        bounds = [_here(bound, copy) for bound in (equals, at_least, at_most)]
        if copy == "sample" or all(bound is None for bound in bounds):
            return Statement(sentence, value, "data", "skipped", f"not checked on this data ({copy})", copy).show()
        holds, words = _bound(value, bounds[0], within, *bounds[1:])
        return self._show(sentence, value, "data", holds, f"{words} ({data.name}, {copy})", copy)

    def measured(self, sentence, value, *, data, stated=True, at_least=None, at_most=None):
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
        """
        value, copy, strict = _value(value), image_data("data", data).source, os.environ.get("COURSE_STRICT") == "1"
        if copy == "sample" or not stated:
            reason = (
                f"not checked on this data ({copy})"
                if copy == "sample"
                else "not checked: the lesson ran at another size"
            )
            return Statement(sentence, value, "measured", "skipped", reason, copy).show()
        runs, known = {}, True
        if at_least is None and at_most is None:
            runs, known = _recorded_runs(sentence, copy)
        at_least = runs.get("at_least", at_least)
        if at_least is None and at_most is None:
            if strict and not known:
                raise ClaimError(
                    f"No runs are recorded for {sentence!r} on the {copy}: run `make calibrate LESSON={_lesson}`."
                )
            return Statement(
                sentence, value, "measured", "skipped", f"no recorded runs on this data ({copy})", copy
            ).show()
        holds, words = _bound(value, None, 0, at_least, at_most)
        if runs:
            words = _in_words(sentence, runs)
        return self._show(sentence, value, "measured", holds, f"{words} ({data.name}, {copy})", copy, raises=strict)

    @staticmethod
    def _show(sentence, value, kind, holds, words, copy="", raises=True):
        status = "checked" if holds else "missed"
        statement = Statement(sentence, value, kind, status, f"{status}: {words}", copy)
        if not holds and raises:
            raise ClaimError(
                f"Claim {statement.id} is false: {statement.text} The value is {value!r}; stated was: {words}."
            )
        statement.show()


def _recorded_runs(sentence, copy):
    """The book's own runs on this copy of the data, and whether there are any, on whatever copy."""
    try:
        recorded = json.loads(resource(f"results/bounds_{_lesson}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, False
    runs = recorded["claims"].get(sentence, {})
    return (runs if recorded["copy"] == copy else {}), bool(runs)


def _in_words(sentence, runs):
    """The book's own runs, written as the sentence writes its value."""
    spec = next(spec for _, name, spec, _ in string.Formatter().parse(sentence) if name == "value")
    mean, sd, low = (format(runs[key], spec) for key in ("mean", "sd", "at_least"))
    return f"the book's {len(runs['values'])} runs gave {mean} ± {sd}; at least {low}"


claim = Claims()
