"""Checkers of lesson 14, looking inside."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong
from course_utils.networks import lenet

from ._answers import close, near, network, number, tensor, wholes


@checker("14.1")
def dead_filters(answer):
    """a function of maps N×C×H×W that returns the list of the dead channels."""
    one_lives = torch.zeros(3, 5, 2, 2)
    one_lives[1, 3, 1, 0] = 1e-4  # a single place of a single image
    negative = torch.full((2, 3, 2, 2), -1.0)
    negative[:, 1] = 1.0
    for maps, dead in [
        (one_lives, [0, 1, 2, 4]),
        (torch.rand(2, 4, 3, 3) + 0.1, []),
        (torch.zeros(2, 2, 3, 3), [0, 1]),
        (torch.rand(7, 3, 4, 5).index_fill(1, torch.tensor([1]), 0.0), [1]),
    ]:
        returned = answer(maps)
        if hasattr(returned, "dtype") and returned.dtype == torch.bool:
            hint = "Return the channels' numbers, not a truth value for each. `nonzero()` finds them."
            return wrong("your function returns truth values", hint=hint)
        mine = wholes(returned, None, "the numbers of the dead channels, such as [0, 3]")
        if mine == dead:
            continue
        if sorted(mine) == dead:
            return wrong(f"{mine} is not in ascending order", hint="Sort the list.")
        alive = [channel for channel in range(maps.shape[1]) if channel not in dead]
        if mine == alive:
            return wrong("those are the living ones", hint="Dead means 0 everywhere.")
        if set(mine) > set(dead):
            hint = "A filter that answers anywhere, in any image, is alive. Look along axes 0, 2 and 3."
            return wrong(f"channel {sorted(set(mine) - set(dead))[0]} is not dead", hint=hint)
        hint = "Axis 1 holds the channels. A dead one has no value above 0 in any image, at any place."
        return wrong(f"of {maps.shape[1]} channels, {dead} are dead; your function says {mine}", hint=hint)
    return right("A dead filter gets no gradient, so it usually stays dead. A leaky ReLU or a smaller rate helps.")


@checker("14.2")
def output_of(answer):
    """a function of (model, layer, x) that returns what the layer gives out."""
    model = lenet().eval()
    first, second = torch.randn(2, 1, 28, 28), torch.randn(3, 1, 28, 28)
    for layer in model:
        layer.register_forward_hook(lambda *card: None)  # somebody else's
    with torch.no_grad():
        expected = {(place, x): model[: place + 1](x) for place in (0, 4, 11) for x in (first, second)}
    for (place, x), maps in expected.items():
        mine = tensor(answer(model, model[place], x))
        left = len(model[place]._forward_hooks) + len(model[place]._forward_pre_hooks) - 1
        if left < 0:
            hint = "Remove your own only: `hook.remove()`. Somebody else may be listening, too."
            return wrong("your function has removed a hook that is not its own", hint=hint)
        if left:
            hint = "`register_forward_hook` gives back a handle. Call its `remove()` when the network has answered."
            return wrong(f"hooks left on the layer after your function: {left}", hint=hint)
        if not close(mine, maps):
            hint = "Return what the layer gives out in this call: the third argument of the hook."
            return wrong("that is not what the layer gave out", hint=hint)
    broken = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(5, 1))  # the linear layer can't read what it gets
    try:
        answer(broken, broken[0], first)
    except RuntimeError:
        answer.error = None
    else:
        return wrong(
            "the network's error is lost", hint="`finally` cleans up and lets the error through; `except` swallows it."
        )
    if broken[0]._forward_hooks:
        hint = "An error skips the lines after it. `try: … finally: …` removes the hook either way."
        return wrong("the network raised an error, and the hook is still there", hint=hint)
    return right("A `with` block can do the same, as in the package's `feature_maps`.")


@checker("14.3")
def with_random(answer):
    """a function of (model, name) that returns a copy with one layer's weights drawn again."""
    for name in ("11", "3", "0", "1.7"):
        model = (nn.Sequential(lenet()[:3], lenet()[3:]) if "." in name else lenet()).eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        other = network(answer(model, name))
        after = other.state_dict()
        if set(after) != set(before):
            return wrong("the copy's layers are different", hint="Copy the whole network, and change one layer of it.")
        if other is model or any(
            value.data_ptr() == own.data_ptr()
            for value, own in zip(other.parameters(), model.parameters(), strict=True)
        ):
            return wrong("the copy shares weights with the network", hint="`copy.deepcopy(model)` copies them, too.")
        changed = sorted({key.rpartition(".")[0] for key in after if not torch.equal(after[key], before[key])})
        if name not in changed:
            hint = "`other.get_submodule(name)` is the layer; `reset_parameters()` draws its weights again."
            return wrong(f"layer {name} still has its weights", hint=hint)
        if changed != [name]:
            hint = "Only one layer: `other.get_submodule(name)`, not all modules."
            return wrong(f"layers {', '.join(changed)} have changed, not only {name}", hint=hint)
        if any(torch.equal(after[f"{name}.{part}"], before[f"{name}.{part}"]) for part in ("weight", "bias")):
            return wrong("the weight or bias is unchanged", hint="`reset_parameters()` draws both again.")
        if after[f"{name}.weight"].std() < 1e-6:
            return wrong("the new weights are all the same", hint="`reset_parameters()` draws random ones.")
    return right("Repeat it from the last layer down: the cascading randomisation of Adebayo et al.")


@checker("14.4")
def step_to(answer):
    """a function of (model, x, target, size) that returns a batch like x."""
    model = lenet().eval()
    for count, target, size in [(4, 3, 0.1), (1, 7, 0.02)]:
        x = torch.randn(count, 1, 28, 28)
        start = x.clone().requires_grad_()
        loss = F.cross_entropy(model(start), torch.full((count,), target))
        [gradient] = torch.autograd.grad(loss, start)
        mine = tensor(answer(model, x, target, size))
        if mine.shape != x.shape:
            hint = "Return the same images, each pixel slightly changed."
            return wrong(f"x has shape {tuple(x.shape)}; your function returns {tuple(mine.shape)}", hint=hint)
        if close(mine, x - size * gradient.sign(), tolerance=1e-4):
            continue
        if close(mine, x + size * gradient.sign(), tolerance=1e-4):
            hint = "The gradient points to where the target's loss grows. You want it to fall."
            return wrong("the target becomes less likely", hint=hint)
        moved = mine - x
        if close(mine, x - size * gradient, tolerance=1e-4) or moved.abs().max() < 0.01 * size:
            return wrong("the pixels move by the gradient itself", hint="Take its sign, so that each moves by `size`.")
        if mine.min() >= 0 or mine.max() <= 1:
            return wrong("your function clamps", hint="x is normalised, so 0 and 1 are not its limits.")
        if not near(moved.abs().max().item(), size, places=4):
            hint = "Each pixel moves by `size`, up or down."
            return wrong(f"pixels move by up to {moved.abs().max():.3g}; size was {size}", hint=hint)
        hint = "Take the gradient of the cross-entropy with the target as every label; subtract its sign times `size`."
        return wrong("these are not the right directions", hint=hint)
    return right("Many small ones, pulled back to within a fixed distance of x, are the projected gradient attack.")


def _separation(points, labels):
    centre, between = points.mean(0), 0
    for label in labels.unique():
        own = points[labels == label]
        between += len(own) * (own.mean(0) - centre).square().sum()
    return (between / (points - centre).square().sum()).item()


@checker("14.5")
def chance_separation(answer):
    """a function of (points, labels, shuffles) that returns one number, the mean separation."""
    labels = torch.arange(60) % 6
    points = F.one_hot(labels, 6).float()[:, :2] + 0.1 * torch.randn(60, 2)
    chance = torch.tensor([_separation(points, labels[torch.randperm(60)]) for _ in range(300)])
    calls, mine = [], []
    for _ in range(6):
        calls.append(number(answer(points, labels, 200), "one number, the mean of the separations"))
    mine = sum(calls) / len(calls)
    error = 6 * float(chance.std()) / 200**0.5
    spread = max(calls) - min(calls)
    if abs(mine - float(chance.mean())) <= error and spread <= error:
        once = {round(number(answer(points, labels, 1)), 6) for _ in range(8)}
        if len(once) == 1:
            return wrong("each call shuffles in the same way", hint="Do not set the seed inside the function.")
        return right("With 6 classes and 60 points, chance gives about 5/59: with few points, it looks like order.")
    if near(mine, _separation(points, labels), places=4):
        return wrong("that is the separation of the true labels", hint="Shuffle the labels: `torch.randperm` helps.")
    if mine > 20 * float(chance.mean()):
        return wrong(f"{mine:.3g} is a sum", hint="Divide by the number of shuffles.")
    if min(calls) > float(chance.mean()) + error:
        hint = "Take the mean, not the largest, and give the labels another order instead of drawing new ones."
        return wrong(f"{mine:.3g} is too high", hint=hint)
    if spread > error:
        hint = "Shuffle as many times as you are asked to, and take the mean over all of them."
        return wrong(f"calls give from {min(calls):.3g} to {max(calls):.3g}, too far apart for 200 shuffles", hint=hint)
    hint = "For each shuffle, reorder the labels and compute the points' separation; then take the mean."
    return wrong(f"{mine:.3g}; chance is near {chance.mean():.3g} here", hint=f"{hint} Got {shown(calls[0])}.")
