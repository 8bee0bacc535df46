"""Every test class that inherits `Checkers` is run over its own cases, and on the sample."""

from types import FunctionType

import pytest

from tests.checks.checkers import Checkers


def pytest_generate_tests(metafunc):
    case = metafunc.cls
    if case is None or not issubclass(case, Checkers):
        return
    functions = {exercise: answer for exercise, answer in case.RIGHT.items() if isinstance(answer, FunctionType)}
    values = {exercise: answer for exercise, answer in case.RIGHT.items() if not callable(answer)}
    for name, answers in {"answer": case.RIGHT, "value": values, "function": functions}.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(("exercise", name), answers.items(), ids=list(answers))
    if "mistake" in metafunc.fixturenames:
        names = [f"{row[0]} {row[2]}" for row in case.WRONG]
        metafunc.parametrize(("exercise", "mistake", "hint"), case.WRONG, ids=names)
    if "asked" in metafunc.fixturenames:
        metafunc.parametrize("asked", case.ASKED or list(case.RIGHT))


@pytest.fixture(autouse=True)
def sample_data(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "sample")
