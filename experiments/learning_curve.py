"""What do more images bring? A narrow and a wide network learn 500 to 32,000 images of FashionMNIST, in equal steps.

    python -m experiments.learning_curve

Takes about 5 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path

import torch

from course_utils import batches, device, evaluate, load, train_epoch
from course_utils.data import ImageData
from course_utils.networks import two_convolutions
from tools.recording import command_line, record_all

CONFIG = {
    "widths": [2, 16],
    "sizes": [500, 2_000, 8_000, 32_000],
    "steps": 800,
    "batch_size": 64,
    "lr": 0.003,
    "seeds": [0, 1, 2, 3, 4],
}


def endless(batches: Iterable) -> Iterator:
    """One epoch after the other."""
    while True:
        yield from batches


def run(data: ImageData, config: dict, width: int, size: int, seed: int) -> dict:
    """Train one network for a number of steps; return its scores on the images it saw and on the validation split."""
    torch.manual_seed(seed)
    model = two_convolutions(width).to(device())
    images = data.train.take(size, seed=seed)
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    start = time.perf_counter()
    train_epoch(model, islice(endless(train), config["steps"]), optimizer)
    seconds = time.perf_counter() - start
    seen, valid = (evaluate(model, batches(split, 1_000, device=device())) for split in (images, data.valid))
    return {"seconds": seconds, "train": seen._asdict(), "valid": valid._asdict()}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"width": width, "size": size, "seed": seed}
        for seed, width, size in product(config["seeds"], config["widths"], config["sizes"])
    ]
    record_all("learning_curve", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
