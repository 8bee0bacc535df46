"""What cures overfitting? One network on 1,000 images of FashionMNIST: as it is, with dropout, with weight decay, and
on ten times the images, in equal steps. For dropout also: what if it stays on when the network is scored?

    python -m experiments.remedies

Takes about 2 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import two_convolutions
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "remedies": {  # what differs from 30 epochs on 1,000 images
        "none": {},
        "dropout": {"dropout": 0.5},
        "weight decay": {"weight_decay": 0.3},
        "10,000 images": {"images": 10_000, "epochs": 3},
    },
    "width": 16,
    "images": 1_000,
    "epochs": 30,
    "batch_size": 64,
    "lr": 0.003,
    "dropout": 0.0,
    "weight_decay": 0.0,
    "left_on_times": 20,
    "seeds": [0, 1, 2, 3, 4],
}


@torch.inference_mode()
def left_on(model: nn.Module, images: batches) -> float:
    """Accuracy with dropout still on: the published mistake."""
    model.train()
    right = [(model(x).argmax(1) == y).sum().item() for x, y in images]
    model.eval()
    return sum(right) / len(images.x)


def run(data: ImageData, config: dict, remedy: str, seed: int) -> dict:
    """Train one network; return its curves, and for dropout the scores with dropout left on."""
    config = config | config["remedies"][remedy]
    torch.manual_seed(seed)
    model = two_convolutions(config["width"], config["dropout"]).to(device())
    images = data.train.take(config["images"])
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    seen, valid = (batches(split, 1_000, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])
    history = fit(model, train, valid, optimizer, epochs=config["epochs"])
    times = config["left_on_times"] if config["dropout"] else 0
    return {
        **curves(finished(history), "valid_loss", "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
        "left_on": [left_on(model, valid) for _ in range(times)],
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"remedy": remedy, "seed": seed} for seed in config["seeds"] for remedy in config["remedies"]]
    record_all("remedies", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
