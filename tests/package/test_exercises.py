"""`check` prints, returns a verdict, displays nothing, and never raises."""

from types import SimpleNamespace

import torch
from torch import nn

from course_utils import exercises
from course_utils.exercises import check, checker, right, target, wrong


@checker("2.99")
def seven(answer):
    """the number seven, or a function that returns it."""
    value = answer() if callable(answer) else answer
    return right("Seven it is.") if value == 7 else wrong(f"it is {value}", hint="One more than six.")


def test_the_verdict_is_printed_and_returned(capsys):
    assert check("2.99", 7)
    assert capsys.readouterr().out == "Exercise 2.99: Right. Seven it is.\n"
    assert not check("2.99", 6)
    assert capsys.readouterr().out == "Exercise 2.99: Not yet: it is 6. Hint: One more than six.\n"


def test_a_stub_is_neither_right_nor_wrong(capsys):
    for stub in (None, ..., lambda: None, lambda: ...):
        verdict = check("2.99", stub)
        assert not verdict and verdict.status == "unattempted"
        assert "not attempted" in capsys.readouterr().out


def test_an_answer_that_raises_is_wrong_and_told_what_is_asked(capsys):
    assert check("2.99", lambda: 1 / 0).status == "wrong"
    out = capsys.readouterr().out
    assert "ZeroDivisionError" in out and "the number seven" in out


def test_an_unknown_exercise_is_said_so(capsys):
    for number in ("2.98", "77.1", "", "two", None):
        assert check(number, 7).status == "wrong"
        assert "no exercise" in capsys.readouterr().out


def test_a_number_without_quotes_is_said_so(capsys):
    assert check(2.1, 7).status == "wrong"
    assert 'Put it in quotes: check("2.1", …)' in capsys.readouterr().out


def test_a_verdict_displays_nothing():
    verdict = check("2.99", 7)
    assert verdict._ipython_display_() is None


def test_a_model_reaches_its_checker_as_it_is(monkeypatch):
    seen = []
    judge = exercises._Checker(lambda answer: seen.append(answer) or right("yes"), (), False)
    monkeypatch.setitem(exercises._checkers, "2.97", judge)
    model = nn.Linear(1, 1)
    assert check("2.97", model) and seen == [model]
    assert isinstance(seen[0], torch.nn.Module)


def test_the_target_follows_the_data():
    real, sample = (SimpleNamespace(name="mnist", source=source) for source in ("official", "sample"))
    assert target(real, real=0.985, sample=0.9) == 0.985
    assert target(sample, real=0.985, sample=0.9) == 0.9


def test_a_checker_that_cannot_be_loaded_is_told_as_what_it_is(monkeypatch, capsys):
    def broken(name):
        raise ModuleNotFoundError("No module named 'skimage'", name="skimage")

    monkeypatch.setattr(exercises.importlib, "import_module", broken)
    assert not check("5.2", 1)
    said = capsys.readouterr().out
    assert "No module named 'skimage'" in said and "setup cell" in said and "there is no exercise" not in said
