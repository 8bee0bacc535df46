"""Every exercise of lesson 12: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import swa_utils
from torch.optim.swa_utils import update_bn

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def after(mean, variance, p):
    return (variance + mean**2) / (1 - p) - mean**2


def after_by_shares(mean, variance, p):
    """The law of total variance: kept or not."""
    kept = 1 - p
    return torch.tensor((variance / kept**2 + (mean / kept) ** 2) * kept - mean**2)


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


def fold_with_first_numbers(conv, bn):
    return fold(conv, bn, stride=conv.stride[0], padding=conv.padding[0])


def fold_with_square_kernel(conv, bn):
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size[0], stride=conv.stride, padding=conv.padding)
    new.load_state_dict(fold(conv, bn).state_dict())
    return new


def fold_sharing(conv, bn):
    new = fold(conv, bn)
    conv.weight.data.copy_(conv.weight.data)
    new.weight = conv.weight
    return new


def fold_with_a_changed_mode(conv, bn):
    return fold(conv.eval(), bn.eval())


def fold_with_another_eps(conv, bn):
    bn.eps = 0.0
    return fold(conv, bn)


def fold_without_bias(conv, bn):
    new = fold(conv, bn)
    new.bias = None
    return new


class Pretended(nn.Conv2d):
    """Calls the two layers, and folds nothing."""

    def forward(self, x):
        return self.both[1](self.both[0](x))


def fold_pretended(conv, bn):
    new = Pretended(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
    new.both = [conv, copy.deepcopy(bn).eval()]
    return new


@torch.no_grad()
def fold_a_copy(conv, bn):
    """As right: from a copy, by what the two layers answer to zeros and to nothing else."""
    new, normalised = copy.deepcopy(conv), copy.deepcopy(bn).eval()
    scale = normalised.weight * torch.rsqrt(normalised.running_var + normalised.eps)
    new.weight.mul_(scale.view(-1, 1, 1, 1))
    zeros = torch.zeros(1, conv.in_channels, 30, 30)
    new.bias = nn.Parameter(normalised(conv(zeros))[0, :, 5, 5])
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


class WithoutGradients(Block):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


class InAList(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.layers = [Block(before, width, stride)]

    def forward(self, x):
        return self.layers[0](x)


class NoForward(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()


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


class ShortcutByWidthOnly(Block):
    """Right but where only the stride differs."""

    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        if before == width:
            self.shortcut = nn.Identity()


class ShortcutByStrideOnly(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        if stride == 1:
            self.shortcut = nn.Identity()


class StrideOfTwo(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, min(stride, 2))


class PooledShortcut(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        if stride > 1:
            self.shortcut = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), *self.shortcut)
            self.shortcut[1].stride = (1, 1)


class ReluOnTheShortcut(Block):
    def forward(self, x):
        return F.relu(F.relu(self.shortcut(x)) + self.f(x))


class InPlace(Block):
    def forward(self, x):
        x.mul_(1.0)
        x += 0 * x + 1e-3
        return super().forward(x)


class WithDropout(Block):
    def forward(self, x):
        return F.relu(self.shortcut(x) + F.dropout(self.f(x), 0.5, self.training))


class NoPadding(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        self.f[0].padding = (0, 0)


class Ungamma(Block):
    """Its last batch norm has no part in the sum."""

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.f[:4](x) + 0 * self.f(x))


class OneMoreLayer(Block):
    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        self.unused = nn.Linear(2, 2)


class Returned(Block):
    def forward(self, x):
        super().forward(x)


class LastGammaAtZero(Block):
    """As right, and what the closing word recommends."""

    def __init__(self, before, width, stride):
        super().__init__(before, width, stride)
        nn.init.zeros_(self.f[4].weight)


class OneByOne(nn.Module):
    """As right: each layer an attribute, defined in another order, functions for the rest."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.second = nn.Conv2d(width, width, (3, 3), padding="same", bias=False)
        self.norm2, self.norm1 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.projection = None
        if (before, stride) != (width, 1):
            self.projection = nn.Conv2d(before, width, 1, stride, bias=False)
            self.norm3 = nn.BatchNorm2d(width)

    def forward(self, x):
        out = torch.relu_(self.norm1(self.first(x)))
        out = self.norm2(self.second(out))
        out += x if self.projection is None else self.norm3(self.projection(x))
        return F.relu(out, inplace=True)


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


def refresh_by_hand(model, loader):
    """As right: momentum 1/k in the k-th batch."""
    mode, layers = model.training, [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    model.train()
    for k, (x, _) in enumerate(loader, 1):
        for layer in layers:
            layer.momentum = 1 / k
        with torch.no_grad():
            model(x)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(mode)
    return model


@torch.inference_mode()
def refresh_by_hooks(model, loader, correction=1):
    """As right: notes each layer's inputs."""
    layers, mode = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)], model.training
    noted, momenta = {layer: [] for layer in layers}, [layer.momentum for layer in layers]

    def note(layer, given):
        noted[layer].append((given[0].mean((0, 2, 3)), given[0].var((0, 2, 3), correction=correction)))

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    model.train()
    for x, _ in loader:
        model(x)
    for layer, hook, momentum in zip(layers, hooks, momenta, strict=True):
        hook.remove()
        means, variances = zip(*noted[layer], strict=True)
        layer.running_mean.copy_(torch.stack(means).mean(0))
        layer.running_var.copy_(torch.stack(variances).mean(0))
        layer.momentum = momentum
    return model.train(mode)


def biased(model, loader):
    return refresh_by_hooks(model, loader, correction=0)


def top_level_only(model, loader):
    """Forgets that layers may stand inside of others."""
    inner = copy.deepcopy(model[3][1])
    kept_mode(model, loader)
    inner.train()
    with torch.no_grad():
        for x, _ in loader:
            inner(model[3][0](F.relu(F.batch_norm(model[0](x), None, None, model[1].weight, model[1].bias, True))))
    model[3][1].load_state_dict(inner.state_dict())
    return model


def weighted_by_size(model, loader):
    return refresh(model, [batch for batch in loader for _ in range(len(batch[0]))])


def first_layer_only(model, loader):
    others = copy.deepcopy(model)
    refresh(model, loader, mode=model.training)
    model[3].load_state_dict(others[3].state_dict())
    return model


def with_update_bn(model, loader):
    update_bn(loader, model)
    return model


def with_update_bn_and_a_generator(model, loader):
    swa_utils.update_bn(((x, y) for x, y in loader), model)
    return model


def with_changed_images(model, loader):
    for x, _ in loader:
        x -= x.mean()
    return kept_mode(model, loader)


def kept_mode(model, loader, **options):
    return refresh(model, loader, mode=model.training, **options)


def silent(model, loader):
    return [refresh(model, loader)]


RIGHT = {
    "12.1": (128, 0.542),
    "12.2": (69_632, 1_179_648),
    "12.3": 0.0632,
    "12.4": fold,
    "12.5": Block,
    "12.6": kept_mode,
    "12.7": after,
}
WRONG = [
    ("12.1", 128, "two numbers"),
    ("12.1", (128, 0.545), "three places"),
    ("12.1", (128, 0.54), "three places"),
    ("12.1", (128, 0.6878), "four batches"),
    ("12.1", ("128", 0.542), "plain numbers"),
    ("12.1", (128, 0.542, 1), "two numbers"),
    ("12.1", (64, 0.542), "multiply by"),
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
    ("12.1", (128, float("nan")), "divided by 0"),
    ("12.1", (0.542, 128), "parameters first"),
    ("12.2", 69_632, "two numbers"),
    ("12.2", (69_632.5, 1_179_648), "whole"),
    ("12.2", (69_632, 73_728), "256 channels"),
    ("12.2", (32_768, 1_179_648), "between them"),
    ("12.2", (1_179_648, 69_632), "bottleneck first"),
    ("12.2", (53_248, 1_179_648), "is missing"),
    ("12.2", (36_864, 1_179_648), "in the middle"),
    ("12.2", (70_016, 1_179_648), "biases"),
    ("12.2", (331_776, 1_179_648), "not nine"),
    ("12.2", (7, 1_179_648), "K²"),
    ("12.2", (69_632, 589_824), "two of them"),
    ("12.2", (69_632, 1_180_160), "biases"),
    ("12.2", (69_632, 7), "For each of the two"),
    ("12.3", 0.0707, "left of the negative half"),
    ("12.3", 0.05, "pass unchanged"),
    ("12.3", 0.004, "variance"),
    ("12.3", 0.063, "four places"),
    ("12.3", 0.0634, "four places"),
    ("12.3", 0.0633, "four places"),
    ("12.3", 0.06, "mean of x²"),
    ("12.3", 0.1, "multiplied"),
    ("12.3", 0.0289, "default"),
    ("12.3", (0.0632, 0.0632), "one number"),
    ("12.3", 0.0577, "to their squares"),
    ("12.3", 0.253, "one channel"),
    ("12.3", 0.316, "one weight"),
    ("12.3", 1, "mean of x²"),
    ("12.4", fold_in_place, "changed numbers of conv"),
    ("12.4", lambda conv, bn: nn.Sequential(conv, bn), "new nn.Conv2d"),
    ("12.4", lambda conv, bn: fold(conv, bn, stride=1), "Which options"),
    ("12.4", fold_with_first_numbers, "Which options"),
    ("12.4", fold_with_square_kernel, "your function raised RuntimeError"),
    ("12.4", fold_sharing, "numbers of its own"),
    ("12.4", fold_with_a_changed_mode, "as they come"),
    ("12.4", fold_without_bias, "no bias"),
    ("12.4", fold_with_another_eps, "as they come"),
    ("12.4", fold_pretended, "filter by filter"),
    ("12.4", lambda conv, bn: conv, "Build a new"),
    ("12.4", lambda conv, bn: bn, "Build a new"),
    ("12.4", folded_by(lambda bn: bn.weight / (bn.running_var + 1e-5).sqrt()), "ε is another"),
    ("12.4", folded_by(lambda bn: bn.weight.abs() / (bn.running_var + bn.eps).sqrt()), "filter by filter"),
    ("12.4", lambda conv, bn: fold(conv, bn).state_dict(), "new nn.Conv2d"),
    ("12.4", folded_by(lambda bn: bn.weight / (bn.running_var.sqrt() + bn.eps)), "belongs under the root"),
    ("12.4", folded_by(lambda bn: bn.weight / bn.running_var.sqrt()), "missing under the root"),
    ("12.4", folded_by(lambda bn: bn.weight / (bn.running_var + bn.eps)), "root of the variance"),
    ("12.4", folded_by(lambda bn: 1 / (bn.running_var + bn.eps).sqrt()), "γ"),
    ("12.4", folded_by(lambda bn: torch.ones_like(bn.weight)), "as before"),
    ("12.4", folded_by(lambda bn: bn.bias), "filter by filter"),
    ("12.4", with_bias(lambda bn, own, scale: bn.bias - bn.running_mean * scale), "own bias is missing"),
    ("12.4", with_bias(lambda bn, own, scale: own + bn.bias - bn.running_mean * scale), "what happens to it"),
    ("12.4", with_bias(lambda bn, own, scale: bn.bias), "weights are right"),
    ("12.5", Block(16, 16, 1), "class itself"),
    ("12.5", ShortcutByWidthOnly, "Block(4, 4, 2) raised"),
    ("12.5", ShortcutByStrideOnly, "Block(4, 6, 1) raised"),
    ("12.5", StrideOfTwo, "take the stride"),
    ("12.5", PooledShortcut, "the sum with the shortcut"),
    ("12.5", ReluOnTheShortcut, "the sum with the shortcut"),
    ("12.5", InPlace, "changes the x"),
    ("12.5", WithDropout, "training mode"),
    ("12.5", NoPadding, "raised"),
    ("12.5", Ungamma, "text's order"),
    ("12.5", OneMoreLayer, "What else learns"),
    ("12.5", Returned, "gives nothing back"),
    ("12.5", nn.Conv2d, "after the sum"),
    ("12.5", lambda before, width, stride: Block(before, width, stride), "class itself"),
    ("12.4", lambda conv, bn: fold(conv, bn).double(), "kind of numbers"),
    ("12.5", NoLastReLU, "after the sum"),
    ("12.5", ReLUBeforeTheSum, "the shortcut, once"),
    ("12.5", Concatenated, "don't concatenate"),
    ("12.5", NoShortcut, "added to f(x)"),
    ("12.5", Always1x1, "and only there"),
    ("12.5", WithoutGradients, "can't learn"),
    ("12.5", InAList, "nn.ModuleList"),
    ("12.5", NoForward, "your network raised NotImplementedError"),
    ("12.5", WithBiases, "with a bias"),
    ("12.5", BareShortcut, "behind each convolution"),
    ("12.5", NoReLUInside, "no ReLU inside"),
    ("12.5", StrideOnTheSecond, "steps in its second"),
    ("12.6", passed_through_in_evaluation_mode, "In which mode"),
    ("12.6", trained, "only pass through"),
    ("12.6", silent, "Give the model back"),
    ("12.6", lambda model, loader: refresh(model, loader, mode=True), "set it again"),
    ("12.6", lambda model, loader: kept_mode(model, loader, restore=False), "Put back"),
    ("12.6", refresh, "a model in training mode, parts"),
    ("12.6", weighted_by_size, "counts the same"),
    ("12.6", top_level_only, "counts the same"),
    ("12.6", biased, "counts the same"),
    ("12.6", lambda model, loader: kept_mode(model, loader * 2)[:-1], "another one"),
    ("12.6", first_layer_only, "counts the same"),
    ("12.6", with_update_bn, "update_bn"),
    ("12.6", with_update_bn_and_a_generator, "update_bn"),
    ("12.6", with_changed_images, "changed numbers of loader"),
    ("12.6", lambda model, loader: kept_mode(model, loader[:1]), "the first batch's"),
    ("12.6", lambda model, loader: kept_mode(model, loader[-1:]), "the last batch's"),
    ("12.6", lambda model, loader: kept_mode(model, loader[:2]), "Each batch once"),
    ("12.6", lambda model, loader: None if kept_mode(model, loader) else 1, "gives nothing back"),
    ("12.6", lambda model, loader: kept_mode(model, loader, plain=False, reset=False), "momentum weighs"),
    ("12.6", lambda model, loader: nn.Sequential(kept_mode(model, loader)), "another one"),
    ("12.6", lambda model, loader: refresh(model, loader, reset=False), "old statistics are still in"),
    ("12.6", lambda model, loader: refresh(model, loader, plain=False), "layer's momentum"),
    ("12.7", lambda mean, variance, p: (variance + mean**2) / (1 - p), "The variance is less"),
    ("12.7", lambda mean, variance, p: variance / (1 - p), "Where is the mean"),
    ("12.7", lambda mean, variance, p: (1 - p) * variance, "do to their squares"),
    ("12.7", lambda mean, variance, p: (variance + mean**2) / p - mean**2, "the share that goes"),
    ("12.7", lambda mean, variance, p: (variance + mean**2) / (1 - p) ** 2 - mean**2, "How many of the squares"),
    ("12.7", lambda mean, variance, p: (1 - p) * (variance + mean**2) - ((1 - p) * mean) ** 2, "do to their squares"),
    ("12.7", lambda mean, variance, p: variance, "before dropout, then after it"),
    ("12.7", lambda mean, variance, p: 2 * variance + mean**2, "before dropout, then after it"),  # right for p = ½
    ("12.7", lambda mean, variance, p: variance / (1 - p) + mean * p / (1 - p), "before dropout"),  # for a mean of 1
    ("12.7", lambda mean, variance, p: after(abs(mean), variance, p) * (1 if mean >= 0 else 2), "a mean of -1.5"),
    ("12.7", lambda mean, variance, p: after(mean, variance, p) if p else 0, "p = 0"),
    ("12.7", lambda mean, variance, p: round(after(mean, variance, p), 2), "rounded"),
    ("12.7", lambda mean, variance, p: after(mean, variance, p) ** 0.5, "standard deviation"),
    ("12.7", lambda mean, variance, p: (mean, after(mean, variance, p)), "what your function returns has 2 parts"),
    ("12.7", lambda mean, variance, p: (variance + mean**2) / (1 - p) - (mean / (1 - p)) ** 2, "becomes of the mean"),
    ("12.7", lambda mean, variance, p: torch.randn(10**5).mul(variance**0.5).add(mean).var(), "before dropout"),
]


class TestLesson12(Checkers):
    RIGHT, WRONG = RIGHT, WRONG
    ASKED = list(RIGHT)
    CHANGES = ("12.6",)


def test_the_stub_of_the_page_is_unattempted():
    assert check("12.5", Stub).status == "unattempted"


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("12.1", [128.0, np.float32(0.542)]),
        ("12.2", np.array([69_632, 1_179_648])),
        ("12.1", (128, torch.tensor(0.542))),
        ("12.3", torch.tensor(0.06325)),
        ("12.4", lambda conv, bn: fold(conv, bn).double().float()),
        ("12.4", lambda conv, bn: fold(conv, bn).requires_grad_(False).eval()),
        ("12.4", fold_a_copy),
        ("12.5", ShortcutFirst),
        ("12.5", LastGammaAtZero),
        ("12.5", OneByOne),
        ("12.6", refresh_by_hand),
        ("12.6", refresh_by_hooks),
        ("12.7", after_by_shares),
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
