"""Four trainings of one network, three of which have something wrong with them: the exercise of lesson 15.

    python -m experiments.flights

Takes about a minute on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch

from course_utils import batches, device, fit, load
from course_utils.data import ImageData
from course_utils.networks import small_fashion_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "flights": {"A": "leak", "B": "rate", "C": "healthy", "D": "dead"},
    "images": 2_000,
    "epochs": 15,
    "batch_size": 32,
    "lr": 0.02,
    "high_lr": 0.12,
    "momentum": 0.9,
    "dead_bias": -100.0,
    "seed": 0,
}


def run(data: ImageData, config: dict, flight: str) -> dict:
    """Train once; return the cause of what went wrong, and the curves."""
    cause = config["flights"][flight]
    torch.manual_seed(config["seed"])
    model = small_fashion_net().to(device())
    if cause == "dead":
        torch.nn.init.constant_(model[0].bias, config["dead_bias"])
    images = data.train.take(config["images"])
    asked = images[: len(images) // 2] if cause == "leak" else data.valid
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    lr = config["high_lr" if cause == "rate" else "lr"]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=config["momentum"])
    valid = batches(asked, 500, device=device())
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    return {"cause": cause, **curves(finished(history))}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"flight": flight} for flight in config["flights"]]
    record_all("flights", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
