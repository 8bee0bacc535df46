"""What a training leaves behind: one row an epoch, the best of them, and an error when it diverged."""

import math
from typing import Any, NamedTuple, SupportsIndex

from ._arguments import number, one_of

MONITORS = ("valid loss", "valid accuracy", "train loss", "train accuracy")


class Score(NamedTuple):
    """Mean loss per image, and the share of images that were classified correctly (0 to 1).

    Example:
        >>> score = Score(loss=0.25, accuracy=0.9)
        >>> f"{score.accuracy:.1%}"
        '90.0%'
    """

    loss: float
    accuracy: float


class Epoch(NamedTuple):
    """One row of a history. The training score is taken on the way, in training mode, while the weights change.

    Example:
        >>> row = Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)
        >>> row.valid.accuracy
        0.7
    """

    epoch: int
    train: Score
    valid: Score
    lr: float
    seconds: float


class History(list[Epoch]):
    """The rows of a training, one `Epoch` each; `column("valid", "accuracy")` gives one of its curves.

    `interrupted` tells whether the training was stopped by hand, with Ctrl-C or the stop button.

    Example:
        >>> run = History([Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)])
        >>> len(run), run[-1].train.loss
        (1, 0.9)
        >>> run[:1].column("valid", "loss")  # a part of a history is a history
        [0.8]
    """

    interrupted = False

    def __getitem__(self, index: SupportsIndex | slice) -> Any:  # type: ignore[override]
        rows: Any = super().__getitem__(index)
        return History(rows) if isinstance(index, slice) else rows

    def column(self, split: str, measure: str) -> list[float]:
        """The values of one curve; split is "train" or "valid", measure is "loss" or "accuracy".

        Raises:
            TypeError, ValueError: another split or measure.

        Example:
            >>> run = History([Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)])
            >>> run.column("valid", "accuracy")
            [0.7]
        """
        one_of("split", split, ("train", "valid"))
        one_of("measure", measure, ("loss", "accuracy"))
        return [getattr(getattr(row, split), measure) for row in self]

    def best(self, monitor: str = "valid loss", *, min_delta: float = 0.0) -> Epoch | None:
        """The row with the lowest loss or the highest accuracy: the one criterion of early stopping and checkpoints.

        Of equal rows the first is the best. A value that is not finite never is.

        Args:
            monitor: "valid loss", "valid accuracy", "train loss" or "train accuracy".
            min_delta: a row must be better by more than this, at least 0, to take the place of the best before it.

        Returns:
            The row; None while there is none with a finite value.

        Raises:
            TypeError, ValueError: another monitor, or a min_delta below 0.

        Example:
            >>> run = History([Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)])
            >>> run.append(Epoch(2, Score(0.5, 0.8), Score(0.6, 0.7), lr=0.1, seconds=2.0))
            >>> run.best().epoch, run.best("valid accuracy").epoch
            (2, 1)
        """
        split, measure = one_of("monitor", monitor, MONITORS).split()
        min_delta = number("min_delta", min_delta, least=0)
        sign = 1 if measure == "accuracy" else -1
        best, highest = None, -math.inf
        for row, value in zip(self, self.column(split, measure), strict=True):
            if math.isfinite(value) and sign * value > highest + min_delta:
                best, highest = row, sign * value
        return best

    def to_lists(self) -> list[list]:
        """The rows as plain lists and numbers, for a file; `from_lists` makes a History of them again.

        Example:
            >>> run = History([Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)])
            >>> run.to_lists()
            [[1, [0.9, 0.6], [0.8, 0.7], 0.1, 2.0]]
        """
        return [[row.epoch, list(row.train), list(row.valid), row.lr, row.seconds] for row in self]

    @classmethod
    def from_lists(cls, rows: list[list]) -> "History":
        """The history that `to_lists` wrote.

        Example:
            >>> History.from_lists([[1, [0.9, 0.6], [0.8, 0.7], 0.1, 2.0]])[0].valid
            Score(loss=0.8, accuracy=0.7)
        """
        return cls(Epoch(epoch, Score(*train), Score(*valid), lr, seconds) for epoch, train, valid, lr, seconds in rows)


class Diverged(FloatingPointError):
    """The loss is not a finite number any more.

    Holds the `loss` and the `step` (from 1, in its epoch); out of `fit` also the `epoch`, and the `history` of the
    epochs before it.

    Example:
        >>> raise Diverged(float("nan"), step=3, advice="Look at the learning rate.")
        Traceback (most recent call last):
        course_utils.history.Diverged: The loss is nan at step 3. Look at the learning rate.
    """

    epoch: int | None = None
    history: "History | None" = None

    def __init__(self, loss: float, step: int, advice: str) -> None:
        super().__init__(loss, step, advice)
        self.loss, self.step, self.advice = loss, step, advice

    def __str__(self) -> str:
        where = f"step {self.step}" if self.epoch is None else f"epoch {self.epoch}, step {self.step}"
        return f"The loss is {self.loss} at {where}. {self.advice}"
