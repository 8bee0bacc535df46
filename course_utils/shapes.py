"""What an architecture costs, before it is trained: sizes, parameters, multiply-adds."""

import torch
from torch import nn

from ._arguments import kind, shape, whole


def conv_output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a kernel takes along one axis.

    ⌊(size + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1

    Args:
        size: length of the input along this axis, in pixels.
        kernel_size, stride, dilation: at least 1.
        padding: pixels added at each of the two ends, at least 0.

    Raises:
        TypeError: an argument is no whole number.
        ValueError: it lies outside its range, or the kernel does not fit into the padded input.

    Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
    """
    size, kernel_size = whole("size", size, least=1), whole("kernel_size", kernel_size, least=1)
    stride, dilation = whole("stride", stride, least=1), whole("dilation", dilation, least=1)
    padding = whole("padding", padding, least=0)
    reach = dilation * (kernel_size - 1) + 1
    if reach > size + 2 * padding:
        raise ValueError(
            f"A kernel that reaches over {reach} pixels does not fit into {size} + 2·{padding} pixels. "
            "Use a smaller kernel or dilation, or more padding."
        )
    return (size + 2 * padding - reach) // stride + 1


def count_parameters(model: nn.Module) -> int:
    """How many numbers training may change: the elements of all parameters that require a gradient.

    Raises:
        TypeError: model is no `nn.Module`.
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
    """
    kind("model", model, nn.Module, "an nn.Module")
    shape("input_shape", input_shape)
    total = 0

    def add(layer, _, output):
        nonlocal total
        places = output.numel() // layer.weight.shape[0]  # each place of each map takes one dot product with its filter
        total += places * layer.weight.numel()

    hooks = [layer.register_forward_hook(add) for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    modes = {layer: layer.training for layer in model.modules()}
    try:
        weight = next(model.parameters())
        with torch.no_grad():
            model.eval()(torch.zeros(input_shape, dtype=weight.dtype, device=weight.device))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes.items():
            layer.training = mode
    return total
