"""Four published networks, from 44 thousand to 25.8 million parameters, learn the same 2,000 images of FashionMNIST.

    python -m experiments.capacity

Takes about 7 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch

from course_utils import batches, count_parameters, device, evaluate, fit, load, networks
from course_utils.data import ImageData
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "networks": ["small_fashion_net", "fashion_net", "mnist_net", "wide_mnist_net"],
    "images": 2_000,
    "epochs": 10,
    "batch_size": 32,
    "lr": 0.001,
    "seeds": [0, 1, 2],
}


def run(data: ImageData, config: dict, network: str, seed: int) -> dict:
    """Train one network; return its curves, and its scores on both splits in evaluation mode."""
    torch.manual_seed(seed)
    model = getattr(networks, network)().to(device())
    images = data.train.take(config["images"])
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    seen, valid = (batches(split, 500, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"], fused=True)
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    return {
        "parameters": count_parameters(model),
        **curves(finished(history), "valid_loss", "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"network": network, "seed": seed} for seed in config["seeds"] for network in config["networks"]]
    record_all("capacity", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
