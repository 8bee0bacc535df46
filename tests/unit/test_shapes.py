"""Sizes, parameters and multiply-adds, against torch and by arithmetic."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.networks import lenet
from course_utils.shapes import conv_output_size, count_macs, count_parameters


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
