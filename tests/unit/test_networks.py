"""The networks that lessons share have the published sizes, and answer with ten logits."""

import pytest
import torch

from course_utils import networks
from course_utils.shapes import count_parameters

SIZES = {  # parameters, shape of one image
    "lenet": (61_706, (1, 28, 28)),
    "mnist_net": (1_199_882, (1, 28, 28)),
    "small_fashion_net": (44_426, (1, 28, 28)),
    "fashion_net": (896_522, (1, 28, 28)),
    "cifar_net": (3_716_154, (3, 32, 32)),
    "wide_mnist_net": (25_775_882, (1, 28, 28)),
    "small_vgg": (288_746, (3, 32, 32)),
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


def test_a_wider_network_has_more_parameters_and_its_dropout_is_off_in_evaluation():
    assert [count_parameters(networks.two_convolutions(width)) for width in (1, 4, 16)] == [540, 2_346, 12_810]
    model, x = networks.two_convolutions(4, dropout=0.5), torch.rand(3, 1, 28, 28)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("arguments", [(0,), (4, 1.5), (4, -0.1)])
def test_no_width_below_one_and_no_share_beyond_all(arguments):
    with pytest.raises(ValueError, match="width|dropout"):
        networks.two_convolutions(*arguments)
