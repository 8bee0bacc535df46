"""Does pooling prevent over-fitting? LeNet with it, with a stride in its place, and with neither; few images.

Long enough for all three to know their images: a narrow gap may only mean that a network has not finished learning.

    python -m experiments.pooling_overfit

Takes about 4 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn

from course_utils import batches, count_parameters, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "networks": ["max pooling", "stride 2", "neither"],
    "images": 1_000,
    "epochs": 80,
    "batch_size": 64,
    "lr": 0.001,
    "seeds": [0, 1, 2, 3, 4],
}


def build(name: str) -> nn.Module:
    """LeNet; every second pixel instead of the largest of four; or every pixel, for a larger linear layer to read."""
    if name == "max pooling":
        return lenet(pool=nn.MaxPool2d)
    if name == "stride 2":
        return lenet(pool=lambda size: nn.MaxPool2d(1, stride=size))
    model = lenet(pool=lambda size: nn.Identity())
    model[7] = nn.Linear(16 * 24 * 24, 120)
    return model


def run(data: ImageData, config: dict, network: str, seed: int) -> dict:
    """Train one network; return its scores on the images it has seen, and on others."""
    torch.manual_seed(seed)
    model = build(network).to(device())
    images = data.train.take(config["images"])
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    seen, valid = (batches(split, 1_000, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    glance = batches(data.valid.take(200), 200, device=device())  # all of it would take longer than the training
    history = fit(model, train, glance, optimizer, epochs=config["epochs"])
    return {
        "parameters": count_parameters(model),
        **curves(finished(history), "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"network": network, "seed": seed} for seed in config["seeds"] for network in config["networks"]]
    record_all("pooling_overfit", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
