"""How far may a digit move, turn or grow before a network misreads it? Eight ways to train, three seeds.

    python -m experiments.invariance

Takes about 9 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn

from course_utils import Augment, augment, batches, device, fit, load
from course_utils.checks.l10 import blur_pool2d
from course_utils.data import ImageData
from course_utils.metrics import accuracy_curve
from course_utils.networks import lenet
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "networks": {  # the network, and what `Augment` is asked for in its training
        "MLP": ["mlp", {}],
        "LeNet": ["max", {}],
        "LeNet, shifts": ["max", {"shift": 4}],
        "LeNet, turns": ["max", {"rotation": 40}],
        "LeNet, all three": ["max", {"shift": 4, "rotation": 40, "scale": 0.3}],
        "average pooling": ["average", {}],
        "no pooling, stride 2": ["stride", {}],
        "blurred pooling": ["blurred", {}],
    },
    "images": 20_000,
    "epochs": 3,
    "batch_size": 128,
    "max_lr": 0.004,
    "seeds": [0, 1, 2],
    "pixels": list(range(-8, 9)),
    "degrees": list(range(-60, 61, 10)),
    "factors": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
}


class BlurPool(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return blur_pool2d(x)


POOLS = {
    "max": nn.MaxPool2d,
    "average": nn.AvgPool2d,
    "stride": lambda size: nn.MaxPool2d(1, stride=size),  # a window of one pixel: every second one is kept
    "blurred": BlurPool,
}


def build(name: str) -> nn.Module:
    """An MLP of about as many parameters as LeNet, or LeNet with a pooling layer of this name."""
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 77), nn.ReLU(), nn.Linear(77, 10))
    return lenet(pool=POOLS[name])


def shift_right(x: torch.Tensor, pixels: int) -> torch.Tensor:
    return augment.shift(x, 0, pixels)


def run(data: ImageData, config: dict, network: str, seed: int) -> dict:
    """Train one network; return its validation scores and its three curves."""
    kind, asked = config["networks"][network]
    torch.manual_seed(seed)
    model = build(kind).to(device())
    images = data.train.take(config["images"])
    change = Augment(**asked) if asked else None
    train = batches(images, config["batch_size"], shuffle=True, augment=change, device=device())
    valid = batches(data.valid, 1_000, device=device())
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    return {
        **curves(finished(history), "valid_accuracy", "seconds"),
        "shift": accuracy_curve(model, data.valid, shift_right, config["pixels"]),
        "turn": accuracy_curve(model, data.valid, augment.rotate, config["degrees"]),
        "scale": accuracy_curve(model, data.valid, augment.scale, config["factors"]),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"network": network, "seed": seed} for seed in config["seeds"] for network in config["networks"]]
    record_all("invariance", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
