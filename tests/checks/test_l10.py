"""Every exercise of lesson 10: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import pytest
import torch
import torch.nn.functional as F

from course_utils.augment import Augment
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


def mirror_chosen(x, p):
    return x.flip(3)[torch.rand(len(x)) < p]


def mirror_half(x, p):
    return torch.where((torch.randperm(len(x)) < p * len(x))[:, None, None, None], x.flip(3), x)


def chained(model, x, changes):
    answers = []
    for change in changes:
        x = change(x)
        answers.append(model(x).softmax(1))
    return torch.stack(answers).mean(0)


def answers(model, x, changes):
    return torch.stack([model(change(x)).softmax(1) for change in changes])


def blurred(x, line=(1, 2, 1), rows=None, mode="reflect", total=1, largest=True, stride=2):
    kernel = torch.tensor(rows or line, dtype=torch.float32)[:, None] * torch.tensor(line)
    kernel = (total * kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    x = F.max_pool2d(x, 2, stride=1) if largest else x
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), kernel, stride=stride, groups=x.shape[1])


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
    ("10.1", ([0, 0, 6, 4], [0, 0, 0, 6]), "then pool it"),
    ("10.1", ([0, 0, 6, 2], [0, 0, 0, 6]), "then pool it"),
    ("10.1", ([0, 6, 4, 2], [0, 0, 6, 4]), "before any move"),
    ("10.1", ([0, 6, 2, 0], [6, 4, 2, 0]), "on the left"),
    ("10.1", ([0, 0, 6, 2], [2, 0, 6, 4]), "is lost"),
    ("10.1", ([0, 0, 0, 0, 6, 4, 0, 2], [0, 0, 0, 0, 0, 6, 4, 0]), "Pool them"),
    ("10.1", ([0, 0, 6, 2], ...), "Two lists"),
    ("10.1", ([0, 0, 5, 1], [0, 0, 3, 2]), "not its mean"),
    ("10.1", ([0, 0, 6, 4], [0, 0, 6, 2]), "First the move by one"),
    ("10.1", [0, 0, 6, 2], "Two lists"),
    ("10.2", SETS | {"digits": {"mirror", "turn by 10°"}}, "Mirror a 7"),
    ("10.2", SETS | {"digits": {"upside down", "turn by 10°"}}, "Turn a 4"),
    ("10.2", SETS | {"digits": set()}, "exactly upright"),
    ("10.2", SETS | {"cars": {"turn by 10°"}}, "both directions"),
    ("10.2", SETS | {"cars": SETS["cells"]}, "ever meet"),
    ("10.2", SETS | {"cells": SETS["cars"]}, "Which side"),
    ("10.2", SETS | {"cells": {"flip"}}, "as they stand"),
    ("10.2", SETS | {"cells": ...}, "Replace each"),
    ("10.3", PUBLISHED | {"rotation": (0, 20)}, "from −20 to 20"),
    ("10.3", PUBLISHED | {"brightness": (0, 0.2)}, "from .8 to 1.2"),
    ("10.3", PUBLISHED | {"hue": 0}, "a tenth"),
    ("10.3", PUBLISHED | {"flip": 1}, "the chance"),
    ("10.3", PUBLISHED | {"shift": 2}, "did not ask"),
    ("10.3", [20, 0.2, 0.1, 0.5], "A dict of keywords"),
    ("10.3", Augment(**PUBLISHED), "A dict of keywords"),
    ("10.3", PUBLISHED | {"angle": 20}, "It has flip, shift, rotation"),
    ("10.3", PUBLISHED | {"hue": ...}, "Replace each"),
    ("10.4", mirror_all_or_none, "One draw is not enough"),
    ("10.4", lambda x, p: torch.where(torch.rand(len(x)) < p, x.flip(3), x), "N×1×1×1"),
    ("10.4", mirror_in_place, "torch.where"),
    ("10.4", mirror_each_channel, "One draw for an image"),
    ("10.4", mirror_seeded, "leave the seed alone"),
    ("10.4", mirror_chosen, "all images"),
    ("10.4", mirror_half, "the count varies"),
    ("10.4", lambda x, p: mirror(x, 1 - p), "true with chance p"),
    ("10.4", lambda x, p: mirror(x.transpose(2, 3), p).transpose(2, 3), "last axis"),
    ("10.5", lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).mean(0), "First softmax"),
    ("10.5", lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).mean(0).softmax(1), "First softmax"),
    ("10.5", lambda *args: answers(*args).sum(0), "not the sum"),
    (
        "10.5",
        lambda model, x, changes: model(torch.stack([c(x) for c in changes]).mean(0)).softmax(1),
        "average the answers",
    ),
    ("10.5", chained, "act on x itself"),
    ("10.5", lambda *args: answers(*args).log().mean(0), "then their mean"),
    ("10.5", lambda *args: answers(*args)[0], "All of them"),
    ("10.5", lambda *args: answers(*args).mean(), "over the changes only"),
    ("10.5", lambda model, x, changes: answers(model, x, [lambda x: x, *changes]).mean(0), "Only the given"),
    ("10.5", lambda model, x, changes: torch.stack([model(c(x)) for c in changes]).softmax(1).mean(0), "stacked"),
    ("10.6", lambda x: F.max_pool2d(x, 2), "then the blur"),
    ("10.6", lambda x: blurred(x, largest=False), "First F.max_pool2d"),
    ("10.6", lambda x: blurred(x, total=16), "add up to 1"),
    ("10.6", lambda x: blurred(x, total=4), "factor of 4"),
    ("10.6", lambda x: blurred(F.avg_pool2d(x, 2, stride=1), largest=False), "First the largest"),
    ("10.6", lambda x: blurred(F.max_pool2d(x, 2), largest=False, stride=1), "takes the step of 2"),
    ("10.6", lambda x: blurred(x).sum(1, keepdim=True).expand(-1, 3, -1, -1), "groups=C"),
    ("10.6", lambda x: blurred(x, rows=(1, 1, 1)), "the middle weighs 4"),
    ("10.6", lambda x: blurred(x.transpose(2, 3), rows=(1, 1, 1)).transpose(2, 3), "the middle weighs 4"),
    ("10.6", lambda x: blurred(x, mode="constant"), "reflect"),
    ("10.6", lambda x: blurred(x, mode="replicate"), "does not repeat"),
    ("10.6", lambda x: blurred(x, line=(1, 1, 1)), "the middle weighs 4"),
    ("10.6", lambda x: blurred(x, stride=1), "convolution with stride 2"),
    ("10.6", lambda x: blurred(x.mean(1, keepdim=True)), "Each channel alone"),
    ("10.6", lambda x: blurred(x, line=(1, 3, 1)), "4 in 16"),
    ("10.7", (PATCH, ONES), "Take a small thing"),
    ("10.7", (dot(), F.pad(torch.ones(1, 1), (1, 1, 1, 1))), "sees around it"),
    ("10.7", (dot((0, 3)), ONES), "Leave them 0"),
    ("10.7", (dot(value=-1.0), ONES), "Above 0"),
    ("10.7", (OBLONG, ONES), "single small bright"),
    ("10.7", (ONES, dot()), "8×8 and 3×3"),
    ("10.7", dot(), "(picture, kernel)"),
    ("10.7", (dot(), ...), "(picture, kernel)"),
]


class TestLesson10(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


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
