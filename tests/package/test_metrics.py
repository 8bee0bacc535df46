"""The Wilson interval: published values, limits, and its coverage counted. Calibration: by hand, and by engines."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils import augment
from course_utils.data import Images
from course_utils.metrics import (
    Bin,
    accuracy_curve,
    calibration_error,
    fit_temperature,
    mean_and_spread,
    reliability,
    wilson_interval,
)


class _LitColumn(nn.Module):
    """Answers the column of the brightest pixel; in training mode always column 0."""

    def forward(self, x):
        return nn.functional.one_hot(x.sum((1, 2)).argmax(1) * (not self.training), 5).float()


def _lit(columns):
    x = torch.zeros(len(columns), 1, 4, 5, dtype=torch.uint8)
    x[torch.arange(len(columns)), 0, 1, torch.tensor(columns)] = 255
    return Images(x, torch.tensor(columns), [0.1], [0.3])


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


# Four answers by hand, in two bins: 0.2 and 0.4, of which one is right; 0.9 and 1.0, both right.
CONFIDENCE, CORRECT = torch.tensor([0.2, 0.9, 0.4, 1.0]), torch.tensor([False, True, True, True])


def test_reliability_by_hand():
    low, high = reliability(CONFIDENCE, CORRECT, bins=2)
    assert low == pytest.approx(Bin(0.3, 0.5, 0.5)) and high == pytest.approx(Bin(0.95, 1.0, 0.5))
    assert calibration_error(CONFIDENCE, CORRECT, bins=2) == pytest.approx(0.5 * 0.2 + 0.5 * 0.05)


def test_a_bin_holds_its_upper_end_and_empty_bins_are_left_out():
    rows = reliability(torch.tensor([0.0, 0.25, 0.5, 1.0]), torch.tensor([True] * 4), bins=4)
    assert [row.share for row in rows] == [0.5, 0.25, 0.25]


def test_reliability_is_scikit_learns_calibration_curve():
    calibration = pytest.importorskip("sklearn.calibration")
    torch.manual_seed(0)
    confidence, correct = torch.rand(500, dtype=torch.float64), torch.rand(500) < 0.7
    accuracy, mean = calibration.calibration_curve(correct, confidence, n_bins=7)
    rows = reliability(confidence, correct, bins=7)
    assert [row.accuracy for row in rows] == pytest.approx(accuracy.tolist())
    assert [row.confidence for row in rows] == pytest.approx(mean.tolist())
    assert sum(row.share for row in rows) == pytest.approx(1)


def test_honest_answers_have_a_small_calibration_error_and_boasting_ones_a_large_one():
    torch.manual_seed(0)
    honest = torch.rand(100_000)
    correct = torch.rand(100_000) < honest
    assert calibration_error(honest, correct) < 0.01
    assert calibration_error(honest.sqrt(), correct) == pytest.approx(2 / 3 - 1 / 2, abs=0.01)


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "error", "words"),
    [
        ([0.5], CORRECT, 10, TypeError, "confidence must be a tensor"),
        (torch.tensor([1]), CORRECT[:1], 10, TypeError, "floating-point"),
        (CONFIDENCE[:3], CORRECT, 10, ValueError, "equally long"),
        (CONFIDENCE[:0], CORRECT[:0], 10, ValueError, "at least one"),
        (100 * CONFIDENCE, CORRECT, 10, ValueError, "from 0 to 1"),
        (CONFIDENCE * math.nan, CORRECT, 10, ValueError, "from 0 to 1"),
        (CONFIDENCE, CORRECT, 0, ValueError, "bins"),
    ],
)
def test_what_is_no_confidence_is_refused(confidence, correct, bins, error, words):
    with pytest.raises(error, match=words):
        calibration_error(confidence, correct, bins=bins)


@pytest.mark.parametrize("true", [0.3, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true):
    torch.manual_seed(0)
    logits = 3 * torch.randn(40_000, 5)
    labels = (logits / true).softmax(1).multinomial(1)[:, 0]
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(true, rel=0.03)
    losses = [F.cross_entropy(logits.double() / (found * factor), labels) for factor in (1, 0.99, 1.01)]
    assert losses[0] == min(losses)
    assert fit_temperature(7 * logits, labels) == pytest.approx(7 * found)


def test_the_temperature_stays_in_its_range():
    logits = torch.eye(3)
    assert fit_temperature(logits, torch.arange(3)) == pytest.approx(0.01)  # all right: the surer, the better
    assert fit_temperature(logits, torch.tensor([1, 2, 0])) == pytest.approx(100)  # all wrong


def test_a_temperature_can_be_fitted_to_what_predict_returns():
    with torch.inference_mode():
        logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    # Right two times of three: the best probability is 2/3, so the logits' difference must become ln 2.
    assert fit_temperature(logits, torch.tensor([0, 0, 1])) == pytest.approx(2 / math.log(2))


@pytest.mark.parametrize(
    ("logits", "labels", "error", "words"),
    [
        ([[1.0]], torch.tensor([0]), TypeError, "logits must be a tensor"),
        (torch.eye(3), torch.arange(2), ValueError, "equally long"),
        (torch.eye(3)[:0], torch.arange(0), ValueError, "at least one"),
        (torch.eye(3)[0], torch.arange(3), ValueError, "N×classes"),
    ],
)
def test_what_are_no_logits_is_refused(logits, labels, error, words):
    with pytest.raises(error, match=words):
        fit_temperature(logits, labels)


def test_an_accuracy_curve_counts_who_survives_each_change():
    def shift(x, pixels):
        return augment.shift(x, 0, pixels)

    images = _lit([0, 1, 2, 3, 4])
    # Shifted by one, each is answered one too high; the last, whose pixel leaves, with 0.
    assert accuracy_curve(_LitColumn().train(), images, shift, [0, 1], batch_size=2) == [1, 0]
    images = Images(images.x, torch.tensor([1, 2, 3, 4, 0]), [0.1], [0.3])
    assert accuracy_curve(_LitColumn(), images, shift, range(2)) == [0, 1]


@pytest.mark.parametrize(
    ("change", "values", "error", "words"),
    [("shift", [1], TypeError, "change"), (lambda x, value: x, [], ValueError, "at least one number")],
)
def test_a_curve_of_nothing_is_refused(change, values, error, words):
    with pytest.raises(error, match=words):
        accuracy_curve(_LitColumn(), _lit([0]), change, values)


def test_several_runs_in_words():
    assert mean_and_spread([0.1, 0.2, 0.3], ".0%") == "20% ± 10%"
    assert mean_and_spread([1.0, 2.0], "+5.2f") == "+1.50 ±  0.71"
    assert mean_and_spread([0.5]) == "50.0% (one run)"


@pytest.mark.parametrize(("values", "form"), [([], ".1%"), ("12", ".1%"), ([True], ".1%"), ([1.0], ".1q"), ([1.0], 1)])
def test_what_is_no_list_of_runs_is_refused(values, form):
    with pytest.raises((TypeError, ValueError), match="values|form"):
        mean_and_spread(values, form)
