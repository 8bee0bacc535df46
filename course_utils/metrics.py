"""Measures that scikit-learn lacks."""

from math import sqrt
from statistics import NormalDist

from ._arguments import number, whole


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
