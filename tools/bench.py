"""How fast is ours beside the usual ways? `make bench` prints ratios.

A machine's speed drifts by a third within minutes. So the ways take turns, round by round, and each round gives one
ratio; the tables show their median with its interval, least and largest, and the load says what else was running.
"""

import argparse
import contextlib
import io
import os
import time
from math import comb
from statistics import median

import torch
import torch.nn.functional as F
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms

from course_utils import Augment, batches, fit, load
from course_utils.networks import lenet
from course_utils.runtime import machine

IMAGES, BATCH_SIZE, LR = 6_400, 64, 0.01  # of the trainings


class Pictures(Dataset):
    """Images as PIL pictures, transformed one by one."""

    def __init__(self, images, transform):
        to_pil = transforms.ToPILImage()
        self.pictures, self.y, self.transform = [to_pil(x) for x in images.x], images.y.tolist(), transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.transform(self.pictures[i]), self.y[i]


def to_normalised_tensor(images):
    return [transforms.ToTensor(), transforms.Normalize(images.mean.tolist(), images.std.tolist())]


def take_turns(ways: dict, measure, rounds: int) -> dict[str, list[float]]:
    """What `measure` says of each way in each round; a round before the first, to warm up, does not count. Each round
    begins with another way, so that none always follows the same neighbour."""
    names = list(ways)
    values: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            value = measure(ways[name])
            if turn:
                values[name].append(value)
    return values


def seconds(way) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def median_interval(values: list[float]) -> tuple[float, float]:
    """Two of the values, between which the true median lies with a probability of 95 % or more (binomial).

    Source: W. J. Conover, Practical Nonparametric Statistics (1999), section 3.2.
    """
    n, ordered = len(values), sorted(values)
    tail = [sum(comb(n, i) for i in range(k + 1)) / 2**n for k in range(n // 2)]  # that at most k lie below the median
    rank = max((k for k, share in enumerate(tail) if 2 * share <= 0.05), default=0)
    return ordered[rank], ordered[n - 1 - rank]


def table(title: str, rows: dict[str, list[float]], digits: int = 2) -> str:
    """Each row's values: median, its interval, least and largest."""
    lines = [f"{title:48}{'median':>8}{'95 % interval':>20}{'min':>9}{'max':>9}"]
    for name, values in rows.items():
        middle, low, high, least, most = (
            f"{value:.{digits}f}" for value in (median(values), *median_interval(values), min(values), max(values))
        )
        lines.append(f"  {name:46}{middle:>8}{low + ' to ' + high:>20}{least:>9}{most:>9}")
    return "\n".join(lines)


def ratios(values: dict, of: str, to: list[str]) -> dict[str, list[float]]:
    """values of one way over those of others, round by round."""
    return {name: [a / b for a, b in zip(values[of], values[name], strict=True)] for name in to}


def load_of_machine() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


def bare_loop(model, pairs):
    """Forward, loss, backward, step: no more. The pairs (x, y) may be ready-made batches, or any loader."""
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    model.train()
    for x, y in pairs:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def our_fit(model, train_batches, valid_batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    with contextlib.redirect_stdout(io.StringIO()):  # fit prints its epochs
        fit(model, train_batches, valid_batches, optimizer, epochs=1)


def skorch_fit(model, dataset):
    NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=LR, max_epochs=1, batch_size=BATCH_SIZE,
        iterator_train__shuffle=True, train_split=None, verbose=0,
    ).fit(dataset, y=None)  # fmt: skip


class Nothing(nn.Module):
    """A model that does nothing: the same ten logits for every image."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        return self.logits.expand(len(x), 10)


def overhead(images, one_batch, rounds: int) -> None:
    """What `fit` adds to a step, in milliseconds."""
    ready = list(batches(images, BATCH_SIZE, shuffle=True))
    ways = {
        "bare": lambda: bare_loop(Nothing(), ready),
        "fit, batches ready-made": lambda: our_fit(Nothing(), ready, one_batch),
        "fit, shuffling and normalising too": lambda: our_fit(
            Nothing(), batches(images, BATCH_SIZE, shuffle=True), one_batch
        ),
    }
    spent = take_turns(ways, seconds, rounds)
    bare = spent.pop("bare")
    rows = {name: [1000 * (a - b) / len(ready) for a, b in zip(spent[name], bare, strict=True)] for name in spent}
    print(table("A model that does nothing: ms a step over bare", rows, digits=3))


def loops(images, one_batch, rounds: int) -> None:
    """An epoch of LeNet, ours beside the usual ways."""
    ready = list(batches(images, BATCH_SIZE, shuffle=True))
    tensors = TensorDataset(*next(iter(batches(images, len(images)))))
    pictures = Pictures(images, transforms.Compose(to_normalised_tensor(images)))
    ways = {
        "fit": lambda: our_fit(lenet(), batches(images, BATCH_SIZE, shuffle=True), one_batch),
        "bare loop over ready-made batches": lambda: bare_loop(lenet(), ready),
        "bare loop, DataLoader(TensorDataset)": lambda: bare_loop(
            lenet(), DataLoader(tensors, BATCH_SIZE, shuffle=True)
        ),
        "bare loop, DataLoader over PIL images": lambda: bare_loop(
            lenet(), DataLoader(pictures, BATCH_SIZE, shuffle=True)
        ),
        "skorch": lambda: skorch_fit(lenet, tensors),
    }
    spent = take_turns(ways, seconds, rounds)
    print(
        f"LeNet, batches of {BATCH_SIZE}: a bare step takes "
        f"{1000 * median(spent['bare loop over ready-made batches']) / len(ready):.1f} ms"
    )
    print(table("  time of fit over that of", ratios(spent, "fit", [name for name in ways if name != "fit"])))


def images_per_second(loader, at_least: float) -> float:
    """Go through the loader's batches for at least so many seconds, in whole epochs."""
    count, start = 0, time.perf_counter()
    while True:
        count += sum(len(x) for x, _ in loader)
        if (passed := time.perf_counter() - start) >= at_least:
            return count / passed


def augmentation(images, rounds: int, at_least: float = 1.0, workers: int = os.cpu_count() or 1) -> None:
    """Augmented, normalised batches of 256 from CIFAR-10: torchvision's transforms on PIL pictures, and ours."""
    changes = [
        transforms.RandomRotation(20),
        transforms.ColorJitter(brightness=0.2, hue=0.1),
        transforms.RandomHorizontalFlip(),
    ]
    pictures = Pictures(images, transforms.Compose([*changes, *to_normalised_tensor(images)]))
    one_by_one = "PIL, picture by picture"
    ways = {
        one_by_one: DataLoader(pictures, 256, shuffle=True),
        f"the same, {workers} workers": DataLoader(
            pictures, 256, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        ),
        "ours, the same changes": batches(
            images, 256, shuffle=True, augment=Augment(rotation=20, brightness=0.2, hue=0.1, flip=0.5)
        ),
        "ours, flip and shift": batches(
            images, 256, shuffle=True, channels_last=True, augment=Augment(flip=0.5, shift=2, padding_mode="reflect")
        ),
        "ours, nothing changed": batches(images, 256, shuffle=True),
    }
    rates = take_turns(ways, lambda loader: images_per_second(loader, at_least), rounds)
    print(table("Augmentation, batches of 256: images a second", rates, digits=0))
    more = {name: ratios(rates, name, [one_by_one])[one_by_one] for name in ways if name != one_by_one}
    print(table("  times those of PIL, picture by picture", more, digits=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, help="how often each way takes its turn, at least 6")
    rounds = max(6, parser.parse_args().rounds)
    mnist, cifar = load("mnist"), load("cifar10")
    images, one_batch = mnist.train.take(IMAGES), batches(mnist.valid.take(BATCH_SIZE), BATCH_SIZE)
    print(f"{machine()}, {os.cpu_count()} cores; mnist: {mnist.source}, cifar10: {cifar.source}; {rounds} rounds")
    for part, arguments in (
        (overhead, (images, one_batch, rounds)),
        (loops, (images, one_batch, rounds)),
        (augmentation, (cifar.train.take(1024), rounds)),
    ):
        print(f"\nload {load_of_machine()}")
        part(*arguments)
    print(f"\nload {load_of_machine()} after the last")


if __name__ == "__main__":
    main()
