"""The networks that lessons share have the published sizes, and answer with ten logits."""

import re

import pytest
import torch
from torch import nn

from course_utils import networks
from course_utils.shapes import count_parameters, receptive_field
from experiments.cifar_depth import deep_net
from tools.common import ROOT, read

SIZES = {  # parameters, shape of one image
    "lenet": (61_706, (1, 28, 28)),
    "mnist_net": (1_199_882, (1, 28, 28)),
    "small_fashion_net": (44_426, (1, 28, 28)),
    "fashion_net": (896_522, (1, 28, 28)),
    "cifar_net": (3_716_154, (3, 32, 32)),
    "wide_mnist_net": (25_775_882, (1, 28, 28)),
    "small_vgg": (288_746, (3, 32, 32)),
    "fast_cifar_net": (225_386, (3, 32, 32)),
}


@pytest.mark.parametrize("name", SIZES)
def test_parameters_and_answers(name):
    model, (parameters, image) = getattr(networks, name)(), SIZES[name]
    assert count_parameters(model) == parameters
    assert model(torch.zeros(2, *image)).shape == (2, 10)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"first_kernel": 5}, 3_148_794),
        ({"c1": 96}, 3_821_226),
        ({"c2": 192}, 7_573_242),
        ({"c1": 96, "c2": 192, "hidden": 512}, 14_800_490),
    ],
)
def test_variants_of_the_cifar_network_have_their_published_sizes(options, parameters):
    model = networks.cifar_net(**options)
    assert count_parameters(model) == parameters
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("name", ["mnist_net", "cifar_net", "wide_mnist_net"])
def test_dropout_is_off_in_evaluation(name):
    model, x = getattr(networks, name)().eval(), torch.rand(2, *SIZES[name][1])
    assert torch.equal(model(x), model(x))


def test_wider_networks_have_more_parameters():
    assert [count_parameters(networks.two_convolutions(width)) for width in (1, 4, 16)] == [540, 2_346, 12_810]
    assert [count_parameters(networks.three_convolutions(width)) for width in (1, 16)] == [774, 33_834]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (networks.two_convolutions(4, dropout=0.5), (1, 28, 28)),
        (networks.three_convolutions(4, dropout=0.5), (3, 32, 32)),
        (torch.nn.Sequential(*networks.cifar_net(2, 2, 2, dropout=0.5)[:5]), (3, 32, 32)),
    ],
)
def test_their_dropout_is_off_in_evaluation(model, shape):
    x = torch.rand(3, *shape)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("arguments", [(0,), (4, 1.5), (4, -0.1)])
def test_no_width_below_one_and_no_share_beyond_all(arguments):
    with pytest.raises(ValueError, match="width|dropout"):
        networks.two_convolutions(*arguments)
    with pytest.raises(ValueError, match="width|dropout"):
        networks.three_convolutions(*arguments)


@pytest.mark.parametrize(
    ("widths", "residual", "parameters"),
    [((32, 64, 128, 256), False, 392_138), ([48, 96, 192], True, 627_562), ((4, 5), False, 3 * 4 * 16 + 8 + 190 + 60)],
)
def test_the_fast_network_is_as_wide_as_asked(widths, residual, parameters):
    model = networks.fast_cifar_net(widths, residual)
    assert count_parameters(model) == parameters
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert sum(isinstance(layer, networks.Residual) for layer in model) == residual * (len(widths) - 1)


@pytest.mark.parametrize("widths", [(), (32,), 32, (32, 0), (32, 4.5), "ab"])
def test_the_fast_network_needs_two_widths(widths):
    with pytest.raises((TypeError, ValueError), match="widths must"):
        networks.fast_cifar_net(widths)


def test_the_fast_network_sees_the_whole_image():
    assert receptive_field(networks.fast_cifar_net()) >= 32


def test_a_residual_module_adds_its_input():
    layer, x = torch.nn.Linear(3, 3), torch.rand(2, 3)
    assert torch.equal(networks.Residual(layer, torch.nn.ReLU())(x), x + layer(x).relu())


@pytest.mark.parametrize("depth", [8, 20])
def test_a_deep_network_is_as_deep_as_asked_with_and_without_shortcuts(depth):
    plain, residual = (deep_net(depth, shortcuts, width=2) for shortcuts in (False, True))
    weights = [layer for layer in plain.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weights) == depth and count_parameters(plain) == count_parameters(residual)
    blocks = [layer for layer in residual if isinstance(layer, networks.Residual)]
    assert len(blocks) == (depth - 2) // 2
    for block in blocks:
        torch.nn.init.zeros_(block.layers[-1].weight)
    x = torch.rand(2, 2, 8, 8)
    assert torch.equal(blocks[0](x), x)  # a block that adds nothing hands on what it got
    assert residual(torch.rand(2, 3, 32, 32)).shape == plain(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def lesson_12():
    """What lesson 12 defines on its way, by name."""
    text = read(ROOT / "book" / "12_modern_blocks.py")
    names = {"nn": nn}
    for start in ("def conv(", "class Residual(", "def pair(", "def deep_net("):
        exec(re.search(rf"^{re.escape(start)}.*?(?=^# %%)", text, re.DOTALL | re.MULTILINE)[0], names)
    return names


@pytest.mark.parametrize(
    ("ours", "shared"),
    [
        (lambda lesson: lesson["vgg"], networks.small_vgg),
        (lambda lesson: lesson["deep_net"](20, True), lambda: deep_net(20, True)),
        (lambda lesson: lesson["deep_net"](20, False), lambda: deep_net(20, False)),
    ],
)
def test_the_shared_networks_are_those_that_lesson_12_builds(ours, shared):
    torch.manual_seed(0)
    x, mine, theirs = torch.rand(2, 3, 32, 32), ours(lesson_12()).eval(), shared().eval()
    for a, b in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True):
        b.copy_(a)
    assert torch.equal(mine(x), theirs(x))
