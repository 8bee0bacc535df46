"""Which learning-rate schedule, when all images of MNIST are used? LeNet with ReLU, Adam, one epoch, five seeds.

Each schedule at four first rates, so that each can be judged at its own best.

    python -m experiments.schedules

Takes about 20 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch.optim import lr_scheduler

from course_utils import batches, device, fit, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "schedules": ["constant", "step", "exponential", "linear", "cosine", "one-cycle"],
    "rates": [0.002, 0.005, 0.01, 0.02],
    "batch_size": 64,
    "epochs": 1,
    "seeds": [0, 1, 2, 3, 4],
}
SCHEDULES = {  # those of lesson 7
    "constant": lambda optimizer, steps: lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "step": lambda optimizer, steps: lr_scheduler.StepLR(optimizer, steps // 3 + 1, gamma=0.3),
    "exponential": lambda optimizer, steps: lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / steps)),
    "linear": lambda optimizer, steps: lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps),
    "cosine": lambda optimizer, steps: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
    "one-cycle": lambda optimizer, steps: lr_scheduler.OneCycleLR(
        optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=steps
    ),
}


def run(data: ImageData, config: dict, schedule: str, lr: float, seed: int) -> dict:
    """Train one LeNet; return its validation scores and its seconds."""
    torch.manual_seed(seed)
    model = lenet().to(device())
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid = batches(data.valid, 1_000, device=device())
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = SCHEDULES[schedule](optimizer, config["epochs"] * len(train))
    history = fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    return curves(finished(history), "valid_loss", "valid_accuracy", "seconds")


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"schedule": schedule, "lr": lr, "seed": seed}
        for seed in config["seeds"]
        for schedule in config["schedules"]
        for lr in config["rates"]
    ]
    record_all("schedules", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
