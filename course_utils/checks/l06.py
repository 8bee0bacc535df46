"""Checkers of lesson 6, LeNet on MNIST."""

import math

import torch
from torch import nn

from course_utils import networks
from course_utils.exercises import checker, right, target, wrong
from course_utils.shapes import count_parameters


@checker("6.1")
def first_loss(answer):
    """one number."""
    for base in (10, 2):
        if abs(answer - math.log(1000, base)) < 0.01:
            return wrong(f"{answer} is a logarithm to base {base}", hint="Cross-entropy uses the natural logarithm.")
    if abs(answer - math.log(10)) < 0.01:
        return wrong(f"{answer:.3f} belongs to ten classes", hint="How large is the probability of each class here?")
    if abs(answer + math.log(1000)) < 0.01:
        return wrong("the sign is turned", hint="The loss is minus the logarithm of a probability.")
    if not abs(answer - math.log(1000)) <= 0.01:  # true of NaN, too
        return wrong(f"your loss is {answer:g}", hint="Minus the logarithm of the probability that each class gets.")
    return right(
        "A network that starts far above this has a last layer that is sure of something, before it knows anything."
    )


@checker("6.2")
def c3(answer):
    """a pair (with_table, without)."""
    maps, kernels, weights = 16, 6 * 3 + 9 * 4 + 6, 25
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return wrong(f"your answer is {answer!r}", hint="Give two numbers: (with_table, without).")
    with_table, without = answer
    if with_table == kernels * weights:
        return wrong(f"{with_table} counts weights only", hint="Each of the 16 maps has a bias too.")
    if with_table == kernels * (weights + 1):
        return wrong(
            f"{with_table} gives every kernel a bias", hint="One bias for each map, however many maps it reads."
        )
    if with_table != kernels * weights + maps:
        return wrong(
            f"{with_table} with the table", hint="Count the digits in C3_TABLE: each is a kernel of 25 weights."
        )
    if without != maps * 6 * weights + maps:
        return wrong(f"{without} without the table", hint="16 filters of 6·5·5 weights, each with one bias.")
    return right("The table saves 900 weights of 60,000. Its other aim was to break the symmetry between maps.")


@checker("6.3")
def side(answer):
    """a function of n."""
    features = networks.lenet()[:6]
    for n in (28, 32, 29, 30, 64):
        expected = features(torch.zeros(1, 1, n, n)).shape[-1]
        mine = answer(n)
        if mine == expected:
            continue
        if mine == n // 4 - 4:
            hint = "The second convolution comes before the second pooling."
        elif not float(mine).is_integer():
            hint = "Pooling drops a lone last column: round down."
        else:
            hint = "Go layer by layer: padding 2 keeps n under a 5×5 kernel, a 5×5 kernel without padding takes 4."
        return wrong(f"side({n}) is {mine}, the network says {expected}", hint=hint)
    return right("So widths from 28 to 31 all give 5: pooling drops the last column of a map of odd width.")


@checker("6.4")
def connections(answer):
    """a list of seven numbers."""
    names = ["C1", "S2", "C3", "S4", "C5", "F6", "output"]
    expected = [6 * 28 * 28 * 26, 6 * 14 * 14 * 5, 1516 * 100, 16 * 5 * 5 * 5, 120 * 401, 84 * 121, 840]
    if not isinstance(answer, tuple | list) or len(answer) != len(names):
        return wrong(f"your answer is {answer!r}", hint=f"Give seven numbers, for {', '.join(names)}.")
    if answer[2] == 2416 * 100:
        return wrong("your C3 reads all six maps everywhere", hint="Use the count of the table, exercise 6.2.")
    for name, mine, count in zip(names, answer, expected, strict=True):
        if mine != count:
            hints = {
                "C3": "Your count of exercise 6.2, at 10·10 places.",
                "output": "10 distances to 84 numbers, no bias.",
            }
            hint = hints.get(name, "(inputs + 1 bias) × maps × places.")
            return wrong(f"{name} has {mine:,} in your list", hint=hint)
    return right(f"Together {sum(expected):,}, as the paper says: each parameter is used nearly six times an image.")


class _Watched(nn.Linear):
    """A linear layer that notes in which mode it was asked."""

    def forward(self, x):
        self.asked_in_training = self.training
        return super().forward(x)


@checker("6.5")
def train_step(answer):
    """a function of (model, x, y, optimizer) that returns a number."""
    torch.manual_seed(0)
    x, y = torch.randn(2, 8, 5), torch.randint(0, 3, (2, 8))
    model = _Watched(5, 3).eval()
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for k in (0, 1):  # what one step leaves behind shows in the next
        weight.requires_grad_(), bias.requires_grad_()
        loss = nn.functional.cross_entropy(nn.functional.linear(x[k], weight, bias), y[k])
        by_weight, by_bias = torch.autograd.grad(loss, (weight, bias))
        old, weight, bias = weight.detach(), (weight - 0.5 * by_weight).detach(), (bias - 0.5 * by_bias).detach()
        mine = answer(model, x[k], y[k], optimizer)
        if torch.equal(model.weight, old):
            return wrong(
                "the weights stay as they were",
                hint="Backward fills the gradients, step uses them: both, in that order.",
            )
        if not torch.allclose(model.weight, weight, atol=1e-6):
            hint = "Gradients add up until they are set to 0." if k else "One forward, one backward, one step."
            return wrong(f"after step {k + 1} the weights are not those of gradient descent", hint=hint)
        if not isinstance(mine, float):
            return wrong(
                f"you return a {type(mine).__name__}", hint="loss.item() is a number; a tensor drags its graph along."
            )
        if abs(mine - loss.item()) > 1e-5:
            return wrong(
                f"you return {mine:.4f}, the loss was {loss.item():.4f}",
                hint="The loss before the step, of this batch.",
            )
        if not model.asked_in_training:
            return wrong("the model was asked in evaluation mode", hint="Which call switches dropout and its like on?")
    return right("Five lines. All that the rest of this course adds stands around them.")


class _Constant(nn.Module):
    """Answers the class that is written in the first pixel; in training mode always class 0."""

    def forward(self, x):
        first = x[:, 0, 0, 0].long()
        return nn.functional.one_hot(first * (not self.training), 10).float()


@checker("6.6")
def accuracy(answer):
    """a function of (model, loader)."""
    y = torch.tensor([1, 1, 2, 2, 3])
    x = torch.tensor([1.0, 1, 2, 2, 4]).view(5, 1, 1, 1)
    uneven = [(x[:4], y[:4]), (x[4:], y[4:])]
    model = _Constant().train()
    mine, trains = float(answer(model, uneven)), model.training
    if abs(mine - 0.5) < 1e-6:
        return wrong(
            "with batches of four right and one wrong you get 0.5",
            hint="A batch of one must not weigh as much as one of four.",
        )
    if mine == 0:
        return wrong("the model was asked in training mode", hint="Which call switches dropout and its like off?")
    if not abs(mine - 0.8) <= 1e-6:
        return wrong(
            f"with four right of five you get {mine:.3g}", hint="Count right answers and images, and divide once."
        )
    if not trains:
        return wrong(
            "the model came in training mode and left in evaluation mode", hint="Keep model.training, and give it back."
        )
    model.eval()
    answer(model, uneven)
    if model.training:
        return wrong(
            "the model came in evaluation mode and left in training mode", hint="Give back the mode that it came in."
        )
    return right("With one short batch among many the first bug is small, and so stays unseen; dropout left on is not.")


@checker("6.7")
def small_network(answer):
    """a trained nn.Module."""
    from course_utils import batches, evaluate, load

    if not isinstance(answer, nn.Module):
        return wrong(f"your answer is a {type(answer).__name__}", hint="Give the trained model itself.")
    if count_parameters(answer) > 10_000:
        return wrong(
            f"it has {count_parameters(answer):,} parameters, 10,000 are allowed",
            hint="Most sit in the first linear layer: fewer maps, or another pooling before it, make it small.",
        )
    mnist = load("mnist")
    needed = target(mnist, real=0.985, sample=0.90)
    where = next(answer.parameters()).device
    reached = evaluate(answer, batches(mnist.valid, 1_000, device=where)).accuracy
    if reached < 0.2:
        return wrong(f"it reads {reached:.1%} of the validation digits", hint="That is chance: was this model trained?")
    if reached < needed:
        return wrong(
            f"it reads {reached:.2%} of the validation digits, {needed:.1%} are asked",
            hint="The blocks of the small network, with fewer maps, and a learning rate that falls to 0.",
        )
    return right(f"It reads {reached:.2%} with {count_parameters(answer):,} parameters.")
