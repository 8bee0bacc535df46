"""Exercises that answer back: `check("2.1", answer)` says whether an answer is right, and if not, why."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from ._arguments import DataSet, image_data, number


class Verdict(NamedTuple):
    """What `check` returns: true when the answer is right. It shows nothing by itself; `check` has printed it.

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
_checkers: dict[str, Judge] = {}  # "2.1" -> the function that judges an answer


class Unattempted(Exception):
    """The reader's function gave nothing back: it is still the stub.

    Example:
        >>> raise Unattempted  # what `check` makes of a function that gives None back
        Traceback (most recent call last):
        course_utils.exercises.Unattempted
    """


def checker(exercise: str) -> Callable[[Judge], Judge]:
    """Decorator: the function judges answers to the exercise of this number, by returning `right` or `wrong`.

    Example:
        >>> @checker("1.99")
        ... def judge(answer):
        ...     return right("So is 5.") if answer > 3 else wrong(f"{answer} is not above 3", hint="count on")
        >>> verdict = check("1.99", 4)
        Exercise 1.99: Right. So is 5.
    """

    def register(judge: Judge) -> Judge:
        _checkers[exercise] = judge
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
    """The answer is wrong: what was found, and a hint that fits the mistake.

    Example:
        >>> wrong("there are 3 windows", hint="count the last one").message
        'Not yet: there are 3 windows. Hint: count the last one'
    """
    return Verdict("wrong", f"Not yet: {finding}. Hint: {hint}")


def check(exercise: str, answer: object) -> Verdict:
    """Judge an answer, print the verdict, and return it (true when right). Never raises.

    Args:
        exercise: its number as in its heading, such as `"2.1"`.
        answer: a value or a function, as the exercise asks. `None`, `...`, or a function that returns one of them,
            counts as not attempted.

    Example:
        >>> verdict = check("2.1", ...)
        Exercise 2.1: not attempted yet. Replace the dots with your answer, then run the cell again.
        >>> verdict.status, bool(verdict)
        ('unattempted', False)
    """
    verdict = _judge(exercise, answer)
    print(f"Exercise {exercise}: {verdict.message}")
    return verdict


def _judge(exercise: str, answer: object) -> Verdict:
    stub = Verdict("unattempted", "not attempted yet. Replace the dots with your answer, then run the cell again.")
    try:
        module = f"course_utils.checks.l{int(exercise.split('.')[0]):02}"
        importlib.import_module(module)
    except (ValueError, AttributeError):
        pass  # no number of an exercise
    except ImportError as problem:
        if problem.name != module:  # a lesson that there is, whose checkers can't be loaded
            remedy = "run the lesson's setup cell, which installs what is missing"
            return Verdict("wrong", f"its checker could not be loaded ({problem}). Hint: {remedy}.")
    judge = _checkers.get(exercise) if isinstance(exercise, str) else None
    if judge is None:
        return Verdict("wrong", f"there is no exercise {exercise!r}. Its number stands in its heading, such as 2.1.")
    if answer is None or answer is ...:
        return stub
    try:
        return judge(_watched(answer) if callable(answer) and not hasattr(answer, "parameters") else answer)
    except Unattempted:
        return stub
    except Exception as error:  # whatever the reader's own code raises
        finding = f"your answer raised {type(error).__name__}: {error}".rstrip(".")  # `wrong` ends the sentence
        return wrong(finding, hint=f"The exercise asks for: {judge.__doc__}")


def _watched(function: Callable) -> Callable:
    """The reader's function, which tells when it gives nothing back."""

    def call(*args: object, **kwargs: object) -> object:
        result = function(*args, **kwargs)
        if result is None or result is ...:
            raise Unattempted
        return result

    return call


def as_list(answer: object) -> object:
    """A tensor or an array as a list of plain numbers; anything else as it is.

    Example:
        >>> import torch
        >>> as_list(torch.tensor([1, 2])), as_list((3, 4))
        ([1, 2], (3, 4))
    """
    return answer.tolist() if hasattr(answer, "tolist") else answer


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
