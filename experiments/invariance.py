"""How far may a digit move, turn or grow before a network misreads it? Eight ways to train, three seeds.

    python -m experiments.invariance

Takes about 9 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch
from torch import nn

from course_utils import Augment, augment, batches, device, fit, load
from course_utils.metrics import accuracy_curve
from course_utils.networks import lenet
from course_utils.pooling import blur_pool2d
from course_utils.records import Record, finished

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
    def __init__(self, size):
        super().__init__()

    def forward(self, x):
        return blur_pool2d(x)


POOLS = {
    "max": nn.MaxPool2d,
    "average": nn.AvgPool2d,
    "stride": lambda size: nn.MaxPool2d(1, stride=size),  # a window of one pixel: every second one is kept
    "blurred": BlurPool,
}


def build(name):
    """An MLP of about as many parameters as LeNet, or LeNet with a pooling layer of this name."""
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 77), nn.ReLU(), nn.Linear(77, 10))
    return lenet(pool=POOLS[name])


def shift_right(x, pixels):
    return augment.shift(x, 0, pixels)


def run(data, name, seed, config):
    """Train one network; return its validation scores and its three curves."""
    network, asked = config["networks"][name]
    torch.manual_seed(seed)
    model = build(network).to(device())
    images = data.train.take(config["images"])
    change = Augment(**asked) if asked else None
    train = batches(images, config["batch_size"], shuffle=True, augment=change, device=device())
    valid = batches(data.valid, 1_000, device=device())
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    )
    return {
        "network": name,
        "seed": seed,
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "shift": accuracy_curve(model, data.valid, shift_right, config["pixels"]),
        "turn": accuracy_curve(model, data.valid, augment.rotate, config["degrees"]),
        "scale": accuracy_curve(model, data.valid, augment.scale, config["factors"]),
    }


def main(config=CONFIG, folder=None):
    record = Record("invariance", config, folder)
    data = load("mnist")
    for seed in config["seeds"]:
        for name in config["networks"]:
            if not record.has(network=name, seed=seed):
                print(f"{name}, seed {seed}", flush=True)
                record.add(run(data, name, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
