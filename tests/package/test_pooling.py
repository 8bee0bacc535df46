"""Pooling by hand equals torch's on random shapes, forward and backward, and refuses what cannot be pooled."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.checks.l10 import blur_pool2d
from course_utils.pooling import pool2d_backward, pool2d_loops, pool2d_unfold

TORCH = {"max": F.max_pool2d, "average": F.avg_pool2d}


@st.composite
def poolings(draw):
    """x, kernel size, kind and options of a pooling that fits; half of the images hold equal numbers."""
    K = draw(st.integers(1, 4))
    padding, stride = draw(st.integers(0, K // 2)), draw(st.sampled_from([None, 1, 2, 3, 5]))
    shape = [draw(st.integers(1, 2)), draw(st.integers(1, 3)), *(draw(st.integers(K, 9)) for _ in range(2))]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    x = x.round() if draw(st.booleans()) else x
    options = {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    return x, K, draw(st.sampled_from(list(TORCH))), options


@settings(max_examples=200, deadline=None)
@given(poolings())
def test_loops_and_unfold_equal_torch(case):
    x, K, kind, options = case
    expected = TORCH[kind](x, K, **options)
    for by_hand in (pool2d_loops, pool2d_unfold):
        answer = by_hand(x, K, kind, **options)
        assert answer.shape == expected.shape
        assert (answer - expected).abs().max() <= (0 if kind == "max" else 1e-12)


@settings(max_examples=200, deadline=None)
@given(poolings())
def test_gradient_equals_autograd_with_its_tie_rule(case):
    x, K, kind, options = case
    pixels = x.clone().requires_grad_()
    answer = TORCH[kind](pixels, K, **options)
    grad = torch.randn_like(answer)
    answer.backward(grad)
    mine = pool2d_backward(grad, x, K, kind, **options)
    assert mine.shape == x.shape
    assert (mine - pixels.grad).abs().max() <= 1e-12


def test_a_tie_goes_to_the_first_pixel_in_reading_order():
    gradient = pool2d_backward(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 2, 2), 2, "max")
    assert gradient.flatten().tolist() == [1, 0, 0, 0]


def test_a_picture_smaller_than_the_window_is_pooled_only_with_ceil_mode():
    x = torch.tensor([[[[3.0]]]])
    for kind in TORCH:
        assert pool2d_loops(x, 2, kind, ceil_mode=True) == pool2d_unfold(x, 2, kind, ceil_mode=True) == 3
        with pytest.raises(ValueError, match="does not fit"):
            pool2d_unfold(x, 2, kind)


IMAGE = torch.zeros(1, 2, 5, 5)


@pytest.mark.parametrize("by_hand", [pool2d_loops, pool2d_unfold])
@pytest.mark.parametrize(
    ("x", "arguments", "options", "error", "words"),
    [
        (IMAGE, (6, "max"), {}, ValueError, "does not fit"),
        (IMAGE, (0, "max"), {}, ValueError, "kernel_size must be a whole number of at least 1; got 0"),
        (IMAGE, (2.5, "max"), {}, TypeError, "kernel_size"),
        (IMAGE, (2, "mean"), {}, ValueError, "kind must be one of 'max', 'average'; got 'mean'"),
        (IMAGE, (2, None), {}, TypeError, "kind"),
        (IMAGE, (3, "max"), {"padding": 2}, ValueError, "padding must be a whole number from 0 to 1; got 2"),
        (IMAGE, (2, "max"), {"stride": 0}, ValueError, "stride"),
        (IMAGE[0], (2, "max"), {}, ValueError, "x must be a tensor, N×C×H×W"),
        (IMAGE.long(), (2, "max"), {}, TypeError, "floating-point"),
    ],
)
def test_what_cannot_be_pooled_is_refused(by_hand, x, arguments, options, error, words):
    with pytest.raises(error, match=words):
        by_hand(x, *arguments, **options)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="grad must be a tensor, 1×2×2×2; got shape"):
        pool2d_backward(torch.zeros(1, 2, 5, 5), IMAGE, 2, "max")


def test_blurred_pooling_by_hand():
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 2, 2] = 16.0  # at stride 1 a 2×2 maximum shows it at the four places (1..2, 1..2)
    # The answer's row 0 weighs rows 0 and 1 by 2/4 each, as the mirror has row 1 too; row 1 weighs 1, 2, 3 by 1, 2, 1.
    assert blur_pool2d(x)[0, 0].tolist() == [[4, 6, 0], [6, 9, 0], [0, 0, 0]]


@pytest.mark.parametrize("size", [(3, 3), (4, 7), (5, 5), (28, 28), (9, 12)])
def test_blurred_pooling_has_the_size_of_max_pooling_and_keeps_flat_pictures(size):
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    assert blur_pool2d(x).shape == F.max_pool2d(x, 2).shape
    flat = torch.full_like(x, 0.7)
    torch.testing.assert_close(blur_pool2d(flat), F.max_pool2d(flat, 2))


def test_blurred_pooling_changes_less_when_the_picture_moves_by_one_pixel():
    torch.manual_seed(0)
    x = torch.rand(4, 1, 32, 32)
    moved = x.roll(1, 3)
    assert (blur_pool2d(moved) - blur_pool2d(x)).norm() < 0.5 * (F.max_pool2d(moved, 2) - F.max_pool2d(x, 2)).norm()
