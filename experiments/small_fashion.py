"""PyTorch's TensorBoard example: a network of 44,426 parameters on FashionMNIST, in batches of four, for one epoch.

The recipe: pixels from −1 to 1, SGD with a learning rate of 0.001 and momentum 0.9. Ours keeps 5,000 of the 60,000
training images for validation.

    python -m experiments.small_fashion

Takes about 5 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch

from course_utils import device, load
from course_utils.data import ImageData
from course_utils.networks import small_fashion_net
from experiments.wide_mnist import follow
from tools.recording import command_line, record_all

CONFIG = {"batch_size": 4, "epochs": 1, "lr": 0.001, "momentum": 0.9, "seeds": [0, 1, 2, 3, 4]}


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train the network once."""
    torch.manual_seed(seed)
    model = small_fashion_net().to(device())
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    return follow(data, config, model, optimizer)


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("small_fashion", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
