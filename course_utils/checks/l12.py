"""Checkers of lesson 12, modern blocks."""

import copy
import traceback
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import swa_utils

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong

from ._answers import RETURNED, Refused, close, near, number, numbers, scores, subclass, wholes


@checker("12.1")
def learnt_and_running(answer):
    """a pair of numbers: parameters, and the running mean."""
    learnt, running = numbers(answer, 2, "(parameters, running mean)")
    if near(learnt, 0.542, places=3) and running == 128:
        return wrong("the two are swapped", hint="The parameters first.")
    hints = {
        64: "One for each channel is not enough: what does the layer multiply by, and what does it add?",
        256: "The running mean and variance are kept, but not learnt: no gradient reaches them.",
        257: "Running mean, variance and the count of batches are kept, but not learnt.",
        192: "What is learnt are γ and β. Bias and β are one.",
        2: "So many for each channel. How many channels come out of a convolution with 64 filters?",
    }
    if learnt != 128:
        hint = hints.get(learnt, "γ and β are learnt. How many numbers has each?")
        return wrong(f"{learnt:,g} parameters is not it", hint=hint)
    if near(running, 2 * (1 - 0.9**3), places=3):
        return right("After ten batches it has come two thirds of the way. Who evaluates before that is bitten again.")
    for mistake, hint in {
        0.6: "A tenth of the *gap* to 2 is added each time, and the gap shrinks.",
        2.0: "Only a tenth of the gap is closed in each step.",
        0.2: "That is after the first batch.",
        0.38: "That is after two batches.",
        2 * (1 - 0.9**4): "That is after four batches.",
        2 * 0.9**3: "That is the gap which is left. It begins at 0, so what is closed of it?",
        2 * (1 - 0.1**3): "PyTorch's momentum is the share of the new, not of the old.",
        1 + (1 - 0.9**3): "That begins at 1, as the running variance does.",
    }.items():
        if near(running, mistake, places=3):
            return wrong(f"a running mean of {running:g} is not it", hint=hint)
    if near(running, 2 * (1 - 0.9**3), places=2):
        return wrong(f"a running mean of {running:g} is close", hint="Give three places, rounded.")
    hint = "It begins at 0, and each batch moves it by a tenth of the way to 2. Write the three steps down."
    return wrong(f"a running mean of {running:g} is not it", hint=hint)


@checker("12.2")
def bottleneck(answer):
    """a pair of whole numbers: weights of the bottleneck, weights of the two plain convolutions."""
    first, second = wholes(answer, 2, "(bottleneck, two plain convolutions)")
    narrow, plain = 256 * 64 + 64 * 64 * 9 + 64 * 256, 2 * 256 * 256 * 9
    if (first, second) == (plain, narrow):
        return wrong("the two are swapped", hint="The bottleneck first.")
    hints = {
        narrow - 64 * 256: "One of the two 1×1 convolutions is missing.",
        64 * 64 * 9: "That is the 3×3 in the middle. Two 1×1 convolutions are around it.",
        2 * 256 * 64: "Those are the two 1×1. A 3×3 is between them.",
        narrow + 64 + 64 + 256: "Leave the biases out.",
        9 * 256 * 64
        + 64 * 64 * 9
        + 9 * 64 * 256: "A 1×1 convolution has one weight for each pair of channels, not nine.",
        256 * 64 + 64 * 64 * 3 + 64 * 256: "A 3×3 kernel has more than three weights.",
        plain // 2: "That is one plain 3×3 convolution.",
    }
    if first != narrow:
        hint = hints.get(first, "For each convolution: channels in · channels out · K².")
        return wrong(f"{first:,} weights of the bottleneck is not it", hint=hint)
    hints = {
        plain // 2: "There are two of them.",
        plain + 512: "Leave the biases out.",
        2 * 64 * 64 * 9: "Theirs are 256 channels throughout.",
        2 * 256 * 256: "Their kernels are 3×3.",
    }
    if second != plain:
        hint = hints.get(second, "For each of the two: channels in · channels out · K².")
        return wrong(f"{second:,} weights of the two plain convolutions is not it", hint=hint)
    return right("A seventeenth. ResNet-50, 101 and 152 are built of such blocks; their 3×3 is where they look around.")


@checker("12.3")
def gentle_std(answer):
    """one number, a standard deviation."""
    mine, expected = number(answer), (1.6 / 400) ** 0.5
    if near(mine, expected, places=4):
        return right("kaiming_normal_ knows it: nonlinearity='leaky_relu', a=0.5.")
    if near(mine, expected, places=3):
        return wrong(f"{mine:.4g} is close", hint="Give four places, rounded.")
    for mistake, hint in (
        ((2 / 400) ** 0.5, "That is for ReLU. Here something is left of the negative half."),
        ((1 / 400) ** 0.5, "That is for a layer whose numbers all pass unchanged."),
        ((1 / 1_200) ** 0.5, "That is PyTorch's default, which does not keep the variance."),
        (1.6 / 400, "That is the variance."),
        ((1 / (0.75 * 400)) ** 0.5, "Negative numbers are halved. What does that do to their squares?"),
        ((1 / (0.25 * 400)) ** 0.5, "Half of the numbers pass as they are; you let all be multiplied."),
        ((1 / (0.125 * 400)) ** 0.5, "You count the negative half only."),
        ((1.6 / 25) ** 0.5, "Each answer adds up C·K² products; you have one channel."),
        ((1.6 / 16) ** 0.5, "Each answer adds up C·K² products; you have kernels of one weight."),
        ((1.6 / 80) ** 0.5, "K is squared: a kernel has rows and columns."),
    ):
        if abs(mine - mistake) <= 0.005 * mistake:
            return wrong(f"{mine:.4g} is not it", hint=hint)
    hint = "Var(y) = C·K² · Var(w) · mean of x². Which share of Var(y) is the mean of x² after leaky ReLU?"
    return wrong(f"{mine:.4g} is not it", hint=hint)


@torch.no_grad()
def _trained_looking(layer):
    """A batch normalisation with numbers as after some training; one factor is negative."""
    nn.init.uniform_(layer.weight, 0.5, 2)
    layer.weight[0] *= -1
    nn.init.normal_(layer.bias)
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.5, 2)
    return layer


@checker("12.4")
def fold(answer):
    """a function of (conv, bn) that returns an nn.Conv2d."""
    for sizes, options, eps, training in (
        ((3, 5, 3), {"stride": 2, "padding": 1, "bias": False}, 1e-5, False),
        ((3, 5, 3), {"stride": 2, "padding": 1}, 1e-5, False),
        ((2, 4, (3, 2)), {"stride": (1, 3), "padding": (2, 1)}, 1e-3, True),
        ((1, 1, 1), {}, 0.1, False),
        ((4, 2, (1, 5)), {"stride": (2, 1), "padding": (0, 2), "bias": False}, 1e-3, True),
    ):
        conv = nn.Conv2d(*sizes, **options)
        bn = _trained_looking(nn.BatchNorm2d(conv.out_channels, eps=eps))
        with torch.no_grad():
            bn.running_var.mul_(eps)  # small enough that the place of ε shows
        x = torch.randn(2, conv.in_channels, 9, 7)
        with torch.no_grad():
            expected = bn.eval()(conv(x))
        for layer in (conv, bn):
            layer.train(training)
        given = str(conv), str(bn), training, training
        new = answer(conv, bn)
        if not isinstance(new, nn.Conv2d):
            return wrong(f"you return {shown(new)}", hint="Build a new nn.Conv2d, set its weight and bias.")
        if new is conv:
            return wrong("you return the convolution that was given", hint="Build a new nn.Conv2d.")
        if any(mine.data_ptr() == old.data_ptr() for mine in new.parameters() for old in conv.parameters()):
            hint = "A new nn.Conv2d has numbers of its own: what changes one must not change the other."
            return wrong("the new convolution shares its numbers with the old one", hint=hint)
        if (str(conv), str(bn), conv.training, bn.training) != given:
            hint = "Fold by their numbers, and leave both as they come."
            return wrong("the layers given have changed: their mode, or an option", hint=hint)
        case = f"for {conv}"
        with torch.no_grad():
            try:
                mine = nn.Conv2d.forward(new, x)  # its numbers and options, whatever else a subclass may do
            except RuntimeError as problem:
                return wrong(
                    f"{case}, the new one raised: {problem}", hint="Same channels, kernel size, kind of numbers?"
                )
        if mine.shape != expected.shape:
            return wrong(
                f"{case}, the new one answers with shape {tuple(mine.shape)} instead of {tuple(expected.shape)}",
                hint="Which options of the old convolution does the new one need as well?",
            )
        if close(mine, expected, tolerance=1e-4):
            continue
        return wrong(
            f"{case}, answers differ by {(mine - expected).abs().max():.2g}", hint=_why_not_folded(conv, bn, new)
        )
    return right(
        "That is how a network is shipped. (If a max pooling stands between the two, it works only where the "
        "scale is positive: a negative one would turn the largest into the smallest.)"
    )


@torch.no_grad()
def _why_not_folded(conv, bn, new):
    """A hint, from what the student's weights and biases are instead."""

    def same(mine, value):
        return mine is not None and mine.shape == value.shape and torch.allclose(mine, value, rtol=1e-5)

    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    usual_eps = 1e-5
    for wrong_scale, hint in (
        (bn.weight / (bn.running_var.sqrt() + bn.eps), "ε belongs under the root: √(σ² + ε)."),
        (bn.weight / bn.running_var.sqrt(), "ε is missing under the root: √(σ² + ε)."),
        (bn.weight / (bn.running_var + bn.eps), "Divide by the standard deviation: the root of the variance."),
        (1 / (bn.running_var + bn.eps).sqrt(), "The learnt factor γ, bn.weight, is missing from the scale."),
        (bn.weight / (bn.running_var + usual_eps).sqrt(), "This layer's ε is another: ask it."),
        (torch.ones_like(scale), "The weights are as before. What does batch norm multiply each filter by?"),
    ):
        if not same(wrong_scale, scale) and same(new.weight, conv.weight * wrong_scale[:, None, None, None]):
            return hint
    if not same(new.weight, conv.weight * scale[:, None, None, None]):
        return "Compare your weights with the page's folded ones, filter by filter."
    if new.bias is None:
        return "The weights are right. The new convolution has no bias."
    if conv.bias is not None and same(new.bias, bn.bias - bn.running_mean * scale):
        return "The convolution's own bias is missing."
    if conv.bias is not None and same(new.bias, conv.bias + bn.bias - bn.running_mean * scale):
        return "The convolution's own bias passes through the batch norm too: what happens to it there?"
    return "The weights are right, the bias is not: send zeros through bn(conv(x))."


def _block_by_hand(x, convs, norms, stride, training, shortcut=True, inner=True, stride_of=(0,), last=True):
    """A residual block's answer with these weights; the arguments from shortcut on make mistakes."""

    def norm(y, layer):
        running = (None, None) if training else (layer.running_mean, layer.running_var)
        return F.batch_norm(y, *running, layer.weight, layer.bias, training=training, eps=layer.eps)

    y = x
    for k in range(2):
        y = F.conv2d(y, convs[k].weight, stride=stride if k in stride_of else 1, padding=1)
        y = norm(y, norms[k])
        y = y.relu() if k == 0 and inner else y
    if len(convs) == 3:
        x = norm(F.conv2d(x, convs[2].weight, stride=stride), norms[2])
    y = y + x if shortcut else y
    return y.relu() if last else y


@torch.no_grad()
def _answers_as(mine, model, x, stride, training, **mistake):
    """Whether some order of the model's convolutions and batch norms gives what it has answered."""
    convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    wide = [layer for layer in convs if layer.kernel_size == (3, 3)]
    narrow = [layer for layer in convs if layer.kernel_size == (1, 1)]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for first, second in permutations(wide):
        if first.in_channels == x.shape[1] and second.in_channels == first.out_channels:
            for order in permutations(norms):
                if close(
                    mine,
                    _block_by_hand(x, [first, second, *narrow], order, stride, training, **mistake),
                    tolerance=1e-4,
                ):
                    return True
    return False


def _why_not_these_layers(model, differs):
    """What was found and a hint, if the block is built of other layers than it should; else None."""
    convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not convs:
        return "has no nn.Conv2d among its modules", "Layers belong into attributes, nn.Sequential or nn.ModuleList."
    kernels = sorted(layer.kernel_size for layer in convs)
    wanted = [(1, 1)] * differs + [(3, 3)] * 2
    if kernels != wanted:
        names = " and ".join(f"{K}×{L}" for K, L in kernels) or "none"
        hint = "f has two 3×3. A 1×1 stands in the shortcut where x and f(x) differ in shape, and only there."
        return f"has {len(convs)} nn.Conv2d, {names}", hint
    if any(layer.bias is not None for layer in convs):
        return "has a convolution with a bias", "β of the batch norm behind it does the same."
    if len(norms) != len(wanted):
        return f"has {len(norms)} nn.BatchNorm2d", "One stands behind each convolution."
    if any(layer.groups != 1 for layer in convs):
        return "has a convolution in groups", "Plain convolutions are asked for."
    counted = sum(layer.weight.numel() for layer in convs) + sum(2 * layer.num_features for layer in norms)
    if (owned := sum(each.numel() for each in model.parameters())) != counted:
        return f"has {owned - counted:,} parameters more than its convolutions and norms", "What else learns there?"
    return None


@checker("12.5")
def block(answer):
    """a class, called with (before, width, stride)."""
    built = subclass(answer, "Block")
    for before, width, stride in ((4, 4, 1), (4, 6, 2), (4, 6, 1), (4, 4, 2), (6, 4, 1), (5, 5, 3)):
        what = f"Block({before}, {width}, {stride})"
        model, differs = built(before, width, stride), stride != 1 or before != width
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                _trained_looking(layer)
        x = torch.randn(3, before, 9, 7)
        expected = (3, width, -(-9 // stride), -(-7 // stride))
        for training in (False, True):
            given = x.clone()
            try:
                mine = scores(model.train(training), given)
            except NotImplementedError:  # it has no forward
                raise
            except RuntimeError as error:
                hint = "Print the shapes of f(x) and of the shortcut for this block."
                return wrong(f"{what} raised: {error}", hint=hint)
            if not torch.equal(given, x):
                return wrong(f"{what} changes the x that it is given", hint="`+=` and in-place ReLUs write into x.")
            if mine.shape != expected:
                finding = f"{what} answers with shape {tuple(mine.shape)} instead of {expected}"
                if mine.shape[1:2] == (2 * width,):
                    return wrong(finding, hint="Add, don't concatenate.")
                hint = "Which layers take the stride, and which padding keeps the size under a 3×3 kernel?"
                return wrong(finding, hint=hint)
            if (mine < 0).any():
                return wrong(f"{what} answers with negative numbers", hint="What comes after the sum?")
            if not mine.requires_grad:
                hint = "Is there a `no_grad`, a `detach()` or a `.data` in it?"
                return wrong(f"{what} lets no gradient through, and so can't learn", hint=hint)
            if problem := _why_not_these_layers(model, differs):
                return wrong(f"{what} {problem[0]}", hint=problem[1])
            if _answers_as(mine, model, x, stride, training):
                continue
            mode = f"in {'training' if training else 'evaluation'} mode"
            for mistake, finding, hint in (
                ({"shortcut": False}, "answers without its shortcut", "What is added to f(x)?"),
                ({"inner": False}, "has no ReLU inside of f", "Read f once more, layer by layer."),
                ({"stride_of": (1,)}, "steps in its second 3×3", "Read f once more: which convolution has the stride?"),
            ):
                if _answers_as(mine, model, x, stride, training, **mistake):
                    return wrong(f"{what} {finding}", hint=hint)
            hint = "f in the text's order, its layers each once; the sum with the shortcut, once; then ReLU."
            return wrong(f"{what} does not answer relu(shortcut + f(x)) {mode}", hint=hint)
    return right("Start each block's last γ at 0 and a network of any depth begins as a shallow one. Many do so today.")


class Model(nn.Sequential):
    """Refuses a batch that PyTorch's `update_bn` sends, however it was imported."""

    def forward(self, x):
        if any(frame.filename == swa_utils.__file__ for frame in traceback.extract_stack()):
            raise Refused("your function calls PyTorch's update_bn", hint="Do its work yourself: it is a loop.")
        return super().forward(x)


@torch.no_grad()
def _sent_through(model, loader, *, forget=True, plain=True, times=1):
    """The running statistics of a copy of the model, behind the batches of loader."""
    model = copy.deepcopy(model).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None if plain else layer.momentum
            if forget:
                layer.reset_running_stats()
    for x, _ in loader * times:
        model(x)
    return _statistics(model)


def _statistics(model):
    return torch.cat([value.flatten() for name, value in model.state_dict().items() if "running" in name])


@checker("12.6", changes=True)
def refresh(answer):
    """a function of (model, loader) that returns the model."""
    for sizes, training in (((8, 8, 3, 8), False), ((8, 5), True), ((6,), False)):
        first = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()
        inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.3))
        model = Model(*first, inner, nn.ReLU(), nn.BatchNorm2d(4, momentum=None))
        loader = [
            (3 + k * torch.randn(size, 2, 9, 7), torch.zeros(size, dtype=torch.int64))
            for k, size in enumerate(sizes, 1)
        ]
        for x, _ in loader[:2]:
            model(x + 5)  # old statistics, of other images
        model.train(training)
        before = copy.deepcopy(model)
        momenta = [layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
        mine = answer(model, loader)
        mode, other = ("training", "evaluation") if training else ("evaluation", "training")
        case = f"for {len(loader)} batch{'es' * (len(loader) > 1)} and a model in {mode} mode"
        if not isinstance(mine, nn.Module):
            return wrong(f"you return {shown(mine)}", hint="Give the model back.")
        after = mine.state_dict()
        if after.keys() != before.state_dict().keys():
            return wrong("this model is another one", hint="Give the model itself back.")
        kept = [name for name in after if name.endswith(("weight", "bias"))]
        if any(not torch.equal(after[name], before.state_dict()[name]) for name in kept):
            return wrong("weights have changed", hint="No loss, no optimiser: batches only pass through.")
        reached, expected = _statistics(mine), _sent_through(before, loader)
        if torch.equal(reached, _statistics(before)):
            finding = f"{case}, the statistics are as they were"
            return wrong(finding, hint="In which mode does a batch norm take notes?")
        if not close(reached, expected, tolerance=1e-4):
            return wrong(
                f"{case}, the statistics are not the means over the batches",
                hint=_why_not_refreshed(reached, before, loader),
            )
        if any(layer.training is not training for layer in mine.modules()):
            finding = f"{case}, parts of it are left in {other} mode"
            return wrong(finding, hint="Note the mode first, and set it again at the end.")
        if [layer.momentum for layer in mine.modules() if isinstance(layer, nn.BatchNorm2d)] != momenta:
            return wrong("momentum is not as it was", hint="Put back the momentum that each layer had.")
    return right("So it goes after averaging weights, and after any change to weights that made the old ones untrue.")


def _why_not_refreshed(reached, before, loader):
    """A hint, from what the statistics are instead."""
    for mistake, hint in (
        ({"forget": False}, "The old statistics are still in."),
        ({"plain": False}, "Each batch moves them by its layer's momentum. Plain means ask for another."),
        ({"forget": False, "plain": False}, "The old statistics are still in, and momentum weighs the new ones."),
    ):
        if close(reached, _sent_through(before, loader, **mistake), tolerance=1e-4):
            return hint
    if close(reached, _sent_through(before, loader[:1]), tolerance=1e-4):
        return "These are the first batch's."
    if close(reached, _sent_through(before, loader[-1:]), tolerance=1e-4):
        return "These are the last batch's."
    return "Each batch once, in training mode, and each counts the same. Try it with a single batch."


@checker("12.7")
def variance_after(answer):
    """a function of (mean, variance, p) that returns a number."""
    for mean, variance, p in (
        (2.0, 1.0, 0.25), (0.0, 1.0, 0.5), (1.0, 0.0, 0.5), (-1.5, 2.25, 0.1), (3.0, 0.5, 0.8), (1.0, 2.0, 0.0),
    ):  # fmt: skip
        mine = number(answer(mean, variance, p), what=RETURNED)
        case = f"for a mean of {mean:g}, a variance of {variance:g} and p = {p:g} you get {mine:.4g}"
        squares = variance + mean**2

        def is_near(value, mine=mine):
            return abs(mine - value) <= 1e-5 * max(1, abs(value))

        true = squares / (1 - p) - mean**2
        if is_near(true):
            continue
        for mistake, hint in (
            (true**0.5, "That is the root of it, the standard deviation."),
            (squares / (1 - p), "That is the mean of the squares. The variance is less."),
            (
                squares / p - mean**2 if p else None,
                "p is the share that goes; the survivors are divided by what stays.",
            ),
            ((1 - p) * variance, "The survivors are divided by 1 − p. What does that do to their squares?"),
            ((1 - p) * squares - mean**2, "The survivors are divided by 1 − p. What does that do to their squares?"),
            (
                (1 - p) * squares - ((1 - p) * mean) ** 2,
                "The survivors are divided by 1 − p. What does that do to their squares, and to the mean?",
            ),
            (variance / (1 - p), "Equal numbers vary after dropout as well: some are 0 then. Where is the mean?"),
            (variance / (1 - p) ** 2, "Equal numbers vary after dropout as well: some are 0 then. Where is the mean?"),
            (squares / (1 - p) ** 2 - mean**2, "How many of the squares are left?"),
            (
                squares / (1 - p) - (mean / (1 - p)) ** 2,
                "The survivors are larger, and fewer. What becomes of the mean?",
            ),
            (
                squares / (1 - p) - ((1 - p) * mean) ** 2,
                "The survivors are fewer, and larger. What becomes of the mean?",
            ),
        ):
            if mistake is not None and is_near(mistake):
                return wrong(case, hint=hint)
        hint = "First the mean of the squares: before dropout, then after it. What does dropout do to the mean?"
        if abs(mine - true) <= 0.01 * true:
            hint = "Close. Is something rounded, or drawn?"
        return wrong(case, hint=hint)
    return right(
        "With p = ½ that is 2·variance + mean²: behind ReLU, where no mean is 0, more than twice. "
        "X. Li and others described it in 2019. Batch norm before dropout avoids it."
    )
