"""Which augmentation helps on which data set, and does a longer training bring it out?

A LeNet, 5,000 images, one change at a time, trained for 12 epochs and for 40, with five seeds each.

    python -m experiments.augmentations

Takes about two hours on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from course_utils import Augment, batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "data": ["mnist", "fashion_mnist", "cifar10"],
    "changes": {  # what `Augment` is asked for
        "none": {},
        "flip": {"flip": 0.5},
        "shift": {"shift": 2},
        "turn": {"rotation": 15},
        "scale": {"scale": 0.15},
        "brightness": {"brightness": 0.2},
        "cutout": {"cutout": 8},
        "hue": {"hue": 0.1},  # of colour pictures only
    },
    "images": 5_000,
    "lengths": [12, 40],
    "batch_size": 64,
    "max_lr": 0.004,
    "seeds": [0, 1, 2, 3, 4],
}


def build(channels: int) -> nn.Module:
    """LeNet; for colour pictures of 32×32 pixels its first layer reads three channels and pads nothing."""
    model = lenet(pool=nn.MaxPool2d)
    if channels == 3:
        model[0] = nn.Conv2d(3, 6, 5)
    return model


@dataclass
class Several:
    """Several data sets as one that knows its name and its copies."""

    sets: dict[str, ImageData]

    def __post_init__(self) -> None:
        self.name = " + ".join(self.sets)
        self.source = " + ".join(data.source for data in self.sets.values())


def run(several: Several, config: dict, data: str, change: str, epochs: int, seed: int) -> dict:
    """Train one network; return its scores on the images it has seen, as they are and changed, and on others."""
    torch.manual_seed(seed)
    splits = several.sets[data]
    images = splits.train.take(config["images"])
    model = build(images.x.shape[1]).to(device())
    asked = config["changes"][change]
    augment = Augment(**asked) if asked else None
    train = batches(images, config["batch_size"], shuffle=True, augment=augment, device=device())
    seen, valid = (batches(split, 1_000, device=device()) for split in (images, splits.valid))
    optimizer = torch.optim.Adam(model.parameters())
    steps = epochs * len(train)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = fit(model, train, valid, optimizer, epochs=epochs, scheduler=scheduler, scheduler_step="batch")
    return {
        **curves(finished(history), "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "changed": evaluate(model, train)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    several = Several({name: load(name) for name in config["data"]})
    marks = [
        {"data": name, "change": change, "epochs": epochs, "seed": seed}
        for seed in config["seeds"]
        for epochs in config["lengths"]
        for name, data in several.sets.items()
        for change in config["changes"]
        if change != "hue" or data.train.x.shape[1] == 3
    ]
    record_all("augmentations", config, several, run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
