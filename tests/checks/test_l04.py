"""Every exercise of lesson 4: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def windows(picture):
    return [picture[i : i + 3, j : j + 3] for i in (0, 1) for j in (0, 1)]


def gradient(picture, kernel, bias, w, b, t, *, mean=True, gate=True, factor=True):
    window = sum(windows(picture)) / 4
    pooled = (window * kernel).sum() + bias
    p = torch.sigmoid(w * pooled.clamp(min=0) + b)
    opened = (pooled > 0) if gate else 1
    return (p - t) * (w if factor else 1) * opened * window * (1 if mean else 4)


def sigmoid_twice(picture, kernel, bias, w, b, t):
    pooled = (sum(windows(picture)) / 4 * kernel).sum() + bias
    p = torch.sigmoid(w * pooled.clamp(min=0) + b)
    return gradient(picture, kernel, bias, w, b, t) * p * (1 - p)


def by_autograd(picture, kernel, bias, w, b, t):
    kernel = kernel.clone().requires_grad_()
    pooled = (F.conv2d(picture[None, None], kernel[None, None]) + bias).mean()
    loss = F.binary_cross_entropy_with_logits(w * pooled.relu() + b, pooled.new_tensor(t))
    return torch.autograd.grad(loss, kernel)[0]


def of_the_winner(picture, kernel, bias, w, b, t):
    best = max(windows(picture), key=lambda window: (window * kernel).sum())
    pooled = (best * kernel).sum() + bias
    return (torch.sigmoid(w * pooled.clamp(min=0) + b) - t) * w * (pooled > 0) * best


def relu_first(picture, kernel, bias, w, b, t):
    maps = F.conv2d(picture[None, None], kernel[None, None])[0, 0] + bias
    g = (torch.sigmoid(w * maps.relu().mean() + b) - t) * w * (maps > 0) / 4
    return F.conv2d(picture[None, None], g[None, None])[0, 0]


def all_at_once(pictures, kernels, biases, w, b, *, gate=F.relu, last=torch.sigmoid):
    return last(w * gate(F.conv2d(pictures, kernels[:, None], biases).amax((2, 3))) + b).T


def of_the_mean(pictures, kernels, biases, w, b):
    return torch.sigmoid(w * F.conv2d(pictures, kernels[:, None], biases).mean((2, 3)).relu() + b).T


def one_by_one(pictures, kernels, biases, w, b):
    return torch.cat([all_at_once(pictures, *(given[m : m + 1] for given in (kernels, biases, w, b)))
                      for m in range(len(kernels))])  # fmt: skip


def leaky(model):
    nn.init.ones_(model[0].bias)
    model[2] = nn.LeakyReLU()


def both_sides(z, t):
    return torch.where(z > 0, z + torch.log1p(torch.exp(-z)), torch.log1p(torch.exp(z))) - t * z


def start(*, bias=None, weight=None, kernel=None):
    def initialise(model):
        for number, value in ((model[0].bias, bias), (model[4].weight, weight), (model[0].weight, kernel)):
            if value is not None:
                nn.init.constant_(number, value)
        return model

    return initialise


def stable(z, t):
    return z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - t * z


RIGHT = {
    "4.1": (0.047, 0.0998),
    "4.2": [[0, 1, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0]],
    "4.3": ["sigmoid", "relu", "leaky_relu"],
    "4.4": gradient,
    "4.5": all_at_once,
    "4.6": start(bias=1),
    "4.7": stable,
}
WRONG = [
    ("4.1", (0.0219, 0.0998), "passes a ReLU"),
    ("4.1", (-3, -2.2), "logits"),
    ("4.1", (0.5, 0.0998), "still adds its bias"),
    ("4.1", (0.0998, 0.047), "answer for −0.4"),
    ("4.1", (0.047, 0.5), "ReLU leaves 0.4"),
    ("4.1", (0.9, 0.0998), "What does ReLU make"),
    ("4.1", 0.047, "two numbers"),
    ("4.1", (0.05, 0.1), "three places"),
    ("4.2", [[0, 1, 1, 0], [0, 0, 0, 1], [1, 1, 0, 4], [0, 1, 0, 0]], "`amax` splits"),
    ("4.2", [[0, 1, 2, 0], [0, 0, 0, 2], [3, 3, 0, 4], [0, 3, 0, 0]], "pays once"),
    ("4.2", [[0.25, 0.25, 0.5, 0.5]] * 2 + [[0.75, 0.75, 1, 1]] * 2, "A mean would"),
    ("4.2", [[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2, "the winner gets all"),
    ("4.2", [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]], "(1, 2, 3 or 4)"),
    ("4.2", [[0, 3, 0, 0], [0, 0, 0, 0], [5, 0, 0, -1], [0, 0, 0, 0]], "whatever its own number"),
    ("4.2", [[0, 1, 0, 0], [0, 0, 0, 2], [3, 0, 0, 4], [0, 0, 0, 0]], "Who comes first"),
    ("4.2", [[3, 0], [5, -1]], "4×4"),
    ("4.3", ["relu"], "does it ever fall"),
    ("4.3", ["relu", "leaky_relu", "sigmoid", "abs"], "never fall"),
    ("4.3", ["relu", "leaky_relu", "sigmoid", "neg"], "never fall"),
    ("4.3", [], "at least one is missing"),
    ("4.3", "relu", "list of names"),
    ("4.3", ["ReLU"], "The names are"),
    ("4.4", lambda *given: gradient(*given, gate=False), "only where it passed"),
    ("4.4", lambda *given: gradient(*given, mean=False), "a quarter"),
    ("4.4", lambda *given: -gradient(*given), "answer minus truth"),
    ("4.4", lambda *given: gradient(*given, factor=False), "w times z's gradient"),
    ("4.4", of_the_winner, "pays all four"),
    ("4.4", relu_first, "first the mean"),
    ("4.4", lambda *given: gradient(*given).sum(), "3×3"),
    ("4.4", lambda *given: gradient(*given) + 1, "add the four"),
    ("4.4", lambda x, k, bias, w, b, t: gradient(x, k, 0, w, b, t), "before the ReLU"),
    ("4.4", sigmoid_twice, "the sigmoid's slope already"),
    ("4.4", by_autograd, "without autograd"),
    ("4.5", lambda *given: all_at_once(*given).T, ".T at the end"),
    ("4.5", lambda *given: all_at_once(*given, gate=lambda h: h), "What is heard"),
    ("4.5", lambda *given: all_at_once(*given, last=lambda z: z), "ends with a sigmoid"),
    ("4.5", lambda x, k, c, w, b: all_at_once(x, k, torch.zeros_like(c), w, b), "third argument"),
    ("4.5", lambda x, k, c, w, b: all_at_once(x, k, c, w, b.flip(0)), "its own column"),
    ("4.5", lambda x, k, c, w, b: F.conv2d(x, k[:, None], c), "last two axes"),
    ("4.5", lambda x, k, c, w, b: all_at_once(x, k, c, 1, 0), "before the sigmoid"),
    ("4.5", of_the_mean, "takes the largest"),
    ("4.5", one_by_one, "without a loop"),
    ("4.6", lambda model: model, "in place"),
    ("4.6", start(weight=0), "Which number is the threshold"),
    ("4.6", start(kernel=0.1), "Leave chance"),
    ("4.6", start(bias=1 / 3), "lost the race"),
    ("4.6", start(bias=10), "drowned"),
    ("4.6", start(bias=1e6), "drowned"),
    ("4.6", start(bias=float("nan")), "drowned"),
    ("4.6", leaky, "Leave the layers alone"),
    ("4.7", lambda z, t: torch.log(1 + torch.exp(z)) - t * z, "eᶻ overflows"),
    ("4.7", lambda z, t: F.binary_cross_entropy(z.sigmoid(), t, reduction="none"), "Never form p"),
    ("4.7", lambda z, t: -t * z.sigmoid().log() - (1 - t) * (1 - z.sigmoid()).log(), "Never form p"),
    ("4.7", lambda z, t: stable(z, 1 - t), "exchanged"),
    ("4.7", lambda z, t: stable(z, t).mean(), "without a mean"),
    ("4.7", lambda z, t: stable(z, t) + 1, "−ln σ(z)"),
    ("4.7", lambda z, t: F.relu(z) - t * z, "−ln σ(z)"),
    ("4.7", both_sides, "even where it is not taken"),
]


class TestLesson04(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)

    @pytest.mark.parametrize(
        ("number", "form"),
        [
            ("4.1", torch.tensor([0.047, 0.0998])),
            ("4.3", {"relu", "leaky_relu", "sigmoid"}),
            ("4.4", lambda *given: gradient(*given).float()),
            ("4.4", lambda *given: gradient(*given).tolist()),
            ("4.5", lambda *given: all_at_once(*given).float()),
            ("4.5", lambda *given: all_at_once(*given).tolist()),
            ("4.6", start(bias=0.5)),
            ("4.6", start(bias=2)),
            ("4.7", lambda z, t: stable(z.double(), t.double())),
            ("4.7", lambda z, t: torch.logaddexp(z, torch.zeros(())) - t * z),
        ],
    )
    def test_a_right_answer_may_come_in_another_form(self, number, form):
        assert check(number, form)

    def test_a_function_that_works_in_place_may_return_nothing(self):
        def initialise(model):
            nn.init.ones_(model[0].bias)

        assert check("4.6", initialise)
