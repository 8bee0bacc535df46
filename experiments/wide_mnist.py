"""A published network with 25,775,882 parameters, on MNIST, under the recipe that was published without a result.

The recipe: pixels from −1 to 1, Adam as it comes, batches of 64, five epochs. Ours keeps 5,000 of the 60,000 training
images for validation. `fused` makes Adam faster and leaves its rule as it is.

    python -m experiments.wide_mnist

Takes about 20 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import wide_mnist_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {"batch_size": 64, "epochs": 5, "seeds": [0]}


def follow(data: ImageData, config: dict, model: nn.Module, optimizer: Optimizer) -> dict:
    """Train by a published recipe; return the curves, the seconds and the one look at the test split."""
    data = data.normalised([0.5], [0.5])
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 500, device=device()) for split in (data.valid, data.test))
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    return curves(finished(history)) | {"test_accuracy": evaluate(model, test).accuracy}


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train the network once."""
    torch.manual_seed(seed)
    model = wide_mnist_net().to(device())
    return follow(data, config, model, torch.optim.Adam(model.parameters(), fused=True))


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("wide_mnist", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
