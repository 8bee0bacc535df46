"""Every exercise of lesson 5: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import hashlib

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler

from course_utils import check
from tests.checks.checkers import Checkers


def channelwise(value):
    return torch.as_tensor(value).view(-1, 1, 1)


def pixels(x, mean, std):
    return ((x * channelwise(std) + channelwise(mean)) * 255).round().byte()


def marks(images):
    return [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in images]


def leaked(train_x, test_x, mark=marks):
    seen = set(mark(train_x))
    return [k for k, one in enumerate(mark(test_x)) if one in seen]


def within_test(train_x, test_x):
    found, together = leaked(train_x, test_x), marks(test_x)
    return sorted({*found, *(k for k, mark in enumerate(together) if together.count(mark) > 1)})


def nearly(train_x, test_x):
    return [k for k, x in enumerate(test_x) if (train_x.int() - x.int()).abs().amax((1, 2, 3)).min() <= 1]


def epoch(loader):
    return marks(torch.cat([x for x, _ in loader]))


def shuffles(loader):
    first, second = epoch(loader), epoch(loader)
    return sorted(first) == sorted(second) and first != second


def by_labels(loader):
    first, second = (torch.cat([y for _, y in loader]).tolist() for _ in range(2))
    return first != second


def by_first_batch(loader):
    return not torch.equal(next(iter(loader))[0], next(iter(loader))[0])


def by_sets(loader):
    first, second = epoch(loader), epoch(loader)
    return set(first) == set(second) and first != second


def against_sorted(loader):
    return epoch(loader) != marks(loader.x)


def split_groups(groups, share, generator, drawn=None):
    writers = groups.unique()
    count = round(share * len(writers))
    chosen = writers[torch.randperm(len(writers), generator=generator)][:count] if drawn is None else drawn(writers)
    inside = torch.isin(groups, chosen)
    return (~inside).nonzero().flatten(), inside.nonzero().flatten()


def split_images(groups, share, generator):
    order = torch.randperm(len(groups), generator=generator)
    cut = round(share * len(groups))
    return order[cut:], order[:cut]


def writers_themselves(groups, share, generator):
    writers = groups.unique()[torch.randperm(10, generator=generator)]
    return writers[4:], writers[:4]


def statistics(loader, fewer=0):
    count, total, squares = 0, 0, 0
    for x, _ in loader:
        x = x.double()
        count += x[:, 0].numel()
        total, squares = total + x.sum((0, 2, 3)), squares + (x**2).sum((0, 2, 3))
    mean = total / count
    return mean, ((squares - count * mean**2) / (count - fewer)).sqrt()


def all_at_once(loader):
    x = torch.cat([x for x, _ in loader]).double()
    return x.mean((0, 2, 3)), x.std((0, 2, 3), correction=0)


def changed(loader, change):
    return change(*statistics(loader))


def of_batches(loader, count_right=False):
    batches = [x.double() for x, _ in loader]
    x = torch.cat(batches)
    means = x.mean((0, 2, 3)) if count_right else torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0)
    return means, torch.stack([b.std((0, 2, 3)) for b in batches]).mean(0)


def of_images(loader):
    x = torch.cat([x.double() for x, _ in loader])
    return x.mean((0, 2, 3)), x.std((2, 3)).mean(0)


RIGHT = {
    "5.1": [(3, 242, 242), (3, 32, 122)],
    "5.2": ([0.5], [0.5]),
    "5.3": pixels,
    "5.4": leaked,
    "5.5": shuffles,
    "5.6": split_groups,
    "5.7": statistics,
}
WRONG = [
    ("5.1", [(1, 242, 242), (1, 32, 122)], "copied to three channels"),
    ("5.1", [(3, 224, 224), (3, 28, 112)], "two black pixels"),
    ("5.1", [(3, 240, 240), (3, 30, 120)], "two more close"),
    ("5.1", [(3, 242, 242), (3, 62, 62)], "one row"),
    ("5.1", [(3, 242, 242), (3, 122, 32)], "height comes before"),
    ("5.1", [242, 242], "three numbers"),
    ("5.1", [(3, 250, 250), (3, 32, 122)], "Along one axis"),
    ("5.1", [(242, 242, 3), (32, 122, 3)], "channels first"),
    ("5.2", ([0.5] * 3, [0.5] * 3), "for each channel"),
    ("5.2", ([0.1307], [0.3081]), "standardise MNIST"),
    ("5.2", ([0.5], [1.0]), "half of what is between"),
    ("5.2", ([0.0], [0.5]), "must become 0"),
    ("5.2", ([0.5], [-0.5]), "never negative"),
    ("5.2", ([127.5], [127.5]), "by 255 already"),
    ("5.2", 0.5, "two lists"),
    ("5.3", lambda x, mean, std: ((x * channelwise(std) + channelwise(mean)) * 255).byte(), "cuts off"),
    ("5.3", lambda x, mean, std: x * channelwise(std) + channelwise(mean), "Bytes are asked"),
    ("5.3", lambda x, mean, std: (x * channelwise(std) + channelwise(mean)).round().byte(), "0 to 255"),
    ("5.3", lambda x, mean, std: ((x + channelwise(mean)) * channelwise(std) * 255).round().byte(), "last step first"),
    ("5.3", lambda x, mean, std: ((x * std + mean) * 255).round().byte(), "C×1×1"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std)[0], "N×C×H×W in"),
    ("5.3", lambda x, mean, std: ((x * channelwise(std) + channelwise(mean)) * 256).byte(), "not by 256"),
    ("5.3", lambda x, mean, std: pixels(x, mean[:1], std[:1]), "of its own"),
    ("5.3", lambda x, mean, std: pixels(x.mul_(1.01), mean, std), "end in _"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std).numpy(), "a tensor out"),
    ("5.4", lambda train, test: len(leaked(train, test)), "which"),
    ("5.4", lambda train, test: leaked(test, train), "positions in the test split"),
    ("5.4", lambda train, test: leaked(train, test, mark=list), "compare objects"),
    ("5.4", lambda train, test: leaked(train, test, mark=lambda x: x.int().sum((1, 2, 3)).tolist()), "another order"),
    ("5.4", lambda train, test: leaked(train[:, :1].clone(), test[:, :1].clone()), "All three count"),
    ("5.4", lambda train, test: [(0, k) for k in leaked(train, test)], "not pairs"),
    ("5.4", nearly, "by 1"),
    ("5.4", within_test, "equal to each other"),
    ("5.4", lambda train, test: [k in leaked(train, test) for k in range(len(test))], "where it is True"),
    ("5.4", lambda train, test: leaked(train, test)[:2], "same training image"),
    ("5.4", lambda train, test: leaked(train, test)[::-1], "rising order"),
    ("5.5", by_labels, "labels are all equal"),
    ("5.5", by_first_batch, "whole epochs"),
    ("5.5", against_sorted, "the same in each epoch"),
    ("5.5", lambda loader: epoch(loader) != epoch(loader), "others never"),
    ("5.5", by_sets, "forgets how often"),
    ("5.5", lambda loader: isinstance(loader.sampler, RandomSampler), "what comes out"),
    ("5.5", lambda loader: True, "Compare two"),
    ("5.5", lambda loader: epoch(loader), "True or False"),
    ("5.6", split_images, "Draw writers"),
    ("5.6", writers_themselves, "not writers"),
    ("5.6", lambda *args: split_groups(*args, drawn=lambda writers: writers[:4]), "must be drawn"),
    ("5.6", lambda groups, share, _: split_groups(groups, share, None), "Hand the generator"),
    ("5.6", lambda *args: split_groups(*args, drawn=lambda writers: writers[:5]), "round(share"),
    ("5.6", lambda *args: split_groups(*args)[::-1], "goes to validation"),
    ("5.6", lambda *args: split_groups(*args)[1], "(train, valid)"),
    ("5.6", lambda groups, share, generator: split_groups(groups, int(10 * share) / 10, generator), "round(share"),
    ("5.6", lambda *args: [part[:, None] for part in split_groups(*args)], "flatten()"),
    ("5.6", lambda groups, *_: (groups != 7, groups == 7), "nonzero()"),
    ("5.7", of_batches, "divide once"),
    ("5.7", lambda loader: of_batches(loader, count_right=True), "mean of x²"),
    ("5.7", of_images, "in circulation"),
    ("5.7", all_at_once, "Let each batch go"),
    ("5.7", lambda loader: statistics(loader, fewer=1), "divide by their number"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, std**2)), "square root"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean.mean(), std.mean())), "axes 0, 2 and 3"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, mean)), "sum of squares"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (std, std)), "by their number"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, std, std)), "(mean, std)"),
    ("5.7", lambda loader: (statistics(loader)[0], statistics(loader)[1]), "One pass"),
]


class TestLesson05(Checkers):
    RIGHT, WRONG = RIGHT, WRONG


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("5.1", np.array(RIGHT["5.1"])),
        ("5.1", torch.tensor(RIGHT["5.1"])),
        ("5.2", (0.5, 0.5)),
        ("5.4", lambda *args: torch.tensor(leaked(*args))),
        ("5.5", lambda loader: np.bool_(shuffles(loader))),
        ("5.6", lambda *args: [part.tolist() for part in split_groups(*args)]),
        ("5.7", lambda loader: torch.stack(statistics(loader))),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out
