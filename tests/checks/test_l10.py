"""Every exercise of lesson 10: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from course_utils import augment
from course_utils.augment import Augment, horizontal_flip
from course_utils.exercises import check
from tests.checks.checkers import Checkers


def mirror(x, p):
    return torch.where((torch.rand(len(x)) < p)[:, None, None, None], x.flip(3), x)


def mirror_all_or_none(x, p):
    return x.flip(3) if torch.rand(()) < p else x


def mirror_in_place(x, p):
    flip = torch.rand(len(x)) < p
    x[flip] = x[flip].flip(3)
    return x


def mirror_each_channel(x, p):
    return torch.where((torch.rand(x.shape[:2]) < p)[:, :, None, None], x.flip(3), x)


def mirror_seeded(x, p):
    return torch.where(
        (torch.rand(len(x), generator=torch.Generator().manual_seed(0)) < p)[:, None, None, None], x.flip(3), x
    )


def mirrored_first(x, p):
    flip = torch.rand(len(x)) < p
    return torch.cat([x[flip].flip(3), x[~flip]])


def mirror_chosen(x, p):
    return x.flip(3)[torch.rand(len(x)) < p]


def mirror_half(x, p):
    return torch.where((torch.randperm(len(x)) < p * len(x))[:, None, None, None], x.flip(3), x)


def mirror_first(x, p):
    return torch.cat([x[: (k := int(torch.rand(()) * len(x)))].flip(3), x[k:]])


def mirror_in_pairs(x, p):
    return torch.where(
        (torch.rand((len(x) + 1) // 2).repeat_interleave(2) < p)[: len(x), None, None, None], x.flip(3), x
    )


def mirror_always_half(x, p):
    return mirror(x, p if p in (0, 1) else 0.5)


def mirror_400(x, p):
    return torch.where((torch.rand(400) < p)[: len(x), None, None, None], x.flip(3), x) if len(x) > 1 else x


def mirror_by_the_course(x, p):
    return horizontal_flip(x, torch.rand(len(x)) < p)


def chained(model, x, changes):
    answers = []
    for change in changes:
        x = change(x)
        answers.append(model(x).softmax(1))
    return torch.stack(answers).mean(0)


def logits(model, x, changes):
    return torch.stack([model(change(x)) for change in changes])


def answers(model, x, changes):
    return logits(model, x, changes).softmax(2)


def blurred(x, line=(1, 2, 1), rows=None, mode="reflect", total=1, largest=True, stride=2):
    kernel = torch.tensor(rows or line, dtype=torch.float32)[:, None] * torch.tensor(line)
    kernel = (total * kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    x = F.max_pool2d(x, 2, stride=1) if largest else x
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), kernel, stride=stride, groups=x.shape[1])


def blurred_for_three_channels(x):
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).expand(3, 1, 3, 3) / 16
    return F.conv2d(F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=3)


def dot(at=(3, 3), value=1.0):
    picture = torch.zeros(8, 8)
    picture[at] = value
    return picture


PATCH = torch.zeros(8, 8)
PATCH[2:6, 2:6] = 1
OBLONG = torch.zeros(8, 8)
OBLONG[2:4, 2:5] = 1
ONES = torch.ones(3, 3)
SETS = {"digits": {"turn by 10°"}, "cars": {"mirror", "turn by 10°"}, "cells": {"mirror", "upside down", "turn by 10°"}}
PUBLISHED = {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5}

RIGHT = {
    "10.1": ([0, 0, 6, 2], [0, 0, 6, 4]),
    "10.2": SETS,
    "10.3": PUBLISHED,
    "10.4": mirror,
    "10.5": lambda *args: answers(*args).mean(0),
    "10.6": blurred,
    "10.7": (dot(), ONES),
}
WRONG = [
    ("10.1", ([0, 0, 6, 4], [0, 0, 0, 6]), "write them down"),
    ("10.1", ([0, 0, 6, 2], [0, 0, 0, 6]), "write them down"),
    ("10.1", ([0, 6, 4, 2], [0, 0, 6, 4]), "before any move"),
    ("10.1", ([0, 6, 2, 0], [6, 4, 2, 0]), "on the left"),
    ("10.1", ([0, 0, 6, 2], [2, 0, 6, 4]), "is lost"),
    ("10.1", ([0, 0, 0, 0, 6, 4, 0, 2], [0, 0, 0, 0, 0, 6, 4, 0]), "Pool them"),
    ("10.1", ([0, 0, 6, 2], ...), "two lists"),
    ("10.1", ([0, 0, 5, 1], [0, 0, 3, 2]), "not its mean"),
    ("10.1", ([0, 0, 6, 4], [0, 0, 6, 2]), "First the move by one"),
    ("10.1", [0, 0, 6, 2], "two lists"),
    ("10.1", [0, 0, 6, 2, 0, 0, 6, 4], "two lists"),
    ("10.1", ([0, 0, 6, 2], [0, 0, 6, 3]), "larger of each pair"),
    ("10.1", ([0, 0, 6, 2], [0, 0, 6, 4.01]), "larger of each pair"),
    ("10.1", {"one": [0, 0, 6, 2], "two": [0, 0, 6, 4]}, "two lists"),
    ("10.2", SETS | {"digits": {"mirror", "turn by 10°"}}, "Mirror a 7"),
    ("10.2", SETS | {"digits": {"upside down", "turn by 10°"}}, "Turn a 4"),
    ("10.2", SETS | {"digits": set()}, "still read a 4 and a 7"),
    ("10.2", SETS | {"digits": []}, "still read"),
    ("10.2", SETS | {"digits": {}}, "a set of names"),
    ("10.2", SETS | {"digits": 7}, "a set of names"),
    ("10.2", {"digits": {"turn by 10°"}}, "Its keys"),
    ("10.2", [{"turn by 10°"}, {"mirror"}, {"mirror"}], "a dict"),
    ("10.2", SETS | {"cars": {"turn by 10°"}}, "photograph from the street"),
    ("10.2", SETS | {"cars": SETS["cells"]}, "ever meet"),
    ("10.2", SETS | {"cells": SETS["cars"]}, "the other way round"),
    ("10.2", SETS | {"cells": {"flip"}}, "as they stand"),
    ("10.2", SETS | {"cells": ...}, "Replace each"),
    ("10.3", PUBLISHED | {"rotation": (0, 20)}, "from −5 to 5"),
    ("10.3", PUBLISHED | {"brightness": (0, 0.2)}, "from .6 to 1.4"),
    ("10.3", PUBLISHED | {"hue": 0}, ".3 of a full turn"),
    ("10.3", {key: PUBLISHED[key] for key in ("rotation", "hue", "flip")}, "factors from .6"),
    ("10.3", PUBLISHED | {"brightness": (0.8, 1.3)}, "factors from .6"),
    ("10.3", PUBLISHED | {"rotation": 20.01}, "from −5 to 5"),
    ("10.3", PUBLISHED | {"hue": 36}, "Try it"),
    ("10.3", PUBLISHED | {"brightness": (0.8, 1, 1.2)}, "Try it"),
    ("10.3", PUBLISHED | {"padding_mode": "edge"}, "three transforms"),
    ("10.3", {}, "such as"),
    ("10.3", PUBLISHED | {7: 1}, "It has flip"),
    ("10.3", PUBLISHED | {"flip": 1}, "nine images in ten"),
    ("10.3", PUBLISHED | {"shift": 2}, "Which of the study's"),
    ("10.3", [20, 0.2, 0.1, 0.5], "Give a dict"),
    ("10.3", Augment(**PUBLISHED), "Give a dict"),
    ("10.3", PUBLISHED | {"angle": 20}, "It has flip, shift, rotation"),
    ("10.3", PUBLISHED | {"hue": ...}, "Replace each"),
    ("10.4", mirror_all_or_none, "one for each image"),
    ("10.4", lambda x, p: torch.where(torch.rand(len(x)) < p, x.flip(3), x), "N×1×1×1"),
    ("10.4", mirror_in_place, "changed numbers of x"),
    ("10.4", mirror_first, "never below 0"),
    ("10.4", mirror_always_half, "p = 0.25"),
    ("10.4", lambda x, p: v2.RandomHorizontalFlip(p)(x), "one for each image"),
    ("10.4", mirror_in_pairs, "knows nothing of its neighbour's"),
    ("10.4", lambda x, p: torch.where(x.mean((1, 2, 3), True) < p, x.flip(3), x), "Is there a draw"),
    ("10.4", mirror_400, "p = 1 does not mirror all of a batch of 1×3×5×2"),
    ("10.4", mirror_by_the_course, "course_utils.augment"),
    ("10.4", lambda x, p: augment.horizontal_flip(x, torch.rand(len(x)) < p), "course_utils.augment"),
    ("10.4", lambda x, p: Augment(flip=p)(x), "course_utils.augment"),
    ("10.4", lambda x, p: mirror(x.transpose(0, 2), p).transpose(0, 2), "One draw for an image"),
    ("10.4", lambda x, p: x.flip(2) if p else x, "Left and right"),
    ("10.4", lambda x, p: x.flip(0) if p else x, "Left and right"),
    ("10.4", lambda x, p: x.flip(1, 2, 3) if p else x, "last axis alone"),
    ("10.4", lambda x, p: mirror(x, p).tolist(), "Return a tensor"),
    ("10.4", mirror_each_channel, "One draw for an image"),
    ("10.4", mirror_seeded, "leave the seed alone"),
    ("10.4", mirror_chosen, "all images"),
    ("10.4", mirror_half, "the count varies"),
    ("10.4", lambda x, p: mirror(x, 1 - p), "chance of being mirrored"),
    ("10.4", lambda x, p: mirror(x.transpose(2, 3), p).transpose(2, 3), "last axis"),
    ("10.4", lambda x, p: x.roll(1, 3) if p else x, "last axis"),
    ("10.4", mirrored_first, "stays where it was"),
    ("10.5", lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).mean(0), "Probabilities first"),
    (
        "10.5",
        lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).mean(0).softmax(1),
        "Probabilities first",
    ),
    ("10.5", lambda *args: answers(*args).sum(0), "not the sum"),
    (
        "10.5",
        lambda model, x, changes: model(torch.stack([c(x) for c in changes]).mean(0)).softmax(1),
        "average the answers",
    ),
    ("10.5", chained, "act on x itself"),
    ("10.5", lambda *args: answers(*args).log().mean(0), "Probabilities themselves"),
    ("10.5", lambda *args: answers(*args).sum(0) / 3, "adds up to 1"),
    ("10.5", lambda *args: answers(*args).median(0).values, "adds up to 1"),
    ("10.5", lambda *args: answers(*args)[:, :3].mean(0), "N×classes"),
    ("10.5", lambda *args: answers(*args).mean(0)[:, :3], "N×classes"),
    ("10.5", lambda model, *args: answers(model.train(), *args).mean(0), "right mode"),
    ("10.5", lambda *args: answers(*args).pow(2).mean(0).sqrt(), "adds up to 1"),
    ("10.5", lambda *args: answers(*args).mean(0).log_softmax(1), "adds up to 1"),
    ("10.5", lambda *args: answers(*args).mean(0).softmax(1), "one change only"),
    ("10.5", lambda *args: answers(*args)[0], "All of them"),
    ("10.5", lambda *args: answers(*args).mean(), "over the changes only"),
    ("10.5", lambda model, x, changes: answers(model, x, [lambda x: x, *changes]).mean(0), "Only the given changes"),
    (
        "10.5",
        lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).softmax(1).mean(0),
        "once answers are stacked",
    ),
    ("10.6", lambda x: F.max_pool2d(x, 2), "after the blur"),
    ("10.6", lambda x: blurred(x, largest=False), "a maximum at every place"),
    ("10.6", blurred_for_three_channels, "your function raised RuntimeError"),
    ("10.6", lambda x: blurred(x)[:, :3], "Each image and each channel"),
    ("10.6", lambda x: blurred(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))), "7×6"),
    ("10.6", lambda x: blurred(x.relu()), "Send a single 1"),
    ("10.6", lambda x: -blurred(-x), "Send a single 1"),
    ("10.6", lambda x: blurred(x).abs(), "Send a single 1"),
    ("10.6", lambda x: blurred(x)[0], "Each image and each channel"),
    ("10.6", lambda x: blurred(x.flip(3)), "Send a single 1"),
    ("10.6", lambda x: blurred(x, total=16), "add up to 1"),
    ("10.6", lambda x: blurred(x, total=4), "4 times as large"),
    ("10.6", lambda x: blurred(F.avg_pool2d(x, 2, stride=1), largest=False), "First comes the largest"),
    ("10.6", lambda x: blurred(F.max_pool2d(x, 2), largest=False, stride=1), "then step"),
    ("10.6", lambda x: blurred(x).sum(1, keepdim=True).expand(-1, 3, -1, -1), "`groups`"),
    ("10.6", lambda x: blurred(x, rows=(1, 1, 1)), "on paper"),
    ("10.6", lambda x: blurred(x.transpose(2, 3), rows=(1, 1, 1)).transpose(2, 3), "on paper"),
    ("10.6", lambda x: blurred(x, mode="constant"), "mirroring"),
    ("10.6", lambda x: blurred(x, mode="replicate"), "does not repeat the"),
    ("10.6", lambda x: blurred(x, line=(1, 1, 1)), "on paper"),
    ("10.6", lambda x: blurred(x, stride=1), "which 2"),
    ("10.6", lambda x: blurred(x.mean(1, keepdim=True)), "Each image and each channel"),
    ("10.6", lambda x: blurred(x, line=(1, 3, 1)), "Send a single 1"),
    ("10.7", (PATCH, ONES), "sees more of the picture"),
    ("10.7", (dot(), F.pad(torch.ones(1, 1), (1, 1, 1, 1))), "sees more of the picture"),
    ("10.7", (dot((0, 3)), ONES), "Leave them 0"),
    ("10.7", (dot(value=-1.0), ONES), "above 0"),
    ("10.7", (OBLONG, ONES), "only one before"),
    ("10.7", (ONES, dot()), "(picture, kernel)"),
    ("10.7", (dot(), ONES, ONES), "(picture, kernel)"),
    ("10.7", (torch.zeros(8, 8), ONES), "above 0"),
    ("10.7", (dot(value=1e30), ONES * 1e30), "usual size"),
    ("10.7", (dot(value=float("nan")), ONES), "nan"),
    ("10.7", (dot()[1:], ONES), "(picture, kernel)"),
    ("10.7", {"picture": dot(), "kernel": ONES}, "(picture, kernel)"),
    ("10.7", lambda: (dot(), ONES), "Call it"),
    ("10.7", dot(), "(picture, kernel)"),
    ("10.7", (dot(), ...), "(picture, kernel)"),
]


class TestLesson10(Checkers):
    RIGHT, WRONG = RIGHT, WRONG
    FREE = ("10.7",)  # any picture and kernel that do


def mirror_by_loop(x, p):
    return torch.stack([image.flip(-1) if random.random() < p else image for image in x])


def mirror_by_index(x, p):
    x, chosen = x.clone(), np.random.default_rng().random(len(x)) < p
    x[chosen] = x[chosen].flip(3)
    return x


def mirror_by_factor(x, p):
    m = torch.bernoulli(torch.full((len(x), 1, 1, 1), p))
    return m * x.flip(-1) + (1 - m) * x


def mirror_by_index_of_columns(x, p):
    columns = torch.arange(x.shape[3])
    return torch.stack([x[n][..., columns.flip(0) if torch.rand(1) < p else columns] for n in range(len(x))])


def mean_by_sum(model, x, changes):
    total = 0
    for change in changes:
        with torch.no_grad():
            total = total + F.softmax(model(change(x)), dim=-1)
    return total / len(changes)


def mean_at_once(model, x, changes):
    logits = model(torch.cat([change(x) for change in changes]))
    return logits.softmax(1).view(len(changes), len(x), -1).mean(0)


def mean_of_logs(model, x, changes):
    logs = torch.stack([model(change(x)).log_softmax(1) for change in changes])
    return (logs.logsumexp(0) - torch.tensor(float(len(changes))).log()).exp()


def blurred_by_means(x):
    x = F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect")
    return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=1)[..., ::2, ::2]


def blurred_by_channel(x):
    blur = nn.Conv2d(1, 1, 3, stride=2, bias=False)
    blur.weight.data[0, 0] = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    padded = F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect")
    return torch.cat([blur(padded[:, c : c + 1]) for c in range(x.shape[1])], dim=1)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("10.1", np.array([[0, 0, 6, 2], [0, 0, 6, 4]])),
        ("10.1", [torch.tensor([0, 0, 6, 2]), torch.tensor([0.0, 0, 6, 4])]),
        ("10.2", {kind: sorted(changes) for kind, changes in SETS.items()}),
        ("10.2", {kind: {f"{name.capitalize()} " for name in changes} for kind, changes in SETS.items()}),
        ("10.2", {kind: tuple(changes) for kind, changes in SETS.items()} | {"digits": "turn by 10°"}),
        ("10.2", {kind: np.array(sorted(changes)) for kind, changes in SETS.items()}),
        ("10.3", {"rotation": (-20, 20), "brightness": (0.8, 1.2), "hue": (-0.1, 0.1), "flip": 0.5}),
        ("10.3", {"rotation": [-20, 20], "brightness": torch.tensor(0.2), "hue": np.float32(0.1), "flip": 1 / 2}),
        ("10.3", PUBLISHED | {"rotation": torch.tensor([-20, 20]), "shift": 0.0, "padding_mode": "constant"}),
        ("10.4", mirror_by_loop),
        ("10.4", lambda x, p: torch.stack([v2.RandomHorizontalFlip(p)(image) for image in x])),
        ("10.4", mirror_by_index),
        ("10.4", mirror_by_factor),
        ("10.4", mirror_by_index_of_columns),
        ("10.5", mean_by_sum),
        ("10.5", mean_at_once),
        ("10.5", mean_of_logs),
        ("10.6", blurred_by_means),
        ("10.6", blurred_by_channel),
        ("10.7", [dot().tolist(), ONES.tolist()]),
        ("10.7", (dot().numpy(), np.ones((3, 3), dtype=int))),
        ("10.7", (dot((2, 5), 0.1)[None, None], ONES[None, None] / 3)),
        ("10.7", (-dot(), -ONES)),
    ],
)
def test_a_right_answer_of_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out


def test_hints_do_not_name_a_change_that_is_missing(capsys):
    for kind, changes in SETS.items():
        for change in changes:
            check("10.2", SETS | {kind: changes - {change}})
            assert change not in capsys.readouterr().out


def test_the_course_s_own_flips_are_put_back():
    check("10.4", mirror_by_the_course)
    assert horizontal_flip(torch.ones(1, 1, 1, 2), True).shape == (1, 1, 1, 2)


@pytest.mark.parametrize(
    "exercise, stubs",
    [
        ("10.1", (..., ...)),
        ("10.2", {"digits": ..., "cars": ..., "cells": ...}),
        ("10.3", {"rotation": ..., "hue": None}),
        ("10.7", (..., ...)),
    ],
)
def test_dots_inside_of_an_answer_are_unattempted(exercise, stubs):
    assert check(exercise, stubs).status == "unattempted"
