"""Early stopping against a schedule: what is left of a cosine that a rule cuts off? LeNet on 5,000 digits, five seeds.

One training at a constant rate, and cosines that were planned for 5, 10, 20 and 30 epochs, at four first rates. All go
to their end. Half of the validation digits are for rules to watch, the other half judges what they would have kept.

    python -m experiments.stopping

Takes about 40 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler

from course_utils import batches, evaluate, fit, load
from course_utils.data import ImageData, Images
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "images": 5_000,
    "batch_size": 64,
    "rates": [0.001, 0.003, 0.01, 0.02],
    "constant": [30],
    "cosine": [5, 10, 20, 30],
    "seeds": [0, 1, 2, 3, 4],
}


class Judge:
    """A callback: the accuracy on images that no rule has seen, after each epoch."""

    def __init__(self, images: Images) -> None:
        self.batches = batches(images, 2_500)
        self.accuracy: list[float] = []

    def on_epoch_end(self, state: Any) -> None:
        self.accuracy.append(evaluate(state.model, self.batches).accuracy)


def run(data: ImageData, config: dict, schedule: str, epochs: int, lr: float, seed: int) -> dict:
    """Train one LeNet; return its curves on both halves of the validation split."""
    torch.manual_seed(seed)
    model = lenet()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    train = batches(data.train.take(config["images"]), config["batch_size"], shuffle=True)
    watched, judge = data.valid[::2], Judge(data.valid[1::2])
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train)) if schedule == "cosine" else None
    history = fit(
        model,
        train,
        batches(watched, 2_500),
        optimizer,
        epochs=epochs,
        scheduler=cosine,
        scheduler_step="batch",
        callbacks=[judge],
    )
    return curves(finished(history), "train_loss", "valid_loss", "valid_accuracy", "seconds") | {
        "judged_accuracy": judge.accuracy
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"schedule": schedule, "epochs": epochs, "lr": lr, "seed": seed}
        for seed in config["seeds"]
        for schedule in ("constant", "cosine")
        for epochs in config[schedule]
        for lr in config["rates"]
    ]
    record_all("stopping", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
