"""Sizes, receptive fields, parameters and multiply-adds, against torch and by arithmetic."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.networks import cifar_net, fashion_net, lenet, mnist_net, small_vgg, wide_mnist_net
from course_utils.shapes import conv_output_size, count_macs, count_parameters, receptive_field, step_milliseconds


def seen(model, size):
    """The span of rows and of columns that change the middle answer: one NaN pixel at a time, which spoil it?"""
    x = torch.zeros(size * size, 1, size, size)
    x.view(size * size, -1).fill_diagonal_(float("nan"))
    answer = model.eval()(x)
    touched = answer[:, 0, answer.shape[2] // 2, answer.shape[3] // 2].isnan().view(size, size)
    lines = (touched.any(axis).nonzero() for axis in (1, 0))
    return tuple((places.max() - places.min() + 1).item() for places in lines)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))
def test_output_size_is_torchs(size, kernel_size, stride, padding, dilation):
    layer = nn.Conv1d(1, 1, kernel_size, stride=stride, padding=padding, dilation=dilation)
    if dilation * (kernel_size - 1) + 1 > size + 2 * padding:
        with pytest.raises(ValueError, match="does not fit"):
            conv_output_size(size, kernel_size, stride, padding, dilation)
        with pytest.raises(RuntimeError):
            layer(torch.zeros(1, 1, size))
    else:
        mine = conv_output_size(size, kernel_size, stride, padding, dilation)
        assert mine == layer(torch.zeros(1, 1, size)).shape[-1]


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 7), st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_pooled_size_is_torchs(size, kernel_size, stride, padding, dilation, ceil_mode):
    padding = min(padding, kernel_size // 2)  # torch asks for this
    layer = nn.MaxPool1d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    try:
        expected = layer(torch.zeros(1, 1, size)).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="does not fit"):
            conv_output_size(size, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    else:
        assert conv_output_size(size, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 0),
        ("kernel_size", 0),
        ("stride", -1),
        ("padding", -1),
        ("dilation", 0),
        ("stride", 1.5),
    ],
)
def test_an_argument_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=f"{name} must be a whole number"):
        conv_output_size(**{"size": 8, "kernel_size": 3, name: value})


def test_only_trainable_parameters_count():
    model = lenet()
    assert count_parameters(model) == 61_706
    model[0].requires_grad_(False)
    assert count_parameters(model) == 61_706 - 156


def test_macs_of_known_layers():
    assert count_macs(nn.Linear(7, 3), (1, 7)) == 21
    assert count_macs(nn.Conv2d(2, 4, 3, bias=False), (1, 2, 5, 5)) == 9 * 4 * 2 * 9
    assert count_macs(nn.Conv2d(4, 8, 3, groups=4, stride=2), (1, 4, 5, 5)) == 4 * 8 * 9
    assert count_macs(lenet(), (1, 1, 28, 28)) == 416_520


def test_counting_macs_changes_nothing():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    model[2].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    count_macs(model, (4, 1, 8, 8))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [layer.training for layer in model] == [True, True, False]
    with pytest.raises(RuntimeError):
        count_macs(model, (4, 3, 8, 8))
    assert not any(layer._forward_hooks for layer in model) and model.training


def test_layers_without_weights_take_no_multiply_adds():
    assert count_macs(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), (1, 3, 8, 8)) == 0


class Sleeper(nn.Module):
    """Takes a hundredth of a second forward, and as long backward."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 2, 1, 1))

    def forward(self, x):
        time.sleep(0.01)
        x = x * self.weight
        x.register_hook(lambda gradient: time.sleep(0.01))
        return x


def test_a_step_is_timed_forward_and_backward_and_the_model_stays_as_it_is():
    model = nn.Sequential(Sleeper(), nn.BatchNorm2d(2)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert 20 <= step_milliseconds(model, (3, 2, 4, 4), seconds=0.05) < 200
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not model.training and all(weight.grad is None for weight in model.parameters())
    assert step_milliseconds(nn.ReLU(), (3, 5), seconds=0.001) > 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.booleans()), max_size=3))
def test_receptive_field_is_what_a_broken_pixel_spoils(rows):
    layers = []
    for kernel_size, stride, dilation, pools in rows:
        sizes = {"stride": stride, "dilation": dilation}
        layers.append(nn.MaxPool2d(kernel_size, **sizes) if pools else nn.Conv2d(1, 1, kernel_size, **sizes))
    model = nn.Sequential(*layers, nn.ReLU())
    field = receptive_field(model)
    assert seen(model, max(1, field + 2)) == (field, field)


@pytest.mark.parametrize(
    ("network", "field"),
    [(lenet, 16), (mnist_net, 6), (fashion_net, 10), (cifar_net, 9), (wide_mnist_net, 6), (small_vgg, 32)],
)
def test_receptive_field_of_known_networks(network, field):
    assert receptive_field(network()) == field


def test_receptive_field_asks_for_square_layers():
    assert receptive_field(nn.Sequential(nn.AvgPool2d((2, 2)), nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 9))) == 2
    with pytest.raises(ValueError, match=r"square layers; got Conv2d.* with kernel_size \(1, 7\)"):
        receptive_field(nn.Conv2d(3, 3, (1, 7)))
