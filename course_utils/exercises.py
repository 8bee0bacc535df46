"""Exercises that answer back: `check("2.1", answer)` says whether an answer is right, and if not, why."""

import importlib
import re
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from IPython.display import display

from . import _console, _tries
from ._arguments import DataSet, as_html, image_data, number, shown
from ._files import resource

SIGNS = {"right": ("✓", "#009E73"), "wrong": ("✗", "#D55E00"), "unattempted": ("○", "#888888")}  # sign and colour

NOT_THEIRS = r"course_utils|site-packages|[/\\]lib[/\\]python|^<frozen"  # files whose lines are not a student's


class Verdict(NamedTuple):
    """What `check` returns: true when the answer is right. It shows nothing by itself; `check` has shown it.

    Example:
        >>> bool(right("It is odd.")), bool(wrong("4 is even", hint="count on"))
        (True, False)
    """

    status: str  # "right", "wrong" or "unattempted"
    message: str

    def __bool__(self) -> bool:
        return self.status == "right"

    def _ipython_display_(self) -> None:
        pass


Judge = Callable[..., Verdict]


class _Checker(NamedTuple):
    judge: Judge
    without: tuple[str, ...]
    changes: bool


@dataclass
class _Shown:
    """A verdict as it is shown: HTML in a notebook, one line of text elsewhere."""

    exercise: object
    verdict: Verdict

    def __repr__(self) -> str:
        return f"{SIGNS[self.verdict.status][0]} Exercise {self.exercise}: {self.verdict.message}"

    def _repr_html_(self) -> str:
        status, (_, colour) = self.verdict.status, SIGNS[self.verdict.status]
        head, _, rest = as_html(repr(self)).partition(": ")
        style = f"border-left: 4px solid {colour}; padding: .2em .8em; margin: .3em 0"
        lines = re.sub(r" (Hint: |A step towards it: |Then read “)", r"<br>\1", rest)
        return f'<div class="verdict" data-status="{status}" style="{style}"><b>{head}</b><br>{lines}</div>'


_checkers: dict[str, _Checker] = {}  # "2.1" -> what judges an answer
_wrong: dict[str, Counter[str]] = {}  # "2.1" -> how often each kind of wrong answer came, until a right one
STUB = Verdict("unattempted", "not attempted yet. Replace the dots with your answer, then run the cell again.")


def checker(exercise: str, *, without: tuple[str, ...] = (), changes: bool = False) -> Callable[[Judge], Judge]:
    """Decorator: the function judges answers to the exercise of this number, by returning `right` or `wrong`.

    Its docstring ends the sentence "The exercise asks for". An answer that is a function reaches it wrapped: the
    function must give something back and must not change what it is given.

    Args:
        exercise: its number as in its heading, such as `"2.1"`.
        without: names of PyTorch's functions that the student's function must not call, such as `("conv2d",)`.
        changes: true where the student's function may change a network or a dictionary in place.

    Example:
        >>> @checker("1.99")
        ... def judge(answer):
        ...     "a number above 3."
        ...     return right("So is 5.") if answer > 3 else wrong(f"{answer} is not above 3", hint="count on")
        >>> verdict = check("1.99", 4)
        ✓ Exercise 1.99: Right. So is 5.
    """

    def register(judge: Judge) -> Judge:
        _checkers[exercise] = _Checker(judge, without, changes)
        return judge

    return register


def right(insight: str) -> Verdict:
    """The answer is right; one more insight as its reward.

    Example:
        >>> right("Each pixel is counted once.").message
        'Right. Each pixel is counted once.'
    """
    return Verdict("right", f"Right. {insight}")


def wrong(finding: str, *, hint: str) -> Verdict:
    """The answer is wrong: what was found (of a long finding, its beginning), and a hint that fits the mistake.

    Example:
        >>> wrong("there are 3 windows", hint="count the last one").message
        'Not yet: there are 3 windows. Hint: count the last one'
    """
    finding = " ".join(finding.split()).rstrip(".").encode(errors="backslashreplace").decode()
    return Verdict("wrong", f"Not yet: {finding if len(finding) <= 300 else finding[:299] + '…'}. Hint: {hint}")


def check(exercise: str, answer: object = ...) -> Verdict:
    """Judge an answer, show the verdict, and return it (true when right). Never raises, and changes nothing.

    An answer that is wrong in the same way again gets a step towards the right one, and then the section to read again.
    What was right or wrong is kept for `progress()`, unless a solution's cell asks.

    The answer is judged in plain surroundings (float32, gradients on, generators at their beginning); the caller's
    own generators, default dtype and modes are as before.

    Args:
        exercise: its number as in its heading, such as `"2.1"`.
        answer: a value or a function, as the exercise asks. `None`, `...`, or a function whose body is still `...`
            counts as not attempted.

    Example:
        >>> verdict = check("2.1", ...)
        ○ Exercise 2.1: not attempted yet. Replace the dots with your answer, then run the cell again.
        >>> verdict.status, bool(verdict)
        ('unattempted', False)
    """
    verdict = _found(exercise)
    if isinstance(verdict, _Checker):
        verdict = STUB if answer is None or answer is ... else _judged(verdict, answer)
        if verdict.status != "unattempted":
            verdict = verdict._replace(message=verdict.message + _more(str(exercise), verdict))
            _tries.keep(str(exercise), verdict.status)
    _console.forgive()
    display(_Shown(exercise, verdict))
    return verdict


@cache
def steps() -> dict[str, dict]:
    """For each exercise of the course a step towards its answer, and the sections of its lesson to read again."""
    return tomllib.loads(resource("checks/steps.toml").read_text(encoding="utf-8"))


def _more(exercise: str, verdict: Verdict) -> str:
    """What is said beside a hint when the same kind of answer was wrong before: a step; then, where to read again."""
    kind = re.sub(r"[\d.,−-]", "", verdict.message.rpartition("Hint: ")[2])
    if verdict or exercise not in steps():
        _wrong.pop(exercise, None)
        return ""
    times = _wrong.setdefault(exercise, Counter())
    times[kind] += 1
    sections = "” and “".join(steps()[exercise]["again"])
    step = f" A step towards it: {steps()[exercise]['step']}" if times[kind] > 1 else ""
    return step + (f" Then read “{sections}” again." if times[kind] > 2 and sections else "")


def _found(exercise: object) -> _Checker | Verdict:
    """The checker of an exercise, or what is wrong with its number."""
    if isinstance(exercise, int | float):
        return wrong(f"{exercise!r} is a number", hint=f'Put it in quotes: check("{exercise}", …).')
    try:
        module = f"course_utils.checks.l{int(str(exercise).split('.')[0]):02}"
        importlib.import_module(module)
    except ValueError:
        pass  # no number of an exercise
    except ImportError as problem:
        if problem.name != module:  # a lesson that there is, whose checkers can't be loaded
            remedy = "run the lesson's setup cell, which installs what is missing"
            return Verdict("wrong", f"its checker could not be loaded ({problem}). Hint: {remedy}.")
    none = Verdict("wrong", f"there is no exercise {exercise!r}. Its number stands in its heading, such as 2.1.")
    return _checkers.get(exercise, none) if isinstance(exercise, str) else none


def _judged(found: _Checker, answer: object) -> Verdict:
    """The verdict on an answer, whatever the answer is and does."""
    from .checks import _answers, _call

    wants_function = (found.judge.__doc__ or "").startswith("a function")
    called, owner = None, "judging your answer"
    try:
        parts = answer if isinstance(answer, tuple | list) else [answer]
        owner = "your network" if any(hasattr(part, "parameters") for part in parts) else owner
        is_data = owner == "your network" or hasattr(answer, "__array__")  # a network, its class, a tensor
        if callable(answer) and (wants_function or not is_data):
            called = _call.Called(answer, without=found.without, changes=found.changes)
        elif wants_function:
            hint = f"Give the function itself, without brackets: {found.judge.__name__}."
            return wrong(f"your answer is {shown(answer)}", hint=hint)
        with _call.plain_surroundings(answer):
            return found.judge(answer if called is None else called)
    except _answers.Unfinished:
        return STUB
    except _answers.GaveNothing as nothing:
        if _call.is_stub(nothing.function):
            return STUB
        case = f", for {', '.join(map(shown, nothing.given))}" if nothing.given else ""
        return wrong(f"your function gives nothing back{case}", hint="Does every way through it end in `return`?")
    except _answers.Refused as refused:
        return wrong(refused.finding, hint=refused.hint)
    except (Exception, SystemExit) as error:  # whatever the student's own code raises
        owner = "your function" if called is not None and called.error is error else owner
        told = "".join(traceback.format_exception_only(error))  # also where the error can't tell itself
        asked = f"The exercise asks for {found.judge.__doc__}"
        return wrong(f"{owner} raised {told.strip()}{_line(error)}", hint=asked)


def _line(error: BaseException) -> str:
    """The line of the student's own code in which an error arose; nothing where it can't be seen."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame.line for frame in frames if frame.line and not re.search(NOT_THEIRS, frame.filename)]
    return f", in the line `{theirs[-1]}`" if theirs else ""


def target(data: DataSet, *, real: float, sample: float) -> float:
    """The score to reach in a trained exercise on this data: on the real set, or on the built-in sample.

    Raises:
        TypeError, ValueError: a score that is no number from 0 to 1.

    Example:
        >>> from course_utils import load
        >>> target(load("mnist"), real=0.98, sample=0.9)
        0.9
    """
    real, sample = number("real", real, least=0, most=1), number("sample", sample, least=0, most=1)
    return sample if image_data("data", data).source == "sample" else real
