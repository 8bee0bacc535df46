"""From one map to sixty-four: what do wider networks learn of 1,000 images, and what of it holds on new ones?

Lesson 8's network of two convolutions, on FashionMNIST, at three first rates. Each trains long enough for the wide ones
to know all their images by heart.

    python -m experiments.capacity_sweep

Takes about 25 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from course_utils import batches, count_parameters, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import two_convolutions
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "widths": [1, 2, 4, 8, 16, 32, 64],
    "rates": [0.001, 0.003, 0.01],
    "images": 1_000,
    "epochs": 60,
    "batch_size": 50,
    "seeds": [0, 1, 2, 3, 4],
}


def run(data: ImageData, config: dict, width: int, lr: float, seed: int) -> dict:
    """Train one network; return its scores at the end, on the images it has seen and on others."""
    torch.manual_seed(seed)
    model = two_convolutions(width)
    images = data.train.take(config["images"], seed)
    train = batches(images, config["batch_size"], shuffle=True)
    seen, valid = (batches(split, 1_000) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    cosine = CosineAnnealingLR(optimizer, config["epochs"] * len(train))
    glance = batches(data.valid.take(200), 200)  # all of it after each epoch would take longer than the training
    history = fit(model, train, glance, optimizer, epochs=config["epochs"], scheduler=cosine, scheduler_step="batch")
    return {
        "parameters": count_parameters(model),
        **curves(finished(history), "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"width": width, "lr": lr, "seed": seed}
        for seed in config["seeds"]
        for width in config["widths"]
        for lr in config["rates"]
    ]
    record_all("capacity_sweep", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
