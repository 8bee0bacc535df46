"""Augmentation, or the size of a batch: which of the two makes the difference? Each with and without the other.

A published study went from batches of 24 without augmentation to batches of 512 with it, and thanked its search for
what it gained. Here are all four combinations, with five seeds and its network at an eighth of its widths. Images and
epochs stay as they were: with fewer, large batches would make too few steps to learn by, and that would be measured.

    python -m experiments.cifar_ablation

Takes about 55 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch

from course_utils import Augment, batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import cifar_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "widths": {"c1": 6, "c2": 12, "hidden": 32},
    "augment": {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5},
    "batch_sizes": [24, 512],
    "images": 45_000,
    "lr": 0.001,
    "epochs": 10,
    "seeds": [0, 1, 2, 3, 4],
}


def run(data: ImageData, config: dict, augmented: bool, batch_size: int, seed: int) -> dict:
    """Train one network; return its scores on the images it has seen, unchanged, and on others."""
    torch.manual_seed(seed)
    model = cifar_net(**config["widths"]).to(device(), memory_format=torch.channels_last)
    options = {"channels_last": True, "device": device()}
    images, augment = data.train.take(config["images"]), Augment(**config["augment"]) if augmented else None
    train = batches(images, batch_size, shuffle=True, augment=augment, **options)
    seen, valid = (batches(split, 500, **options) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    return {
        "steps": config["epochs"] * len(train),
        **curves(finished(history), "valid_loss", "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": history[-1].valid._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"augmented": augmented, "batch_size": batch_size, "seed": seed}
        for seed in config["seeds"]
        for batch_size in config["batch_sizes"]
        for augmented in (False, True)
    ]
    record_all("cifar_ablation", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
