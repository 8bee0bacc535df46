"""The Wilson interval: published values, limits, and its coverage counted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.metrics import wilson_interval


@pytest.mark.parametrize(
    ("correct", "total", "expected"),
    [
        (29, 34, (0.699, 0.936)),
        (4, 4, (0.510, 1.0)),
        (0, 10, (0.0, 0.278)),
        (81, 263, (0.255, 0.366)),  # R. Newcombe, Statistics in Medicine 17 (1998), table I
    ],
)
def test_known_intervals(correct, total, expected):
    assert wilson_interval(correct, total) == pytest.approx(expected, abs=6e-4)


@given(st.integers(1, 5_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_it_holds_the_share_and_stays_between_0_and_1(pair):
    correct, total = pair
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    narrow = wilson_interval(correct, total, confidence=0.5)
    assert high - low > narrow[1] - narrow[0]


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_it_covers_the_truth_as_often_as_it_says(p):
    n = 200
    coverage = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if wilson_interval(k, n)[0] <= p <= wilson_interval(k, n)[1]
    )
    assert 0.92 <= coverage <= 0.975


@pytest.mark.parametrize("arguments", [(1, 0), (-1, 5), (6, 5), (1, 5, 0), (1, 5, 95)])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must (lie between|be a whole number)"):
        wilson_interval(*arguments)
