"""Pooling by hand: loops, windows as columns, and the gradients. All equal to torch's.

Shapes: images x are N×C×H×W, answers N×C×OH×OW, with the sizes of `conv_output_size`. Every channel is pooled alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ._arguments import one_of, tensor, whole
from .shapes import conv_output_size

OUTSIDE = {"max": float("-inf"), "average": 0.0}  # what stands around the picture: it never wins, and adds nothing
Shape = tuple[int, int, int, int]


def _prepared(
    x: Tensor, kernel_size: int, kind: str, stride: int | None, padding: int, ceil_mode: bool
) -> tuple[int, Shape, Tensor]:
    """Check the arguments, and return the stride, the shape N×C×OH×OW of the answer, and x with its padding."""
    tensor("x", x, "N×C×H×W", floating=True)
    one_of("kind", kind, OUTSIDE)
    kernel_size = whole("kernel_size", kernel_size, least=1)
    stride = kernel_size if stride is None else stride
    padding = whole("padding", padding, least=0, most=kernel_size // 2)
    sizes = [conv_output_size(size, kernel_size, stride, padding, ceil_mode=ceil_mode) for size in x.shape[2:]]
    return stride, (*x.shape[:2], *sizes), F.pad(x, (padding,) * 4, value=OUTSIDE[kind])


def pool2d_loops(
    x: Tensor, kernel_size: int, kind: str, *, stride: int | None = None, padding: int = 0, ceil_mode: bool = False
) -> Tensor:
    """Pooling as it is defined: for each image, channel and place, one number for one window.

    Args:
        x: images, N×C×H×W, floating point.
        kernel_size: side of the square window, at least 1.
        kind: "max", the largest number of the window, or "average", its mean.
        stride: step between places, at least 1; None: `kernel_size`, so that windows touch and do not overlap.
        padding: rows and columns added on each side, at most half of `kernel_size`. They never win a maximum; in an
            average they are zeros that count.
        ceil_mode: also take a last window that hangs over the end, if it begins on the image or the padding before
            it. What hangs over does not count.

    Returns:
        N×C×OH×OW.

    Raises:
        TypeError, ValueError: an argument of another kind, shape or range; a window that does not fit.

    Source: the documentation of `torch.nn.MaxPool2d` and `torch.nn.AvgPool2d`.

    Example:
        >>> x = torch.arange(16.0).view(1, 1, 4, 4)
        >>> pool2d_loops(x, 2, "max").flatten(), pool2d_loops(x, 2, "average").flatten()
        (tensor([ 5.,  7., 13., 15.]), tensor([ 2.5000,  4.5000, 10.5000, 12.5000]))
    """
    stride, shape, x = _prepared(x, kernel_size, kind, stride, padding, ceil_mode)
    answer = x.new_empty(shape)
    for n, c, i, j in torch.cartesian_prod(*(torch.arange(size) for size in shape)).tolist():
        top, left = i * stride, j * stride
        window = x[n, c, top : top + kernel_size, left : left + kernel_size]  # a slice ends where x ends
        answer[n, c, i, j] = window.max() if kind == "max" else window.mean()
    return answer


def _columns(x: Tensor, kernel_size: int, kind: str, stride: int, shape: Shape) -> tuple[Tensor, torch.Size]:
    """Every window of every channel as one column, N×C×(K·K)×(OH·OW), and the size of x with what hangs over."""
    over = [max(0, (shape[axis] - 1) * stride + kernel_size - x.shape[axis]) for axis in (2, 3)]
    x = F.pad(x, (0, over[1], 0, over[0]), value=OUTSIDE[kind])
    columns = F.unfold(x, kernel_size, stride=stride)  # N×(C·K·K)×(OH·OW): all channels of a place in one column
    return columns.view(*shape[:2], kernel_size**2, -1), x.shape[2:]


def _counts(x: Tensor, kernel_size: int, stride: int, shape: Shape) -> Tensor:
    """How many pixels each window holds, without those that hang over the end: 1×1×(OH·OW)."""
    columns, _ = _columns(torch.ones_like(x[:1, :1]), kernel_size, "average", stride, (1, 1, *shape[2:]))
    return columns.sum(2)


def pool2d_unfold(
    x: Tensor, kernel_size: int, kind: str, *, stride: int | None = None, padding: int = 0, ceil_mode: bool = False
) -> Tensor:
    """Pooling as one maximum or mean over the columns of each channel's windows.

    Arguments, answer, errors and source are those of `pool2d_loops`.

    Example:
        >>> x = torch.rand(2, 3, 8, 8)
        >>> torch.equal(pool2d_unfold(x, 3, "max", stride=2), F.max_pool2d(x, 3, stride=2))
        True
    """
    stride, shape, x = _prepared(x, kernel_size, kind, stride, padding, ceil_mode)
    columns, _ = _columns(x, kernel_size, kind, stride, shape)
    answer = columns.amax(2) if kind == "max" else columns.sum(2) / _counts(x, kernel_size, stride, shape)
    return answer.view(shape)


def pool2d_backward(
    grad: Tensor,
    x: Tensor,
    kernel_size: int,
    kind: str,
    *,
    stride: int | None = None,
    padding: int = 0,
    ceil_mode: bool = False,
) -> Tensor:
    """The gradient of pooling's input, from the gradient of its answer.

    A maximum hands its gradient to the pixel that won, the first in reading order where several are equal, as
    `torch.nn.functional.max_pool2d` does. An average hands every pixel of its window an equal share.

    Args:
        grad: d loss / d answer, N×C×OH×OW.
        x and the other arguments: as in the forward pass.

    Returns:
        d loss / d x, N×C×H×W.

    Raises:
        TypeError, ValueError: `grad` does not have the shape of the answer, or the forward pass would be refused.

    Source: the chain rule; for ties, what `torch.nn.functional.max_pool2d` does.

    Example:
        >>> pool2d_backward(torch.ones(1, 1, 1, 1), torch.tensor([[[[1.0, 4.0], [3.0, 2.0]]]]), 2, "max")
        tensor([[[[0., 1.],
                  [0., 0.]]]])
    """
    stride, shape, padded = _prepared(x, kernel_size, kind, stride, padding, ceil_mode)
    tensor("grad", grad, "×".join(map(str, shape)), floating=True)
    grad = grad.reshape(*shape[:2], 1, -1)
    columns, size = _columns(padded, kernel_size, kind, stride, shape)
    if kind == "max":
        shares = torch.zeros_like(columns).scatter_(2, columns.argmax(2, keepdim=True), grad)
    else:
        shares = (grad / _counts(padded, kernel_size, stride, shape)).expand_as(columns)
    back = F.fold(shares.flatten(1, 2), size, kernel_size, stride=stride)  # adds up where windows overlap
    H, W = x.shape[2:]
    return back[:, :, padding : padding + H, padding : padding + W]
