"""How long does a sigmoid LeNet-5 sit on its plateau? A published recipe, run again.

The recipe: sigmoid, average pooling, pixels from 0 to 1, Adam, batches of 1,024, 50,000 images to train on and 10,000
to validate. First ten epochs at a constant learning rate of .005, then 59 epochs of a cosine that would end after 70.

    python -m experiments.lenet_plateau

Takes about a quarter of an hour on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "lr": 0.005,
    "batch_size": 1024,
    "valid": 10_000,
    "constant_epochs": 10,
    "cosine_epochs": 59,
    "T_max": 70,
    "constant_seeds": [0, 1, 2],
    "cosine_seeds": [0],
}


def run(data: ImageData, config: dict, schedule: str, seed: int) -> dict:
    """Train one LeNet; return its validation curve, its seconds and its one look at the test split."""
    data = data.normalised([0.0], [1.0])
    torch.manual_seed(seed)
    model = lenet(activation=nn.Sigmoid).to(device())
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config["T_max"]) if schedule == "cosine" else None
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 2_000, device=device()) for split in (data.valid, data.test))
    history = fit(model, train, valid, optimizer, epochs=config[f"{schedule}_epochs"], scheduler=scheduler)
    return {
        **curves(finished(history)),
        "test_accuracy": evaluate(model, test).accuracy,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"schedule": schedule, "seed": seed}
        for schedule in ("constant", "cosine")
        for seed in config[f"{schedule}_seeds"]
    ]
    record_all("lenet_plateau", config, load("mnist", valid=config["valid"]), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
