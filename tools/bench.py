"""How fast is ours beside the usual ways? `make bench` prints ratios.

A machine's speed drifts by a third within minutes. So the ways take turns, round by round, and each round gives one
ratio; the table shows their median, least and largest, and the load says what else was running.
"""

import os
import time
from statistics import median

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import common  # noqa: F401  puts course_utils on the path
from course_utils import Augment, batches, load


class Pictures(Dataset):
    """Images as PIL pictures, transformed one by one."""

    def __init__(self, images, transform):
        to_pil = transforms.ToPILImage()
        self.pictures, self.y, self.transform = [to_pil(x) for x in images.x], images.y.tolist(), transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.transform(self.pictures[i]), self.y[i]


def images_per_second(loader, seconds: float) -> float:
    """Go through the loader's batches for at least so long, in whole epochs."""
    count, start = 0, time.perf_counter()
    while True:
        count += sum(len(x) for x, _ in loader)
        if (passed := time.perf_counter() - start) >= seconds:
            return count / passed


def take_turns(ways: dict, measure, rounds: int) -> dict[str, list[float]]:
    """What `measure` says of each way in each round; a round before the first, to warm up, does not count."""
    turns = [{name: measure(way) for name, way in ways.items()} for _ in range(rounds + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in ways}


def table(rates: dict[str, list[float]], unit: str) -> str:
    """Each way's rates, and round by round how many times those of the first way they are."""

    def span(values, digits):
        return "".join(f"{value:>10,.{digits}f}" for value in (median(values), min(values), max(values)))

    head = "".join(f"{word:>10}" for word in ("median", "min", "max"))
    lines = [f"{'':32}{unit:>30}{'times the first':>30}", f"{'':32}{head}{head}"]
    for name, values in rates.items():
        ratios = [value / first for value, first in zip(values, next(iter(rates.values())), strict=True)]
        lines.append(f"{name:32}{span(values, 0)}{span(ratios, 1)}")
    return "\n".join(lines)


def load_of_machine() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


def augmentation(rounds: int = 10, seconds: float = 1.0, workers: int = os.cpu_count() or 1) -> None:
    """Augmented, normalised batches of 256 from CIFAR-10: torchvision's transforms on PIL pictures, and ours."""
    data, load_before = load("cifar10"), load_of_machine()
    images = data.train.take(1024)
    pictures = Pictures(images, transforms.Compose([
        transforms.RandomRotation(20), transforms.ColorJitter(brightness=0.2, hue=0.1),
        transforms.RandomHorizontalFlip(), transforms.ToTensor(),
        transforms.Normalize(images.mean.tolist(), images.std.tolist()),
    ]))
    ways = {
        "PIL, picture by picture": DataLoader(pictures, 256, shuffle=True),
        f"the same, {workers} workers": DataLoader(
            pictures, 256, shuffle=True, num_workers=workers, persistent_workers=workers > 0),
        "ours, the same changes": batches(images, 256, shuffle=True, augment=Augment(
            rotation=20, brightness=0.2, hue=0.1, flip=0.5)),
        "ours, flip and shift": batches(images, 256, shuffle=True, channels_last=True, augment=Augment(
            flip=0.5, shift=2, padding_mode="reflect")),
        "ours, nothing changed": batches(images, 256, shuffle=True),
    }
    rates = take_turns(ways, lambda loader: images_per_second(loader, seconds), rounds)
    print(f"Augmentation of {data.name} ({data.source}): batches of 256, {rounds} rounds, "
          f"{torch.get_num_threads()} threads, load {load_before} before and {load_of_machine()} after")
    print(table(rates, "images per second"))


if __name__ == "__main__":
    augmentation()
