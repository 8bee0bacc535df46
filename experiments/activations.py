"""Which activation for LeNet, each at its own learning rate? 10,000 digits, three epochs of Adam, five seeds.

The second row is a control: a sigmoid moved down by one half, whose slopes are those of the sigmoid.

    python -m experiments.activations

Takes about 8 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn

from course_utils import batches, fit, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "activations": ["sigmoid", "sigmoid − ½", "tanh", "relu"],
    "rates": [0.0003, 0.001, 0.003, 0.01, 0.03],
    "images": 10_000,
    "epochs": 3,
    "batch_size": 64,
    "seeds": [0, 1, 2, 3, 4],
}


class Centred(nn.Module):
    """A sigmoid whose values are centred on 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x) - 0.5


ACTIVATIONS = {"sigmoid": nn.Sigmoid, "sigmoid − ½": Centred, "tanh": nn.Tanh, "relu": nn.ReLU}


def run(data: ImageData, config: dict, activation: str, lr: float, seed: int) -> dict:
    """Train one LeNet; return its validation scores and its seconds."""
    torch.manual_seed(seed)
    model = lenet(ACTIVATIONS[activation])
    train = batches(data.train.take(config["images"]), config["batch_size"], shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    history = fit(model, train, batches(data.valid, 1_000), optimizer, epochs=config["epochs"])
    return curves(finished(history), "valid_loss", "valid_accuracy", "seconds")


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"activation": activation, "lr": lr, "seed": seed}
        for seed in config["seeds"]
        for activation in config["activations"]
        for lr in config["rates"]
    ]
    record_all("activations", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
