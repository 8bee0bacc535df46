"""How long does a sigmoid LeNet-5 sit on its plateau? A published recipe, run again.

The recipe: sigmoid, average pooling, pixels from 0 to 1, Adam, batches of 1,024, 50,000 images to train on and 10,000
to validate. First ten epochs at a constant learning rate of .005, then 59 epochs of a cosine that would end after 70.

    python -m experiments.lenet_plateau

Takes about a quarter of an hour on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch
from torch import nn

from course_utils import batches, evaluate, fit, load
from course_utils.data import Images
from course_utils.networks import lenet
from course_utils.records import Record, finished

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


def run(data, schedule, seed, config):
    """Train one LeNet; return its validation curve, its seconds and its one look at the test split."""
    plain = [Images(split.x, split.y, torch.zeros(1), torch.ones(1)) for split in (data.train, data.valid, data.test)]
    torch.manual_seed(seed)
    model = lenet(activation=nn.Sigmoid)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config["T_max"]) if schedule == "cosine" else None
    train = batches(plain[0], config["batch_size"], shuffle=True)
    valid, test = (batches(split, 2_000) for split in plain[1:])
    history = finished(fit(model, train, valid, optimizer, epochs=config[f"{schedule}_epochs"], scheduler=scheduler))
    return {
        "schedule": schedule,
        "seed": seed,
        "train_loss": history.column("train", "loss"),
        "train_accuracy": history.column("train", "accuracy"),
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "test_accuracy": evaluate(model, test).accuracy,
    }


def main(config=CONFIG, folder=None):
    record = Record("lenet_plateau", config, folder)
    data = load("mnist", valid=config["valid"])
    for schedule in ("constant", "cosine"):
        for seed in config[f"{schedule}_seeds"]:
            if not record.has(schedule=schedule, seed=seed):
                record.add(run(data, schedule, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
