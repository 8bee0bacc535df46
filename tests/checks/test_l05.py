"""Every exercise of lesson 5: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import hashlib
import math

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler
from torchvision.utils import make_grid

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


def by_batches(loader):
    """Compares the sums of the batches, one by one."""
    first, second = ([x.double().sum().item() for x, _ in loader] for _ in range(2))
    return sorted(first) != sorted(second) and len(set(epoch(loader))) == 24


def by_tensors(loader):
    first, second = (torch.cat([x for x, _ in loader]).flatten(1) for _ in range(2))
    rows = [torch.unique(part, dim=0, return_counts=True) for part in (first, second)]
    same = all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(*rows, strict=True))
    return same and not torch.equal(first, second)


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


def with_count(rounded):
    """Split by groups, where the number of drawn writers comes from another rounding."""

    def answer(groups, share, generator):
        writers = groups.unique()
        count = rounded(share * len(writers))
        return split_groups(groups, share, generator, drawn=lambda _: shuffled(writers, generator)[:count])

    return answer


def shuffled(writers, generator):
    return writers[torch.randperm(len(writers), generator=generator)]


def with_replacement(groups, share, generator):
    def drawn(writers):
        return writers[torch.randint(len(writers), (round(share * len(writers)),), generator=generator)]

    return split_groups(groups, share, generator, drawn=drawn)


def always_the_first(groups, share, generator):
    return split_groups(groups, share, generator, drawn=lambda writers: writers[: round(share * len(writers))])


def by_numbers(groups, share, generator):
    """Takes the writers for 0, 1, 2, … without gaps."""
    count = int(groups.max()) + 1
    inside = torch.isin(groups, torch.randperm(count, generator=generator)[: round(share * count)])
    return (~inside).nonzero().flatten(), inside.nonzero().flatten()


def by_initial_seed(groups, share, generator):
    return split_groups(groups, share, torch.Generator().manual_seed(generator.initial_seed()))


def by_loops(groups, share, generator):
    writers = sorted(set(groups.tolist()))
    order = torch.rand(len(writers), generator=generator).argsort().tolist()
    drawn = {writers[k] for k in order[: round(share * len(writers))]}
    sides = ([], [])
    for k, writer in enumerate(groups.tolist()):
        sides[writer in drawn].append(k)
    return torch.tensor(sides[0], dtype=torch.int64), torch.tensor(sides[1], dtype=torch.int64)


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


def all_as_double(loader):
    x = torch.cat([x.double() for x, _ in loader])
    return x.mean((0, 2, 3)), x.std((0, 2, 3), correction=0)


def all_as_arrays(loader):
    x = np.concatenate([np.array(x.numpy(), dtype=np.float64) for x, _ in loader])
    return torch.tensor(x.mean((0, 2, 3))), torch.tensor(x.std((0, 2, 3)))


def all_as_lists(loader):
    channels = {}
    for x, _ in loader:
        for c in range(x.shape[1]):
            channels[c] = channels.get(c, []) + x[:, c].flatten().tolist()
    return torch.tensor([list(map(f, channels.values())) for f in (np.mean, np.std)])


def within_and_between(loader):
    """Merges counts, means and sums of squares around them, batch by batch."""
    count, mean, off = 0, 0, 0
    for x, _ in loader:
        n, middle = x[:, 0].numel(), x.mean((0, 2, 3))
        off = off + ((x - middle.view(-1, 1, 1)) ** 2).sum((0, 2, 3)) + (middle - mean) ** 2 * count * n / (count + n)
        mean, count = mean + (middle - mean) * n / (count + n), count + n
    return mean, (off / count).sqrt()


def by_channel_loops(loader):
    count, sums, squares = 0, [], []
    for x, _ in loader:
        sums = sums or [0.0] * x.shape[1]
        squares = squares or [0.0] * x.shape[1]
        count += len(x) * x.shape[2] * x.shape[3]
        for channel in range(x.shape[1]):
            sums[channel] += x[:, channel].sum().item()
            squares[channel] += (x[:, channel] ** 2).sum().item()
    mean = torch.tensor(sums) / count
    return mean, (torch.tensor(squares) / count - mean**2) ** 0.5


def mean_of_variances(loader, finish=torch.sqrt):
    count, batches, total, spread = 0, 0, 0, 0
    for x, _ in loader:
        count, batches = count + x[:, 0].numel(), batches + 1
        total, spread = total + x.sum((0, 2, 3)), spread + x.var((0, 2, 3), correction=0)
    return total / count, finish(spread / batches)


def root_mean_square(loader):
    mean, std = statistics(loader)
    return mean, (std**2 + mean**2).sqrt()


def two_passes(loader):
    mean = statistics(loader)[0]
    return mean, statistics(loader)[1]


def first_two_channels(loader):
    mean, std = statistics(loader)
    return mean[:2], std[:2]


def changed(loader, change):
    return change(*statistics(loader))


def of_batches(loader, count_right=False):
    count, batches, total, means, stds = 0, 0, 0, 0, 0
    for x, _ in loader:
        count, batches, total = count + x[:, 0].numel(), batches + 1, total + x.sum((0, 2, 3))
        means, stds = means + x.mean((0, 2, 3)), stds + x.std((0, 2, 3))
    return (total / count if count_right else means / batches), stds / batches


def of_images(loader):
    images, means, stds = 0, 0, 0
    for x, _ in loader:
        images, means, stds = images + len(x), means + x.mean((2, 3)).sum(0), stds + x.std((2, 3)).sum(0)
    return means / images, stds / images


def by_totals(loader):
    first, second = (torch.cat([x for x, _ in loader]) for _ in range(2))
    return bool(torch.isclose(first.sum(), second.sum())) and not torch.equal(first, second)


def all_as_views(loader):
    """All batches as arrays, which share the memory of their tensors."""
    pixels = np.concatenate([x.numpy() for x, _ in loader])
    return pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))


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
    ("5.1", [(1, 242, 242), (1, 32, 122)], "happens to grey"),
    ("5.1", [(3, 224, 224), (3, 28, 112)], "lie black pixels"),
    ("5.1", [(3, 240, 240), (3, 30, 120)], "all four sides"),
    ("5.1", [(3, 238, 238), (3, 28, 118)], "around the sheet as well"),
    ("5.1", [(3, 256, 256), (3, 32, 128)], "Two neighbours share"),
    ("5.1", [(3, 242, 242), (3, 62, 62)], "one row"),
    ("5.1", [(3, 242, 242), (3, 32, 242)], "the sheet ends"),
    ("5.1", [(3, 242, 242), (3, 122, 32)], "height comes before"),
    ("5.1", [242, 242], "three numbers"),
    ("5.1", [(64, 3, 242, 242), (4, 3, 32, 122)], "three numbers"),
    ("5.1", [(3, 250, 250), (3, 32, 122)], "How often"),
    ("5.1", [(242, 242, 3), (32, 122, 3)], "channels first"),
    ("5.1", [(3, 32, 122), (3, 242, 242)], "64 digits"),
    ("5.1", "3×242×242 and 3×32×122", "two shapes"),
    ("5.2", ([0.5] * 3, [0.5] * 3), "for each channel"),
    ("5.2", ([0.1307], [0.3081]), "standardise MNIST"),
    ("5.2", ([0.5], [1.0]), "from black to white"),
    ("5.2", ([0.0], [0.5]), "Which grey"),
    ("5.2", ([0.5], [-0.5]), "never negative"),
    ("5.2", ([127.5], [127.5]), "by 255 already"),
    ("5.2", ([0.5], [0.0]), "divided by it"),
    ("5.2", ([0.5], []), "for each channel"),
    ("5.2", ([0.5], [0.501]), "from black to white"),
    ("5.2", 0.5, "two lists"),
    ("5.3", lambda x, mean, std: ((x * channelwise(std) + channelwise(mean)) * 255).byte(), "cuts off"),
    ("5.3", lambda x, mean, std: x * channelwise(std) + channelwise(mean), "Bytes are asked"),
    ("5.3", lambda x, mean, std: (x * channelwise(std) + channelwise(mean)).round().byte(), "0 to 255"),
    ("5.3", lambda x, mean, std: ((x + channelwise(mean)) * channelwise(std) * 255).round().byte(), "last step first"),
    ("5.3", lambda x, mean, std: ((x * std + mean) * 255).round().byte(), "last axis"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std)[0], "N×C×H×W in"),
    ("5.3", lambda x, mean, std: ((x * channelwise(std) + channelwise(mean)) * 256).byte(), "not by 256"),
    ("5.3", lambda x, mean, std: pixels(x, mean[:1], std[:1]), "of its own"),
    ("5.3", lambda x, mean, std: pixels(x.mul_(1.01), mean, std), "those alone"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std).numpy(), "Return a tensor"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std).int(), "as uint8"),
    ("5.3", lambda x, mean, std: pixels(x, mean, std).float(), "as uint8"),
    ("5.3", lambda x, mean, std: pixels(x, std, mean), "last step first"),
    ("5.3", lambda x, mean, std: ((x * std.view(3, 1, 1) + mean.view(3, 1, 1)) * 255).round().byte(), "is invalid"),
    ("5.3", lambda x, mean, std: pixels(x.view(-1, 3, 16, 16), mean, std), "is invalid"),
    ("5.3", lambda x, mean, std: torch.stack([pixels(x[k], mean, std) for k in range(2)]), "out of bounds"),
    ("5.4", lambda train, test: len(leaked(train, test)), "a list of positions"),
    ("5.4", lambda train, test: leaked(test, train), "in the training set"),
    ("5.4", lambda train, test: leaked(train, test, mark=list), "Does your comparison say so"),
    ("5.4", lambda train, test: leaked(train, test, mark=lambda x: x.int().sum((1, 2, 3)).tolist()), "another order"),
    ("5.4", lambda train, test: leaked(train, test, mark=lambda x: x.int().sum((1, 3)).tolist()), "a list"),
    ("5.4", lambda train, test: leaked(train[:, :1].clone(), test[:, :1].clone()), "All three count"),
    ("5.4", lambda train, test: [(0, k) for k in leaked(train, test)], "plain numbers"),
    ("5.4", nearly, "by 1"),
    ("5.4", lambda train, test: [k + 1 for k in leaked(train, test)], "from 0"),
    ("5.4", lambda train, test: leaked(train, test, mark=lambda x: list(map(str, x))), "All pixels count"),
    ("5.4", lambda train, test: leaked(train[:, :, :8].clone(), test[:, :, :8].clone()), "All pixels count"),
    ("5.4", lambda train, test: leaked(train[:, :, 1:].clone(), test[:, :, 1:].clone()), "All pixels count"),
    ("5.4", lambda train, test: leaked(train[..., :-1].clone(), test[..., :-1].clone()), "All pixels count"),
    ("5.4", within_test, "equal to each other"),
    ("5.4", lambda train, test: [k in leaked(train, test) for k in range(len(test))], "where it is True"),
    ("5.4", lambda train, test: leaked(train, test)[:2], "of training image 5"),
    ("5.4", lambda train, test: leaked(train, test)[::-1], "rising order"),
    ("5.4", lambda train, test: set(leaked(train, test)), "rising order"),
    ("5.4", lambda train, test: [k for k in range(min(len(train), len(test))) if marks(train)[k] == marks(test)[k]],
     "Does your comparison say so"),
    ("5.4", lambda train, test: leaked(train, test[:12]), "Test image 28"),
    ("5.4", lambda train, test: leaked(train, test) or [0], "Compare test image 0"),
    ("5.4", lambda train, test: leaked(train, test) or [-1], "Compare test image -1"),
    ("5.4", lambda train, test: list(range(50_000)), "All three count"),
    ("5.5", by_totals, "others never"),
    ("5.5", by_labels, "labels are all equal"),
    ("5.5", by_first_batch, "whole epochs"),
    ("5.5", against_sorted, "the same in each epoch"),
    ("5.5", lambda loader: epoch(loader) != epoch(loader), "others never"),
    ("5.5", by_sets, "A set would not know"),
    ("5.5", lambda loader: isinstance(loader.sampler, RandomSampler), "what comes out"),
    ("5.5", lambda loader: True, "epochs are equal"),
    ("5.5", lambda loader: False, "in two orders"),
    ("5.5", lambda loader: epoch(loader), "True or False"),
    ("5.5", by_batches, "image by image"),
    ("5.5", lambda loader: sorted(first := epoch(loader)) == sorted(again := epoch(loader)) and first[:8] != again[:8],
     "whole epochs"),
    ("5.5", lambda loader: shuffles(loader) and len(set(epoch(loader))) == 24, "each of them twice"),
    ("5.5", lambda loader: len(marks(torch.stack([x for x, _ in loader]))) > 0, "stack expects"),
    ("5.6", split_images, "Draw writers"),
    ("5.6", writers_themselves, "not writers"),
    ("5.6", always_the_first, "must be drawn"),
    ("5.6", lambda groups, share, _: split_groups(groups, share, None), "Hand the generator"),
    ("5.6", lambda *args: split_groups(*args, drawn=lambda writers: writers[:5]), "Count the writers"),
    ("5.6", lambda *args: split_groups(*args)[::-1], "goes to validation"),
    ("5.6", lambda *args: split_groups(*args)[1], "(train, valid)"),
    ("5.6", with_count(int), "up or down"),
    ("5.6", with_count(math.ceil), "up or down"),
    ("5.6", with_count(lambda share: max(1, round(share))), "Count the writers"),
    ("5.6", by_numbers, "have gaps"),
    ("5.6", with_replacement, "drawn twice"),
    ("5.6", by_initial_seed, "each draw moves it on"),
    ("5.6", lambda *args: [part[:, None] for part in split_groups(*args)], "one axis only"),
    ("5.6", lambda groups, *_: (groups != 7, groups == 7), "where they are True"),
    ("5.6", lambda groups, share, generator: split_groups(groups.sort().values, share, generator), "Draw writers"),
    ("5.7", all_as_views, "Let each batch go"),
    ("5.7", of_batches, "last batch is smaller"),
    ("5.7", lambda loader: of_batches(loader, count_right=True), "average the batches' standard deviations"),
    ("5.7", of_images, "average the images'"),
    ("5.7", mean_of_variances, "around its own mean"),
    ("5.7", lambda loader: mean_of_variances(loader, finish=torch.clone), "around its own mean"),
    ("5.7", all_at_once, "Let each batch go"),
    ("5.7", all_as_double, "Let each batch go"),
    ("5.7", all_as_arrays, "Let each batch go"),
    ("5.7", all_as_lists, "Let each batch go"),
    ("5.7", lambda loader: statistics(loader, fewer=1), "divide by their number"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, std**2)), "the variance"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean.mean(), std.mean())), "over which axes"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, mean)), "their squares"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (std, std)), "divide once"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, std, std)), "(mean, std)"),
    ("5.7", two_passes, "One pass"),
    ("5.7", lambda loader: (statistics(loader)[0], None), "two tensors"),
    ("5.7", lambda loader: changed(loader, lambda mean, std: (mean, std[0])), "two tensors"),
    ("5.7", root_mean_square, "taken out"),
    ("5.7", first_two_channels, "over which axes"),
    ("5.7", lambda loader: statistics((x, y) for x, y in loader if len(x) == 3), "divide once"),
]  # fmt: skip


class TestLesson05(Checkers):
    RIGHT, WRONG = RIGHT, WRONG


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("5.1", np.array(RIGHT["5.1"])),
        ("5.1", torch.tensor(RIGHT["5.1"])),
        ("5.1", tuple(make_grid(torch.zeros(n, 1, 28, 28)).shape for n in (64, 4))),
        ("5.2", (0.5, 0.5)),
        ("5.2", [(0.5,), 0.5]),
        ("5.2", (torch.tensor([0.5]), torch.tensor([0.5]))),
        ("5.2", torch.tensor([[0.5], [0.5]])),
        ("5.3", lambda x, mean, std: (x * channelwise(std) + channelwise(mean)).mul(255).add(0.5).to(torch.uint8)),
        ("5.3", lambda x, mean, std: torch.stack([pixels(image, mean, std) for image in x])),
        ("5.3", lambda x, mean, std: torch.stack(
            [((x[:, c] * std[c] + mean[c]) * 255).round().clamp(0, 255).byte() for c in range(x.shape[1])], dim=1)),
        ("5.3", lambda x, mean, std: torch.from_numpy(
            np.rint((x.numpy() * std.numpy()[:, None, None] + mean.numpy()[:, None, None]) * 255).astype(np.uint8))),
        ("5.4", lambda *args: torch.tensor(leaked(*args))),
        ("5.4", lambda *args: np.array(leaked(*args))),
        ("5.4", lambda train, test: torch.tensor([mark in marks(train) for mark in marks(test)]).nonzero()),
        ("5.4", lambda train, test: [k for k, x in enumerate(test) if any(torch.equal(x, one) for one in train)]),
        ("5.4", lambda train, test: (test[:, None] == train[None]).flatten(2).all(2).any(1).nonzero().flatten()),
        ("5.5", lambda loader: np.bool_(shuffles(loader))),
        ("5.5", lambda loader: torch.tensor(shuffles(loader))),
        ("5.5", lambda loader: by_tensors(loader)),
        ("5.6", lambda *args: [part.tolist() for part in split_groups(*args)]),
        ("5.6", by_loops),
        ("5.6", lambda groups, share, generator: split_groups(
            groups, share, None,
            drawn=lambda w: w[torch.rand(len(w), generator=generator).argsort()[: round(share * len(w))]])),
        ("5.7", lambda loader: torch.stack(statistics(loader))),
        ("5.7", lambda loader: tuple(part.tolist() for part in statistics(loader))),
        ("5.7", lambda loader: tuple(part.float() for part in statistics(loader))),
        ("5.7", within_and_between),
        ("5.7", by_channel_loops),
        ("5.7", lambda loader: statistics(map(list, loader))),
    ],
)  # fmt: skip
def test_a_right_answer_in_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out
