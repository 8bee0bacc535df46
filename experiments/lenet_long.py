"""When should a long training have been stopped? A published recipe to its last epoch, under three stopping rules.

The recipe: sigmoid, average pooling, pixels from 0 to 1, Adam, batches of 1,024, a cosine over 70 epochs, 50,000 images
to train on and 10,000 to validate. No rule stops the training. Each notes where it would have, and keeps the weights of
its best epoch until then; these look at the test split once, as do those of the last epoch.

    python -m experiments.lenet_long

Takes about 17 minutes on two CPU cores. Saves after every seed, and goes on where it was stopped.
"""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    "epochs": 70,
    "patience": 6,
    "few": 500,
    "seeds": [0, 1, 2],
}


class Rule:
    """A callback that notes where early stopping would stop, and keeps the weights of the best epoch until then."""

    def __init__(self, score: Callable[[Any], float], patience: int) -> None:
        self.score, self.patience = score, patience
        self.best, self.best_epoch = -math.inf, 0
        self.stop_epoch: int | None = None
        self.weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, state: Any) -> None:
        if self.stop_epoch is not None:
            return
        score = self.score(state)
        if score > self.best:
            self.best, self.best_epoch = score, state.epoch
            self.weights = copy.deepcopy(state.model.state_dict())
        elif state.epoch - self.best_epoch >= self.patience:
            self.stop_epoch = state.epoch


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train one LeNet to the end; return its validation curves, and what each rule would have done."""
    data = data.normalised([0.0], [1.0])
    torch.manual_seed(seed)
    model = lenet(activation=nn.Sigmoid).to(device())
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 2_000, device=device()) for split in (data.valid, data.test))
    few = batches(data.valid.take(config["few"]), 500, device=device())
    scores = {
        "loss": lambda state: -state.history[-1].valid.loss,
        "accuracy": lambda state: state.history[-1].valid.accuracy,
        "accuracy on few": lambda state: evaluate(state.model, few).accuracy,
    }
    rules = {name: Rule(score, config["patience"]) for name, score in scores.items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config["epochs"])
    history = fit(
        model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, callbacks=rules.values()
    )
    result: dict = {
        **curves(finished(history), "valid_loss", "valid_accuracy", "train_accuracy", "seconds"),
        "rules": {"none": {"stop_epoch": None, "test_accuracy": evaluate(model, test).accuracy}},
    }
    for name, rule in rules.items():
        model.load_state_dict(rule.weights)
        result["rules"][name] = {
            "best_epoch": rule.best_epoch,
            "stop_epoch": rule.stop_epoch,
            "test_accuracy": evaluate(model, test).accuracy,
        }
    return result


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    data, marks = load("mnist", valid=config["valid"]), [{"seed": seed} for seed in config["seeds"]]
    record_all("lenet_long", config, data, run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
