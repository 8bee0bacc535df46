"""What every lesson's checkers must do. A test class inherits the tests and names its cases in RIGHT and WRONG."""

from course_utils.exercises import check
from tests.checks.battery import Battery


class Checkers(Battery):
    """RIGHT: {exercise: answer}. WRONG: (exercise, answer, words that its hint must hold). ASKED: exercises in all."""

    def test_a_right_answer_is_right(self, exercise, answer, capsys):
        assert check(exercise, answer), capsys.readouterr().out

    def test_a_wrong_answer_gets_its_hint(self, exercise, mistake, hint):
        verdict = check(exercise, mistake)
        assert verdict.status == "wrong"
        assert hint in verdict.message

    def test_a_missing_answer_is_unattempted(self, asked):
        assert check(asked, None).status == check(asked, ...).status == "unattempted"
