"""When should a long training have been stopped? A published recipe to its last epoch, under three stopping rules.

The recipe: sigmoid, average pooling, pixels from 0 to 1, Adam, batches of 1,024, a cosine over 70 epochs, 50,000 images
to train on and 10,000 to validate. No rule stops the training. Each notes where it would have, and keeps the weights of
its best epoch until then; these look at the test split once, as do those of the last epoch.

    python -m experiments.lenet_long

Takes about 17 minutes on two CPU cores. Saves after every seed, and goes on where it was stopped.
"""

import argparse
import copy
import math

import torch
from torch import nn

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import Images
from course_utils.networks import lenet
from course_utils.records import Record, finished

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

    def __init__(self, score, patience):
        self.score, self.patience = score, patience
        self.best, self.best_epoch, self.stop_epoch, self.weights = -math.inf, 0, None, None

    def on_epoch_end(self, state):
        if self.stop_epoch is not None:
            return
        score = self.score(state)
        if score > self.best:
            self.best, self.best_epoch = score, state.epoch
            self.weights = copy.deepcopy(state.model.state_dict())
        elif state.epoch - self.best_epoch >= self.patience:
            self.stop_epoch = state.epoch


def run(data, seed, config):
    """Train one LeNet to the end; return its validation curves, and what each rule would have done."""
    plain = [Images(split.x, split.y, torch.zeros(1), torch.ones(1)) for split in (data.train, data.valid, data.test)]
    torch.manual_seed(seed)
    model = lenet(activation=nn.Sigmoid).to(device())
    train = batches(plain[0], config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 2_000, device=device()) for split in plain[1:])
    few = batches(plain[1].take(config["few"]), 500, device=device())
    scores = {
        "loss": lambda state: -state.history[-1].valid.loss,
        "accuracy": lambda state: state.history[-1].valid.accuracy,
        "accuracy on few": lambda state: evaluate(state.model, few).accuracy,
    }
    rules = {name: Rule(score, config["patience"]) for name, score in scores.items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config["epochs"])
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, callbacks=rules.values())
    )
    result = {
        "seed": seed,
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "train_accuracy": history.column("train", "accuracy"),
        "seconds": [row.seconds for row in history],
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


def main(config=CONFIG, folder=None):
    record = Record("lenet_long", config, folder)
    data = load("mnist", valid=config["valid"])
    for seed in config["seeds"]:
        if not record.has(seed=seed):
            print(f"seed {seed}", flush=True)
            record.add(run(data, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
