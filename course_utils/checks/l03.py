"""Checkers of lesson 3, Shape, receptive field, cost."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import as_list, checker, right, wrong
from course_utils.shapes import conv_output_size, count_macs, count_parameters, receptive_field


def _sizes(*layers):
    """The sides (H, W) of a 184×338 picture behind layers (kernel, stride, padding)."""
    sides = [184, 338]
    for kernel, stride, padding in layers:
        sides = [conv_output_size(side, kernel, stride, padding) for side in sides]
    return tuple(sides)


@checker("3.1")
def size(answer):
    """a pair (H, W)."""
    answer = as_list(answer)
    if not isinstance(answer, tuple | list | torch.Size) or len(answer) != 2:
        return wrong(f"your answer is {answer!r}", hint="Give two numbers, rows before columns: (H, W).")
    answer, expected = tuple(answer), _sizes((3, 2, 1), (2, 2, 0))
    if answer == expected[::-1]:
        return wrong("the two stand the other way round", hint="Rows come before columns: H is the smaller side here.")
    if answer == _sizes((3, 2, 1)):
        return wrong(f"{answer} is the size behind the convolution", hint="The pooling halves it once more.")
    if answer == _sizes((3, 2, 0), (2, 2, 0)):
        return wrong(f"you have {answer}", hint="P = 1 adds a zero on each of the two sides.")
    if any(side != int(side) for side in answer):
        return wrong(f"there is no half place in {answer}", hint="Which way does PyTorch round?")
    if answer != expected:
        k = int(answer[0] == expected[0])
        return wrong(
            f"you have {answer[k]} {('rows', 'columns')[k]}",
            hint="Layer by layer: room to move = size + 2P − K; divide by S, round down, add one.",
        )
    return right("The last column of the convolution's 169 is read by no window of the pooling.")


@checker("3.2")
def sizes_before(answer):
    """a list of whole numbers."""
    asked = {"kernel_size": 3, "stride": 2, "padding": 1}
    expected = {n for n in range(1, 100) if conv_output_size(n, **asked) == 14}
    answer = as_list(answer)
    answer = {answer} if isinstance(answer, int) else set(answer)
    if strangers := sorted(answer - expected):
        n = strangers[0]
        places = conv_output_size(n, **asked)
        return wrong(f"{n} pixels give {places} places", hint="Walk it: windows begin at −1, 1, 3, …")
    if answer != expected:
        return wrong(
            f"you have {sorted(answer)}, and no other", hint="Rounding down sends several sizes to one: try neighbours."
        )
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
    answer = as_list(answer)
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        return wrong(f"your answer is {answer!r}", hint="Give a list of four numbers.")
    answer = list(answer)
    if answer == expected:
        return right(
            "With C channels: 18·C² against 25·C², and 27·C² against 49·C². "
            "The stack is cheaper and may hold another ReLU, but it cannot make every kernel of the large one."
        )
    if answer == [count * kernel**2 for count, kernel in stacks]:
        return wrong("these are the weights for one channel in and one out", hint="Each pair of channels has a kernel.")
    if answer == [count * 64 * kernel**2 for count, kernel in stacks]:
        return wrong("a factor of 64 is missing", hint="Each of the 64 filters has a kernel for each of 64 channels.")
    if answer == [count * (64 * kernel**2 + 1) * 64 for count, kernel in stacks]:
        return wrong("you count biases", hint="These layers have none.")
    if answer == [64 * 64 * kernel**2 for _, kernel in stacks]:
        return wrong("each stack counts as one layer", hint="Two and three convolutions: multiply.")
    k = next(k for k in range(4) if answer[k] != expected[k])
    return wrong(f"number {k + 1} of your list is {answer[k]}", hint="layers × filters × channels × rows × columns.")


@checker("3.4")
def inner_average(answer):
    """a function of (x, K, P) that returns a tensor."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 7)
    for K, P in ((3, 1), (5, 2), (2, 0)):
        mine, expected = answer(x.clone(), K, P), F.avg_pool2d(x, K, 1, P, count_include_pad=False)
        case = f"with K = {K} and P = {P}"
        if mine.shape != expected.shape:
            return wrong(
                f"{case} your answer has shape {tuple(mine.shape)}",
                hint=f"One number for each place: {tuple(expected.shape)}, as from `F.avg_pool2d(x, K, 1, P)`.",
            )
        if torch.allclose(mine, expected, atol=1e-5):
            continue
        if torch.allclose(mine, F.avg_pool2d(x, K, 1, P), atol=1e-5):
            return wrong(f"{case} the zeros count", hint="What share of each window is real? Pool a picture of ones.")
        ones = answer(torch.ones_like(x), K, P)
        if not torch.allclose(ones, torch.ones_like(ones)):
            return wrong(
                f"{case} a picture of ones answers {ones[0, 0, 0, 0]:.3g} in its corner",
                hint="The mean of ones is 1: divide the window's sum by the number of its real pixels.",
            )
        return wrong(
            f"{case} the largest difference is {(mine - expected).abs().max():.2g}",
            hint="Sum each channel's windows with zeros around, and divide by their real pixels.",
        )
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    middle = answer(dot.clone(), 3, 1)[0, 0, 2, 2].item()
    if abs(middle - 1 / 9) > 1e-5:
        return wrong(
            f"black with one white pixel, its mean over 3×3 is {middle:.3g}",
            hint="A real pixel may be 0, too. So count places, not numbers that differ from 0.",
        )
    return right("This is `count_include_pad=False`. With it, a blurred picture keeps its brightness at the border.")


def _shape(model, input_shape):
    """The shape of the model's answer. This also fills in lazy layers, before anything is counted."""
    was_training = model.training
    with torch.no_grad():
        shape = tuple(model.eval()(torch.zeros(input_shape)).shape)
    model.train(was_training)
    return shape


@checker("3.5")
def separable(answer):
    """an `nn.Sequential` of two convolutions."""
    if not isinstance(answer, nn.Sequential):
        return wrong(f"your answer is of type {type(answer).__name__}", hint="Give the `nn.Sequential` itself.")
    shape = _shape(answer, (2, 64, 5, 6))
    count, layers = count_parameters(answer), list(answer)
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
        return wrong(f"(2, 64, 5, 6) becomes {shape}", hint="A 3×3 kernel needs a padding of 1 to keep the size.")
    x = torch.rand(1, 64, 5, 5, requires_grad=True)
    reached = torch.autograd.grad(answer(x)[0, 0, 2, 2], x)[0][0] != 0
    if not reached.any((1, 2)).all():
        return wrong("a unit does not see every channel", hint="The second layer must mix all 64: no groups there.")
    if count != 64 * 9 + 64 * 128:
        return wrong(f"it has {count:,} weights", hint="64 kernels of 3×3, then 128 filters of 64×1×1.")
    around = torch.zeros(5, 5, dtype=torch.bool)
    around[1:4, 1:4] = True
    if not torch.equal(reached.any(0), around):
        return wrong("a unit sees other pixels than the 3×3 around it", hint="A 3×3 kernel, no dilation; then 1×1.")
    return right(
        f"{64 * 128 * 9 / count:.1f} times fewer weights, and as many times fewer multiply-adds: MobileNet's idea."
    )


@checker("3.6")
def design(answer):
    """an `nn.Sequential` for images of 3×32×32."""
    if not isinstance(answer, nn.Sequential):
        return wrong(f"your answer is of type {type(answer).__name__}", hint="Give the `nn.Sequential` itself.")
    shape = _shape(answer, (2, 3, 32, 32))
    field, parameters, macs = receptive_field(answer), count_parameters(answer), count_macs(answer, (1, 3, 32, 32))
    if shape != (2, 10):
        return wrong(f"two images give {shape}", hint="Ten numbers an image: end with a `Linear` to 10.")
    if (convolutions := sum(isinstance(layer, nn.Conv2d) for layer in answer.modules())) < 4:
        return wrong(f"it has {convolutions} convolutions", hint="Four at least: pooling alone learns nothing.")
    if field < 32:
        return wrong(f"it sees {field} pixels", hint="Pool or stride earlier: each later kernel then reaches further.")
    if parameters > 300_000:
        worst = max((layer for layer in answer.modules() if not list(layer.children())), key=count_parameters)
        return wrong(
            f"it has {parameters:,} parameters",
            hint=f"{worst} alone has {count_parameters(worst):,}. In front of a `Linear`, average each map.",
        )
    if macs > 20_000_000:
        return wrong(
            f"it takes {macs:,} multiply-adds",
            hint="The first layers work at the most places: give them fewer channels, or shrink sooner.",
        )
    return right(f"It sees {field} pixels with {parameters:,} parameters and {macs:,} multiply-adds.")
