"""Every exercise of lesson 8: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import copy
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import count_parameters, networks
from course_utils.exercises import check
from tests.checks.battery import Always
from tests.checks.checkers import Checkers


def drop_maps(x, p, training, shape=lambda n, c: (n, c, 1, 1), scale=True, keep=None, always=False):
    if not training and not always:
        return x
    coins = torch.empty(shape(*x.shape[:2])).bernoulli_(1 - p if keep is None else keep)
    return x * coins / (1 - p if scale else 1)


def in_place(x, p, training):
    return x.mul_(drop_maps(torch.ones_like(x), p, training)) if training else x


class Published(nn.Module):
    """As in the lesson: dropout is a function that never learns the mode."""

    def __init__(self, trained):
        super().__init__()
        self.features, self.last = trained[:7], trained[8]

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5))


class Mended(Published):
    p = 0.5

    def forward(self, x):
        return self.last(F.dropout(self.features(x), self.p, training=self.training))


class WithoutGradients(Mended):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


class WithALayer(Published):
    def __init__(self, trained):
        super().__init__(trained)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.last(self.dropout(self.features(x)))


class NewLayerEachTime(Published):
    def forward(self, x):
        return self.last(nn.Dropout(0.5)(self.features(x)))


class Never(Published):
    def forward(self, x):
        return self.last(self.features(x))


class ScaledInEvaluation(Published):
    def forward(self, x):
        features = self.features(x)
        return self.last(F.dropout(features, 0.5) if self.training else features * 0.5)


class TooFew(Mended):
    p = 0.1


class NotScaled(Published):
    def forward(self, x):
        features = self.features(x)
        return self.last(features * torch.ones_like(features).bernoulli_(0.5) if self.training else features)


class DropsPixels(Published):
    def forward(self, x):
        return self.last(self.features(F.dropout(x, 0.5, training=self.training)))


class DropsAnswers(Published):
    def forward(self, x):
        return F.dropout(self.last(self.features(x)), 0.5, training=self.training)


class Wrapped(nn.Module):
    """Right as well: the trained network has a layer of dropout of its own."""

    def __init__(self, trained):
        super().__init__()
        self.trained = trained

    def forward(self, x):
        return self.trained(x)


class DroppedTwice(Wrapped):
    def forward(self, x):
        return self.trained[8](F.dropout(self.trained[:8](x), 0.5, self.training))


class InAList(nn.Module):
    """Layers in a list of Python's, which train() and eval() do not reach."""

    def __init__(self, trained):
        super().__init__()
        self.layers = list(trained)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class ModeOfTheBeginning(Published):
    def __init__(self, trained):
        super().__init__(trained)
        self.p = 0.5 if self.training else 0.0

    def forward(self, x):
        return self.last(F.dropout(self.features(x), self.p))


class ByCoins(Published):
    """Right as well: dropout by hand."""

    def forward(self, x):
        x = self.features(x)
        return self.last(x * (torch.rand_like(x) < 0.5) * 2 if self.training else x)


class Masked(Published):
    """Dropout by hand; what is wrong with its mask, the classes below say."""

    def mask(self, x):
        raise NotImplementedError

    def forward(self, x):
        x = self.features(x)
        return self.last(x * self.mask(x) * 2 if self.training else x)


class OneMaskForAll(Masked):
    def mask(self, x):
        return torch.empty(x.shape[1]).bernoulli_(0.5)


class WholeMaps(Masked):
    def mask(self, x):
        return torch.empty(len(x), x.shape[1] // 25, 1).bernoulli_(0.5).expand(-1, -1, 25).flatten(1)


class ExactlyHalf(Masked):
    def mask(self, x):
        return torch.rand_like(x).argsort(1) < x.shape[1] // 2


class WithASeed(Masked):
    def mask(self, x):
        torch.manual_seed(0)
        return torch.empty_like(x).bernoulli_(0.5)


class DropsBeforePooling(nn.Module):
    def __init__(self, trained):
        super().__init__()
        self.layers = nn.Sequential(*trained[:5], nn.Dropout(0.5), *trained[5:7], trained[8])

    def forward(self, x):
        return self.layers(x)


class BeforeFlattening(DropsBeforePooling):
    """Right as well: the same numbers, before they stand in a row."""

    def __init__(self, trained):
        super().__init__(trained)
        self.layers = nn.Sequential(*trained[:6], nn.Dropout(0.5), trained[6], trained[8])


class BuiltAnew(DropsBeforePooling):
    """Right as well: a network of the course's own, with the trained numbers."""

    def __init__(self, trained):
        super().__init__(trained)
        self.layers = networks.two_convolutions(trained[0].out_channels, 0.5)
        self.layers.load_state_dict(trained.state_dict())


class AsksForGradients(Published):
    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5, torch.is_grad_enabled()))


class Everything(Masked):
    def mask(self, x):
        return torch.zeros_like(x)


class WithoutLast(Published):
    def forward(self, x):
        return F.dropout(self.features(x), 0.5, self.training)


class NeedsTwo(Mended):
    def __init__(self, trained, p):
        super().__init__(trained)


class OfItsOwn(nn.Module):
    """Another right form: a copy of the trained network."""

    def __init__(self, trained):
        super().__init__()
        self.features, self.last = copy.deepcopy(trained[:7]), copy.deepcopy(trained[8])

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5, self.training))


def equally_many(x, p, training):
    order = torch.rand(x.shape[:2]).argsort(1)
    return x * (order >= p * x.shape[1])[:, :, None, None] / (1 - p)


def seeded(x, p, training):
    torch.manual_seed(0)
    return drop_maps(x, p, training)


def always_as_many(x, p, training):
    if not training:
        return x
    n, c = x.shape[:2]
    return x * (torch.randperm(n * c) >= p * n * c).view(n, c, 1, 1) / (1 - p)


def scaled_for_a_quarter(x, p, training):
    return drop_maps(x, p, training, scale=False) * 4 / 3 if training else x


def scaled_by_what_stayed(x, p, training):
    if not training:
        return x
    coins = torch.empty(*x.shape[:2], 1, 1).bernoulli_(1 - p)
    return x * coins / coins.mean()


def for_square_maps(x, p, training):
    n, c, h, _ = x.shape
    return drop_maps(x.reshape(n, c, h, h), p, training)


def squeezed(x, p, training):
    """Right but for a batch of one image, or for one map."""
    if not training:
        return x
    coins = torch.empty(x.shape[:2]).bernoulli_(1 - p).squeeze()
    return x * coins[..., None, None] / (1 - p)


def scaled_in_evaluation(x, p, training):
    return drop_maps(x, p, training, scale=False) if training else x * (1 - p)


def by_loops(x, p, training):
    if not training:
        return x
    result = torch.zeros_like(x)
    for n in range(len(x)):
        for c in range(x.shape[1]):
            if random.random() >= p:
                result[n, c] = x[n, c] / (1 - p)
    return result


def by_numpy(x, p, training):
    coins = np.random.rand(*x.shape[:2], 1, 1) >= p
    return x * torch.from_numpy(coins) / (1 - p) if training else x.clone()


def by_distributions(x, p, training):
    stays = torch.distributions.Bernoulli(1 - p).sample(x.shape[:2])
    return torch.einsum("nchw,nc->nchw", x, stays) / (1 - p) if training else x


def by_dropout_of_ones(x, p, training):
    return x * F.dropout(torch.ones(*x.shape[:2], 1, 1), p, training)


def by_a_loop(weight, order):
    plain = torch.zeros_like(weight)
    for k, pixel in enumerate(order.tolist()):
        plain[:, pixel] = weight[:, k]
    return plain


def for_square_weights(weight, order):
    plain = torch.zeros(len(order), len(order))
    plain[: len(weight), order] = weight[: len(order)]
    return plain


def sorted_pixels(weight, order):
    return weight.sort(1).values


def unscrambled_in_place(weight, order):
    weight[:, order] = weight.clone()
    return weight


def unscramble(weight, order):
    return weight[:, order.argsort()]


REMEDY = {"A": "larger network", "B": "more images", "C": "evaluation mode", "D": "check the labels"}
RIGHT = {
    "8.1": 1.25,
    "8.2": 6_508_298,
    "8.3": REMEDY,
    "8.4": drop_maps,
    "8.5": Mended,
    "8.6": unscramble,
}
WRONG = [
    ("8.1", 0.8, "share survives"),
    ("8.1", 5, "1/p"),
    ("8.1", 1, "smaller in training"),
    ("8.1", 1.2, "1 + p"),
    ("8.1", 2, "p = 0.5"),
    ("8.1", 3.7, "How many survive"),
    ("8.1", 1.3, "How many survive"),
    ("8.1", float("nan"), "divided by 0"),
    ("8.1", (1.25, 0.8), "one number"),
    ("8.2", 25_775_882, "as it is"),
    ("8.2", 25_775_882 // 4, "shrink by four"),
    ("8.2", 25_775_882 / 4, "whole number"),
    ("8.2", 6_272 * 1_024, "Biases"),
    ("8.2", 6_273 * 1_024, "two convolutions and the last"),
    ("8.2", 6_273 * 1_024 + 10_250, "Those are the linear layers"),
    ("8.2", 6_508_298 - 10_250, "last layer is missing"),
    ("8.2", 6_508_298 - 1_024, "One layer's biases"),
    ("8.2", 6_508_298 - 1_024 - 64 - 128 - 10, "all weights"),
    ("8.2", 74_496 + 12_545 * 1_024 + 10_250, "rows and columns"),
    ("8.2", 6_508_299, "Add up four layers"),
    ("8.3", REMEDY | {"A": "more images", "B": "larger network"}, "what would it do with more"),
    ("8.3", REMEDY | {"A": "check the labels"}, "lesson's networks"),
    ("8.3", REMEDY | {"B": "larger network"}, "already knows"),
    ("8.3", REMEDY | {"C": "more images"}, "drawn anew"),
    ("8.3", REMEDY | {"D": "larger network"}, "understood nothing"),
    ("8.3", REMEDY | {"D": "evaluation mode"}, "these two numbers"),
    ("8.3", REMEDY | {"D": "more images"}, "as many as guessing"),
    ("8.3", REMEDY | {"D": ...}, "copied from the exercise"),
    ("8.3", REMEDY | {"B": ..., "D": None}, "nothing is given for B and D"),
    ("8.3", REMEDY | {"B": Always()}, "copied from the exercise"),
    ("8.3", dict.fromkeys("ABCD", Always()), "copied from the exercise"),
    ("8.3", REMEDY | {"A": "a bigger one"}, "copied from the exercise"),
    ("8.3", REMEDY | {"A": "larger " * 10_000}, "copied from the exercise"),
    ("8.3", "more images", "Such as"),
    ("8.3", list(REMEDY.values()), "Such as"),
    ("8.3", {key.lower(): value for key, value in REMEDY.items()}, "Such as"),
    ("8.3", REMEDY | {"E": "more images"}, "Such as"),
    ("8.4", F.dropout, "share one coin"),
    ("8.4", F.dropout2d, "Do its work yourself"),
    ("8.4", lambda x, p, training: nn.Dropout2d(p).train(training)(x), "Do its work yourself"),
    ("8.4", scaled_by_what_stayed, "How many of a hundred stay"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training) + (1 if training else 0), "one coin for each map"),
    ("8.4", lambda x, p, training: F.dropout1d(x.flatten(2), p, training).view_as(x), "Do its work yourself"),
    ("8.4", lambda x, p, training: torch.feature_dropout(x, p, training), "Do its work yourself"),
    ("8.4", lambda x, p, training: torch.ops.aten.feature_dropout.default(x, p, training), "Do its work yourself"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, shape=lambda n, c: (1, c, 1, 1)), "own coins"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, shape=lambda n, c: (n, 1, 1, 1)), "map has its own"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, scale=False), "On average"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, scale=False) / p, "How many of a hundred stay"),
    ("8.4", scaled_for_a_quarter, "How many of a hundred stay"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, keep=p), "with which a map goes"),
    ("8.4", lambda x, p, training: drop_maps(x, 0.25, training), "with which a map goes"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, always=True), "nothing scaled"),
    ("8.4", lambda x, p, training: drop_maps(x, p, True), "nothing scaled"),
    ("8.4", scaled_in_evaluation, "On average"),
    ("8.4", lambda x, p, training: x, "one coin for each map"),
    ("8.4", in_place, "Make new ones"),
    ("8.4", lambda x, p, training: torch.zeros_like(x) if training else x, "one coin for each map"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training)[:, : x.shape[1] // 2], "keeps its shape"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, shape=lambda n, c: (n, c))[None], "raised"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training).abs(), "else as it was"),
    ("8.4", equally_many, "their number varies"),
    ("8.4", always_as_many, "their number varies"),
    ("8.4", seeded, "no seed"),
    ("8.4", for_square_maps, "raised"),
    ("8.4", squeezed, "keeps its shape"),
    ("8.5", Published, "learn of eval()"),
    ("8.5", NewLayerEachTime, "inside forward"),
    ("8.5", WithoutGradients, "nothing can learn"),
    ("8.5", ModeOfTheBeginning, "learn of eval()"),
    ("8.5", InAList, "learn of eval()"),
    ("8.5", Never, "after train()"),
    ("8.5", ScaledInEvaluation, "nothing is scaled"),
    ("8.5", WithoutLast, "then the last layer"),
    ("8.5", TooFew, "probability ½"),
    ("8.5", DroppedTwice, "dropped twice"),
    ("8.5", NotScaled, "survivors count for"),
    ("8.5", DropsPixels, "Some features become 0"),
    ("8.5", DropsAnswers, "not what it answers"),
    ("8.5", OneMaskForAll, "coin of its own"),
    ("8.5", WholeMaps, "25 features"),
    ("8.5", ExactlyHalf, "their number varies"),
    ("8.5", DropsBeforePooling, "Some features become 0"),
    ("8.5", AsksForGradients, "learn of eval()"),
    ("8.5", WithASeed, "no seed"),
    ("8.5", Everything, "Some features become 0"),
    ("8.5", NeedsTwo, "built from a trained network"),
    ("8.5", Mended(networks.two_convolutions(2)), "class itself"),
    ("8.5", lambda trained: Mended(trained), "class itself"),
    ("8.5", torch.Tensor, "class itself"),
    ("8.5", nn.Identity, "then the last layer"),
    ("8.6", lambda weight, order: weight[:, order], "once more"),
    ("8.6", lambda weight, order: weight, "which pixel of plain x"),
    ("8.6", lambda weight, order: weight[order.argsort()], "Each row belongs to an output"),
    ("8.6", lambda weight, order: weight[order], "Each row belongs to an output"),
    ("8.6", lambda weight, order: unscramble(weight, order).T, "follow each number"),
    ("8.6", lambda weight, order: unscramble(weight, order)[0], "change places, nothing else"),
    ("8.6", lambda weight, order: unscramble(weight, order).flip(1), "follow each number"),
    ("8.6", sorted_pixels, "follow each number"),
    ("8.6", for_square_weights, "change places, nothing else"),
    ("8.6", unscrambled_in_place, "Make new ones"),
]


class Stub(Published):
    def forward(self, x): ...


class TestLesson08(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


@pytest.mark.parametrize("answer", [WithALayer, OfItsOwn, Wrapped, ByCoins, BeforeFlattening, BuiltAnew, nn.Sequential])
def test_other_ways_to_mend_are_right(answer):
    assert check("8.5", answer)


@pytest.mark.parametrize("answer", [by_loops, by_numpy, by_distributions, by_dropout_of_ones])
def test_other_ways_to_drop_maps_are_right(answer):
    assert check("8.4", answer)


@pytest.mark.parametrize("answer", [by_a_loop, lambda weight, order: weight @ torch.eye(weight.shape[1])[order]])
def test_other_ways_to_unscramble_are_right(answer):
    assert check("8.6", answer)


def test_remedies_may_be_written_otherwise():
    assert check("8.3", {key: f" {value.capitalize()}" for key, value in REMEDY.items()})


@pytest.mark.parametrize("answer", [Fraction(5, 4), [1.25], torch.tensor([1 / 0.8]), np.float32(1.25), 1 / (1 - 0.2)])
def test_other_forms_of_the_factor_are_right(answer):
    assert check("8.1", answer)


def test_the_network_with_one_more_pooling_has_as_many_parameters():
    with torch.device("meta"):  # no numbers are drawn: quick
        model = networks.wide_mnist_net()
        model.insert(5, nn.MaxPool2d(2))
        model[7] = nn.Linear(128 * 7 * 7, 1_024)
    model.to_empty(device="cpu")(torch.zeros(1, 1, 28, 28))
    assert check("8.2", count_parameters(model)) and check("8.2", np.int32(count_parameters(model)))


def test_the_class_is_given_networks_that_it_may_change():
    class Overwrites(Mended):
        def forward(self, x):
            with torch.no_grad():
                self.last.weight.zero_()
            return super().forward(x)

    assert not check("8.5", Overwrites)


@pytest.mark.parametrize(("exercise", "answer"), [("8.5", Stub), ("8.3", dict.fromkeys("ABCD", ...))])
def test_the_stubs_of_the_page_are_unattempted(exercise, answer):
    assert check(exercise, answer).status == "unattempted"
