"""The by-hand operations equal torch's on random shapes, and refuse what cannot be convolved."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.convolution import conv2d_backward, conv2d_im2col, conv2d_loops

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}


@st.composite
def convolutions(draw):
    """x, weight, bias and options of a convolution that fits."""
    N, C, filters = (draw(st.integers(1, 3)) for _ in range(3))
    K, L = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding, stride = draw(st.integers(0, 2)), draw(st.integers(1, 3))
    H, W = (draw(st.integers(max(1, size - 2 * padding), 8)) for size in (K, L))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from(list(TOLERANCE)))
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=dtype) for shape in [(N, C, H, W), (filters, C, K, L), (filters,)]
    )
    return x, weight, draw(st.sampled_from([None, bias])), {"stride": stride, "padding": padding}


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_loops_and_im2col_equal_torch(case):
    x, weight, bias, options = case
    expected = F.conv2d(x, weight, bias, **options)
    for by_hand in (conv2d_loops, conv2d_im2col):
        answer = by_hand(x, weight, bias, **options)
        assert answer.shape == expected.shape
        assert (answer - expected).abs().max() <= TOLERANCE[x.dtype]


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_gradients_equal_autograd(case):
    x, weight, _, options = case
    x, weight = x.double().requires_grad_(), weight.double().requires_grad_()
    bias = torch.zeros(len(weight), dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(x, weight, bias, **options)
    grad = torch.randn_like(answer)
    expected = torch.autograd.grad(answer, (x, weight, bias), grad)
    for mine, theirs in zip(conv2d_backward(grad, x.detach(), weight.detach(), **options), expected, strict=True):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() <= 1e-12


IMAGE, FILTERS = torch.zeros(1, 2, 5, 5), torch.zeros(3, 2, 3, 3)


@pytest.mark.parametrize("by_hand", [conv2d_loops, conv2d_im2col])
@pytest.mark.parametrize(
    ("x", "weight", "options", "error", "words"),
    [
        (IMAGE, torch.zeros(3, 2, 6, 3), {}, ValueError, "does not fit"),
        (IMAGE, torch.zeros(3, 1, 3, 3), {}, ValueError, "as many channels, in axis 1 of both; got 2 and 1"),
        (IMAGE, FILTERS, {"stride": -1}, ValueError, "stride must be a whole number of at least 1; got -1"),
        (IMAGE, FILTERS, {"stride": 0}, ValueError, "stride"),
        (IMAGE, FILTERS, {"stride": 1.5}, TypeError, "stride"),
        (IMAGE, FILTERS, {"padding": -1}, ValueError, "padding"),
        (IMAGE, FILTERS, {"bias": torch.zeros(2)}, ValueError, "bias must hold one number for each of 3 filters"),
        (IMAGE[0], FILTERS, {}, ValueError, "N×C×H×W"),
        (IMAGE, FILTERS.double(), {}, TypeError, "share one dtype"),
        (IMAGE.long(), FILTERS.long(), {}, TypeError, "floating-point"),
    ],
)
def test_what_cannot_be_convolved_is_refused(by_hand, x, weight, options, error, words):
    with pytest.raises(error, match=words):
        by_hand(x, weight, **options)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shape of the answer"):
        conv2d_backward(torch.zeros(1, 3, 4, 4), IMAGE, FILTERS)
