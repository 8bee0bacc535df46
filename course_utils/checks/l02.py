"""Checkers of lesson 2, Convolution by hand."""

import torch
import torch.nn.functional as F

from course_utils.exercises import checker, right, wrong


def _extra_axes(answer):
    """A verdict for an answer of four axes where two were asked, or None."""
    if getattr(answer, "ndim", 2) == 4:
        return wrong(
            f"your answer has shape {tuple(answer.shape)}", hint="Take the two added axes away again with [0, 0]."
        )
    return None


def _slid(image, kernel, **options):
    """Cross-correlation of one H×W image with one K×L kernel, by torch."""
    return F.conv2d(image[None, None], kernel[None, None], **options)[0, 0]


@checker("2.1")
def pencil(answer):
    """two rows of two numbers, as a list of lists."""
    image, kernel = torch.tensor([[1.0, 2, 0], [0, 1, 3], [4, 0, 1]]), torch.tensor([[1.0, 0], [2, -1]])
    answer, expected = torch.as_tensor(answer, dtype=torch.float32), _slid(image, kernel)
    if answer.shape != (2, 2):
        return wrong(
            f"your answer has shape {tuple(answer.shape)}", hint="The kernel fits at two places along each axis."
        )
    if torch.equal(answer, _slid(image, kernel.flip(0, 1))):
        return wrong(
            "these are the numbers of the kernel turned around", hint="Slide it as it is; turning comes in 2.2."
        )
    if torch.equal(answer, image[:2, :2] @ kernel):
        return wrong("this is a matrix product", hint="Multiply what lies on top of each other, then add all four.")
    if not torch.equal(answer, expected):
        i, j = (answer != expected).nonzero()[0].tolist()
        return wrong(
            f"at row {i}, column {j} you have {answer[i, j]:g}",
            hint=f"The window there is {image[i : i + 2, j : j + 2].tolist()}. Multiply pairs, then add the four.",
        )
    return right("Four dot products of length 4: sixteen multiplications, as in every convolution of this size.")


@checker("2.2")
def true_convolution(answer):
    """a function of (image, kernel) that returns a tensor."""
    torch.manual_seed(0)
    image, kernel = torch.randn(6, 7, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)
    mine, expected = answer(image, kernel), _slid(image, kernel.flip(0, 1))
    if (verdict := _extra_axes(mine)) is not None:
        return verdict
    if mine.shape != expected.shape:
        return wrong(
            f"a 6×7 image and a 3×2 kernel give shape {tuple(mine.shape)}",
            hint="Only the places where the kernel fits: 4×6 of them.",
        )
    if torch.allclose(mine, _slid(image, kernel)):
        return wrong("this is cross-correlation", hint="The kernel must be turned before it slides.")
    if any(torch.allclose(mine, _slid(image, kernel.flip(axis))) for axis in (0, 1)):
        return wrong("the kernel was mirrored along one axis only", hint="Half a turn flips rows and columns.")
    if not torch.allclose(mine, expected):
        return wrong(
            f"the largest difference is {(mine - expected).abs().max():.2g}",
            hint="Send an impulse through: the kernel itself must come out.",
        )
    return right("Turned twice is not turned at all: give it a turned kernel, and you have cross-correlation back.")


@checker("2.3")
def counts(answer):
    """a pair (weights, parameters)."""
    layer = torch.nn.Conv2d(3, 8, 5)
    weights, biases = layer.weight.numel(), layer.bias.numel()
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return wrong(f"your answer is {answer!r}", hint="Give two numbers: (weights, parameters).")
    if tuple(answer) == (weights + biases, weights):
        return wrong("the two stand the other way round", hint="Give (weights, parameters): parameters include biases.")
    if answer[0] == weights // 3:
        return wrong(f"you count {answer[0]} weights", hint="A filter has one kernel for each of the 3 channels.")
    if answer[0] != weights:
        return wrong(f"you count {answer[0]} weights", hint="filters × channels × rows × columns of the kernel.")
    if answer[1] == weights + 3 * biases:
        return wrong(f"you count {answer[1]} parameters", hint="One bias a filter, not one a channel.")
    if answer[1] != weights + biases:
        return wrong(
            f"you count {answer[1]} parameters", hint="Add the biases to the weights: how many filters are there?"
        )
    return right("The size of the picture appears nowhere: the same layer reads a stamp and a poster.")


@checker("2.4")
def detector(answer):
    """a 3×3 tensor."""
    answer = torch.as_tensor(answer, dtype=torch.float64)
    if (verdict := _extra_axes(answer)) is not None:
        return verdict
    if answer.shape != (3, 3):
        return wrong(f"your kernel has shape {tuple(answer.shape)}", hint="It must cover three by three pixels.")

    def reply(row):
        return (torch.tensor([row] * 3, dtype=torch.float64) * answer).sum().item()

    rises = [reply([0, 1, 1]), reply([0, 0, 1])]
    if abs(flat := answer.sum().item()) > 1e-6:
        return wrong(f"a flat white spot answers {flat:.3g}", hint="All nine weights must add up to 0.")
    down = [
        (torch.tensor([[a] * 3, [b] * 3, [1.0] * 3], dtype=torch.float64) * answer).sum().item()
        for a, b in ((0, 0), (0, 1))
    ]
    if max(map(abs, down)) > 1e-6:
        return wrong(
            f"a step from top to bottom answers {max(down, key=abs):.3g}", hint="Each row must add up to 0 by itself."
        )
    if rises[0] < 0:
        return wrong(f"a rise answers {rises[0]:.3g}", hint="Which side must carry the minus?")
    if abs(rises[0] - rises[1]) > 1e-6:
        return wrong(
            f"a rise answers {rises[0]:.3g} or {rises[1]:.3g}, depending on where the step is",
            hint="The middle column must not have a say.",
        )
    if abs(rises[0] - 1) > 1e-6:
        return wrong(f"a rise answers {rises[0]:.3g}", hint="The pattern is right. What would divide the answer to 1?")
    return right("A fall needed no test of its own: it is a flat spot minus a rise, and convolution is linear.")


@checker("2.5")
def position_aware(answer):
    """a function of N×1×H×W images that returns the same shape."""
    torch.manual_seed(0)
    image = torch.randn(2, 1, 12, 16, dtype=torch.float64)
    mine = answer(image)
    if not torch.equal(mine, answer(image)):
        return wrong("the same picture gives two answers", hint="Make the weights once, without drawing them anew.")
    if mine.shape != image.shape:
        return wrong(
            f"images of shape {tuple(image.shape)} come back as {tuple(mine.shape)}",
            hint="A padding of 1 keeps the size under a 3×3 kernel.",
        )
    defect = (answer(image.roll(1, 3)) - mine.roll(1, 3)).abs().amax((0, 1, 2))
    columns = (defect > 1e-9).nonzero().flatten().tolist()
    if not columns:
        return wrong(
            "the answer moves exactly with the picture", hint="Tell the pixels where they are, before or after."
        )
    if len(columns) < image.shape[3]:
        return wrong(
            f"only the columns {columns} disagree",
            hint="What can tell each column where it is? (Weights that add up to 0 would cancel a constant.)",
        )
    return right("Where the place matters, networks are given such knowledge on purpose, as a channel of coordinates.")


@checker("2.6")
def kernel_gradient(answer):
    """a function of (image, g, stride) that returns a K×K tensor."""
    for stride in (1, 2):
        torch.manual_seed(0)
        image = torch.randn(9, 9, dtype=torch.float64)
        kernel = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
        slid = _slid(image, kernel, stride=stride)
        g = torch.randn_like(slid)
        slid.backward(g)
        mine = answer(image, g, stride)
        if (verdict := _extra_axes(mine)) is not None:
            return verdict
        if mine.shape != kernel.shape:
            return wrong(
                f"with stride {stride} your gradient has shape {tuple(mine.shape)}, the kernel (3, 3)",
                hint="With a stride of 2 a weight skips every second pixel: g needs gaps.",
            )
        if torch.allclose(mine, kernel.grad.flip(0, 1)):
            return wrong(
                "your gradient is turned around", hint="For the weights nothing is turned; only for the pixels."
            )
        if not torch.allclose(mine, kernel.grad):
            return wrong(
                f"with stride {stride} the largest difference to autograd is {(mine - kernel.grad).abs().max():.2g}",
                hint="Sum over all places: g[i, j] times the pixel [stride·i + a, stride·j + b].",
            )
    return right("A stride forwards is a gap backwards: this is a dilated convolution, and can be computed as one.")
