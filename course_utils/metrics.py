"""Measures that scikit-learn lacks."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist, mean, stdev
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ._arguments import kind, number, tensor, whole

if TYPE_CHECKING:
    from .data import Images


def mean_and_spread(values: Sequence[float], form: str = ".1%") -> str:
    """What several runs gave, in words: their mean ± their standard deviation. Of one run it says that it is one.

    Args:
        values: one number for each run, at least one.
        form: how Python writes each of the two numbers, such as ".1%" or ".3f"; a sign goes to the mean alone.

    Raises:
        TypeError, ValueError: values holds no numbers, or nothing; or form is none of Python's.

    Example:
        >>> mean_and_spread([0.61, 0.64, 0.62])
        '62.3% ± 1.5%'
        >>> mean_and_spread([0.61])
        '61.0% (one run)'
    """
    if not kind("values", values, list | tuple, "a list of numbers, one for each run"):
        raise ValueError("values must hold at least one run; got none.")
    values = [number(f"values[{run}]", value) for run, value in enumerate(values)]
    try:
        centre = format(mean(values), kind("form", form, str, "a format such as '.1%'"))
    except ValueError:
        raise ValueError(f"form must be a format such as '.1%' or '.3f'; got {form!r}.") from None
    return f"{centre} ± {stdev(values):{form.replace('+', '')}}" if len(values) > 1 else f"{centre} (one run)"


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval for a proportion: where the true accuracy may lie, given `correct` out of `total`.

    Unlike the textbook interval p ± 1.96·√(p(1−p)/n) it never leaves [0, 1] and still works for 0 or all correct.

    Args:
        correct: how many were right, 0 ≤ correct ≤ total.
        total: how many there were, at least 1.
        confidence: between 0 and 1.

    Returns:
        Lower and upper bound, both in [0, 1].

    Raises:
        TypeError, ValueError: an argument is of another kind, or lies outside its range.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Example:
        >>> low, high = wilson_interval(95, 100)
        >>> f"{low:.3f} to {high:.3f}"
        '0.888 to 0.978'
    """
    total = whole("total", total, least=1)
    correct = whole("correct", correct, least=0, most=total)
    if not 0 < number("confidence", confidence) < 1:
        raise ValueError(f"confidence must lie between 0 and 1, such as 0.95; got {confidence}.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low, high = min(centre - half, share), max(centre + half, share)  # rounding never leaves the share outside
    return max(0.0, low), min(1.0, high)


class Bin(NamedTuple):
    """The answers whose confidence lies in one bin: mean confidence, accuracy (0 to 1), and their share of all.

    Example:
        >>> Bin(confidence=0.95, accuracy=0.9, share=0.5).accuracy
        0.9
    """

    confidence: float
    accuracy: float
    share: float


def reliability(confidence: Tensor, correct: Tensor, *, bins: int = 10) -> list[Bin]:
    """Sort answers by their confidence into bins of equal width, and see how often each bin is right.

    Args:
        confidence: N numbers from 0 to 1, the probability that was given to each answer.
        correct: N truth values, whether the answer was right.
        bins: equal parts of the range from 0 to 1; a bin holds its upper end.

    Returns:
        The bins that hold answers, from the lowest confidence to the highest.

    Raises:
        TypeError, ValueError: confidence or correct are no such tensors, or differ in length; bins below 1.

    Source: A. Niculescu-Mizil and R. Caruana, Predicting good probabilities with supervised learning, ICML 2005.

    Example:
        >>> confidence, correct = torch.tensor([0.6, 0.7, 0.9, 0.9]), torch.tensor([True, False, True, True])
        >>> [(round(row.confidence, 2), row.accuracy, row.share) for row in reliability(confidence, correct, bins=5)]
        [(0.65, 0.5, 0.5), (0.9, 1.0, 0.5)]
    """
    tensor("confidence", confidence, "N", floating=True), tensor("correct", correct, "N")
    bins = whole("bins", bins, least=1)
    _equally_long("confidence and correct", len(confidence), len(correct))
    low, high = confidence.aminmax()
    if not (low >= 0 and high <= 1):  # this order refuses NaN too
        raise ValueError(f"confidence must lie from 0 to 1, as softmax gives it; got {low:g} to {high:g}.")
    confidence, correct = confidence.cpu().double(), correct.cpu().double()
    which = torch.bucketize(confidence, torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1])
    filled = [which == k for k in which.unique()]
    return [Bin(*(of.mean().item() for of in (confidence[here], correct[here], here.double()))) for here in filled]


def _equally_long(names: str, first: int, second: int) -> None:
    if first != second or not first:
        raise ValueError(f"{names} must be equally long, with at least one answer; got {first:,} and {second:,}.")


def calibration_error(confidence: Tensor, correct: Tensor, *, bins: int = 10) -> float:
    """The expected calibration error: the mean distance between confidence and accuracy, each bin by its share.

    It depends on the number of bins, and is seldom exactly 0, even for perfect probabilities: compare only values
    from equal bins and about as many answers.

    Arguments and errors as in `reliability`.

    Returns:
        From 0 (well calibrated) to 1.

    Source: M. P. Naeini, G. F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, AAAI 2015.

    Example:
        >>> confidence, correct = torch.tensor([0.6, 0.7, 0.9, 0.9]), torch.tensor([True, False, True, True])
        >>> round(calibration_error(confidence, correct, bins=5), 3)
        0.125
    """
    return sum(row.share * abs(row.accuracy - row.confidence) for row in reliability(confidence, correct, bins=bins))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T for which softmax(logits / T) has the lowest cross-entropy: above 1 where the network is
    too sure. The answers stay as they are.

    Fit it on a validation split, never on the images that the network has learnt from.

    Args:
        logits: N×classes.
        labels: int64, N, from 0 to classes − 1.

    Returns:
        T from 0.01 to 100; an end of this range where the cross-entropy still falls there, for example because
        all answers are right.

    Raises:
        TypeError, ValueError: logits or labels are no such tensors, or differ in length.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks, ICML 2017.

    Example:
        >>> logits, labels = torch.tensor([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 0, 1])
        >>> round(fit_temperature(logits, labels), 2)  # the network is sure, and right in two of three
        5.77
    """
    tensor("logits", logits, "N×classes", floating=True), tensor("labels", labels, "N")
    _equally_long("logits and labels", len(logits), len(labels))
    logits, labels = logits.cpu().double(), labels.cpu()
    of_truth = logits.gather(1, labels[:, None])[:, 0]

    def slope(scale: float) -> Tensor:  # of the cross-entropy of scale · logits, which is convex: it falls, then rises
        expected = ((scale * logits).softmax(1) * logits).sum(1)
        return (expected - of_truth).mean()

    low, high = 0.01, 100.0  # of the scale, which is 1 / T
    for _ in range(60):
        middle = sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 1 / low


def accuracy_curve(
    model: nn.Module, images: "Images", change: Callable, values: Sequence[float], *, batch_size: int = 1_000
) -> list[float]:
    """The accuracy of a model on images that are changed by ever more: how far does it still answer right?

    Args:
        model: maps a normalised batch, N×C×H×W, to logits, N×classes; it is asked in evaluation mode.
        images: `Images` that keep their labels whatever the change.
        change: called as `change(x, value)` with a batch x of pixels from 0 to 1; returns such a batch. For example
            `augment.rotate`.
        values: by how much to change the images, one after the other.
        batch_size: images that are changed and answered together.

    Returns:
        One accuracy, from 0 to 1, for each value.

    Raises:
        TypeError, ValueError: change can't be called, or there is no value; and as in `batches` and `evaluate`.

    Source: A. Azulay and Y. Weiss, Why do deep convolutional networks generalize so poorly to small image
    transformations?, JMLR 20 (2019).

    Example:
        >>> from course_utils import augment, load
        >>> from course_utils.networks import lenet
        >>> len(accuracy_curve(lenet(), load("mnist").valid, augment.rotate, [0, 45, 90]))
        3
    """
    from .data import batches
    from .training import evaluate

    kind("change", change, Callable, "a function of a batch and a value, such as augment.rotate")
    kind("model", model, nn.Module, "a network (nn.Module)")
    if not kind("values", values, list | tuple | range, "a list of numbers to change the images by"):
        raise ValueError("values must hold at least one number to change the images by; got none.")
    for k, value in enumerate(values):
        number(f"values[{k}]", value)
    device = next((parameter.device for parameter in model.parameters()), None)

    def accuracy(value: float) -> float:
        changed = batches(images, batch_size, augment=lambda x, generator: change(x, value), device=device)
        return evaluate(model, changed).accuracy

    return [accuracy(value) for value in values]
