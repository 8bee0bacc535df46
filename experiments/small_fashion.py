"""PyTorch's TensorBoard example: a network of 44,426 parameters on FashionMNIST, in batches of four, for one epoch.

The recipe: pixels from −1 to 1, SGD with a learning rate of 0.001 and momentum 0.9. Ours keeps 5,000 of the 60,000
training images for validation.

    python -m experiments.small_fashion

Takes about 5 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import small_fashion_net
from tools.recording import command_line, record_all

CONFIG = {"batch_size": 4, "epochs": 1, "lr": 0.001, "momentum": 0.9, "seeds": [0, 1, 2, 3, 4]}


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train the network once; return its curves and its one look at the test split."""
    data = data.normalised([0.5], [0.5])
    torch.manual_seed(seed)
    model = small_fashion_net().to(device())
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 500, device=device()) for split in (data.valid, data.test))
    history = fit(model, train, valid, optimizer, epochs=config["epochs"]).finished()
    return history.curves() | {"test_accuracy": evaluate(model, test).accuracy}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("small_fashion", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
