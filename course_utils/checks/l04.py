"""Checkers of lesson 4, A whole CNN in twelve parameters."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from course_utils.exercises import Unattempted, checker, right, wrong

from ._twelve import fresh, train


def _sigmoid(z):
    return 1 / (1 + math.exp(-z))


@checker("4.1")
def two_answers(answer):
    """two numbers, as a list or a pair."""
    w, b, silent, heard = 2, -3, -0.4, 0.4
    expected = [_sigmoid(b), _sigmoid(w * heard + b)]
    answer = torch.as_tensor(answer, dtype=torch.float64).flatten().tolist()
    if len(answer) != 2:
        return wrong(f"your answer is {answer!r}", hint="Give two numbers, for −0.4 and for 0.4.")
    first, second = answer

    def close(a, b):
        return abs(a - b) < 6e-4

    if close(first, expected[1]) and close(second, expected[0]):
        return wrong("the two stand the other way round", hint="The first is the answer for −0.4.")
    if close(first, _sigmoid(w * silent + b)):
        return wrong(f"for −0.4 you have {first:g}", hint="The pooled number passes a ReLU before the linear layer.")
    if close(first, b) or close(second, w * heard + b):
        return wrong(f"you have {first:g} and {second:g}", hint="These are logits. The network ends with a sigmoid.")
    if close(first, 0.5):
        return wrong("for −0.4 you have 0.5", hint="ReLU gives 0, and the linear layer still adds its bias.")
    known = close(first, expected[0]) and close(second, expected[1])
    if not known and max(abs(first - expected[0]), abs(second - expected[1])) <= 0.005:
        return wrong(f"you have {first:g} and {second:g}", hint="That is close. Give three places after the point.")
    if not close(first, expected[0]):
        return wrong(f"for −0.4 you have {first:g}", hint="What does ReLU make of −0.4, and what is left of 2·… − 3?")
    if not close(second, expected[1]):
        return wrong(f"for 0.4 you have {second:g}", hint="ReLU leaves 0.4 as it is: z = 2·0.4 − 3, then the sigmoid.")
    return right("With a positive last weight, the first of the two is the smallest answer that this network can give.")


@checker("4.2")
def paid_out(answer):
    """four rows of four numbers, as a list of lists."""
    maps = torch.tensor([[1.0, 3, 0, -1], [2, 0, -2, 0], [5, 5, -3, -1], [4, 5, -2, -4]], requires_grad=True)
    g = torch.tensor([[1.0, 2], [3, 4]])
    [expected] = torch.autograd.grad(F.max_pool2d(maps[None, None], 2)[0, 0], maps, g)
    answer = torch.as_tensor(answer, dtype=torch.float32)
    if answer.shape != (4, 4):
        return wrong(f"your answer has shape {tuple(answer.shape)}", hint="The feature map is 4×4, so its gradient is.")
    windows = maps.detach().unfold(0, 2, 2).unfold(1, 2, 2)
    shares = (windows == windows.amax((2, 3), keepdim=True)).float()

    def spread(parts):  # 2×2×2×2, windows and the places in them, to 4×4
        return (parts * g[:, :, None, None]).permute(0, 2, 1, 3).reshape(4, 4)

    if torch.allclose(answer, spread(shares / shares.sum((2, 3), keepdim=True)), atol=0.01):
        return wrong("at ties you split the gradient", hint="`amax` splits; `max_pool2d` pays the first one.")
    if torch.allclose(answer, spread(shares)):
        return wrong("at ties you pay every winner in full", hint="Each window pays once: the first in reading order.")
    for part in (0.25, 1):
        if torch.allclose(answer, spread(torch.full((2, 2, 2, 2), part))):
            return wrong("you pay all four places of a window", hint="A mean would. Here the winner gets all.")
    if not torch.equal(answer, expected):
        i, j = (answer != expected).nonzero()[0].tolist()
        if answer[i, j] and expected[i, j]:
            return wrong(
                f"row {i}, column {j} is a winner, but {answer[i, j]:g} is not what it gets",
                hint="A winner gets its window's gradient (1, 2, 3 or 4), whatever its own number is.",
            )
        window = windows[i // 2, j // 2].tolist()
        return wrong(
            f"at row {i}, column {j} you have {answer[i, j]:g}",
            hint=f"Its window is {window}, with the gradient {g[i // 2, j // 2]:g}. Who comes first among its largest?",
        )
    return right("12 of 16 places get nothing, in each step. Who wins changes from picture to picture, so all learn.")


_FUNCTIONS = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "sigmoid": torch.sigmoid,
    "abs": torch.abs, "square": torch.square, "neg": torch.neg,
}  # fmt: skip


@checker("4.3")
def may_swap(answer):
    """a list of names."""
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        return wrong(f"your answer is {answer!r}", hint='Give a list of names, such as ["relu", "abs"].')
    if unknown := set(answer) - set(_FUNCTIONS):
        return wrong(f"there is no {sorted(unknown)[0]!r}", hint=f"The names are {', '.join(_FUNCTIONS)}.")
    window = torch.tensor([[-3.0, -1.0, 0.5, 2.0]])
    for name, function in _FUNCTIONS.items():
        first, last = function(window.amax()).item(), function(window).amax().item()
        if (name in answer) and first != last:
            return wrong(
                f"for −3, −1, 0.5 and 2, {name} of the largest is {first:g}, the largest {name} is {last:g}",
                hint="Only functions that never fall keep the largest the largest.",
            )
    for name in _FUNCTIONS:
        falls = (_FUNCTIONS[name](torch.linspace(-5, 5, 101)).diff() < 0).any()
        if name not in answer and not falls:
            return wrong("at least one is missing", hint="Draw each: does it ever fall when its input grows?")
    return right("Max pooling asks only which number is largest. Whatever keeps the order keeps the answer.")


@checker("4.4")
def kernel_gradient(answer):
    """a function of (picture, kernel, bias, w, b, t) that returns a 3×3 tensor, without autograd."""
    close = partial(torch.allclose, atol=1e-6)  # also for an answer in float32
    torch.manual_seed(0)
    for pooled, w, b, t in [(0.5, 2.0, -1.0, 1.0), (0.6, -1.5, 0.5, 0.0), (-0.5, 2.0, -1.0, 1.0)]:
        picture, kernel = torch.randn(4, 4, dtype=torch.float64), torch.randn(3, 3, dtype=torch.float64)
        bias = pooled - F.conv2d(picture[None, None], kernel[None, None]).mean().item()

        def gradient(hear, bias=bias, picture=picture, kernel=kernel, w=w, b=b, t=t):
            k = kernel.clone().requires_grad_()
            z = w * hear(F.conv2d(picture[None, None], k[None, None]) + bias) + b
            return torch.autograd.grad(F.binary_cross_entropy_with_logits(z, z.new_tensor(t)), k)[0]

        expected = gradient(lambda maps: maps.mean().relu())
        with torch.no_grad():
            mine = torch.as_tensor(answer(picture, kernel, bias, w, b, t), dtype=torch.float64)
        if mine.shape != (3, 3):
            return wrong(
                f"your gradient has shape {tuple(mine.shape)}",
                hint="3×3: one slope for each weight, also where all of them are 0.",
            )
        if close(mine, expected):
            continue
        if close(mine, gradient(lambda maps: maps.relu().mean())):
            return wrong("your ReLU comes before the mean", hint="Those two may not change places: first the mean.")
        if not expected.any():
            return wrong(
                "the filter is silent (its mean is negative), and you send a gradient through",
                hint="The ReLU passes a gradient only where it passed the number.",
            )
        if close(mine, -expected):
            return wrong("the sign is turned", hint="The gradient starts with p − t, answer minus truth.")
        if close(mine, 4 * expected):
            return wrong("it is four times too large", hint="The mean gives each of the four places a quarter.")
        if close(mine, gradient(lambda maps: maps.amax().relu())):
            return wrong("this is the gradient of max pooling", hint="A mean pays all four places, a quarter each.")
        if close(mine * w, expected):
            return wrong("it lacks the factor w", hint="z = w·heard + b, so what is heard gets w times z's gradient.")
        if close(mine, gradient(lambda maps: maps.mean().relu(), bias=0)):
            return wrong("the convolution's bias is missing", hint="It is added before the ReLU, and moves p.")
        p = 1 / (1 + math.exp(-w * max(pooled, 0) - b))
        if close(mine, p * (1 - p) * expected):
            return wrong("it has a factor p(1 − p) too many", hint="p − t holds the sigmoid's slope already.")
        difference = (mine - expected).abs().max()
        return wrong(
            f"for t = {t:g} the largest difference to autograd is {difference:.2g}",
            hint="p − t, times w, through the ReLU, a quarter to each place, times that place's window; add the four.",
        )
    return right("A mean pays everyone a little, the maximum pays one fully. So max pooling's gradient is sparse.")


class _Calls(TorchFunctionMode):
    """Counts how often PyTorch is called."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


@checker("4.5")
def answers_of_all(answer):
    """a function of (pictures, kernels, biases, w, b) that returns an M×N tensor."""
    torch.manual_seed(0)
    M, N = 5, 3
    pictures, kernels = torch.randn(N, 1, 4, 4, dtype=torch.float64), torch.randn(M, 3, 3, dtype=torch.float64)
    biases, w, b = torch.randn(3, M, dtype=torch.float64)

    def forward(pool=torch.amax, gate=F.relu, last=torch.sigmoid, biases=biases, w=w, b=b):
        rows = [pool(F.conv2d(pictures, kernels[m, None, None]), (1, 2, 3)) + biases[m] for m in range(M)]
        return torch.stack([last(w[m] * gate(row) + b[m]) for m, row in enumerate(rows)])

    def close(other):
        return torch.allclose(mine, other, atol=1e-6)  # also for an answer in float32

    def calls(*given):
        with _Calls() as counter:
            torch.as_tensor(answer(*given))
        return counter.count

    mine = torch.as_tensor(answer(pictures, kernels, biases, w, b), dtype=torch.float64)
    if mine.shape == (N, M):
        return wrong("you return N×M", hint="A row for each network: turn it with .T at the end.")
    if mine.shape != (M, N):
        return wrong(
            f"5 networks and 3 pictures give shape {tuple(mine.shape)}",
            hint="conv2d with M filters gives N×M×2×2. Take the largest over the last two axes.",
        )
    if close(forward(gate=lambda h: h)):
        return wrong("there is no ReLU in it", hint="What is heard is the pooled number, or 0 if that is negative.")
    if close(forward(last=lambda z: z)):
        return wrong("these are logits", hint="The network ends with a sigmoid.")
    if close(forward(pool=torch.mean)):
        return wrong("you take the mean of the four places", hint="This network's pooling takes the largest.")
    if close(forward(w=torch.ones(M), b=torch.zeros(M))):
        return wrong("w and b are missing", hint="z = w·heard + b, before the sigmoid.")
    if close(forward(biases=torch.zeros(M, dtype=torch.float64))):
        return wrong("the convolution's biases are missing", hint="conv2d takes them as its third argument.")
    if not close(forward()):
        return wrong(
            f"the largest difference is {(mine - forward()).abs().max():.2g}",
            hint="Each network's own w and b belong to its own column of the N×M pooled numbers.",
        )
    if calls(pictures, kernels, biases, w, b) != calls(pictures, kernels[:2], biases[:2], w[:2], b[:2]):
        return wrong("more networks take more calls of PyTorch", hint="Let one conv2d work for all, without a loop.")
    return right("vmap does the same behind your back: it turns M convolutions into one with M filters.")


@checker("4.6")
def initialise(answer):
    """a function that changes the numbers of a network in place."""
    models, gave_back = [fresh(seed) for seed in range(100)], True
    untouched = torch.stack([nn.utils.parameters_to_vector(model.parameters()) for model in models])
    with torch.no_grad():
        for model in models:
            try:
                answer(model)
            except Unattempted:  # it returns nothing; that is fine if it has changed the model
                gave_back = False
    if repr(models[0]) != repr(fresh(0)):
        return wrong("the network has other layers now", hint="Leave the layers alone and change their numbers.")
    numbers = torch.stack([nn.utils.parameters_to_vector(model.parameters()) for model in models])
    if torch.equal(numbers, untouched):
        if not gave_back:
            raise Unattempted
        return wrong("no number of the networks has changed", hint="Change them in place, as nn.init.zeros_ does.")
    if len(numbers[:, :9].unique(dim=0)) < len(models):
        return wrong("some seeds now have equal kernels", hint="Leave chance in the kernel, and change other numbers.")
    born, grown, losses = train(models, epochs=200)
    stuck = ~(losses <= 0.6)  # so that a loss that is no number counts as stuck
    if not stuck.any():
        return right("AlexNet (2012) set many biases to 1 for its ReLUs. Many filters are the other insurance.")
    if born.any():
        return wrong(
            f"{stuck.sum()} of 100 are stuck, {born.sum()} were born silent",
            hint="A filter is born silent when all its places lie below its threshold. Which number is the threshold?",
        )
    if grown.any():
        return wrong(
            f"none is born silent, but {grown.sum()} of 100 fall silent on the way",
            hint="They lost the race. Give the filter more to lose, or the last weight no wrong sign to begin with.",
        )
    return wrong(
        f"none is silent, but {stuck.sum()} of 100 still have a loss above 0.6",
        hint="What is heard of both pictures must differ clearly, and not be drowned by what is added to both.",
    )


@checker("4.7")
def loss_with_logits(answer):
    """a function of (z, t) that returns the loss of each entry, a tensor computed from z."""
    z = torch.tensor([0.0, 1.5, -2.0, 30.0, -30.0, 1000.0, -1000.0]).repeat(2)
    t = torch.tensor([0.0, 1.0]).repeat_interleave(7)
    mine, expected = answer(z, t).to(z.dtype), F.binary_cross_entropy_with_logits(z, t, reduction="none")
    if mine.shape != z.shape:
        return wrong(
            f"14 logits give shape {tuple(mine.shape)}", hint="One loss for each entry, without a mean at the end."
        )
    small = z.abs() < 10
    if torch.allclose(mine[small], expected.roll(7)[small], atol=1e-4):
        return wrong("the labels are exchanged", hint="At t = 1 the loss falls when z rises.")
    for k in (~torch.isclose(mine, expected, rtol=1e-4, atol=1e-6)).nonzero().flatten().tolist()[:1]:
        finding = f"for z = {z[k]:g} and t = {t[k]:g} you have {mine[k]:g} instead of {expected[k]:.4g}"
        if z[k].abs() == 30:
            return wrong(finding, hint="Somewhere a probability was rounded to 1, or cut off. Never form p.")
        if z[k].abs() == 1000:
            return wrong(finding, hint="eᶻ overflows. Since ln(1 + eᶻ) = z + ln(1 + e⁻ᶻ), choose by the sign of z.")
        return wrong(finding, hint="−ln σ(z) = ln(1 + e⁻ᶻ), and ln(1 + e⁻ᶻ) = ln(1 + eᶻ) − z.")
    leaf = z.clone().requires_grad_()
    [slopes] = torch.autograd.grad(answer(leaf, t).sum(), leaf)
    off = ~torch.isclose(slopes, z.sigmoid() - t, atol=1e-4) & (z != 0)  # at 0 a clamp has no one slope
    for k in off.nonzero().flatten().tolist()[:1]:
        return wrong(
            f"the losses are right, but for z = {z[k]:g} and t = {t[k]:g} autograd's slope is {slopes[k]:g}",
            hint="torch.where computes both sides, and one that overflowed sends back nan even where it is not taken.",
        )
    return right("For a wrong answer the loss grows like |z| and its slope stays 1: nobody is too wrong to learn.")
