"""Networks that more than one lesson uses: LeNet, built in lesson 6, published ones, and those of lessons 12 and 13.

Each is a plain `nn.Sequential` of layers with random weights, and answers with N×10 logits.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn

from ._arguments import kind, number, whole

Layer = Callable[[], nn.Module]


def _classifier(*sizes: int, between: Sequence[Layer] = (nn.ReLU,)) -> list[nn.Module]:
    """The end of a network: maps become one row of numbers, then linear layers from size to size.

    Between two of them comes one of each of these classes of layers; a new nn.Dropout drops one half.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    *hidden, last = pairwise(sizes)
    for before, after in hidden:
        layers += [nn.Linear(before, after), *(layer() for layer in between)]
    return [*layers, nn.Linear(*last)]


def _conv(
    before: int,
    width: int,
    *,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int = 1,
    pool: bool = False,
    activation: Layer = nn.ReLU,
) -> list[nn.Module]:
    """Convolution, pooling perhaps, batch normalisation, activation. Pooling first leaves a quarter to normalise."""
    convolution = nn.Conv2d(before, width, kernel_size, stride, padding, bias=False)
    return [convolution, *([nn.MaxPool2d(2)] if pool else []), nn.BatchNorm2d(width), activation()]


def lenet(activation: Layer = nn.ReLU, pool: Callable[[int], nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    """LeNet-5 as it is written today, built in lesson 6: N×1×28×28 images to N×10 logits, 61,706 parameters.

    Args:
        activation: the layer after each convolution and hidden linear layer, such as `nn.Sigmoid`.
        pool: the pooling layer, `nn.AvgPool2d` or `nn.MaxPool2d`, over windows of 2×2.

    Raises:
        TypeError: activation or pool can't be called.

    Source: after Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998),
    with its connection table, trainable pooling, RBF output and scaled tanh replaced by today's standard layers.

    Example:
        >>> lenet(pool=nn.MaxPool2d)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    kind("activation", activation, Callable, "a class of layers, such as nn.ReLU")
    kind("pool", pool, Callable, "a class of pooling layers, such as nn.AvgPool2d")
    first = nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2)
    second = nn.Conv2d(6, 16, 5), activation(), pool(2)
    return nn.Sequential(*first, *second, *_classifier(400, 120, 84, 10, between=[activation]))


def mnist_net() -> nn.Sequential:
    """PyTorch's own MNIST example: N×1×28×28 images, 1,199,882 parameters.

    Source: `mnist/main.py` of the repository pytorch/examples, whose last layer is a log-softmax.

    Example:
        >>> mnist_net()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    maps = nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*maps, nn.Dropout(0.25), *_classifier(9_216, 128, 10, between=[nn.ReLU, nn.Dropout]))


def two_convolutions(width: int, dropout: float = 0.0) -> nn.Sequential:
    """The network of lesson 8, as wide as asked: N×1×28×28 images to N×10 logits.

    Args:
        width: maps of the first convolution, at least 1; the second has twice as many.
        dropout: the share of the flattened numbers that is dropped in training, from 0 to 1.

    Raises:
        TypeError, ValueError: an argument of another kind or out of its range.

    Example:
        >>> two_convolutions(8, dropout=0.5)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    width, dropout = whole("width", width, least=1), number("dropout", dropout, least=0, most=1)
    first = nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * 5 * 5, 10))


def three_convolutions(width: int, dropout: float = 0.0) -> nn.Sequential:
    """The network that lesson 11 searches for, as wide as asked: N×3×32×32 images to N×10 logits.

    Args:
        width: maps of the first convolution, at least 1; the second has twice as many, the third four times.
        dropout: the share of the flattened numbers that is dropped in training, from 0 to 1.

    Raises:
        TypeError, ValueError: an argument of another kind or out of its range.

    Example:
        >>> three_convolutions(16, dropout=0.2)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    width, dropout = whole("width", width, least=1), number("dropout", dropout, least=0, most=1)
    layers: list[nn.Module] = []
    for before, after in pairwise((3, width, 2 * width, 4 * width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(4 * width * 4 * 4, 10))


def small_fashion_net() -> nn.Sequential:
    """The network of PyTorch's TensorBoard tutorial, for FashionMNIST: N×1×28×28 images, 44,426 parameters.

    Source: *Visualizing models, data, and training with TensorBoard*, PyTorch tutorials.

    Example:
        >>> small_fashion_net()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    first = nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, *_classifier(256, 120, 84, 10))


def fashion_net() -> nn.Sequential:
    """A published network for FashionMNIST: N×1×28×28 images, 896,522 parameters.

    Example:
        >>> fashion_net()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    first = nn.Conv2d(1, 64, 3), nn.MaxPool2d(2), nn.ReLU()
    second = nn.Conv2d(64, 128, 3), nn.MaxPool2d(2), nn.ReLU()
    return nn.Sequential(*first, *second, *_classifier(3_200, 256, 10))


def cifar_net(
    c1: int = 48, c2: int = 96, hidden: int = 256, dropout: float = 0.1, first_kernel: int = 3
) -> nn.Sequential:
    """A published network for CIFAR-10: N×3×32×32 images, 3,716,154 parameters. No pooling, no padding.

    Args:
        c1, c2: channels of the first and of the last two convolutions.
        hidden: numbers between the two linear layers.
        dropout: the share that is dropped behind the second convolution, from 0 to 1; behind the fourth it is a half.
        first_kernel: kernel size of the first convolution, from 1 to 24.

    Raises:
        TypeError, ValueError: an argument is of another kind or out of its range, or the kernel is too large.

    Source: T. Flores, Intro to PyTorch 2: convolutional neural networks, Towards Data Science, 2023. There dropout is
    a function that stays on in evaluation; here it is a layer that does not.

    Example:
        >>> cifar_net(c1=32, first_kernel=5)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    c1, c2, hidden = whole("c1", c1, least=1), whole("c2", c2, least=1), whole("hidden", hidden, least=1)
    dropout = number("dropout", dropout, least=0, most=1)
    first_kernel = whole("first_kernel", first_kernel, least=1, most=24)
    from .shapes import conv_output_size  # the sizes of the other networks are fixed

    side = conv_output_size(32 - (first_kernel - 1) - 4, 3, stride=2)
    first = nn.Conv2d(3, c1, first_kernel), nn.ReLU(), nn.Conv2d(c1, c1, 3), nn.ReLU(), nn.Dropout(dropout)
    second = nn.Conv2d(c1, c2, 3), nn.ReLU(), nn.Conv2d(c2, c2, 3, stride=2), nn.ReLU(), nn.Dropout(0.5)
    flat, *linear = _classifier(c2 * side**2, hidden, 10)
    return nn.Sequential(*first, *second, flat, nn.BatchNorm1d(c2 * side**2), nn.ReLU(), *linear)


def wide_mnist_net() -> nn.Sequential:
    """A published network for MNIST: N×1×28×28 images, 25,775,882 parameters, nearly all of them in one layer.

    Example:
        >>> wide_mnist_net()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    first = nn.Conv2d(1, 64, 3, padding=1), nn.ReLU()
    second = nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, *_classifier(25_088, 1_024, 10, between=[nn.ReLU, nn.Dropout]))


def small_vgg() -> nn.Sequential:
    """A small network in the manner of VGG: N×3×32×32 images, 288,746 parameters.

    3×3 convolutions without bias, each with batch normalisation; two of each width; global average pooling.

    Source: after K. Simonyan and A. Zisserman, arXiv 1409.1556, and M. Lin, Q. Chen, S. Yan, arXiv 1312.4400.

    Example:
        >>> small_vgg()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    layers: list[nn.Module] = []
    pools = nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
    for (before, width), pool in zip(pairwise((3, 32, 64, 128)), pools, strict=True):
        layers += [*_conv(before, width), *_conv(width, width), pool]
    return nn.Sequential(*layers, *_classifier(128, 10))


class Residual(nn.Module):
    """x + f(x): some layers, with a shortcut around them. Built in lesson 12.

    Args:
        layers: f, run one after another; their answer has the shape of x.

    Source: K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning for image recognition, arXiv 1512.03385.

    Example:
        >>> block, x = Residual(nn.Linear(3, 3), nn.ReLU()), torch.rand(2, 3)
        >>> torch.equal(block(x), x + block.layers(x))
        True
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


def fast_cifar_net(widths: tuple[int, ...] = (32, 48, 96, 192), residual: bool = False) -> nn.Sequential:
    """The network that lesson 13 ends at, for CIFAR-10: N×3×32×32 images, 225,386 parameters.

    A first convolution with stride 2; blocks of convolution, batch normalisation and ReLU, of which the first two pool;
    the global maximum of each map; one linear layer.

    Args:
        widths: channels of the first convolution and of each block, each at least 1, two or more in all.
        residual: one more block behind each, with a shortcut around it.

    Raises:
        TypeError, ValueError: widths is no tuple or list of so many whole numbers, or residual no truth value.

    Example:
        >>> fast_cifar_net((16, 32, 64), residual=True)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    if len(kind("widths", widths, tuple | list, "a tuple of widths, such as (32, 48, 96, 192)")) < 2:
        raise ValueError(f"widths must hold at least two whole numbers; got {widths!r}.")
    widths = tuple(whole("each of widths", width, least=1) for width in widths)
    kind("residual", residual, bool, "True or False")
    layers = _conv(3, widths[0], kernel_size=4, stride=2)
    for k, (before, width) in enumerate(pairwise(widths)):
        layers += _conv(before, width, pool=k < 2)
        if residual:
            layers.append(Residual(*_conv(width, width)))
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), *_classifier(widths[-1], 10))
