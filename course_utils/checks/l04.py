"""Checkers of lesson 4, A whole CNN in twelve parameters."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.exercises import checker, right, wrong

from ._answers import RETURNED, GaveNothing, Refused, close, near, numbers, table, tensor, texts
from ._call import is_stub


def _sigmoid(z):
    return 1 / (1 + math.exp(-z))


@checker("4.1")
def two_answers(answer):
    """two numbers, as a list or a pair."""
    w, b, silent_, heard = 2, -3, -0.4, 0.4
    expected = [_sigmoid(b), _sigmoid(w * heard + b)]
    first, second = numbers(answer, 2, "for −0.4 and for 0.4")

    def is_like(a, b, places=3):
        return near(first, a, places=places) and near(second, b, places=places)

    if is_like(*expected):
        return right("With a positive last weight, the first is the smallest answer that this network can give.")
    finding = f"you have {first:g} and {second:g}"
    if is_like(*expected[::-1]):
        return wrong("the two stand the other way round", hint="The first is the answer for −0.4.")
    if near(first, _sigmoid(w * silent_ + b), places=3):
        return wrong(f"for −0.4 you have {first:g}", hint="The pooled number passes a ReLU before the linear layer.")
    if near(first, b, places=3) or near(second, w * heard + b, places=3):
        return wrong(finding, hint="These are logits. The network ends with a sigmoid.")
    if is_like(1 - expected[0], 1 - expected[1]):
        return wrong(finding, hint="Each is 1 less the answer. Which sign has the exponent in the sigmoid?")
    if is_like(100 * expected[0], 100 * expected[1], places=1):
        return wrong(finding, hint="A sigmoid answers with numbers from 0 to 1, not in per cent.")
    if near(first, 0.5, places=3):
        return wrong("for −0.4 you have 0.5", hint="ReLU gives 0. What does the linear layer make of a 0?")
    if is_like(*expected, places=2):
        return wrong(finding, hint="That is close. Round to three places after the point.")
    if not near(first, expected[0], places=3):
        return wrong(f"for −0.4 you have {first:g}", hint="What does ReLU make of −0.4, and what is left of 2·… − 3?")
    return wrong(f"for 0.4 you have {second:g}", hint="ReLU leaves 0.4 as it is. Which two steps are still to come?")


@checker("4.2")
def paid_out(answer):
    """four rows of four numbers, as a list of lists."""
    maps = torch.tensor([[1.0, 3, 0, -1], [2, 0, -2, 0], [5, 5, -3, -1], [4, 5, -2, -4]], requires_grad=True)
    g = torch.tensor([[1.0, 2], [3, 4]])
    [expected] = torch.autograd.grad(F.max_pool2d(maps[None, None], 2)[0, 0], maps, g)
    mine = table(answer, "four rows of four numbers, such as [[1, 2, 3, 4], …]")
    if mine.shape != (4, 4):
        return wrong(f"your answer has shape {tuple(mine.shape)}", hint="The feature map is 4×4, so its gradient is.")
    if close(mine, expected):
        return right("12 of 16 places get nothing, in each step. Who wins changes from picture to picture: all learn.")
    windows = maps.detach().unfold(0, 2, 2).unfold(1, 2, 2)
    shares = (windows == windows.amax((2, 3), keepdim=True)).float()

    def is_like(parts):  # 2×2×2×2, windows and what the places in them are paid
        spread = (parts * g[:, :, None, None]).permute(0, 2, 1, 3).reshape(4, 4)
        return close(mine, spread, tolerance=0.01)

    if is_like(shares / shares.sum((2, 3), keepdim=True)):
        return wrong(
            "at ties you split the gradient", hint="`amax` splits. Which of the winners does `max_pool2d` pay?"
        )
    if is_like(shares):
        return wrong("at ties you pay every winner in full", hint="Each window pays once. To which of its winners?")
    if is_like(torch.full((2, 2, 2, 2), 0.25)) or is_like(torch.ones(2, 2, 2, 2)):
        return wrong("you pay all four places of a window", hint="A mean would. What does a maximum depend on?")
    last_first = shares.flatten(2).flip(2)
    if is_like(F.one_hot(last_first.argmax(2), 4).flip(2).view(2, 2, 2, 2)):
        return wrong("at ties you pay the last winner", hint="Look again at whom `max_pool2d` pays in the lesson.")
    i, j = ((mine - expected).abs() > 1e-4).nonzero()[0].tolist()
    if mine[i, j] and expected[i, j]:
        return wrong(
            f"row {i}, column {j} is a winner, but {mine[i, j]:g} is not what it gets",
            hint="A winner gets its window's gradient (1, 2, 3 or 4), whatever its own number is.",
        )
    window = windows[i // 2, j // 2].tolist()
    return wrong(
        f"at row {i}, column {j} you have {mine[i, j]:g}",
        hint=f"Its window is {window}. Which is the largest of these four, and if there are several, who is paid?",
    )


_FUNCTIONS = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "sigmoid": torch.sigmoid,
    "abs": torch.abs, "square": torch.square, "neg": torch.neg,
}  # fmt: skip


@checker("4.3")
def may_swap(answer):
    """a list of names."""
    mine = texts(answer, 'a list of names, such as ["tanh", "exp"]')
    for name in mine:
        if name not in _FUNCTIONS:
            return wrong(f"there is no {name[:40]!r}", hint=f"The names are {', '.join(_FUNCTIONS)}.")
    if len(set(mine)) < len(mine):
        return wrong("a name stands there twice", hint="Each name once.")
    window = torch.tensor([[-3.0, -1.0, 0.5, 2.0]])
    falling = []
    for name, function in _FUNCTIONS.items():
        first, last = function(window.amax()).item(), function(window).amax().item()
        falling += [name] * (first != last)
        if name in mine and first != last:
            return wrong(
                f"for −3, −1, 0.5 and 2, {name} of the largest is {first:g}, the largest {name} is {last:g}",
                hint="Which functions keep the largest the largest? Draw them.",
            )
    if len(mine) + len(falling) < len(_FUNCTIONS):
        return wrong("at least one is missing", hint="Draw each: does it ever fall when its input grows?")
    return right("Max pooling asks only which number is largest. Whatever keeps the order keeps the answer.")


def _gradient(picture, kernel, bias, w, b, t, hear=lambda maps: maps.mean().relu()):
    """The kernel's gradient in exercise 4.4; `hear` is what comes between the convolution and the linear layer."""
    kernel = kernel.clone().requires_grad_()
    z = w * hear(F.conv2d(picture[None, None], kernel[None, None]) + bias) + b
    return torch.autograd.grad(F.binary_cross_entropy_with_logits(z, torch.full_like(z, t)), kernel)[0]


@checker("4.4", without=("backward", "grad", "_make_dual"))  # the last is autograd forwards
def kernel_gradient(answer):
    """a function of (picture, kernel, bias, w, b, t) that returns a 3×3 tensor, without autograd."""
    for pooled, w, b, t in (
        (0.4, 2, -1.0, 1), (0.6, -1.5, 0.5, 0.0), (-0.5, 2.0, -1.0, 1.0), (0.3, 0.7, 1.2, 1.0), (-0.2, -1.0, 0.4, 0),
    ):  # fmt: skip
        picture, kernel = torch.randn(4, 4, dtype=torch.float64), torch.randn(3, 3, dtype=torch.float64)
        bias = pooled - F.conv2d(picture[None, None], kernel[None, None]).mean().item()
        setting, expected = (picture, kernel, bias, w, b, t), _gradient(picture, kernel, bias, w, b, t)
        mine = table(answer(*setting), "a 3×3 tensor", what=RETURNED)
        case = f"with a mean of {pooled:g}, w = {w:g} and t = {t:g}"
        if mine.shape != (3, 3):
            hint = "3×3: one slope for each weight, also where all of them are 0."
            return wrong(f"{case} your gradient has shape {tuple(mine.shape)}", hint=hint)
        if close(mine, expected):
            continue
        if close(mine, _gradient(*setting, hear=lambda maps: maps.relu().mean())):
            return wrong(f"{case} your ReLU comes before the mean", hint="Those two may not change places.")
        if not expected.any():
            return wrong(
                f"{case} the filter is silent, and you send a gradient through",
                hint="The ReLU passes a gradient only where it passed the number.",
            )
        if close(mine, _gradient(*setting, hear=lambda maps: maps.amax().relu())):
            return wrong(f"{case} this is the gradient of max pooling", hint="A mean pays all four places, not one.")
        p = _sigmoid(w * max(pooled, 0) + b)
        for other, finding, hint in (
            (-expected, "the sign is turned", "Is it answer minus truth, or truth minus answer?"),
            (4 * expected, "it is four times too large", "What share does each place get of a mean's slope?"),
            (expected / 4, "it is four times too small", "Four places add up, each with its share."),
            (expected / w, "it lacks the factor w", "z = w·heard + b: how fast does z change with what is heard?"),
            (expected * p * (1 - p), "it has a factor p(1 − p) too many", "p − t holds the sigmoid's slope already."),
            (expected / (p - t), "it lacks the slope in z", "At which end does the chain rule begin?"),
            (expected.T, "rows and columns have changed places", "Which pixel of a window meets the weight [0, 2]?"),
            (expected.flip(0, 1), "it is turned around", "Which pixel of a window meets the weight [0, 2]?"),
            (_gradient(picture, kernel, 0, w, b, t), "the convolution's bias is missing", "Where is it added?"),
            (_gradient(picture, kernel, bias, w, 0, t), "b is missing", "z = w·heard + b; without b, p is another."),
        ):
            if close(mine, other):
                return wrong(f"{case} {finding}", hint=hint)
        return wrong(
            f"{case} the largest difference to autograd is {(mine - expected).abs().max():.2g}",
            hint="Check one factor at a time: nudge z, then what is heard, then the mean. How does the loss change?",
        )
    return right("A mean pays everyone a little, the maximum pays one fully. So max pooling's gradient is sparse.")


class _Calls(TorchFunctionMode):
    """Counts how often PyTorch is called. Refuses `vmap`, which calls it with tensors of its own kind."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += 1
        if any(isinstance(value, Tensor) and torch._C._functorch.is_batchedtensor(value) for value in args):
            raise Refused(
                "your function calls vmap", hint="This exercise is about what vmap does: do its work yourself."
            )
        return function(*args, **(kwargs or {}))


def _answers_of_all(pictures, kernels, biases, w, b, *, pool=torch.amax, gate=F.relu, last=torch.sigmoid):
    """The answers of exercise 4.5, M×N, one network after the other."""
    pooled = [pool(F.conv2d(pictures, kernel[None, None]), (1, 2, 3)) for kernel in kernels]
    return torch.stack([last(w[m] * gate(pooled[m] + biases[m]) + b[m]) for m in range(len(kernels))])


@checker("4.5")
def answers_of_all(answer):
    """a function of (pictures, kernels, biases, w, b) that returns an M×N tensor."""
    calls = {}
    for M, N in ((5, 3), (2, 4), (2, 3), (5, 1), (3, 3), (1, 1)):
        pictures, kernels = torch.randn(N, 1, 4, 4).double(), torch.randn(M, 3, 3).double()
        biases, w, b = torch.randn(3, M).double()
        setting, ones, zeros = (pictures, kernels, biases, w, b), torch.ones(M), torch.zeros(M)
        with _Calls() as counter:
            result = answer(*setting)
        calls[M, N] = counter.count
        mine, expected = table(result, "an M×N tensor", what=RETURNED), _answers_of_all(*setting)
        case = f"for M = {M} and N = {N} you give"
        if mine.shape == expected.shape and close(mine, expected):
            continue
        if mine.shape == (N, M) and close(mine.T, expected):
            return wrong(f"{case} {N} rows of {M}", hint="A row for each network, a column for each picture.")
        if mine.shape != (M, N):
            hint = "Print the shape behind each step. Which axis counts networks, which pictures, which places?"
            return wrong(f"{case} shape {tuple(mine.shape)}", hint=hint)
        for other, finding, hint in (
            (_answers_of_all(*setting, gate=lambda h: h), "numbers without a ReLU", "What is heard below 0?"),
            (_answers_of_all(*setting, last=lambda z: z), "logits", "The network ends with a sigmoid."),
            (_answers_of_all(*setting, pool=torch.mean), "answers to the mean of the four places",
             "This network's pooling takes the largest."),
            (_answers_of_all(pictures, kernels, biases, ones, zeros), "answers without w and b",
             "z = w·heard + b, before the sigmoid."),
            (_answers_of_all(pictures, kernels, zeros, w, b), "answers without the convolution's biases",
             "Which of its arguments does conv2d take them as?"),
        ):  # fmt: skip
            if close(mine, other):
                return wrong(f"{case} {finding}", hint=hint)
        return wrong(
            f"{case} numbers that are wrong by up to {(mine - expected).abs().max():.2g}",
            hint="Compute one network alone, as in the lesson, and compare it with its row. Where do w and b go?",
        )
    if calls[5, 3] != calls[2, 3]:
        return wrong("more networks take more calls of PyTorch", hint="Let one conv2d work for all, without a loop.")
    if calls[5, 3] != calls[5, 1]:
        return wrong("more pictures take more calls of PyTorch", hint="A convolution takes a batch: no loop is needed.")
    return right("vmap does the same behind your back: it turns M convolutions into one with M filters.")


def _kinds(model):
    return {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}


PICTURES = torch.tensor(
    [[[1, 2, 3, 4], [2, 3, 4, 5], [5, 6, 7, 8], [1, 3, 4, 5]],
     [[-1, 2, 3, -4], [2, -3, 4, 5], [-5, 6, -7, 8], [-1, -3, -4, -5]]], dtype=torch.float64, device="cpu"
)[:, None] / 8  # fmt: skip
WINDOWS = F.unfold(PICTURES, kernel_size=3)  # 2×9×4: a picture's four windows as columns


def _fresh(seed: int) -> nn.Sequential:
    """The lesson's network, as a seed makes it."""
    torch.default_generator.manual_seed(seed)
    front = (nn.Conv2d(1, 1, kernel_size=3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*front, nn.Linear(1, 1), nn.Sigmoid()).double()


def _numbers_of(model: nn.Module) -> Tensor:
    """A copy of its twelve numbers: nine of the kernel, the bias, the last weight, the last bias."""
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def _pooled(numbers: Tensor) -> Tensor:
    """What M networks, a row of numbers each, hand to their ReLU: M×2, for both pictures."""
    return (numbers[:, :9] @ WINDOWS + numbers[:, 9, None]).max(2).values.T


def _silent(numbers: Tensor) -> Tensor:
    """Which of the networks are silent on both pictures."""
    return (_pooled(numbers) <= 0).all(1)


def _train(numbers: Tensor, epochs: int) -> tuple[Tensor, Tensor]:
    """Train M networks side by side, as the lesson does, with Adam by hand. Their last numbers, M×12, and losses."""
    numbers, mean, square = numbers.clone(), torch.zeros_like(numbers), torch.zeros_like(numbers)
    for step in range(1, 2 * epochs + 1):
        label = (step - 1) % 2
        pooled, place = (numbers[:, :9] @ WINDOWS[label] + numbers[:, 9, None]).max(1)
        slope = (numbers[:, 10] * pooled.relu() + numbers[:, 11]).sigmoid()[:, None] - label
        back = slope * numbers[:, 10, None] * (pooled > 0)[:, None]
        gradient = torch.cat([back * WINDOWS[label].T[place], back, slope * pooled.relu()[:, None], slope], 1)
        mean, square = torch.lerp(mean, gradient, 0.1), torch.lerp(square, gradient**2, 0.001)
        numbers -= 0.01 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    z = numbers[:, 10, None] * _pooled(numbers).relu() + numbers[:, 11, None]
    labels = torch.tensor([0.0, 1.0], dtype=torch.float64).expand_as(z)
    return numbers, F.binary_cross_entropy_with_logits(z, labels, reduction="none").mean(1)


@checker("4.6", changes=True)
def initialise(answer):
    """a function that changes the numbers of a network in place."""
    models = [_fresh(seed) for seed in range(100)]
    layers, kinds, nothing = repr(models[0]), _kinds(models[0]), None
    untouched = torch.stack([_numbers_of(model) for model in models])
    for model in models:
        try:
            answer(model)
        except GaveNothing as raised:  # that is fine, if it has changed the model
            nothing = raised
        except RuntimeError as problem:
            if "in-place" in str(problem):
                hint = "A change must not be recorded: torch.no_grad(), or a function of nn.init."
                return wrong(f"PyTorch says: {problem}", hint=hint)
            raise
        if repr(model) != layers or _kinds(model) != kinds:
            finding = "the network has other layers now, or numbers of another shape or type"
            return wrong(finding, hint="Leave the layers alone and write into their tensors, as nn.init.zeros_ does.")
    start = torch.stack([_numbers_of(model) for model in models])
    if torch.equal(start, untouched):
        if nothing is not None and is_stub(nothing.function):
            raise nothing
        return wrong("no number of the networks has changed", hint="Change them in place, as nn.init.zeros_ does.")
    if not start.isfinite().all():
        return wrong("some numbers of the networks are nan or inf", hint="What have you written into them?")
    if len(start[:, :9].round(decimals=2).unique(dim=0)) < len(models):
        return wrong("some seeds now have equal kernels", hint="Leave chance in the kernel, and change other numbers.")
    if count := _silent(start).sum():
        return wrong(
            f"{count} of 100 are born silent",
            hint="A filter is born silent when all its places lie below its threshold. Which number is the threshold?",
        )
    end, losses = _train(start, epochs=200)
    stuck = (~(losses <= 0.6)).sum()  # so that a loss that is no number counts as stuck
    if not stuck:
        return right("AlexNet (2012) set many biases to 1 for its ReLUs. Many filters are the other insurance.")
    if count := _silent(end).sum():
        return wrong(
            f"none is born silent, but {count} of 100 fall silent on the way",
            hint="They lost the race. Which of the two runners could start elsewhere, and where?",
        )
    return wrong(
        f"none is silent, but {stuck} of 100 still have a loss above 0.6",
        hint="Print what is heard of both pictures at the start. How much of it is the same for both?",
    )


LOSSES = (
    "binary_cross_entropy_with_logits", "binary_cross_entropy", "soft_margin_loss", "multilabel_soft_margin_loss",
    "cross_entropy", "cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss_forward",
)  # fmt: skip


@checker("4.7", without=LOSSES)
def loss_with_logits(answer):
    """a function of (z, t) that returns the loss of each entry, a tensor computed from z."""
    for logits, shape in (
        ([0.0, 1.5, -2.0, 0.3, 9.0, -9.0], (12,)),
        ([30.0, -30.0, 16.0, -17.0], (4, 2)),  # where σ(z) or 1 − σ(z) is rounded to 1
        ([1000.0, -1000.0, 89.0, -104.0], (2, 4)),  # where eᶻ or e⁻ᶻ overflows
    ):
        z, t = torch.tensor(logits).repeat_interleave(2), torch.tensor([0.0, 1.0]).repeat(len(logits))
        leaf = z.view(shape).clone().requires_grad_()
        result = answer(leaf, t.view(shape))
        rounded = "Is a probability formed on the way? In float32, σ(30) is 1. Never form p."
        if max(logits) > 9 and isinstance(result, Tensor) and not result.isfinite().all():
            overflow = "eᶻ overflows. Which form of ln(1 + eᶻ) has no positive exponent?"
            finding = f"for logits up to {max(logits):g} your losses hold {'nan' if result.isnan().any() else 'inf'}"
            return wrong(finding, hint=rounded if max(logits) == 30 else overflow)
        mine = tensor(result, "×".join(map(str, shape)))
        if mine.shape != shape:
            finding = f"logits of shape {shape} give losses of shape {tuple(mine.shape)}"
            return wrong(finding, hint="One loss for each entry, without a mean at the end.")
        mine = mine.flatten()
        expected = F.binary_cross_entropy_with_logits(z.double(), t.double(), reduction="none")
        if close(mine, F.binary_cross_entropy_with_logits(z.double(), 1 - t.double(), reduction="none")):
            return wrong("the labels are exchanged", hint="At t = 1 the loss falls when z rises.")
        for k in (~torch.isclose(mine, expected, rtol=1e-4, atol=1e-6)).nonzero().flatten().tolist()[:1]:
            hint = "−ln p for t = 1, −ln(1 − p) for t = 0. What is ln(1 + eᶻ) − t·z in each case?"
            if max(logits) > 9:
                hint = rounded if max(logits) == 30 else "Has something been cut off? The loss grows on with |z|."
            finding = f"for z = {z[k]:g} and t = {t[k]:g} you have {mine[k]:g} instead of {expected[k]:.4g}"
            return wrong(finding, hint=hint)
        if not result.requires_grad:
            hint = "Compute it from z with PyTorch's functions, without item(), detach() or no_grad()."
            return wrong("autograd has no record of your loss", hint=hint)
        slopes = torch.autograd.grad(result.sum(), leaf)[0].flatten()
        off = (~torch.isclose(slopes, z.sigmoid() - t, atol=1e-5)).nonzero().flatten().tolist()
        for k in sorted(off, key=lambda k: z[k] == 0)[:1]:  # 0 last: a kink is the cause only if all else is right
            hint = "Draw the slope over z. Is a part of the loss cut off there, or unknown to autograd?"
            if not slopes[k].isfinite():
                hint = "Has torch.where a side that overflows? It sends back nan even where it is not taken."
            elif z[k] == 0:
                hint = "The loss is smooth at 0. Has it been put together from functions with a kink there?"
            finding = f"the losses are right, but for z = {z[k]:g} and t = {t[k]:g} autograd's slope is {slopes[k]:g}"
            return wrong(finding, hint=hint)
    return right(
        "For a wrong answer the loss grows like |z| and its slope stays 1: nobody is too wrong to learn. "
        "In one call, ln(1 + eᶻ) is `torch.logaddexp(z, torch.zeros_like(z))`."
    )
