"""`check` prints, returns a verdict, displays nothing, and never raises."""

import re
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_utils import exercises
from course_utils.exercises import check, checker, right, target, wrong
from tools.common import ROOT


@checker("2.99")
def seven(answer):
    """the number seven, or a function that returns it."""
    value = answer() if callable(answer) else answer
    return right("Seven it is.") if value == 7 else wrong(f"it is {value}", hint="One more than six.")


def test_the_verdict_is_printed_and_returned(capsys):
    assert check("2.99", 7)
    assert capsys.readouterr().out == "✓ Exercise 2.99: Right. Seven it is.\n"
    assert not check("2.99", 6)
    assert capsys.readouterr().out == "✗ Exercise 2.99: Not yet: it is 6. Hint: One more than six.\n"


def said(capsys, number, answer):
    check(number, answer)
    return capsys.readouterr().out


def test_the_same_mistake_again_gets_a_step_and_then_the_section(capsys):
    step, section = exercises.steps()["2.3"]["step"], exercises.steps()["2.3"]["again"][0]
    assert step not in said(capsys, "2.3", (24, 32))
    assert step not in said(capsys, "2.3", "words")  # a mistake of another kind, which is counted for itself
    second, third = said(capsys, "2.3", (24, 33)), said(capsys, "2.3", (24, 32))  # the same kind, with other numbers
    assert step in second and section not in second
    assert step in third and section in third
    said(capsys, "2.3", (600, 608))
    assert step not in said(capsys, "2.3", (24, 32))  # after a right answer it begins anew


def test_the_three_verdicts_differ_in_sign_and_word_and_colour():
    shown = [exercises._Shown("2.99", each) for each in (right("Yes."), wrong("no", hint="<b> `x`"), exercises.STUB)]
    heads = [(repr(each)[0], re.search(r"#\w{6}", each._repr_html_())[0], each.verdict.message[:3]) for each in shown]
    assert all(len(set(column)) == 3 for column in zip(*heads, strict=True))
    assert "&lt;b&gt; <code>x</code>" in shown[1]._repr_html_()


def test_a_console_that_knows_no_signs_is_forgiven(run_python):
    done = run_python(
        "-c", "from course_utils import check; check('2.1', 5)", PYTHONIOENCODING="ascii", PYTHONPATH=ROOT
    )
    assert done.returncode == 0 and "? Exercise 2.1: Not yet" in done.stdout, done.stderr


@pytest.mark.parametrize("number", list(exercises.steps()))
def test_each_step_is_words_that_do_not_tell_the_answer(number):
    step = exercises.steps()[number]["step"]
    assert 40 < len(step) < 330 and step[-1] in ".?"
    exercises._found(number)
    for answer in re.findall(r"-?\d[\d,.]*\d|\d", step):  # no number of a step is the answer by itself
        for told in (answer, answer.replace(",", "")):
            with suppress(ValueError):
                assert not check(number, float(told)), told


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
