"""Every exercise of lesson 12: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import copy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import batches, fit, load, networks
from course_utils.exercises import check
from tests.checks.checkers import Checkers


def right_scale(bn):
    return bn.weight / (bn.running_var + bn.eps).sqrt()


def right_bias(bn, own, scale):
    return bn.bias + (own - bn.running_mean) * scale


def fold(conv, bn, scale=right_scale, bias=right_bias, **options):
    scale = scale(bn).data
    given = {"stride": conv.stride, "padding": conv.padding} | options
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **given).to(conv.weight)
    own = torch.zeros_like(bn.bias) if conv.bias is None else conv.bias
    new.weight.data = conv.weight.data * scale[:, None, None, None]
    new.bias.data = bias(bn, own, scale).data
    return new


def folded_by(scale):
    return lambda conv, bn: fold(conv, bn, scale)


def with_bias(bias):
    return lambda conv, bn: fold(conv, bn, bias=bias)


def fold_in_place(conv, bn):
    new = fold(conv, bn)
    conv.weight.data, conv.bias = new.weight.data, new.bias
    return conv


class Block(nn.Module):
    """Right as it is; each mistake below changes one thing."""

    stride_of_shortcut, bias, always_1x1, norm_shortcut = None, False, False, True

    def __init__(self, before, width, stride):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=self.bias),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=self.bias),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or before != width or self.always_1x1:
            norm = [nn.BatchNorm2d(width)] if self.norm_shortcut else []
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), *norm)

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.f(x))


class NoLastReLU(Block):
    def forward(self, x):
        return self.shortcut(x) + self.f(x)


class ReLUBeforeTheSum(Block):
    def forward(self, x):
        return F.relu(self.shortcut(x)) + 2 * F.relu(self.f(x)) + F.relu(self.shortcut(x))


class Concatenated(Block):
    def forward(self, x):
        return F.relu(torch.cat([self.shortcut(x), self.f(x)], 1))


class NoShortcut(Block):
    def forward(self, x):
        return F.relu(self.f(x))


class Always1x1(Block):
    always_1x1 = True


class WithBiases(Block):
    bias = True


class BareShortcut(Block):
    norm_shortcut = False


class NoReLUInside(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        del self.f[2]


class StrideOnTheSecond(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        self.f[0].stride, self.f[3].stride = self.f[3].stride, self.f[0].stride


class ShortcutFirst(Block):
    """As right as the other order."""

    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        self._modules = dict(reversed(self._modules.items()))


class Stub(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()

    def forward(self, x): ...


def refresh(model, loader, reset=True, plain=True, restore=True, mode=False, times=1):
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        if reset:
            layer.reset_running_stats()
        if plain:
            layer.momentum = None
    model.train()
    with torch.no_grad():
        for x, _ in loader * times:
            model(x)
    for layer, momentum in zip(layers, momenta, strict=True):
        if restore:
            layer.momentum = momentum
    return model.train(mode)


def passed_through_in_evaluation_mode(model, loader):
    for x, _ in loader:
        model(x)
    return model


def trained(model, loader):
    refresh(model, loader)
    model[0].weight.data += 0.1
    return model


def silent(model, loader):
    return [refresh(model, loader)]


RIGHT = {
    "12.1": (128, 0.542),
    "12.2": (69_632, 1_179_648),
    "12.3": 0.0632,
    "12.4": fold,
    "12.5": Block,
    "12.6": refresh,
}
WRONG = [
    ("12.1", 128, "A pair"),
    ("12.1", (64, 0.542), "factor"),
    ("12.1", (256, 0.542), "not learnt"),
    ("12.1", (257, 0.542), "count of batches"),
    ("12.1", (2, 0.542), "How many channels"),
    ("12.1", (1_000, 0.542), "γ and β"),
    ("12.1", (128, 0.6), "gap shrinks"),
    ("12.1", (128, 2), "Only a tenth"),
    ("12.1", (128, 0.2), "first batch"),
    ("12.1", (128, 0.38), "two batches"),
    ("12.1", (128, 1.458), "gap which is left"),
    ("12.1", (128, 1.998), "share of the new"),
    ("12.1", (128, 5), "begins at 0"),
    ("12.1", (128, float("nan")), "begins at 0"),
    ("12.1", (0.542, 128), "parameters first"),
    ("12.2", 69_632, "A pair"),
    ("12.2", (1_179_648, 69_632), "bottleneck first"),
    ("12.2", (53_248, 1_179_648), "way back"),
    ("12.2", (36_864, 1_179_648), "in the middle"),
    ("12.2", (70_016, 1_179_648), "biases"),
    ("12.2", (331_776, 1_179_648), "not nine"),
    ("12.2", (7, 1_179_648), "K²"),
    ("12.2", (69_632, 589_824), "two of them"),
    ("12.2", (69_632, 1_180_160), "biases"),
    ("12.2", (69_632, 7), "For each of the two"),
    ("12.3", 0.0707, "negative half is not lost"),
    ("12.3", 0.05, "pass unchanged"),
    ("12.3", 0.004, "variance"),
    ("12.3", 0.0577, "quartered"),
    ("12.3", 0.253, "one channel"),
    ("12.3", 0.316, "one weight"),
    ("12.3", 1, "mean of x²"),
    ("12.4", fold_in_place, "leave conv and bn alone"),
    ("12.4", lambda conv, bn: nn.Sequential(conv, bn), "new nn.Conv2d"),
    ("12.4", lambda conv, bn: fold(conv, bn, stride=1), "stride and padding"),
    ("12.4", folded_by(lambda bn: bn.weight / (bn.running_var.sqrt() + bn.eps)), "belongs under the root"),
    ("12.4", folded_by(lambda bn: bn.weight / bn.running_var.sqrt()), "missing under the root"),
    ("12.4", folded_by(lambda bn: bn.weight / (bn.running_var + bn.eps)), "root of the variance"),
    ("12.4", folded_by(lambda bn: 1 / (bn.running_var + bn.eps).sqrt()), "γ"),
    ("12.4", folded_by(lambda bn: torch.ones_like(bn.weight)), "as before"),
    ("12.4", folded_by(lambda bn: bn.bias), "multiplied by scale"),
    ("12.4", with_bias(lambda bn, own, scale: bn.bias - bn.running_mean * scale), "own bias is missing"),
    ("12.4", with_bias(lambda bn, own, scale: own + bn.bias - bn.running_mean * scale), "so it is scaled"),
    ("12.4", with_bias(lambda bn, own, scale: bn.bias), "weights are right"),
    ("12.5", Block(16, 16, 1), "class itself"),
    ("12.5", NoLastReLU, "after the sum"),
    ("12.5", ReLUBeforeTheSum, "added, once"),
    ("12.5", Concatenated, "don't concatenate"),
    ("12.5", NoShortcut, "x itself is added"),
    ("12.5", Always1x1, "only if shapes differ"),
    ("12.5", WithBiases, "without bias"),
    ("12.5", BareShortcut, "a 1×1 and its batch norm"),
    ("12.5", NoReLUInside, "in this order"),
    ("12.5", StrideOnTheSecond, "in this order"),
    ("12.6", passed_through_in_evaluation_mode, "only in training mode"),
    ("12.6", trained, "only pass through"),
    ("12.6", silent, "Give the model back"),
    ("12.6", lambda model, loader: refresh(model, loader, mode=True), "Keep model.training"),
    ("12.6", lambda model, loader: refresh(model, loader, restore=False), "Put back"),
    ("12.6", lambda model, loader: refresh(model, loader, reset=False), "reset_running_stats"),
    ("12.6", lambda model, loader: refresh(model, loader, plain=False), "momentum = None"),
]


@pytest.fixture(scope="module")
def beaten():
    """A small network that has learnt the sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", "sample")
        torch.manual_seed(0)
        data, model = load("cifar10"), networks.fast_cifar_net((8, 16, 32, 64))
        train = batches(data.train, 32, shuffle=True)
        optimizer = torch.optim.AdamW(model.parameters())
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=3 * len(train))
        loss = partial(F.cross_entropy, label_smoothing=0.1)
        fit(
            model,
            train,
            batches(data.valid, 300),
            optimizer,
            epochs=3,
            scheduler=cycle,
            scheduler_step="batch",
            loss_fn=loss,
        )
    return model


class TestLesson12(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


def test_the_stub_of_the_page_is_unattempted():
    assert check("12.5", Stub).status == "unattempted"


def test_half_a_pair_is_unattempted():
    assert check("12.1", (128, ...)).status == "unattempted"


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("12.1", [128, 0.54]),
        ("12.1", (128, torch.tensor(0.542))),
        ("12.3", torch.tensor(0.06325)),
        ("12.4", lambda conv, bn: fold(conv, bn).float()),
        ("12.5", ShortcutFirst),
    ],
)
def test_a_right_answer_of_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out


def test_another_way_to_fold_is_right():
    def by_columns(conv, bn):
        new = fold(copy.deepcopy(conv), bn)
        new.weight = nn.Parameter(torch.stack(list(new.weight)))
        return new

    assert check("12.4", by_columns)


def test_a_trained_network_is_right(beaten, capsys):
    assert check("12.7", beaten), capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (networks.small_vgg(), "chance"),
        (networks.cifar_net(), "fewer than 300,000"),
        ("a network", "trained model itself"),
    ],
)
def test_an_untrained_or_too_large_network_is_wrong(answer, hint):
    verdict = check("12.7", answer)
    assert verdict.status == "wrong" and hint in verdict.message


def test_a_network_that_has_learnt_too_little_is_wrong(beaten):
    model = copy.deepcopy(beaten)
    with torch.no_grad():
        model[-1].weight[4:] = 0
        model[-1].bias[4:] = -9
    verdict = check("12.7", model)
    assert verdict.status == "wrong" and "falls to 0" in verdict.message


@pytest.mark.parametrize("stub", [None, ...])
def test_no_network_is_unattempted(stub):
    assert check("12.7", stub).status == "unattempted"
