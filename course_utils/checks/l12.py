"""Checkers of lesson 12, modern blocks."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import update_bn

from course_utils import count_parameters
from course_utils.exercises import Unattempted, checker, right, target, wrong


def _pair(answer):
    return isinstance(answer, tuple | list) and len(answer) == 2


@checker("12.1")
def learnt_and_running(answer):
    """a pair of numbers: parameters, and the running mean."""
    if not _pair(answer):
        return wrong(f"your answer is {answer!r}", hint="A pair, such as (100, 1.5).")
    learnt, running = answer
    if learnt is ... or running is ...:
        raise Unattempted
    if abs(learnt - 0.542) < 3e-3:
        return wrong("the two are swapped", hint="The parameters first.")
    hints = {
        64: "Two numbers are learnt for each channel: a factor and what is added.",
        256: "The running mean and variance are kept, but not learnt: no gradient reaches them.",
        257: "Running mean, variance and the count of batches are kept, but not learnt.",
        2: "Two for each channel. How many channels come out of a convolution with 64 filters?",
    }
    if learnt != 128:
        return wrong(f"{learnt:,} parameters is not it", hint=hints.get(learnt, "γ and β, for each of 64 channels."))
    hints = {
        0.6: "A tenth of the *gap* to 2 is added each time, and the gap shrinks.",
        2.0: "Only a tenth of the gap is closed in each step.",
        0.2: "That is after the first batch.",
        0.38: "That is after two batches.",
        2 * 0.9**3: "That is the gap which is left. It begins at 0, so what is closed of it?",
        2 * (1 - 0.1**3): "PyTorch's momentum is the share of the new, not of the old.",
    }
    for value, hint in hints.items():
        if abs(running - value) < 1e-3:
            return wrong(f"a running mean of {running:g} is not it", hint=hint)
    if not abs(running - 0.542) < 3e-3:  # 0.54 is right too, NaN is not
        hint = "It begins at 0. In each step: running + 0.1 · (2 − running)."
        return wrong(f"a running mean of {running:g} is not it", hint=hint)
    return right("After ten batches it has come two thirds of the way. Who evaluates before that is bitten again.")


@checker("12.2")
def bottleneck(answer):
    """a pair of whole numbers: weights of the bottleneck, weights of the two plain convolutions."""
    if not _pair(answer):
        return wrong(f"your answer is {answer!r}", hint="A pair: the bottleneck, then the two plain convolutions.")
    if tuple(answer) == (1_179_648, 69_632):
        return wrong("the two are swapped", hint="The bottleneck first.")
    first, second = answer
    hints = {
        53_248: "The way back, from 64 to 256 channels, is missing.",
        36_864: "That is the 3×3 in the middle. Two 1×1 convolutions are around it.",
        69_632 + 64 + 64 + 256: "Leave the biases out.",
        147_456 + 36_864 + 147_456: "A 1×1 convolution has one weight for each pair of channels, not nine.",
        589_824: "That is one plain 3×3 convolution.",
    }
    if first != 69_632:
        hint = hints.get(first, "For each convolution: channels in · channels out · K².")
        return wrong(f"{first:,} weights of the bottleneck is not it", hint=hint)
    hints = {589_824: "There are two of them.", 1_179_648 + 512: "Leave the biases out."}
    if second != 1_179_648:
        hint = hints.get(second, "For each of the two: channels in · channels out · K².")
        return wrong(f"{second:,} weights of the two plain convolutions is not it", hint=hint)
    return right("A seventeenth. ResNet-50, 101 and 152 are built of such blocks; their 3×3 is where they look around.")


@checker("12.3")
def gentle_std(answer):
    """one number, a standard deviation."""
    hints = {
        (2 / 400) ** 0.5: "That is for ReLU. The negative half is not lost here: what is the mean of its squares?",
        (1 / 400) ** 0.5: "That is for a layer whose numbers all pass unchanged.",
        1.6 / 400: "That is the variance. The standard deviation is its root.",
        (1 / (0.75 * 400)) ** 0.5: "Negative numbers are halved, so their squares are quartered.",
        (1.6 / 25) ** 0.5: "Each answer adds up C·K² products; you have one channel.",
        (1.6 / 16) ** 0.5: "Each answer adds up C·K² products; you have kernels of one weight.",
    }
    for value, hint in hints.items():
        if abs(answer - value) < 0.005 * value:
            return wrong(f"{answer:.4g} is not it", hint=hint)
    if not abs(answer - (1.6 / 400) ** 0.5) < 5e-4:  # so that NaN is wrong
        hint = "Var(y) = C·K² · Var(w) · mean of x². Which share of Var(y) is the mean of x² after leaky ReLU?"
        return wrong(f"{answer:.4g} is not it", hint=hint)
    return right("kaiming_normal_ knows it: nonlinearity='leaky_relu', a=0.5.")


def _trained_looking(layer):
    """A batch normalisation with numbers as after some training; one factor is negative."""
    nn.init.uniform_(layer.weight, 0.5, 2)
    layer.weight.data[0] *= -1
    nn.init.normal_(layer.bias)
    layer.running_mean.normal_()
    layer.running_var.uniform_(1e-5, 1e-4)  # small enough that the place of eps shows
    return layer.eval()


@checker("12.4")
def fold(answer):
    """a function of (conv, bn) that returns an nn.Conv2d."""
    torch.manual_seed(0)
    x = torch.randn(4, 3, 9, 9).double()
    for bias in (False, True):
        conv = nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=bias).double().eval()
        bn = _trained_looking(nn.BatchNorm2d(5).double())
        given = [copy.deepcopy(layer.state_dict()) for layer in (conv, bn)]
        with torch.no_grad():
            expected = bn(conv(x))
        new = answer(conv, bn)
        if not isinstance(new, nn.Conv2d):
            return wrong(f"you return a {type(new).__name__}", hint="Build a new nn.Conv2d, set its weight and bias.")
        kept = all(
            torch.equal(value, layer.state_dict()[name])
            for layer, before in zip((conv, bn), given, strict=True)
            for name, value in before.items()
        )
        if new is conv or not kept:
            return wrong("the layers given to you have changed", hint="Build a new nn.Conv2d; leave conv and bn alone.")
        with torch.no_grad():
            mine = new.double()(x)
        if mine.shape != expected.shape:
            return wrong(
                f"answers of shape {tuple(mine.shape)} instead of {tuple(expected.shape)}",
                hint="The new convolution needs the stride and padding of the old one.",
            )
        if torch.allclose(mine, expected, rtol=1e-4, atol=1e-3):
            continue
        what = f"for a convolution {'with' if bias else 'without'} bias, answers differ by "
        return wrong(what + f"{(mine - expected).abs().max():.2g}", hint=_why_not_folded(conv, bn, new))
    return right(
        "That is how a network is shipped. (If a max pooling stands between the two, it works only where the "
        "scale is positive: a negative one would turn the largest into the smallest.)"
    )


@torch.no_grad()
def _why_not_folded(conv, bn, new):
    """A hint, from what the reader's weights and biases are instead."""

    def same(mine, value):
        return mine is not None and mine.shape == value.shape and torch.allclose(mine, value, rtol=1e-4)

    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    for wrong_scale, hint in (
        (bn.weight / (bn.running_var.sqrt() + bn.eps), "ε belongs under the root: √(σ² + ε)."),
        (bn.weight / bn.running_var.sqrt(), "ε is missing under the root: √(σ² + ε)."),
        (bn.weight / (bn.running_var + bn.eps), "Divide by the standard deviation: the root of the variance."),
        (1 / (bn.running_var + bn.eps).sqrt(), "The learnt factor γ, bn.weight, is missing from the scale."),
        (torch.ones_like(scale), "The weights are as before. Each filter is multiplied by its scale."),
    ):
        if same(new.weight, conv.weight * wrong_scale[:, None, None, None]):
            return hint
    if not same(new.weight, conv.weight * scale[:, None, None, None]):
        return "Each filter, weight[f], is multiplied by scale[f] = γ/√(σ² + ε)."
    if conv.bias is not None and same(new.bias, bn.bias - bn.running_mean * scale):
        return "The convolution's own bias is missing: it is scaled too."
    if conv.bias is not None and same(new.bias, conv.bias + bn.bias - bn.running_mean * scale):
        return "The convolution's own bias passes through the batch norm too, so it is scaled."
    return "The weights are right. The bias is β + (bias of the convolution − running mean) · scale."


@torch.no_grad()
def _block_by_hand(model, x, stride):
    """The answer of a fresh Block(16, 32, stride): the shapes of its three convolutions say which is which."""
    weights = {tuple(layer.weight.shape[1:]): layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d)}

    def norm(y):  # γ is 1 and β is 0
        return F.batch_norm(y, None, None, training=True)

    y = norm(F.conv2d(x, weights[16, 3, 3], stride=stride, padding=1)).relu()
    y = norm(F.conv2d(y, weights[32, 3, 3], padding=1))
    return (norm(F.conv2d(x, weights[16, 1, 1], stride=stride)) + y).relu()


@checker("12.5")
def block(answer):
    """a class, called with (before, width, stride)."""
    if not (isinstance(answer, type) and issubclass(answer, nn.Module)):
        return wrong(f"your answer is {answer!r}"[:60], hint="Give the class itself: a subclass of nn.Module.")
    torch.manual_seed(0)
    for (before, width, stride), parameters in {(16, 16, 1): 4_672, (16, 32, 2): 14_528, (16, 32, 1): 14_528}.items():
        what = f"Block({before}, {width}, {stride})"
        model, x = answer(before, width, stride), torch.randn(4, before, 8, 8)
        mine = model(x)
        if mine is None or mine is ...:
            raise Unattempted
        expected = (4, width, 8 // stride, 8 // stride)
        if tuple(mine.shape) != expected:
            return wrong(
                f"{what} answers with shape {tuple(mine.shape)} instead of {expected}",
                hint="Add, don't concatenate. The stride belongs to the first 3×3 and to the 1×1, and "
                "padding=1 to each 3×3.",
            )
        if (mine < 0).any():
            return wrong(f"{what} answers with negative numbers", hint="One more ReLU, after the sum.")
        if count_parameters(model) != parameters:
            hint = "Two 3×3 convolutions without bias, two batch norms; a 1×1 and its batch norm only if shapes differ."
            return wrong(f"{what} has {count_parameters(model):,} parameters instead of {parameters:,}", hint=hint)
        if before != width:
            if not torch.allclose(mine, _block_by_hand(model, x, stride), atol=1e-4):
                hint = "f in this order: 3×3 with the stride, batch norm, ReLU, 3×3, batch norm. The sum, then ReLU."
                return wrong(f"{what} does not answer relu(shortcut + f(x))", hint=hint)
            continue
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.zeros_(layer.weight)
        if not torch.allclose(model(x), x.relu(), atol=1e-6):
            hint = (
                "With all γ at 0, f(x) is 0, and relu(x) must be left: x itself is added, once, and the last ReLU "
                "comes after the sum."
            )
            return wrong(f"{what} with all γ at 0 does not answer as it should", hint=hint)
    return right("Start each block's last γ at 0 and a network of any depth begins as a shallow one. Many do so today.")


@checker("12.6")
def refresh(answer):
    """a function of (model, loader) that returns the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    loader = [(3 + torch.randn(8, 2, 9, 9) * k, torch.zeros(8, dtype=torch.int64)) for k in (1, 2, 3, 4)]
    for x, _ in loader[:2]:
        model(x + 5)  # old statistics, of other images
    model.eval()
    given, expected = copy.deepcopy(model.state_dict()), copy.deepcopy(model)
    update_bn(loader, expected)
    mine = answer(model, loader)
    if not isinstance(mine, nn.Module):
        return wrong(f"you return a {type(mine).__name__}", hint="Give the model back.")
    names = {name for name in given if "running" in name}
    state = mine.state_dict()
    if any(not torch.equal(state[name], given[name]) for name in given if name.endswith(("weight", "bias"))):
        return wrong("weights have changed", hint="No loss, no optimiser: batches only pass through.")
    if all(torch.equal(state[name], given[name]) for name in names):
        return wrong("the statistics are as they were", hint="They move only in training mode: model.train().")
    if mine.training:
        return wrong("the model came in evaluation mode and left in training mode", hint="Keep model.training first.")
    if any(layer.momentum is None for layer in mine.modules() if isinstance(layer, nn.BatchNorm2d)):
        return wrong("momentum is None afterwards", hint="Put back the momentum that each layer had.")
    if not all(torch.allclose(state[name], expected.state_dict()[name], atol=1e-5) for name in names):
        counted = state["1.num_batches_tracked"] == 2 + len(loader)
        hint = (
            "The old statistics are still in: reset_running_stats() first."
            if counted
            else "Plain means over the batches: momentum = None, and each batch once."
        )
        return wrong("the statistics are not the means over the batches", hint=hint)
    return right("So it goes after averaging weights, and after any change to weights that made the old ones untrue.")


@checker("12.7")
def small_network(answer):
    """a trained nn.Module."""
    from course_utils import batches, evaluate, load

    if not isinstance(answer, nn.Module):
        return wrong(f"your answer is a {type(answer).__name__}", hint="Give the trained model itself.")
    if count_parameters(answer) >= 300_000:
        return wrong(
            f"it has {count_parameters(answer):,} parameters, fewer than 300,000 are asked",
            hint="A global average or maximum before the last linear layer, or narrower blocks.",
        )
    cifar = load("cifar10")
    needed = target(cifar, real=0.776, sample=0.8)
    where = next(answer.parameters()).device
    reached = evaluate(answer, batches(cifar.valid, 1_000, device=where)).accuracy
    if reached < 0.15:
        return wrong(
            f"it reads {reached:.1%} of the validation images",
            hint="That is chance: was this model trained? If its weights are averages: update_bn.",
        )
    if reached < needed:
        return wrong(
            f"it reads {reached:.2%} of the validation images, {needed:.1%} are asked",
            hint="The lesson's blocks, its augmentation, and a learning rate that falls to 0.",
        )
    return right(f"It reads {reached:.2%} with {count_parameters(answer):,} parameters. The study had 3,716,154.")
