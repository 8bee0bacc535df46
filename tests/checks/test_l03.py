"""Every exercise of lesson 3: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from course_utils.networks import cifar_net, small_vgg
from tests.checks.checkers import Checkers


def inner_share(x, K, P):
    return F.avg_pool2d(torch.ones_like(x), K, 1, P)


def inner_average(x, K, P):
    return F.avg_pool2d(x, K, 1, P) / inner_share(x, K, P)


def average_of_the_bright(x, K, P):
    columns = F.unfold(x, K, padding=P).view(*x.shape[:2], K * K, -1)
    means = columns.sum(2) / (columns != 0).sum(2)
    return means.view(F.avg_pool2d(x, K, 1, P).shape)


def with_a_kernel_of_ones(x, K, P):
    channels = x.shape[1]
    ones = torch.ones(channels, 1, K, K)
    real = F.conv2d(torch.ones_like(x), ones, padding=P, groups=channels)
    return F.conv2d(x, ones, padding=P, groups=channels) / real


def by_unfold(x, K, P):
    def columns(images):
        return F.unfold(images, K, padding=P).view(*images.shape[:2], K * K, -1)

    N, C, H, W = x.shape
    mean = columns(x).sum(2) / columns(torch.ones_like(x)).sum(2)
    return mean.view(N, C, H + 2 * P - K + 1, W + 2 * P - K + 1)


def by_slices(x, K, P):
    H, W = x.shape[2:]
    rows = [
        torch.stack(
            [x[..., max(i, 0) : i + K, max(j, 0) : j + K].mean((2, 3)) for j in range(-P, W + P - K + 1)], dim=-1
        )
        for i in range(-P, H + P - K + 1)
    ]
    return torch.stack(rows, dim=-2)


def by_divisor(x, K, P):
    sums, real = (F.avg_pool2d(each, K, 1, P, divisor_override=1) for each in (x, torch.ones_like(x)))
    return sums / real


def for_three(x, K, P):
    """Right for K = 3 and P = 1 only."""
    return F.avg_pool2d(x, K, 1, P) / F.avg_pool2d(torch.ones_like(x), 3, 1, 1)


def for_squares(x, K, P):
    """Takes the height for the width."""
    real = F.avg_pool2d(torch.ones(1, 1, x.shape[2], x.shape[2]), K, 1, P)
    pooled = F.avg_pool2d(x, K, 1, P)
    return pooled / F.interpolate(real, pooled.shape[2:])


def one_image(x, K, P):
    return inner_average(x[:1], K, P)


def mixed_channels(x, K, P):
    return inner_average(x, K, P).mean(1, keepdim=True).expand(-1, x.shape[1], -1, -1)


def repeated(x, K, P):
    return F.avg_pool2d(F.pad(x, (P, P, P, P), mode="replicate"), K, 1)


def without_pad(x, K, P):
    return F.avg_pool2d(x, K, 1, P, count_include_pad=False)


def by_layer(x, K, P):
    return nn.AvgPool2d(K, 1, P, False, False)(x)


def separable(groups=64, bias=False, padding=1, dilation=1, middle=64, last_groups=1, last_kernel=1, **options):
    return nn.Sequential(
        nn.Conv2d(64, middle, 3, padding=padding, dilation=dilation, groups=groups, bias=bias, **options),
        nn.Conv2d(middle, 128, last_kernel, padding=last_kernel // 2, groups=last_groups, bias=bias),
    )


def shifted():
    """Looks one row and one column beside the place."""
    first = nn.Conv2d(64, 64, 3, padding=2, groups=64, bias=False)
    return nn.Sequential(first, nn.Conv2d(64, 128, 1, bias=False), nn.ZeroPad2d((0, -2, 0, -2)))


def column_kernels():
    first = nn.Conv2d(64, 64, (9, 1), padding=(4, 0), groups=64, bias=False)
    return nn.Sequential(first, nn.Conv2d(64, 128, 1, bias=False))


def frozen(model):
    return model.requires_grad_(False)


def design(widths=(3, 32, 64, 128, 128), pools=3, classes=10, pooled=True):
    layers = []
    for k, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * (k < pools)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if pooled else [nn.Flatten()]
    return nn.Sequential(*layers, *end, nn.LazyLinear(classes))


def narrow(*, kernel=(1, 3), last=3):
    """Four convolutions that see far along one axis only, unless the last one is large."""
    shape = {"kernel_size": kernel, "padding": (kernel[0] // 2, kernel[1] // 2)}
    layers = [nn.Conv2d(3, 8, **shape), nn.MaxPool2d((1, 2)), nn.Conv2d(8, 8, **shape), nn.MaxPool2d((1, 2))]
    layers += [nn.Conv2d(8, 8, **shape), nn.MaxPool2d((1, 2)), nn.Conv2d(8, 8, **shape)]
    layers += [nn.Conv2d(8, 8, (last, 3), padding=(last // 2, 1))]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def with_batch_norm():
    layers = []
    for before, after in ((3, 16), (16, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 2 * 2, 10))


class Unused(nn.Module):
    """Holds convolutions that it never runs, or weights that it does not own."""

    def __init__(self):
        super().__init__()
        self.features, self.head = design()[:-2], nn.Linear(3 * 32 * 32, 10)

    def forward(self, x):
        return self.head(x.flatten(1))


class Hidden(nn.Module):
    """Keeps a large network in a list."""

    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(128, 10_000), nn.Linear(10_000, 10)]

    def forward(self, x):
        return self.hidden[1](self.hidden[0](x))


padded_late = nn.Sequential(
    nn.Conv2d(64, 64, 3, groups=64, bias=False), nn.Conv2d(64, 128, 1, padding=1, bias=False)
)  # fmt: skip

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
    ("3.1", (92, 169), "what does the pooling make"),
    ("3.1", (45, 84), "each of the two sides"),
    ("3.1", (91, 168), "Which stride does a pooling layer take"),
    ("3.1", (46, 84.5), "Which way"),
    ("3.1", (46.25, 84.75), "Which way"),
    ("3.1", (46, 85), "Which way"),
    ("3.1", (47, 84), "47 rows"),
    ("3.1", (46, 80), "80 columns"),
    ("3.1", 46, "two numbers"),
    ("3.1", "46×84", "rows before columns"),
    ("3.1", (16, 46, 84), "two numbers"),
    ("3.2", [27], "neighbours"),
    ("3.2", 28, "neighbours"),
    ("3.2", [], "neighbours"),
    ("3.2", [27, 28, 29], "Walk it"),
    ("3.2", [28, 30], "Walk it"),
    ("3.2", [28, 28], "once"),
    ("3.2", [0, 27, 28], "one pixel at least"),
    ("3.2", [27.5], "whole numbers"),
    ("3.3", [18, 25, 27, 49], "Each pair of channels"),
    ("3.3", [1_152, 1_600, 1_728, 3_136], "How many filters"),
    ("3.3", [73_856, 102_464, 110_784, 200_768], "have none"),
    ("3.3", [36_864, 102_400, 36_864, 200_704], "weights of its own"),
    ("3.3", [102_400, 73_728, 200_704, 110_592], "one 5×5"),
    ("3.3", [73_728, 102_400, 110_592, 200_705], "number 4"),
    ("3.3", [73_728, 102_400, 110_592, "200,704"], "plain numbers"),
    ("3.3", (73_728, 102_400), "four numbers"),
    ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1, P) * K**2 / (K - P) ** 2, "answers 2.25"),
    ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1, P), "picture of ones"),
    ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1), "One number for each place"),
    ("3.4", lambda x, K, P: inner_average(x, K, P) * K, "the mean of ones"),
    ("3.4", average_of_the_bright, "count places"),
    ("3.4", lambda x, K, P: inner_average(x.flip(3), K, P), "under the window"),
    ("3.4", for_three, "K = 5"),
    ("3.4", for_squares, "What is the mean of ones"),
    ("3.4", one_image, "2×3×6×7 gives shape (1, 3"),
    ("3.4", mixed_channels, "of this channel"),
    ("3.4", repeated, "under the window"),
    ("3.4", without_pad, "count_include_pad"),
    ("3.4", by_layer, "count_include_pad"),
    ("3.4", lambda x, K, P: torch.ops.aten.avg_pool2d(x, [K, K], [1, 1], [P, P], False, False), "count_include_pad"),
    ("3.4", lambda x, K, P: inner_average(x, K, P).tolist(), "Return a tensor"),
    ("3.5", nn.Sequential(nn.Conv2d(64, 128, 3, padding=1, bias=False)), "Two convolutions"),
    ("3.5", padded_late, "needs padding"),
    ("3.5", nn.Sequential(separable()[0], nn.ReLU(), separable()[1]), "Two convolutions"),
    ("3.5", separable(groups=1), "groups=64"),
    ("3.5", frozen(separable(groups=1)), "groups=64"),
    ("3.5", separable(bias=True), "bias=False"),
    ("3.5", nn.Sequential(separable(bias=True)[0], separable()[1]), "bias=False"),
    ("3.5", separable(padding=2, dilation=2), "without dilation"),
    ("3.5", separable(padding=0), "keep the size"),
    ("3.5", separable(stride=2), "keep the size"),
    ("3.5", nn.Sequential(separable()[0], nn.Conv2d(64, 64, 1, bias=False)), "128 channels"),
    ("3.5", shifted(), "Two convolutions"),
    ("3.5", column_kernels(), "the 3×3 around it"),
    (
        "3.5",
        nn.Sequential(nn.Conv2d(64, 128, 1, bias=False), nn.Conv2d(128, 128, 3, padding=1, groups=128, bias=False)),
        "Places first",
    ),
    ("3.5", separable(last_groups=64), "no groups there"),
    ("3.5", frozen(separable(last_groups=2)), "no groups there"),
    ("3.5", separable(middle=128), "Print their shapes"),
    ("3.5", lambda: separable(), "the network itself"),
    ("3.5", nn.Conv2d(64, 128, 3), "nn.Sequential"),
    ("3.6", small_vgg(), "counts the first k layers"),
    ("3.6", cifar_net(), "reach further"),
    ("3.6", design(pools=0), "reach further"),
    ("3.6", narrow(), "it sees"),
    ("3.6", narrow(kernel=(3, 1)), "it sees"),
    ("3.6", design((3, 32, 64, 256, 256)), "Conv2d(256, 256"),
    ("3.6", frozen(design((3, 32, 64, 256, 256))[:-1].append(nn.Linear(256, 10))), "Conv2d(256, 256"),
    ("3.6", design(classes=300), "Ten numbers"),
    ("3.6", nn.Sequential(*design()[:-2], nn.Flatten(0), nn.Linear(256, 10)), "Ten numbers"),
    ("3.6", design(pooled=False, widths=(3, 32, 64, 128, 128, 128)), "Conv2d(128, 128"),
    ("3.6", design((3, 32, 10), pools=1), "pooling alone"),
    ("3.6", Unused(), "nn.Sequential"),
    ("3.6", nn.Sequential(Unused()), "no layer of PyTorch's"),
    ("3.6", nn.Sequential(*design()[:-1], Hidden()), "no layer of PyTorch's"),
    ("3.6", lambda: design(), "the network itself"),
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
        "one number of each map",
    ),
]


class TestLesson03(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)

    @pytest.mark.parametrize(
        ("number", "form"),
        [
            ("3.1", [46, 84]),
            ("3.1", torch.Size([46, 84])),
            ("3.1", torch.tensor([46, 84])),
            ("3.2", (28, 27)),
            ("3.2", {27, 28}),
            ("3.2", range(27, 29)),
            ("3.2", filter(lambda n: (n - 1) // 2 + 1 == 14, range(1, 60))),
            ("3.2", torch.tensor([27, 28])),
            ("3.3", torch.tensor(RIGHT["3.3"])),
            ("3.3", np.array(RIGHT["3.3"], dtype=np.int32)),
            ("3.4", with_a_kernel_of_ones),
            ("3.4", by_unfold),
            ("3.4", by_slices),
            ("3.4", by_divisor),
            ("3.4", lambda x, K, P: F.avg_pool2d(x, K, 1, P, count_include_pad=True) / inner_share(x, K, P)),
            ("3.4", lambda x, K, P: inner_average(x.double(), K, P)),
            ("3.5", separable().double()),
            ("3.5", frozen(separable())),
            ("3.5", separable(padding="same")),
            ("3.5", separable(padding_mode="reflect")),
            ("3.5", nn.Sequential(nn.Sequential(*separable()))),
            ("3.5", nn.Sequential(separable()[0], nn.LazyConv2d(128, 1, bias=False))),
            ("3.6", with_batch_norm()),
            ("3.6", frozen(with_batch_norm()).eval()),
            ("3.6", design()[:-1].append(nn.Linear(128, 10)).double()),
            ("3.6", narrow(kernel=(5, 5), last=33)),
        ],
    )
    def test_a_right_answer_may_come_in_another_form(self, number, form, capsys):
        assert check(number, form), capsys.readouterr().out

    def test_a_network_whose_last_layer_is_0_is_right(self):
        model = separable()
        nn.init.zeros_(model[1].weight)
        assert check("3.5", model)

    def test_a_network_is_left_as_it_is(self):
        model = design()
        assert check("3.6", model)
        assert isinstance(model[-1], nn.LazyLinear) and model.training
