"""Every test class that inherits `Checkers` is run over its own cases, and on the sample."""

from types import FunctionType

import pytest

from tests.checks.checkers import STUBS, Checkers


def pytest_generate_tests(metafunc):
    case = metafunc.cls
    if case is None or not issubclass(case, Checkers):
        return
    asked = case.ASKED or list(case.RIGHT)
    if "answer" in metafunc.fixturenames:
        metafunc.parametrize(("exercise", "answer"), case.RIGHT.items(), ids=list(case.RIGHT))
    elif "mistake" in metafunc.fixturenames:
        metafunc.parametrize(
            ("exercise", "mistake", "hint"), case.WRONG, ids=[f"{row[0]} {row[2]}" for row in case.WRONG]
        )
    elif "stub" in metafunc.fixturenames:
        stubs = [
            (exercise, name)
            for exercise in asked
            for name, stub in STUBS.items()
            if not callable(stub) or isinstance(case.RIGHT.get(exercise), FunctionType)
        ]
        metafunc.parametrize(
            ("exercise", "stub"),
            [(exercise, STUBS[name]) for exercise, name in stubs],
            ids=[" ".join(pair) for pair in stubs],
        )
    elif "asked" in metafunc.fixturenames:
        metafunc.parametrize("asked", asked)


@pytest.fixture(autouse=True)
def sample_data(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "sample")
