"""Looking into a network: what its layers give out, and what its answer depends on. Built by hand in lesson 14."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ._arguments import kind, number, shown, tensor, whole
from ._loop import evaluation_mode
from .shapes import conv_output_size


def feature_maps(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What each layer of a network gives out for a batch, in evaluation mode and without gradients.

    Args:
        model: a network; layers are its modules that hold no others.
        x: a batch as the network was trained on, N×C×H×W, normalised.

    Returns:
        {name of the layer: its output}, in the order in which the layers answer; names are those of
        `model.named_modules()`. A layer that is used twice is there with its last answer.

    Raises:
        TypeError, ValueError: model is no network, or x no such batch.

    Source: the hooks of `torch.nn.Module.register_forward_hook`.

    Example:
        >>> from course_utils.networks import lenet
        >>> [(name, tuple(maps.shape)) for name, maps in feature_maps(lenet(), torch.zeros(1, 1, 28, 28)).items()][:2]
        [('0', (1, 6, 28, 28)), ('1', (1, 6, 28, 28))]
    """
    kind("model", model, nn.Module, "a network (nn.Module), such as lenet()")
    tensor("x", x, "N×C×H×W", floating=True)
    layers = {name: layer for name, layer in model.named_modules() if not list(layer.children())}
    with evaluation_mode(model), torch.no_grad(), _listening(layers) as kept:
        model(x)
    return kept


def occlusion(model: nn.Module, x: Tensor, label: int, *, size: int, stride: int = 1, fill: float = 0.0) -> Tensor:
    """Cover one square of an image after the other: how far does the probability of a class fall?

    Args:
        model: maps a normalised batch to logits, 1×classes; it is asked in evaluation mode.
        x: one image as a batch, 1×C×H×W, normalised.
        label: the class, from 0 to classes − 1.
        size: height and width of the square, in pixels.
        stride: step between its places, in pixels.
        fill: the number written into the square. In a normalised image 0 is the mean colour.

    Returns:
        The falls, from −1 to 1, one for each place; their number is that of `conv_output_size(H, size, stride)`.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or out of its range.

    Source: M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks (arXiv 1311.2901).

    Example:
        >>> from course_utils.networks import lenet
        >>> occlusion(lenet(), torch.zeros(1, 1, 28, 28), 3, size=4, stride=2).shape
        torch.Size([13, 13])
    """
    kind("model", model, nn.Module, "a network (nn.Module), such as lenet()")
    tensor("x", x, "1×C×H×W", floating=True, hint="x[None] turns one image C×H×W into a batch of one.")
    fill, size, stride = number("fill", fill), whole("size", size, least=1), whole("stride", stride, least=1)
    rows, columns = (conv_output_size(length, size, stride) for length in x.shape[2:])
    falls = []
    with evaluation_mode(model), torch.inference_mode():
        before = _logit(model(x), label).softmax(0)[label]
        for top in range(0, rows * stride, stride):
            covered = x.repeat(columns, 1, 1, 1)
            for k, image in enumerate(covered):
                image[:, top : top + size, k * stride : k * stride + size] = fill
            falls.append(before - model(covered).softmax(1)[:, label])
    return torch.stack(falls)


def grad_cam(model: nn.Module, layer: nn.Module, x: Tensor, label: int) -> Tensor:
    """Grad-CAM: the feature maps of a layer, weighted by how much the logit of a class grows with each.

    Args:
        model: maps a normalised batch to logits, 1×classes; it is asked in evaluation mode.
        layer: a module of the model that gives out maps, 1×C×H×W: most often the last convolution's ReLU.
        x: one image as a batch, 1×C×H×W, normalised.
        label: the class, from 0 to classes − 1.

    Returns:
        One map H×W of the layer's size, 0 or above; all 0 where every weighted sum is negative.

    Raises:
        TypeError, ValueError: an argument of the wrong kind; a layer that the model does not use, or that gives out
            no maps; a label that is no class.

    Source: R. R. Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization
    (arXiv 1610.02391).

    Example:
        >>> from course_utils.networks import lenet
        >>> model = lenet()
        >>> grad_cam(model, model[4], torch.zeros(1, 1, 28, 28), 3).shape
        torch.Size([10, 10])
    """
    kind("model", model, nn.Module, "a network (nn.Module), such as lenet()")
    kind("layer", layer, nn.Module, "a layer of the model, such as model[4]")
    tensor("x", x, "1×C×H×W", floating=True, hint="x[None] turns one image C×H×W into a batch of one.")
    with evaluation_mode(model), torch.enable_grad(), _listening({"maps": layer}) as kept:
        logit = _logit(model(x.detach().requires_grad_()), label)[label]
    if not kept:
        raise ValueError("layer must be a layer that the model uses, such as model[4]; it was never asked.")
    maps = tensor("what layer gives out", kept["maps"], "1×C×H×W")
    [gradient] = torch.autograd.grad(logit, maps)
    return (gradient.mean((2, 3), keepdim=True) * maps).sum(1)[0].clamp(min=0).detach()


def _logit(logits: Tensor, label: int) -> Tensor:
    """The logits of the one image, when label is among them. Raises: TypeError, ValueError."""
    if logits.ndim != 2:
        raise ValueError(f"model must give out logits, 1×classes; got shape {tuple(logits.shape)}.")
    whole("label", label, least=0, most=logits.shape[1] - 1)
    return logits[0]


@contextmanager
def _listening(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What the layers give out while the block runs. The hooks are removed whatever happens in it."""
    kept: dict[str, Tensor] = {}

    def keep(name: str, layer: nn.Module, inputs: tuple, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise TypeError(f"layer {name!r} must give out a tensor; got {shown(output)}.")
        kept[name] = output
        return output.clone()  # for the next layer, which may work in place

    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_hook(partial(keep, name)))
        yield kept
