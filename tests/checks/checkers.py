"""What every lesson's checkers must do. A test class inherits the tests and names its cases in RIGHT and WRONG."""

import torch

from course_utils.exercises import check

STUBS = {"None": None, "dots": ..., "def None": lambda *args: None, "def dots": lambda *args: ...}
NAN = float("nan")
STRANGE = ["seven", 3, NAN, [], {}, object(), torch.zeros(2, 2, 2), lambda: 1, lambda *args: "text", lambda *args: NAN]


class Checkers:
    """RIGHT: {exercise: answer}. WRONG: (exercise, answer, words that its hint must hold). ASKED: exercises in all."""

    RIGHT, WRONG, ASKED = {}, [], []

    def test_a_right_answer_is_right(self, exercise, answer, capsys):
        assert check(exercise, answer), capsys.readouterr().out

    def test_a_wrong_answer_gets_its_hint(self, exercise, mistake, hint):
        verdict = check(exercise, mistake)
        assert verdict.status == "wrong"
        assert hint in verdict.message

    def test_a_stub_is_unattempted(self, exercise, stub):
        assert check(exercise, stub).status == "unattempted"

    def test_a_strange_answer_is_wrong_and_never_raises(self, asked):
        for answer in STRANGE:
            assert check(asked, answer).status == "wrong"

    def test_each_exercise_has_two_typical_mistakes(self, asked):
        assert len({hint for exercise, _, hint in self.WRONG if exercise == asked}) >= 2
