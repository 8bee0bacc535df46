"""How well is CIFAR-10 read after two, five and ten minutes of training on two CPU cores?

Peaks of the learning rate, and the networks for five and ten minutes, were tried on the validation split
(`cifar_choices`): for five minutes another did as well, for ten no other was tried. The smallest network was a first
try that was kept; the rest of the recipe, and the larger shift, are habit. Each run reads the test split once, without
test-time augmentation. On a GPU the same runs are recorded beside those of the CPU.

    python -m experiments.cifar_headline

Takes about an hour on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import Augment, batches, count_parameters, device, evaluate, fit, load, networks
from course_utils.data import ImageData
from course_utils.history import History
from experiments.recipe_ladder import deep_cifar_net
from tools.recording import command_line, curves, finished, record_all

FAST = {"widths": [32, 48, 96, 192], "residual": False}  # arguments of `networks.fast_cifar_net`
SHORTCUTS = {"widths": [48, 96, 192], "residual": True}
DEEPER = {"network": "deeper"}
CONFIG = {
    "points": {  # a point may have its own value of what stands below
        "two minutes": FAST | {"max_lr": 0.01, "epochs": 5, "seeds": list(range(10))},
        "five minutes": SHORTCUTS | {"max_lr": 0.01, "epochs": 7, "seeds": [0, 1, 2]},
        "ten minutes": DEEPER | {"max_lr": 0.01, "epochs": 10, "shift": 4, "seeds": [0, 1, 2]},
    },
    "batch_size": 256,
    "rising": 0.25,  # the share of steps in which the learning rate rises
    "betas": [0.9, 0.99],
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "shift": 2,
}


def build(point: dict) -> nn.Module:
    """`fast_cifar_net` with these widths, or the deeper network, of 498,138 parameters."""
    if "widths" in point:
        return networks.fast_cifar_net(point["widths"], point["residual"])
    return deep_cifar_net((24, 32, 128, 128))


def train(data: ImageData, config: dict, point: dict, seed: int, device: str) -> tuple[nn.Module, History, dict]:
    """Train one network; return it, its history and its options for batches. No test image is read."""
    recipe = config | point
    torch.manual_seed(seed)
    model = build(point).to(device, memory_format=torch.channels_last)
    options = {"channels_last": True, "device": device}
    change = Augment(flip=0.5, shift=recipe["shift"], padding_mode="reflect")
    batched = batches(data.train, recipe["batch_size"], shuffle=True, drop_last=True, augment=change, **options)
    optimizer = torch.optim.AdamW(model.parameters(), betas=tuple(recipe["betas"]), weight_decay=recipe["weight_decay"])
    scheduler = OneCycleLR(
        optimizer,
        max_lr=recipe["max_lr"],
        total_steps=recipe["epochs"] * len(batched),
        pct_start=recipe["rising"],
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    history = fit(
        model,
        batched,
        batches(data.valid, 1_000, **options),
        optimizer,
        epochs=recipe["epochs"],
        scheduler=scheduler,
        scheduler_step="batch",
        loss_fn=partial(F.cross_entropy, label_smoothing=recipe["label_smoothing"]),
    )
    return model, finished(history), options


def run(data: ImageData, config: dict, point: str, seed: int, device: str) -> dict:
    """Train one network; return its validation curve, its seconds of training, and its test accuracy."""
    model, history, options = train(data, config, config["points"][point], seed, device)
    return {
        "parameters": count_parameters(model),
        **curves(history, "valid_accuracy", "seconds"),
        "test_accuracy": evaluate(model, batches(data.test, 1_000, **options)).accuracy,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"point": name, "seed": seed, "device": device()}
        for name, point in config["points"].items()
        for seed in point["seeds"]
    ]
    record_all("cifar_headline", config, load("cifar10"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
