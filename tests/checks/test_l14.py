"""Every exercise of lesson 14: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import contextlib
import copy

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def dead(maps):
    return (maps.amax((0, 2, 3)) <= 0).nonzero().flatten().tolist()


def dead_in_loops(maps):
    return [c for c in range(maps.shape[1]) if not any(float(value) > 0 for value in maps[:, c].flatten())]


def output_of(model, layer, x):
    kept = []
    hook = layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    try:
        model(x)
    finally:
        hook.remove()
    return kept[0]


def output_in_a_block(model, layer, x):
    kept = {}
    with layer.register_forward_hook(lambda module, given, output: kept.update(maps=output)):
        model(x)
    return kept["maps"]


def output_with_a_hook_that_stays(model, layer, x):
    kept = []
    layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    model(x)
    return kept[0]


def output_removed_at_the_end(model, layer, x):
    kept = []
    hook = layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    model(x)
    hook.remove()
    return kept[0]


def output_that_eats_errors(model, layer, x):
    kept = []
    hook = layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    with contextlib.suppress(RuntimeError):
        model(x)
    hook.remove()
    return kept[0]


def output_that_clears_all(model, layer, x):
    kept = []
    layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    try:
        model(x)
    finally:
        layer._forward_hooks.clear()
    return kept[0]


def input_of(model, layer, x):
    kept = []
    hook = layer.register_forward_hook(lambda *card: kept.append(card[1][0].detach()))
    try:
        model(x)
    finally:
        hook.remove()
    return kept[0]


def with_random(model, name, reset="reset_parameters"):
    other = copy.deepcopy(model)
    getattr(other.get_submodule(name), reset)()
    return other


def with_random_by_hand(model, name):
    other = copy.deepcopy(model)
    for value in other.get_submodule(name).parameters():
        nn.init.normal_(value, std=0.1)
    return other


def with_random_in_place(model, name):
    model.get_submodule(name).reset_parameters()
    return model


def with_random_shallow(model, name):
    other = copy.copy(model)
    return other


def with_all_random(model, name):
    other = copy.deepcopy(model)
    for layer in other:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return other


def with_zeros(model, name):
    other = copy.deepcopy(model)
    nn.init.zeros_(other.get_submodule(name).weight)
    nn.init.zeros_(other.get_submodule(name).bias)
    return other


def with_random_weight_only(model, name):
    other = copy.deepcopy(model)
    nn.init.normal_(other.get_submodule(name).weight)
    return other


def step_to(model, x, target, size, direction=-1, move=torch.sign, wanted=None):
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(model(x), torch.full((len(x),), target if wanted is None else wanted))
    [gradient] = torch.autograd.grad(loss, x)
    return x.detach() + direction * size * move(gradient)


def step_by_backward(model, x, target, size):
    start = x.clone().requires_grad_()
    model(start).log_softmax(1)[:, target].sum().backward()
    return x + size * start.grad.sign()


def step_of_the_logit(model, x, target, size):
    start = x.clone().requires_grad_()
    model(start)[:, target].sum().backward()
    return x + size * start.grad.sign()


def step_in_place(model, x, target, size):
    x += 1e-3
    return x


def separation(points, labels):
    centre, between = points.mean(0), 0
    for label in labels.unique():
        own = points[labels == label]
        between += len(own) * (own.mean(0) - centre).square().sum()
    return (between / (points - centre).square().sum()).item()


def chance(points, labels, shuffles, summary=lambda found: sum(found) / len(found)):
    return summary([separation(points, labels[torch.randperm(len(labels))]) for _ in range(shuffles)])


def chance_of_points(points, labels, shuffles):
    return chance(labels=labels, points=points[torch.randperm(len(points))], shuffles=shuffles)


def chance_seeded(points, labels, shuffles):
    torch.manual_seed(0)
    return chance(points, labels, shuffles)


class Test(Checkers):
    ASKED = [f"14.{k}" for k in range(1, 6)]
    RIGHT = {"14.1": dead, "14.2": output_of, "14.3": with_random, "14.4": step_to, "14.5": chance}
    FREE = ("14.5",)
    WRONG = [
        ("14.1", lambda maps: maps.amax((0, 2, 3)) <= 0, "the channels' numbers"),
        ("14.1", lambda maps: dead(maps)[::-1], "Sort"),
        ("14.1", lambda maps: (maps.amax((0, 2, 3)) > 0).nonzero().flatten().tolist(), "Dead means"),
        ("14.1", lambda maps: dead(maps[:1]), "axes 0, 2 and 3"),
        ("14.1", lambda maps: dead(maps[:, :, :1, :1]), "axes 0, 2 and 3"),
        ("14.1", lambda maps: (maps.mean((0, 2, 3)) < 0.02).nonzero().flatten().tolist(), "axes 0, 2 and 3"),
        ("14.1", lambda maps: [], "Axis 1 holds the channels"),
        ("14.2", output_with_a_hook_that_stays, "remove()"),
        ("14.2", output_removed_at_the_end, "finally"),
        ("14.2", output_that_eats_errors, "lets the error through"),
        ("14.2", output_that_clears_all, "Remove your own only"),
        ("14.2", input_of, "third argument"),
        ("14.2", lambda model, layer, x: model(x), "third argument"),
        ("14.3", with_random_in_place, "changed numbers of model"),
        ("14.3", with_random_shallow, "shares weights"),
        ("14.3", with_all_random, "Only one layer"),
        ("14.3", lambda model, name: copy.deepcopy(model), "draws its weights again"),
        ("14.3", with_zeros, "draws random ones"),
        ("14.3", lambda model, name: with_random(model, name.split(".")[0]), "raised"),
        ("14.3", with_random_weight_only, "draws both"),
        ("14.3", lambda model, name: with_random(model, name).get_submodule(name), "Copy the whole network"),
        ("14.3", lambda model, name: with_random(model, name).state_dict(), "network"),
        ("14.4", lambda *given: step_to(*given, direction=1), "You want it to fall"),
        ("14.4", lambda *given: step_to(*given, move=lambda gradient: gradient), "Take its sign"),
        ("14.4", lambda *given: step_to(*given).clamp(0, 1), "not its limits"),
        ("14.4", lambda model, x, target, size: step_to(model, x, target, 2 * size), "Each pixel moves by"),
        ("14.4", lambda *given: step_to(*given, wanted=0), "target as every label"),
        ("14.4", step_of_the_logit, "target as every label"),
        ("14.4", lambda *given: step_to(*given)[:1], "Return the same images"),
        ("14.4", step_in_place, "changed numbers of x"),
        ("14.5", lambda points, labels, shuffles: separation(points, labels), "Shuffle the labels"),
        ("14.5", lambda *given: chance(*given, summary=sum), "Divide by"),
        ("14.5", lambda *given: chance(*given, summary=max), "not the largest"),
        ("14.5", lambda *given: chance(*given, summary=min), "then take the mean"),
        ("14.5", chance_seeded, "seed"),
        ("14.5", lambda points, labels, shuffles: chance(points, labels, 1), "mean over all"),
        ("14.5", lambda points, labels, shuffles: chance(points, torch.arange(60) // 3, shuffles), "another order"),
        ("14.5", lambda *given: str(chance(*given)), "one number"),
    ]


def test_other_ways_to_be_right():
    assert check("14.1", dead_in_loops)
    assert check("14.1", lambda maps: torch.tensor(dead(maps), dtype=torch.int64))
    assert check("14.2", output_in_a_block)
    assert check("14.3", with_random_by_hand)
    assert check("14.4", step_by_backward)
    assert check("14.5", chance_of_points)
    assert check("14.5", lambda *given: torch.tensor(chance(*given)))
