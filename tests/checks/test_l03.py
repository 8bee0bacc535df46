"""Every exercise of lesson 3: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from course_utils.networks import cifar_net, small_vgg
from tests.checks.checkers import Checkers


def inner_average(x, K, P):
    return F.avg_pool2d(x, K, 1, P) / F.avg_pool2d(torch.ones_like(x), K, 1, P)


def average_of_the_bright(x, K, P):
    columns = F.unfold(x, K, padding=P).view(*x.shape[:2], K * K, -1)
    means = columns.sum(2) / (columns != 0).sum(2)
    return means.view(F.avg_pool2d(x, K, 1, P).shape)


def separable(groups=64, bias=False, padding=1, dilation=1, middle=64, last_groups=1, last_kernel=1):
    return nn.Sequential(
        nn.Conv2d(64, middle, 3, padding=padding, dilation=dilation, groups=groups, bias=bias),
        nn.Conv2d(middle, 128, last_kernel, padding=last_kernel // 2, groups=last_groups, bias=bias),
    )


def design(widths=(3, 32, 64, 128, 128), pools=3, classes=10, pooled=True):
    layers = []
    for k, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * (k < pools)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if pooled else [nn.Flatten()]
    return nn.Sequential(*layers, *end, nn.LazyLinear(classes))


class Unused(nn.Module):
    """Holds convolutions that it never runs."""

    def __init__(self):
        super().__init__()
        self.features, self.head = design()[:-2], nn.Linear(3 * 32 * 32, 10)

    def forward(self, x):
        return self.head(x.flatten(1))


RIGHT = {
    "3.1": (46, 84),
    "3.2": [27, 28],
    "3.3": [73_728, 102_400, 110_592, 200_704],
    "3.4": inner_average,
    "3.5": separable(),
    "3.6": design(),
}
WRONG = [
    ("3.1", (84, 46), "Rows come before columns"),
    ("3.1", (92, 169), "halves it once more"),
    ("3.1", (45, 84), "each of the two sides"),
    ("3.1", (46, 84.5), "Which way"),
    ("3.1", (46, 85), "round down, add one"),
    ("3.1", (47, 84), "round down, add one"),
    ("3.1", 46, "two numbers"),
    ("3.2", [27], "neighbours"),
    ("3.2", 28, "neighbours"),
    ("3.2", [27, 28, 29], "Walk it"),
    ("3.2", [28, 30], "Walk it"),
    ("3.3", [18, 25, 27, 49], "Each pair of channels"),
    ("3.3", [1_152, 1_600, 1_728, 3_136], "Each of the 64 filters"),
    ("3.3", [73_856, 102_464, 110_784, 200_768], "have none"),
    ("3.3", [36_864, 102_400, 36_864, 200_704], "multiply"),
    ("3.3", [102_400, 73_728, 200_704, 110_592], "layers × filters"),
    ("3.3", (73_728, 102_400), "four numbers"),
    ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1, P), "picture of ones"),
    ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1), "One number for each place"),
    ("3.4", lambda x, K, P: inner_average(x, K, P) * K, "mean of ones is 1"),
    ("3.4", average_of_the_bright, "count places"),
    ("3.4", lambda x, K, P: inner_average(x.flip(3), K, P), "Sum each channel"),
    ("3.5", nn.Sequential(nn.Conv2d(64, 128, 3, padding=1, bias=False)), "Two convolutions"),
    ("3.5", nn.Sequential(separable()[0], nn.ReLU(), separable()[1]), "Two convolutions"),
    ("3.5", separable(groups=1), "groups=64"),
    ("3.5", separable(bias=True), "bias=False"),
    ("3.5", nn.Sequential(separable(bias=True)[0], separable()[1]), "bias=False"),
    ("3.5", separable(padding=2, dilation=2), "no dilation"),
    ("3.5", separable(padding=0), "padding of 1"),
    (
        "3.5",
        nn.Sequential(nn.Conv2d(64, 128, 1, bias=False), nn.Conv2d(128, 128, 3, padding=1, groups=128, bias=False)),
        "Places first",
    ),
    ("3.5", separable(last_groups=64), "no groups there"),
    ("3.5", separable(middle=128), "128 filters of 64×1×1"),
    ("3.6", small_vgg(), "first layers work at the most places"),
    ("3.6", cifar_net(), "reaches further"),
    ("3.6", design(pools=0), "reaches further"),
    ("3.6", design((3, 32, 64, 256, 256)), "Conv2d(256, 256"),
    ("3.6", design(classes=300), "to 10"),
    ("3.6", design(pooled=False, widths=(3, 32, 64, 128, 128, 128)), "Conv2d(128, 128"),
    ("3.6", design((3, 32, 10), pools=1), "pooling alone"),
    ("3.6", Unused(), "nn.Sequential"),
    (
        "3.6",
        nn.Sequential(
            nn.Conv2d(3, 32, 11, 4, 5),
            nn.Conv2d(32, 16, 9, padding=4),
            nn.Conv2d(16, 16, 1),
            nn.Conv2d(16, 16, 1),
            nn.Flatten(),
            nn.Linear(1024, 500),
            nn.Linear(500, 10),
        ),
        "average each map",
    ),
]


def with_a_kernel_of_ones(x, K, P):
    channels = x.shape[1]
    ones = torch.ones(channels, 1, K, K)
    real = F.conv2d(torch.ones_like(x), ones, padding=P, groups=channels)
    return F.conv2d(x, ones, padding=P, groups=channels) / real


class TestLesson03(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("3.1", [46, 84]),
        ("3.1", torch.tensor([46, 84])),
        ("3.2", (28, 27)),
        ("3.2", torch.tensor([27, 28])),
        ("3.3", torch.tensor(RIGHT["3.3"])),
        ("3.4", with_a_kernel_of_ones),
    ],
)
def test_a_right_answer_of_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out
