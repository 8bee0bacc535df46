"""Convolution by hand: loops, one matrix product (im2col), and the gradients. All equal to torch's.

"Convolution" means here what `torch.nn.functional.conv2d` computes: cross-correlation, the kernel not turned.
Shapes: images x are N×C×H×W, filters F×C×K×L, biases F, answers N×F×OH×OW, with the sizes of `conv_output_size`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ._arguments import tensor
from .shapes import conv_output_size


def _output_shape(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> tuple[int, ...]:
    """Check that filters fit images, and return the shape N×F×OH×OW of the answer."""
    hint = "x[None, None] turns one H×W picture into a batch of one with one channel."
    tensor("x", x, "N×C×H×W", floating=True, hint=hint)
    tensor("weight", weight, "F×C×K×L", floating=True)
    if x.shape[1] != weight.shape[1]:
        got = f"{x.shape[1]} and {weight.shape[1]}"
        raise ValueError(f"x and weight must have as many channels, in axis 1 of both; got {got}.")
    if x.dtype != weight.dtype:
        raise TypeError(f"x and weight must share one dtype; got {x.dtype} and {weight.dtype}.")
    if bias is not None and tensor("bias", bias, "F").shape != weight.shape[:1]:
        raise ValueError(f"bias must hold one number for each of {len(weight)} filters; got shape {tuple(bias.shape)}.")
    rows, columns = (conv_output_size(x.shape[axis], weight.shape[axis], stride, padding) for axis in (2, 3))
    return len(x), len(weight), rows, columns


def conv2d_loops(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolution as it is defined: for each image, filter and place, one dot product.

    Args:
        x: images, N×C×H×W, floating point.
        weight: filters, F×C×K×L, same dtype.
        bias: F numbers, or None.
        stride: step between places, at least 1.
        padding: rows and columns of zeros added on each side, at least 0.

    Returns:
        N×F×OH×OW.

    Raises:
        ValueError: shapes that do not fit, a kernel larger than the padded image, a stride below 1.
        TypeError: no tensors of floating-point numbers, or dtypes that differ.

    Source: the formula in the documentation of `torch.nn.Conv2d`.

    Example:
        >>> x, weight = torch.arange(9.0).view(1, 1, 3, 3), torch.ones(1, 1, 2, 2)
        >>> conv2d_loops(x, weight)
        tensor([[[[ 8., 12.],
                  [20., 24.]]]])
    """
    shape = _output_shape(x, weight, bias, stride, padding)
    answer = x.new_zeros(shape)
    x = F.pad(x, (padding,) * 4)
    K, L = weight.shape[2:]
    for n, f, i, j in torch.cartesian_prod(*(torch.arange(size) for size in answer.shape)).tolist():
        window = x[n, :, i * stride : i * stride + K, j * stride : j * stride + L]
        answer[n, f, i, j] = (window * weight[f]).sum()
    return answer if bias is None else answer + bias[:, None, None]


def conv2d_im2col(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Convolution as one matrix product: (F × C·K·L) @ (C·K·L × OH·OW), with every window as one column, by `F.unfold`.

    Arguments, answer and errors are those of `conv2d_loops`; source: K. Chellapilla, S. Puri,
    P. Simard, High performance convolutional neural networks for document processing, IWFHR 2006.

    Example:
        >>> x, weight = torch.rand(2, 3, 8, 8), torch.rand(4, 3, 3, 3)
        >>> torch.allclose(conv2d_im2col(x, weight, padding=1), F.conv2d(x, weight, padding=1), atol=1e-5)
        True
    """
    shape = _output_shape(x, weight, bias, stride, padding)
    answer = (weight.flatten(1) @ F.unfold(x, weight.shape[2:], stride=stride, padding=padding)).view(shape)
    return answer if bias is None else answer + bias[:, None, None]


def conv2d_backward(
    grad: Tensor, x: Tensor, weight: Tensor, *, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """The three gradients of a convolution, from the gradient of its answer.

    Args:
        grad: d loss / d answer, N×F×OH×OW.
        x, weight, stride, padding: as in the forward pass.

    Returns:
        d loss / d x (N×C×H×W), d loss / d weight (F×C×K×L), d loss / d bias (F).

    Raises:
        ValueError: `grad` does not have the shape of the answer, or the forward pass itself would be refused.

    Source: I. Goodfellow, Y. Bengio, A. Courville, Deep Learning (2016), section 9.5.

    Example:
        >>> x, weight = torch.arange(9.0).view(1, 1, 3, 3), torch.ones(1, 1, 2, 2)
        >>> grad_x, grad_weight, grad_bias = conv2d_backward(torch.ones(1, 1, 2, 2), x, weight)
        >>> grad_weight.flatten(), grad_bias
        (tensor([ 8., 12., 20., 24.]), tensor([4.]))
    """
    shape = _output_shape(x, weight, None, stride, padding)
    if tensor("grad", grad, "N×F×OH×OW", floating=True).shape != shape:
        raise ValueError(f"grad must have the shape of the answer, {shape}; got {tuple(grad.shape)}.")
    rows = grad.flatten(2)  # N×F×(OH·OW)
    grad_weight = (rows @ F.unfold(x, weight.shape[2:], stride=stride, padding=padding).mT).sum(0).view_as(weight)
    columns = weight.flatten(1).T @ rows  # each answer hands its gradient back to the pixels of its window
    grad_x = F.fold(columns, x.shape[2:], weight.shape[2:], stride=stride, padding=padding)
    return grad_x, grad_weight, grad.sum((0, 2, 3))
