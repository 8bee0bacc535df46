"""Plain against residual networks of 8, 20, 38 and 56 layers: what do they learn, and what of it holds on new images?

    python -m experiments.cifar_depth

Takes about 20 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import batches, device, evaluate, fit, load, networks
from course_utils.data import ImageData
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "depths": [8, 20, 38, 56],
    "images": 5_000,
    "epochs": 10,
    "batch_size": 64,
    "max_lr": 0.01,
    "seeds": [0, 1, 2],
}


def run(data: ImageData, config: dict, depth: int, residual: bool, seed: int) -> dict:
    """Train one network; return its curve, and its scores on both splits in evaluation mode."""
    torch.manual_seed(seed)
    model = networks.deep_net(depth, residual).to(device(), memory_format=torch.channels_last)
    images, options = data.train.take(config["images"]), {"channels_last": True, "device": device()}
    train = batches(images, config["batch_size"], shuffle=True, **options)
    seen, valid = (batches(split, 1_000, **options) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    return {
        **curves(finished(history), "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"depth": depth, "residual": residual, "seed": seed}
        for seed in config["seeds"]
        for depth in config["depths"]
        for residual in (False, True)
    ]
    record_all("cifar_depth", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
