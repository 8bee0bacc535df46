"""Networks that more than one lesson uses: LeNet, built in lesson 6, published ones, and those of lesson 12.

Each is a plain `nn.Sequential` of layers with random weights, and answers with N×10 logits.
"""

from itertools import pairwise

from torch import nn

from ._arguments import function, kind, number, whole
from .shapes import conv_output_size


def lenet(activation: type[nn.Module] = nn.ReLU, pool: type[nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    """LeNet-5 as it is written today, built in lesson 6: N×1×28×28 images to N×10 logits, 61,706 parameters.

    Args:
        activation: the layer after each convolution and hidden linear layer, such as `nn.Sigmoid`.
        pool: the pooling layer, `nn.AvgPool2d` or `nn.MaxPool2d`, over windows of 2×2.

    Raises:
        TypeError: activation or pool can't be called.

    Source: after Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998),
    with its connection table, trainable pooling, RBF output and scaled tanh replaced by today's standard layers.
    """
    function("activation", activation, "a class of layers, such as nn.ReLU")
    function("pool", pool, "a class of pooling layers, such as nn.AvgPool2d")
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        activation(),
        pool(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        pool(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, 10),
    )


def mnist_net() -> nn.Sequential:
    """PyTorch's own MNIST example: N×1×28×28 images, 1,199,882 parameters.

    Source: `mnist/main.py` of the repository pytorch/examples, whose last layer is a log-softmax.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9_216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def two_convolutions(width: int, dropout: float = 0.0) -> nn.Sequential:
    """The network of lesson 8, as wide as asked: N×1×28×28 images to N×10 logits.

    Args:
        width: maps of the first convolution, at least 1; the second has twice as many.
        dropout: the share of the flattened numbers that is dropped in training, from 0 to 1.

    Raises:
        TypeError, ValueError: an argument of another kind or out of its range.
    """
    width, dropout = whole("width", width, least=1), number("dropout", dropout, least=0, most=1)
    return nn.Sequential(
        nn.Conv2d(1, width, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(2 * width * 5 * 5, 10),
    )


def small_fashion_net() -> nn.Sequential:
    """The network of PyTorch's TensorBoard tutorial, for FashionMNIST: N×1×28×28 images, 44,426 parameters.

    Source: *Visualizing models, data, and training with TensorBoard*, PyTorch tutorials.
    """
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def fashion_net() -> nn.Sequential:
    """A published network for FashionMNIST: N×1×28×28 images, 896,522 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3_200, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def cifar_net(c1: int = 48, c2: int = 96, hidden: int = 256, first_kernel: int = 3) -> nn.Sequential:
    """A published network for CIFAR-10: N×3×32×32 images, 3,716,154 parameters. No pooling, no padding.

    Args:
        c1, c2: channels of the first and of the last two convolutions.
        hidden: numbers between the two linear layers.
        first_kernel: kernel size of the first convolution, from 1 to 24.

    Raises:
        TypeError, ValueError: an argument is no whole number of at least 1, or the kernel is too large.

    Source: T. Flores, Intro to PyTorch 2: convolutional neural networks, Towards Data Science, 2023. There dropout is
    a function that stays on in evaluation; here it is a layer that does not.
    """
    c1, c2, hidden = whole("c1", c1, least=1), whole("c2", c2, least=1), whole("hidden", hidden, least=1)
    first_kernel = whole("first_kernel", first_kernel, least=1, most=24)
    side = conv_output_size(32 - (first_kernel - 1) - 4, 3, stride=2)
    return nn.Sequential(
        nn.Conv2d(3, c1, first_kernel),
        nn.ReLU(),
        nn.Conv2d(c1, c1, 3),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(c1, c2, 3),
        nn.ReLU(),
        nn.Conv2d(c2, c2, 3, stride=2),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.BatchNorm1d(c2 * side**2),
        nn.ReLU(),
        nn.Linear(c2 * side**2, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def wide_mnist_net() -> nn.Sequential:
    """A published network for MNIST: N×1×28×28 images, 25,775,882 parameters, nearly all of them in one layer."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(25_088, 1_024),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1_024, 10),
    )


def _conv(in_channels, out_channels, pool=False):
    """Convolution, pooling perhaps, batch normalisation, ReLU. Pooling first leaves a quarter to normalise."""
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def small_vgg() -> nn.Sequential:
    """A small network in the manner of VGG: N×3×32×32 images, 288,746 parameters.

    3×3 convolutions without bias, each with batch normalisation; two of each width; global average pooling.

    Source: after K. Simonyan and A. Zisserman, arXiv 1409.1556, and M. Lin, Q. Chen, S. Yan, arXiv 1312.4400.
    """
    return nn.Sequential(
        *_conv(3, 32),
        *_conv(32, 32),
        nn.MaxPool2d(2),
        *_conv(32, 64),
        *_conv(64, 64),
        nn.MaxPool2d(2),
        *_conv(64, 128),
        *_conv(128, 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


class Residual(nn.Module):
    """x + f(x): some layers, with a shortcut around them. Built in lesson 12.

    Args:
        layers: f, run one after another; their answer has the shape of x.

    Source: K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning for image recognition, arXiv 1512.03385.
    """

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


def fast_cifar_net(widths: tuple[int, ...] = (32, 48, 96, 192), residual: bool = False) -> nn.Sequential:
    """The network that lesson 12 ends at, for CIFAR-10: N×3×32×32 images, 225,386 parameters.

    A first convolution with stride 2; blocks of convolution, batch normalisation and ReLU, of which the first two pool;
    the global maximum of each map; one linear layer.

    Args:
        widths: channels of the first convolution and of each block, each at least 1, two or more in all.
        residual: one more block behind each, with a shortcut around it.

    Raises:
        TypeError, ValueError: widths is no tuple or list of so many whole numbers, or residual no truth value.
    """
    if len(kind("widths", widths, tuple | list, "a tuple of widths, such as (32, 48, 96, 192)")) < 2:
        raise ValueError(f"widths must hold at least two whole numbers; got {widths!r}.")
    first, *_, last = widths = [whole("each of widths", width, least=1) for width in widths]
    kind("residual", residual, bool, "True or False")
    layers = [nn.Conv2d(3, first, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
    for k, (before, width) in enumerate(pairwise(widths)):
        layers += _conv(before, width, pool=k < 2)
        if residual:
            layers.append(Residual(*_conv(width, width)))
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(last, 10))


def deeper_cifar_net() -> nn.Sequential:
    """A network for ten minutes on CIFAR-10: N×3×32×32 images, 498,138 parameters.

    A 2×2 convolution without padding; then pairs of 3×3 convolutions, of which the first pools; the global maximum of
    each map; one linear layer. Maps of 31×31, 15×15, 7×7 and 3×3 numbers.

    Source: after K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, arXiv 2404.00498, with fewer channels and
    without its fixed first layer.
    """
    return nn.Sequential(
        nn.Conv2d(3, 24, 2, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        *_conv(24, 32, pool=True),
        *_conv(32, 32),
        *_conv(32, 128, pool=True),
        *_conv(128, 128),
        *_conv(128, 128, pool=True),
        *_conv(128, 128),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def deep_net(depth: int, residual: bool, width: int = 16) -> nn.Sequential:
    """As deep as asked, with or without shortcuts: N×3×32×32 images, on maps of 16×16, 8×8 and 4×4 numbers.

    Args:
        depth: convolutions and linear layers on the way from image to answer: 8, 14, 20, 26 and so on.
        residual: whether each pair of convolutions has a shortcut around it. The parameters are the same.
        width: channels of all its maps, at least 1.

    Raises:
        TypeError, ValueError: an argument of another kind or out of its range.

    Source: after the plain and residual networks of 6n + 2 layers for CIFAR-10 in arXiv 1512.03385.
    """
    depth, width = whole("depth", depth, least=8), whole("width", width, least=1)
    if (depth - 2) % 6:
        raise ValueError(f"depth must be 2 more than a multiple of 6, such as 8, 14 or 20; got {depth}.")
    kind("residual", residual, bool, "True or False")
    wrap = Residual if residual else nn.Sequential
    layers = [nn.Conv2d(3, width, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for pool in (nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)):
        for _ in range((depth - 2) // 6):
            *pair, _ = _conv(width, width) + _conv(width, width)  # its last ReLU comes after the sum
            layers += [wrap(*pair), nn.ReLU()]
        layers.append(pool)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 10))
