"""Checkers of lesson 3, Shape, receptive field, cost."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong
from course_utils.shapes import conv_output_size, receptive_field

from ._answers import Refused, close, numbers, scores, size_of, tensor, wholes


def _sizes(*layers):
    """The sides [H, W] of a 184×338 picture behind layers (kernel, stride, padding)."""
    sides = [184, 338]
    for kernel, stride, padding in layers:
        sides = [conv_output_size(side, kernel, stride, padding) for side in sides]
    return sides


@checker("3.1")
def size(answer):
    """a pair (H, W)."""
    mine = numbers(answer, 2, "(H, W): rows before columns")
    expected, finding = _sizes((3, 2, 1), (2, 2, 0)), f"you have {mine[0]:g}×{mine[1]:g}"
    if mine == expected:
        return right("The last column of the convolution's 169 is read by no window of the pooling.")
    if mine == expected[::-1]:
        return wrong("the two stand the other way round", hint="Rows come before columns: H is the smaller side here.")
    if mine == _sizes((3, 2, 1)):
        return wrong(f"{finding}, the size behind the convolution", hint="And what does the pooling make of it?")
    if mine == _sizes((3, 2, 0), (2, 2, 0)):
        return wrong(finding, hint="P = 1 adds a zero on each of the two sides.")
    if mine == _sizes((3, 2, 1), (2, 1, 0)):
        return wrong(finding, hint="Which stride does a pooling layer take when you name none?")
    if any(side != round(side) for side in mine):
        return wrong(f"there is no half place in {mine[0]:g}×{mine[1]:g}", hint="Which way does PyTorch round?")
    if mine[0] == expected[0] and mine[1] == expected[1] + 1:
        return wrong(f"{finding}: one window hangs over the end", hint="Which way does PyTorch round?")
    k = int(mine[0] == expected[0])
    return wrong(
        f"you have {mine[k]:g} {('rows', 'columns')[k]}",
        hint="One layer at a time: how far can its kernel move, and how many steps is that? Places are one more.",
    )


@checker("3.2")
def sizes_before(answer):
    """a list of whole numbers."""
    asked = {"kernel_size": 3, "stride": 2, "padding": 1}
    expected = [n for n in range(1, 100) if conv_output_size(n, **asked) == 14]
    answer = list(answer) if isinstance(answer, set | frozenset) else [answer] if isinstance(answer, int) else answer
    mine = wholes(answer, None, "all the sizes that are possible")
    for n in mine:
        if n < 1:
            return wrong(f"you have {n} pixels", hint="A picture has one pixel at least.")
        if n not in expected:
            places = conv_output_size(n, **asked)
            return wrong(f"{n} pixels give {places} places", hint="Walk it: windows begin at −1, 1, 3, …")
    if len(set(mine)) < len(mine):
        return wrong(f"your list {mine} names a size twice", hint="Each possible size stands in it once.")
    if sorted(mine) != expected:
        finding = f"your list is {mine}, and there are more"
        return wrong(finding, hint="Rounding down sends several sizes to one: try neighbours.")
    layers = [nn.ConvTranspose1d(1, 1, 3, 2, 1, output_padding=extra) for extra in (0, 1)]
    back = [layer(torch.zeros(1, 1, 14)).shape[2] for layer in layers]
    return right(
        "Layers that enlarge, `ConvTranspose2d`, have to choose among these sizes: "
        f"with `output_padding` 0 and 1 such a layer turns 14 places into {back[0]} and {back[1]}."
    )


@checker("3.3")
def weights_of(answer):
    """a list of four whole numbers."""
    stacks = [(2, 3), (1, 5), (3, 3), (1, 7)]  # layers, kernel size
    expected = [count * 64 * 64 * kernel**2 for count, kernel in stacks]
    mine = wholes(answer, 4, "for two 3×3, one 5×5, three 3×3, one 7×7")
    if mine == expected:
        return right(
            "With C channels: 18·C² against 25·C², and 27·C² against 49·C². "
            "The stack is cheaper and may hold another ReLU, but it cannot make every kernel of the large one."
        )
    if mine == [count * kernel**2 for count, kernel in stacks]:
        return wrong("these are the weights for one channel in and one out", hint="Each pair of channels has a kernel.")
    if mine == [count * 64 * kernel**2 for count, kernel in stacks]:
        return wrong(
            "a factor of 64 is missing",
            hint="How many filters does a layer have, and how many kernels does each filter have?",
        )
    if mine == [count * (64 * kernel**2 + 1) * 64 for count, kernel in stacks]:
        return wrong("you count biases", hint="These layers have none.")
    if mine == [64 * 64 * kernel**2 for _, kernel in stacks]:
        return wrong("each stack counts as one layer", hint="Every layer of a stack has weights of its own.")
    if sorted(mine) == sorted(expected):
        return wrong("these are the four numbers in another order", hint="Two 3×3, one 5×5, three 3×3, one 7×7.")
    k = next(k for k in range(4) if mine[k] != expected[k])
    return wrong(
        f"number {k + 1} of your list is {mine[k]:,}",
        hint="How many weights has one kernel, how many kernels has one layer, how many layers are there?",
    )


class _WithoutThePadding(TorchFunctionMode):
    """Refuses a pooling that is asked to leave the padding out itself."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        counts = kwargs.get("count_include_pad", args[5] if len(args) > 5 else True)
        if getattr(function, "__name__", "").startswith("avg_pool") and not counts:
            raise Refused("your function uses `count_include_pad`", hint="Do its work yourself. What must it know?")
        return function(*args, **kwargs)


@checker("3.4")
def inner_average(answer):
    """a function of (x, K, P) that returns a tensor."""
    for shape, K, P in (
        ((2, 3, 6, 7), 3, 1),
        ((1, 1, 5, 9), 5, 2),
        ((3, 2, 7, 4), 2, 0),
        ((1, 4, 4, 5), 4, 1),
        ((2, 1, 3, 3), 1, 0),
        ((1, 2, 1, 2), 3, 1),
    ):
        x = torch.randn(shape) * (torch.rand(shape) > 0.2)  # real pixels may be 0, too
        with _WithoutThePadding():
            mine = answer(x, K, P)
        expected = F.avg_pool2d(x, K, 1, P, count_include_pad=False)
        places = "×".join(map(str, expected.shape))
        mine, case = tensor(mine, places), f"with K = {K} and P = {P}, an image of {'×'.join(map(str, shape))}"
        if mine.shape != expected.shape:
            hint = f"One number for each place: {places}, as from `F.avg_pool2d(x, K, 1, P)`."
            return wrong(f"{case} gives shape {tuple(mine.shape)}", hint=hint)
        if close(mine, expected):
            continue
        if close(mine, F.avg_pool2d(x, K, 1, P)):
            hint = "What share of each window is real? Pool a picture of ones."
            return wrong(f"{case}: the zeros of the padding count", hint=hint)
        real = F.avg_pool2d((x != 0).float(), K, 1, P)
        if close(mine * real, F.avg_pool2d(x, K, 1, P)):
            hint = "A real pixel may be 0, too. So count places, not numbers that differ from 0."
            return wrong(f"{case}: pixels that are 0 don't count", hint=hint)
        ones = tensor(answer(torch.ones(shape), K, P))
        if ones.shape == expected.shape and not close(ones, torch.ones_like(ones)):
            worst = ones.flatten()[(ones - 1).abs().argmax()]
            hint = "What is the mean of ones? By how many pixels was the window's sum divided?"
            return wrong(f"{case}, all ones, answers {worst:.3g} at a place", hint=hint)
        n, c, i, j = ((mine - expected).abs() > 1e-4).nonzero()[0].tolist()
        return wrong(
            f"{case} is wrong at [{n}, {c}, {i}, {j}]: {mine[n, c, i, j]:.5g}, not {expected[n, c, i, j]:.5g}",
            hint="Which pixels of this channel are under the window there? Their mean is asked.",
        )
    return right("This is `count_include_pad=False`. With it, a blurred picture keeps its brightness at the border.")


def _sequential(answer):
    """A copy of the network, in float32 on the CPU and in evaluation mode: the student's own stays as it is."""
    if not isinstance(answer, nn.Sequential):
        what = f"a {type(answer).__name__}" if isinstance(answer, nn.Module) else "a function or a class"
        finding = f"your answer is {what if callable(answer) else shown(answer)}"
        raise Refused(finding, hint="Give an `nn.Sequential`, the network itself.")
    for layer in answer.modules():
        if not type(layer).__module__.startswith("torch.nn."):
            finding = f"it holds a {type(layer).__name__}, which is no layer of PyTorch's"
            raise Refused(finding, hint="Build it of torch.nn's own layers: only what those do can be counted.")
    return copy.deepcopy(answer).float().cpu().eval()


def _shape(model, *input_shape):
    """The shape of the model's answer. This also fills in lazy layers, before anything is counted."""
    with torch.no_grad():
        return tuple(scores(model, torch.zeros(input_shape)).shape)


@checker("3.5")
def separable(answer):
    """an `nn.Sequential` of two convolutions."""
    model = _sequential(answer)
    shape = _shape(model, 2, 64, 5, 6)
    layers, count = [layer for layer in model.modules() if not list(layer.children())], size_of(model)
    if len(layers) != 2 or not all(isinstance(layer, nn.Conv2d) for layer in layers):
        return wrong(
            f"its layers are {', '.join(type(layer).__name__ for layer in layers)}",
            hint="Two convolutions: the first looks at places, the second mixes channels.",
        )
    first, second = layers
    if first.kernel_size == (3, 3) and first.groups == 1:
        return wrong("its 3×3 kernels see all 64 channels", hint="Let each of them see one channel: that is groups=64.")
    if first.kernel_size == (1, 1) and second.kernel_size == (3, 3):
        return wrong(f"it has {count:,} weights", hint="Places first: then only 64 channels need a 3×3 kernel.")
    if first.bias is not None or second.bias is not None:
        return wrong(f"it has {count:,} parameters", hint="Leave out the biases of both layers: bias=False.")
    if shape != (2, 128, 5, 6):
        hint = "128 channels, and as many rows and columns as before. Which layer changes what?"
        if shape[:2] == (2, 128):
            hint = "Which padding and stride keep the size under your kernels?"
        return wrong(f"(2, 64, 5, 6) becomes {shape}", hint=hint)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)  # so that no slope is 0 by chance
    x = torch.ones(1, 64, 7, 7, requires_grad=True)
    reached = torch.autograd.grad(model(x)[0, 0, 3, 3], x)[0][0] != 0
    if not reached.any(2).any(1).all():
        return wrong("a unit does not see every channel", hint="The second layer must mix all 64: no groups there.")
    if count != 64 * 9 + 64 * 128:
        return wrong(
            f"it has {count:,} weights", hint="How many does each of your two layers have? Print their shapes."
        )
    around = torch.zeros(7, 7, dtype=torch.bool)
    around[2:5, 2:5] = True
    if not torch.equal(reached.any(0), around):
        hint = "A 3×3 kernel without dilation, then 1×1, and no shift by the padding."
        return wrong("a unit sees other pixels than the 3×3 around it", hint=hint)
    if not torch.autograd.grad(model(x)[0, 0, 0, 0], x)[0].any():
        return wrong(
            "a unit in the corner sees no pixel", hint="Which of the two layers looks around, and needs padding?"
        )
    return right(
        f"{64 * 128 * 9 / count:.1f} times fewer weights, and as many times fewer multiply-adds: MobileNet's idea."
    )


def _field(model):
    """How far the convolutions and poolings see, along the axis on which they see less."""
    fields = []
    for axis in (0, 1):
        square = copy.deepcopy(model)  # its sizes along this axis, along both
        for layer in square.modules():
            for name in ("kernel_size", "stride", "dilation"):
                if isinstance(sizes := getattr(layer, name, 1), tuple):
                    setattr(layer, name, sizes[axis % len(sizes)])
        fields.append(receptive_field(square))
    return min(fields)


@checker("3.6")
def design(answer):
    """an `nn.Sequential` for images of 3×32×32."""
    model = _sequential(answer)
    for count in (2, 1, 5):
        shape = _shape(model, count, 3, 32, 32)
        if shape != (count, 10):
            return wrong(
                f"{count} images give {shape}", hint="Ten numbers for each image. What does the last layer hand on?"
            )
    field, parameters = _field(model), size_of(model)
    with FlopCounterMode(display=False) as counter:
        _shape(model, 1, 3, 32, 32)
    macs = counter.get_total_flops() // 2
    if (convolutions := sum(isinstance(layer, nn.Conv2d) for layer in model.modules())) < 4:
        return wrong(f"it has {convolutions} convolutions", hint="Four at least: pooling alone learns nothing.")
    if field < 32:
        return wrong(f"it sees {field} pixels", hint="What makes each later kernel reach further?")
    if parameters > 300_000:
        worst = max((layer for layer in model.modules() if not list(layer.children())), key=size_of)
        hint = "Fewer channels there cost less."
        if isinstance(worst, nn.Linear):
            hint = "So many numbers arrive there. What makes one number of each map?"
        return wrong(f"it has {parameters:,} parameters; {worst} alone has {size_of(worst):,}", hint=hint)
    if macs > 20_000_000:
        hint = (
            "`count_macs(model[:k], (1, 3, 32, 32))` counts the first k layers. Where do weights work at most places?"
        )
        return wrong(f"it takes {macs:,} multiply-adds", hint=hint)
    return right(f"It sees {field} pixels with {parameters:,} parameters and {macs:,} multiply-adds.")
