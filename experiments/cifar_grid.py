"""A published search over three widths of a network for CIFAR-10, once more, small, and with three seeds.

The search tried eight networks, once each. Here all widths are an eighth of the published ones; images and batch are a
tenth, so that there are as many steps; augmentation, optimizer and the ten epochs are the published ones. Validation
images score the networks, not those of the test.

    python -m experiments.cifar_grid

Takes about 12 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from itertools import product
from pathlib import Path

import torch

from course_utils import Augment, batches, count_macs, count_parameters, device, fit, load
from course_utils.data import ImageData
from course_utils.networks import cifar_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "hidden": [32, 64],
    "c1": [6, 12],
    "c2": [12, 24],
    "augment": {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5},
    "images": 5_000,
    "valid_images": 2_500,
    "batch_size": 51,
    "lr": 0.001,
    "epochs": 10,
    "seeds": [0, 1, 2],
}


def run(data: ImageData, config: dict, seed: int, **widths: int) -> dict:
    """Train one network; return its validation curve."""
    torch.manual_seed(seed)
    model = cifar_net(**widths).to(device(), memory_format=torch.channels_last)
    options = {"channels_last": True, "device": device()}
    images, augment = data.train.take(config["images"]), Augment(**config["augment"])
    train = batches(images, config["batch_size"], shuffle=True, augment=augment, **options)
    valid = batches(data.valid.take(config["valid_images"]), 500, **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    return {
        "parameters": count_parameters(model),
        "multiply_adds": count_macs(model, (1, 3, 32, 32)),
        **curves(finished(history), "valid_loss", "valid_accuracy", "seconds"),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"c1": c1, "c2": c2, "hidden": hidden, "seed": seed}
        for seed, hidden, c1, c2 in product(config["seeds"], config["hidden"], config["c1"], config["c2"])
    ]
    record_all("cifar_grid", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
