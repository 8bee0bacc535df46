"""What an architecture does and costs, before it is trained: sizes, receptive field, parameters, multiply-adds."""

import copy
import logging

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from ._arguments import kind, number, shape, whole
from ._machine import device


def conv_output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, *, ceil_mode: bool = False
) -> int:
    """How many places a kernel or a pooling window takes along one axis.

    ⌊(size + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1

    Args:
        size: length of the input along this axis, in pixels.
        kernel_size, stride, dilation: at least 1.
        padding: pixels added at each of the two ends, at least 0.
        ceil_mode: round up instead: one more place, which hangs over the end, if it begins before that end's padding.

    Raises:
        TypeError: an argument is no whole number.
        ValueError: it lies outside its range, or the kernel does not fit into the padded input.

    Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285; for
    `ceil_mode` the documentation of `torch.nn.MaxPool2d`.

    Example:
        >>> conv_output_size(28, 5, padding=2), conv_output_size(28, 2, stride=2)
        (28, 14)
    """
    size, kernel_size = whole("size", size, least=1), whole("kernel_size", kernel_size, least=1)
    stride, dilation = whole("stride", stride, least=1), whole("dilation", dilation, least=1)
    padding = whole("padding", padding, least=0)
    reach = dilation * (kernel_size - 1) + 1
    room = size + 2 * padding - reach  # how far the kernel can move
    steps = -(-room // stride) if ceil_mode else room // stride
    if ceil_mode and steps * stride >= size + padding:
        steps -= 1
    if steps < 0:
        raise ValueError(
            f"A kernel that reaches over {reach} pixels does not fit into {size} + 2·{padding} pixels. "
            "Use a smaller kernel or dilation, or more padding."
        )
    return steps + 1


def receptive_field(model: nn.Module) -> int:
    """The side, in pixels, of the square that one answer of a network's convolutions and poolings looks at.

    Each layer adds dilation·(kernel_size − 1)·jump to the field, and multiplies the jump by its stride. The jump is how
    many pixels of the image two neighbouring answers lie apart.

    Args:
        model: layers that run one after another, in the order of `model.modules()`. The count ends where places end:
            at the first `nn.Flatten`, `nn.Linear` or adaptive pooling.

    Raises:
        TypeError: model is no `nn.Module`.
        ValueError: a layer has other sizes along rows than along columns.

    Source: A. Araujo, W. Norris, J. Sim, Computing receptive fields of convolutional neural networks, Distill, 2019.

    Example:
        >>> receptive_field(nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5)))
        14
    """
    kind("model", model, nn.Module, "an nn.Module")
    field, jump = 1, 1
    for layer in model.modules():
        if isinstance(layer, nn.Flatten | nn.Linear | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            break
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            field += _side(layer, "dilation") * (_side(layer, "kernel_size") - 1) * jump
            jump *= _side(layer, "stride")
    return field


def _side(layer: nn.Module, name: str) -> int:
    """A size of a layer that is the same along rows and columns; 1 where the layer has none."""
    size = getattr(layer, name, 1)
    if isinstance(size, tuple) and len(set(size)) > 1:
        raise ValueError(f"receptive_field needs square layers; got {layer} with {name} {size}.")
    return size[0] if isinstance(size, tuple) else size


def count_parameters(model: nn.Module) -> int:
    """How many numbers training may change: the elements of all parameters that require a gradient.

    Raises:
        TypeError: model is no `nn.Module`.

    Example:
        >>> count_parameters(nn.Conv2d(1, 6, 5))
        156
    """
    kind("model", model, nn.Module, "an nn.Module")
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """How many multiply-adds one forward pass takes, in convolutions and linear layers, biases not counted.

    Args:
        model: any module; its mode and weights stay as they are.
        input_shape: with the batch axis, such as `(1, 1, 28, 28)`.

    Raises:
        TypeError, ValueError: model is no module, or input_shape not a tuple of whole numbers of at least 1.
        RuntimeError: the input does not fit the model (torch's own message).

    Example:
        >>> count_macs(nn.Conv2d(1, 6, 5, padding=2), (1, 1, 28, 28))
        117600
    """
    from ._loop import evaluation_mode  # the other counts ask the network nothing

    kind("model", model, nn.Module, "an nn.Module")
    shape("input_shape", input_shape)
    macs: list[int] = []

    def count(layer: nn.Module, _: tuple, output: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            places = output.numel() // layer.weight.shape[0]  # each takes one dot product with the filter of its map
            macs.append(places * layer.weight.numel())

    weight = next(model.parameters(), torch.zeros(()))
    with evaluation_mode(model), torch.no_grad(), register_module_forward_hook(count):
        model(torch.zeros(input_shape, dtype=weight.dtype, device=weight.device))
    return sum(macs)


def step_milliseconds(model: nn.Module, input_shape: tuple[int, ...], *, seconds: float = 0.2) -> float:
    """How many milliseconds a forward and a backward pass take in training mode: the median of several, here and now.

    Measured by `torch.utils.benchmark`, with all threads that PyTorch uses, after a warm-up. Works on a copy of the
    model, in the memory format that is quickest for pictures (`torch.channels_last`), and passes gradients of 1 back.

    Args:
        model: any module, on the device that is to be timed; it stays as it is. One without weights, such as a ReLU, is
            timed on the fastest device here.
        input_shape: with the batch axis, such as `(64, 3, 32, 32)`.
        seconds: how long to repeat.

    Raises:
        TypeError, ValueError: model is no module, input_shape not a tuple of whole numbers of at least 1, or seconds no
            number of at least 0.001.
        RuntimeError: the input does not fit the model (torch's own message).

    Example:
        >>> step_milliseconds(nn.Conv2d(3, 8, 3), (4, 3, 32, 32), seconds=0.01) > 0
        True
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns where there is no GPU
    from torch.utils.benchmark import Timer

    kind("model", model, nn.Module, "an nn.Module")
    shape("input_shape", input_shape)
    number("seconds", seconds, least=0.001)
    model = copy.deepcopy(model).train().to(memory_format=torch.channels_last)
    weight = next(model.parameters(), torch.zeros((), device=device()))
    x = torch.rand(input_shape, dtype=weight.dtype, device=weight.device)
    x = x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
    names = {"model": model, "x": x.requires_grad_(), "gradient": torch.ones_like(model(x))}
    timer = Timer("model(x).backward(gradient)", globals=names, num_threads=torch.get_num_threads())
    return 1_000 * timer.blocked_autorange(min_run_time=seconds).median
