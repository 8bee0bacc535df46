"""Checkers of lesson 2, Convolution by hand."""

from itertools import product

import torch
import torch.nn.functional as F

from course_utils.exercises import checker, right, wrong

from ._answers import Refused, close, numbers, table, tensor, wholes


def _two_axes(answer):
    """The answer; one of four axes, where two were asked, is refused."""
    if getattr(answer, "ndim", 2) == 4:
        raise Refused(f"your answer has shape {tuple(answer.shape)}", hint="Take the two added axes away with [0, 0].")
    return answer


def _slid(image, kernel, **options):
    """Cross-correlation of one H×W image with one K×L kernel, by torch."""
    return F.conv2d(image[None, None], kernel[None, None], **options)[0, 0]


@checker("2.1")
def pencil(answer):
    """two rows of two numbers, as a list of lists."""
    image, kernel = torch.tensor([[1.0, 2, 0], [0, 1, 3], [4, 0, 1]]), torch.tensor([[1.0, 0], [2, -1]])
    mine, expected = table(answer, "two rows of two numbers, such as [[1, 2], [3, 4]]"), _slid(image, kernel)
    if mine.shape != (2, 2):
        finding = f"your answer has shape {tuple(mine.shape)}"
        return wrong(finding, hint="Give two rows of two: the kernel fits at two places along each axis.")
    if close(mine, _slid(image, kernel.flip(0, 1))):
        finding = "these are the numbers of the kernel turned around"
        return wrong(finding, hint="Slide it as it is; turning comes in 2.2.")
    if close(mine, image[:2, :2] @ kernel):
        return wrong("this is a matrix product", hint="Multiply what lies on top of each other, then add all four.")
    if not close(mine, expected):
        i, j = ((mine - expected).abs() > 1e-5).nonzero()[0].tolist()
        return wrong(
            f"at row {i}, column {j} you have {mine[i, j]:g}",
            hint=f"The window there is {image[i : i + 2, j : j + 2].tolist()}. Multiply pairs, then add the four.",
        )
    return right("Four dot products of length 4: sixteen multiplications, as in every convolution of this size.")


@checker("2.2")
def true_convolution(answer):
    """a function of (image, kernel) that returns a tensor."""
    for size, K, L in (((6, 7), 3, 2), ((5, 4), 1, 4), ((4, 6), 3, 3)):
        image, kernel = torch.randn(size), torch.randn(K, L)
        mine, expected = tensor(_two_axes(answer(image, kernel))), _slid(image, kernel.flip(0, 1))
        places = "×".join(map(str, expected.shape))
        case = f"a {size[0]}×{size[1]} image and a {K}×{L} kernel give"
        if mine.shape != expected.shape:
            hint = f"Only the places where the kernel fits: {places} of them."
            return wrong(f"{case} shape {tuple(mine.shape)}", hint=hint)
        if close(mine, expected):
            continue
        if close(mine, _slid(image, kernel)):
            return wrong("this is cross-correlation", hint="The kernel must be turned before it slides.")
        if any(close(mine, _slid(image, kernel.flip(axis))) for axis in (0, 1)):
            return wrong("the kernel was mirrored along one axis only", hint="Half a turn flips rows and columns.")
        difference = (mine - expected).abs().max()
        return wrong(
            f"{case} numbers that are wrong by up to {difference:.2g}",
            hint="Send an impulse through: the kernel itself must come out.",
        )
    return right("Turned twice is not turned at all: give it a turned kernel, and you have cross-correlation back.")


@checker("2.3")
def counts(answer):
    """a pair (weights, parameters)."""
    layer = torch.nn.Conv2d(3, 8, 5)
    weights, biases = layer.weight.numel(), layer.bias.numel()
    mine, parameters = wholes(answer, 2, "(weights, parameters)")
    if (mine, parameters) == (weights + biases, weights):
        return wrong("the two stand the other way round", hint="Give (weights, parameters): parameters include biases.")
    if mine == weights // 3:
        return wrong(f"you count {mine} weights", hint="A filter has one kernel for each of the 3 channels.")
    if mine != weights:
        return wrong(f"you count {mine} weights", hint="filters × channels × rows × columns of the kernel.")
    if parameters == weights + 3 * biases:
        return wrong(f"you count {parameters} parameters", hint="One bias a filter, not one a channel.")
    if parameters != weights + biases:
        hint = "Add the biases to the weights: how many filters are there?"
        return wrong(f"you count {parameters} parameters", hint=hint)
    return right("The size of the picture appears nowhere: the same layer reads a stamp and a poster.")


@checker("2.4")
def detector(answer):
    """a 3×3 tensor."""
    kernel = table(_two_axes(answer), "a 3×3 tensor, or three rows of three numbers")
    if kernel.shape != (3, 3):
        hint = "Give a 3×3 tensor: it must cover three by three pixels."
        return wrong(f"your kernel has shape {tuple(kernel.shape)}", hint=hint)

    def reply(picture):
        return (torch.tensor(picture, dtype=torch.float64) * kernel).sum().item()

    rises = [reply([row] * 3) for row in ([0, 1, 1], [0, 0, 1])]
    if abs(flat := kernel.sum().item()) > 1e-6:
        return wrong(f"a flat white spot answers {flat:.3g}", hint="All nine weights must add up to 0.")
    down = [reply([[a] * 3, [b] * 3, [1] * 3]) for a, b in ((0, 0), (0, 1))]
    if max(map(abs, down)) > 1e-6:
        finding = f"a step from top to bottom answers {max(down, key=abs):.3g}"
        return wrong(finding, hint="Each row must add up to 0 by itself.")
    if rises[0] < 0:
        return wrong(f"a rise answers {rises[0]:.3g}", hint="Which side must carry the minus?")
    if abs(rises[0] - rises[1]) > 1e-6:
        return wrong(
            f"a rise answers {rises[0]:.3g} or {rises[1]:.3g}, depending on where the step is",
            hint="Both windows must answer alike: what does the column have to say in which they differ?",
        )
    if abs(rises[0]) < 1e-6:
        return wrong("a rise answers 0, too", hint="Which two sides of the window must it compare?")
    if 1e-6 < abs(rises[0] - 1) < 0.02:
        return wrong(f"a rise answers {rises[0]:.7g}, not exactly 1", hint="Let Python divide, and do not round.")
    if abs(rises[0] - 1) > 1e-6:
        return wrong(f"a rise answers {rises[0]:.3g}", hint="The pattern is right. By what must all of it be divided?")
    return right("A fall needed no test of its own: it is a flat spot minus a rise, and convolution is linear.")


@checker("2.5")
def position_aware(answer):
    """a function of N×1×H×W images that returns the same shape."""
    for shape in ((2, 1, 12, 16), (1, 1, 7, 5)):
        image = torch.randn(shape, dtype=torch.float64)
        mine = tensor(answer(image), "×".join(map(str, shape)))
        if not torch.equal(mine, tensor(answer(image))):
            return wrong("the same picture gives two answers", hint="Make the weights once, without drawing them anew.")
        if mine.shape != image.shape:
            finding = f"images of shape {shape} come back as {tuple(mine.shape)}"
            return wrong(finding, hint="A padding of 1 keeps the size under a 3×3 kernel.")
        if shape[2] == 12 and torch.equal(mine, tensor(answer(image.cos()))):
            return wrong("another picture gets the same answer", hint="Start from a 3×3 convolution.")
        defect = (tensor(answer(image.roll(1, 3))) - mine.roll(1, 3)).abs().amax((0, 1, 2))
        columns = (defect > 1e-9).nonzero().flatten().tolist()
        if not columns:
            finding = "the answer moves exactly with the picture"
            return wrong(finding, hint="Tell the pixels where they are, before or after.")
        if len(columns) < shape[3]:
            return wrong(
                f"only the columns {columns} disagree",
                hint="What can tell each column where it is? (Weights that add up to 0 would cancel a constant.)",
            )
    return right("Where the place matters, networks are given such knowledge on purpose, as a channel of coordinates.")


@checker("2.6")
def kernel_gradient(answer):
    """a function of (image, g, stride) that returns a K×K tensor."""
    for size, K, stride in (((9, 7), 3, 1), ((9, 9), 3, 2), ((7, 11), 3, 2), ((8, 6), 2, 2), ((6, 5), 5, 1)):
        image, kernel = torch.randn(size), torch.randn(K, K, requires_grad=True)
        slid = _slid(image, kernel, stride=stride)
        g = torch.randn_like(slid)
        slid.backward(g)
        mine = tensor(_two_axes(answer(image, g, stride)), f"{K}×{K}")
        case = f"for a {size[0]}×{size[1]} image, a {K}×{K} kernel and a stride of {stride}"
        if mine.shape != kernel.shape:
            hint = "With a stride of 2 a weight skips every second pixel: g needs gaps."
            hint = hint if stride == 2 else "A slope for each weight: K rows and K columns."
            return wrong(f"{case} your gradient has shape {tuple(mine.shape)}", hint=hint)
        if close(mine, kernel.grad):
            continue
        if close(mine, kernel.grad.flip(0, 1)):
            finding = f"{case} your gradient is turned around"
            return wrong(finding, hint="For the weights nothing is turned; only for the pixels.")
        difference = (mine - kernel.grad).abs().max()
        return wrong(
            f"{case} the largest difference to autograd is {difference:.2g}",
            hint="Sum over all places: g[i, j] times the pixel [stride·i + a, stride·j + b].",
        )
    return right("A stride forwards is a gap backwards: this is a dilated convolution, and can be computed as one.")


COLOURS = "black", "blue", "green", "cyan", "red", "magenta", "yellow", "white"  # (red, green, blue) from 000 to 111


@checker("2.7")
def sun_filter(answer):
    """four numbers, (red, green, blue, bias)."""
    *weights, bias = numbers(answer, 4, "(red, green, blue, bias)")
    answers = {}
    for colour, parts in zip(COLOURS, product((0, 1), repeat=3), strict=True):
        answers[colour] = sum(weight * part for weight, part in zip(weights, parts, strict=True)) + bias
    if answers["white"] <= 0:
        hint = "White has all three colours, and must answer above 0: look at the signs of your weights."
        if sum(weights) > 0:
            hint = "The bias takes too much."
        return wrong(f"the white spot answers {answers['white']:.3g}", hint=hint)
    if answers["black"] > 0:
        return wrong(
            f"black answers {answers['black']:.3g}", hint="All three channels are 0 there, so the answer is the bias."
        )
    for colour, value in answers.items():
        if value > 0 and colour != "white":
            hint = "How much must the bias take away, so that two colours are not enough?"
            if min(weights) <= 0:
                hint = "Each of the three colours must be needed: give each a weight above 0."
            return wrong(f"{colour} answers {value:.3g}, which is above 0", hint=hint)
    return right(
        "The bias is a threshold. Without it nobody could do this: yellow, cyan and magenta at most 0 add up to twice "
        "white at most 0."
    )
