"""The battery: the same bad answers, right ones in other forms, and odd surroundings meet every checker.

A new checker gets all of it by having its right answer in the RIGHT of its lesson's test class.
"""

import random
import re
import sys
import textwrap
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from course_utils.exercises import check


class Always:
    """Equal to everything, and larger."""

    __hash__ = None
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True


def speechless(self, *name):
    raise ValueError("no word")


class Mute(Exception):
    """An error whose text can't be had."""

    __str__ = __repr__ = speechless


class Closed:
    """An object of which nothing can be seen."""

    __repr__ = __getattr__ = speechless


def mapped(value, change):
    """A value with all its numbers changed; lists, tuples and dicts keep their form."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, dict):
        return {key: mapped(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mapped(part, change) for part in value)
    return change(value)


def numbers_in(value):
    """All numbers, tensors and other parts of a value that are no text."""
    found = []
    mapped(value, lambda part: found.append(part) or part)
    return found


def has_text(value):
    return bool(re.search("[a-z]", repr(value))) and not isinstance(value, torch.Tensor)


def arrays_of(value):
    """The value as an array and as a tensor; nothing where its rows differ in length."""
    try:
        return [np.array(value), torch.tensor(value, dtype=torch.float64)]
    except ValueError:
        return []


def judged(exercise, answer):
    """The verdict, whose message is never longer than ten lines."""
    verdict = check(exercise, answer)
    assert len(textwrap.wrap(f"Exercise {exercise}: {verdict.message}", 90)) <= 10
    assert "\n" not in verdict.message
    assert "judging your answer raised" not in verdict.message, verdict.message  # the checker itself has stumbled
    return verdict


def refused(exercise, answer):
    """The message of a verdict that must be "wrong"."""
    verdict = judged(exercise, answer)
    assert verdict.status == "wrong", f"{verdict.status}: {verdict.message}"
    return verdict.message


def after(function, change):
    """The right function, whose result is changed by change(result, given)."""
    return lambda *given, **named: change(function(*given, **named), given)


def is_real(value):
    return isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point())


def spoiled(value):
    """Change a list, or the numbers of a tensor, in place. Returns whether it could."""
    if isinstance(value, torch.Tensor) and value.numel():
        with torch.no_grad():
            value.copy_(~value if value.dtype == torch.bool else value + 1)
    elif isinstance(value, list) and value:
        value.append(value[0])
    else:
        return False
    return True


def streams():
    return torch.rand(3).tolist(), random.random(), np.random.rand()


def seeded():
    torch.manual_seed(77), random.seed(77), np.random.seed(77)


class Trap(nn.Module):
    """A network that counts its calls in a buffer, and may raise."""

    def __init__(self, raises):
        super().__init__()
        self.inner, self.raises = nn.Linear(2, 2), raises
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        if self.raises:
            raise RuntimeError("not now")
        return x


STRANGE = {
    "a word": "seven", "True": True, "an object": object(), "always equal": Always(), "complex": 1j,
    "nan": float("nan"), "inf": float("inf"), "empty list": [], "empty dict": {}, "empty set": set(),
    "long list": list(range(50_000)), "deep list": [[[[1]]]], "ragged list": [[1], [1, 2]], "bytes": b"7",
    "a tensor": torch.zeros(2, 3, 4), "an empty tensor": torch.zeros(0), "a sparse tensor": torch.eye(3).to_sparse(),
    "a complex tensor": torch.zeros(2, dtype=torch.complex64), "an array of objects": np.array([None, "a"]),
    "a type": int, "a network": nn.Linear(2, 2), "a network's class": nn.Linear, "a module": sys,
    "a generator": (k for k in range(3)), "an endless one": iter(int, 1),
    "a huge number": 10**400, "a function without arguments": lambda: 1,
    "a function that returns a text": lambda *args, **named: "text", "a long text": "long " * 9_000,
}  # fmt: skip
UNSOUND = [
    float("nan"), float("inf"), "text", b"", [], {}, (), 1j, object(), Always(), [[1], [1, 2]], np.zeros(3), range(9),
    torch.zeros(0), torch.full((3, 3), float("nan")), nn.Linear(2, 2), -1, 10**400, lambda: 1,
]  # fmt: skip


class Battery:
    """What each checker meets. Parameters by name: `asked`, an exercise; `value` or `function`, its right answer.

    CHANGES: exercises whose function is asked to change a network. FREE: those with many right answers, so that one
    that is a little off may be right as well.
    """

    RIGHT, WRONG, ASKED = {}, [], []
    CHANGES, FREE = (), ()

    def test_what_is_no_answer_is_wrong_in_a_few_lines(self, asked):
        for name, answer in STRANGE.items():
            assert len(refused(asked, answer)) < 900, name

    # Values

    def test_a_value_of_bad_numbers_is_wrong(self, exercise, value):
        if numbers_in(value):
            for bad in (float("nan"), float("inf"), Always(), "7", 1j, True, torch.zeros(2)):
                refused(exercise, mapped(value, lambda _, bad=bad: bad))

    def test_a_list_of_another_length_is_wrong(self, exercise, value):
        if isinstance(value, list | tuple):
            value = list(value)
            for other in (value[:-1], [*value, value[-1]], [*value[:-1], Always()]):
                refused(exercise, other)

    def test_dots_in_every_place_are_no_attempt(self, exercise, value):
        if isinstance(value, list | tuple):
            assert judged(exercise, type(value)(... for _ in value)).status == "unattempted"

    def test_a_right_value_in_another_form_is_right(self, exercise, value):
        forms = []
        if isinstance(value, list | tuple):
            forms += [list(value), tuple(value)]
        if isinstance(value, list | tuple | int | float) and not has_text(value):
            forms += [*arrays_of(value), mapped(value, float)]
            forms += [mapped(value, np.float64), mapped(value, torch.tensor), mapped(value, Fraction)]
        if isinstance(value, torch.Tensor):
            forms += [value.numpy(), value.tolist(), value.double(), value.clone().requires_grad_()]
            forms += [mapped(value.tolist(), Fraction)]
        for form in forms:
            verdict = judged(exercise, form)
            assert verdict, f"{form!r}: {verdict.message}"

    def test_a_function_in_place_of_a_value_is_wrong(self, exercise, value):
        refused(exercise, lambda *args: value)

    def test_no_hint_holds_the_answer(self, exercise, value):
        telling = {float(n) for n in numbers_in(value) if isinstance(n, int | float) and (n >= 10 or n != round(n))}
        for _, mistake, _ in [row for row in self.WRONG if row[0] == exercise]:
            hint = judged(exercise, mistake).message.split("Hint: ")[-1].replace(",", "")
            assert not telling & {float(number) for number in re.findall(r"\d+\.?\d*", hint)}, hint

    # Functions

    def test_a_forgotten_return_is_said_so(self, exercise, function):
        if exercise not in self.CHANGES:
            assert "gives nothing back" in refused(exercise, after(function, lambda result, given: None))

    def test_the_dots_are_no_attempt(self, exercise, function):
        def stub(*args): ...

        def documented(*args):
            """What it will do."""

        for answer in (stub, documented, lambda *args: None, lambda *args: ...):
            assert judged(exercise, answer).status == "unattempted"

    def test_what_a_function_returns_must_be_sound(self, exercise, function):
        for result in UNSOUND:
            refused(exercise, lambda *args, result=result: result)
        if exercise not in self.CHANGES:
            refused(exercise, after(function, lambda result, given: Always()))
            refused(exercise, lambda first, *rest: first)

    def test_numbers_that_are_nan_or_a_little_off_are_wrong(self, exercise, function):
        results = []
        assert judged(exercise, after(function, lambda result, given: results.append(result) or result))
        if exercise not in self.CHANGES and any(map(is_real, numbers_in(results))):
            for factor in (float("nan"),) if exercise in self.FREE else (float("nan"), 1.01):

                def off(result, given, factor=factor):
                    return mapped(result, lambda part: part * factor if is_real(part) else part)

                refused(exercise, after(function, off))

    def test_one_right_answer_for_all_calls_is_wrong(self, exercise, function):
        kept = []
        if exercise not in self.CHANGES:
            refused(exercise, after(function, lambda result, given: kept.append(result) or kept[0]))

    def test_right_in_the_first_call_only_is_wrong(self, exercise, function):
        calls = []

        def spoil(result, given):
            calls.append(1)
            if len(calls) == 1:
                return result
            if isinstance(result, bool | str):
                return f"not {result}" if isinstance(result, str) else not result
            return mapped(result, lambda part: part * 0 + 7)

        if exercise not in self.CHANGES:
            refused(exercise, after(function, spoil))

    def test_changed_inputs_are_said_so(self, exercise, function):
        touched = []

        def spoil(result, given):
            result = mapped(result, lambda part: part.clone() if isinstance(part, torch.Tensor) else part)
            touched.extend(value for value in given if not touched and spoiled(value))
            return result

        verdict = judged(exercise, after(function, spoil))
        if touched:
            assert verdict.status == "wrong" and "changed" in verdict.message, verdict.message

    def test_a_function_that_raises_or_leaves_is_told_as_its_own_fault(self, exercise, function):
        def raises(*args):
            raise ZeroDivisionError("\n".join(["mine"] * 500))

        def mute(*args):
            raise Mute

        for answer in (raises, mute, lambda *args: sys.exit(3), lambda: 1, lambda a, b, c, d, e, f, g, h: 1):
            assert "your function raised" in refused(exercise, answer)

    def test_an_answer_that_cannot_be_shown_is_wrong(self, asked):
        for answer in (Closed(), [Closed()], {"A": Closed()}, Mute(), lambda *args: Closed(), lambda *args: [Closed()]):
            assert check(asked, answer).status == "wrong"

    def test_a_number_in_place_of_a_function_is_wrong(self, exercise, function):
        assert "Give the function itself" in refused(exercise, 0.5)

    # Surroundings

    def test_the_students_generators_are_as_before(self, asked):
        seeded()
        expected = streams()
        for answer in (self.RIGHT.get(asked), lambda *args: torch.rand(2), lambda *args: random.seed(1) or 1, ...):
            seeded()
            check(asked, answer)
            assert streams() == expected

    def test_a_right_answer_is_right_in_any_surroundings(self, exercise, answer):
        try:
            torch.set_default_dtype(torch.float64)
            assert judged(exercise, answer), "float64"
            assert torch.get_default_dtype() == torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
        with torch.no_grad():
            assert judged(exercise, answer), "no gradients"
            assert not torch.is_grad_enabled()
        with torch.inference_mode():
            assert judged(exercise, answer), "inference mode"
            assert torch.is_inference_mode_enabled()
        with torch.device("meta"):
            assert judged(exercise, answer), "another default device"
            assert torch.get_default_device().type == "meta"
        for seed in (1, 2):
            torch.manual_seed(seed)
            assert judged(exercise, answer), "another seed"

    def test_flags_set_by_an_answer_are_put_back(self, asked):
        def sets(*args):
            torch.set_grad_enabled(False)
            torch.set_default_dtype(torch.float64)
            return 1

        check(asked, sets)
        assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32

    def test_gradients_switched_off_by_a_right_function_harm_nothing(self, exercise, function):
        assert judged(exercise, after(function, lambda result, given: (torch.set_grad_enabled(False), result)[1]))

    def test_a_network_keeps_its_modes_and_its_numbers(self, asked):
        for raises in (True, False):
            for mode in (True, False):
                model = Trap(raises).train(mode)
                model.inner.train(not mode)
                check(asked, model)
                assert model.training is mode and model.inner.training is not mode and model.calls == 0

    def test_each_checker_meets_four_wrong_answers_of_its_own(self, asked):
        assert len([row for row in self.WRONG if row[0] == asked]) >= 4
