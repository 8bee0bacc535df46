"""Which learning-rate schedule, when all images of MNIST are used? LeNet with ReLU, Adam, one epoch, three seeds.

    python -m experiments.schedules

Takes about 3 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch
from torch.optim import lr_scheduler

from course_utils import batches, device, fit, load
from course_utils.networks import lenet
from course_utils.records import Record, finished

CONFIG = {
    "schedules": ["constant", "step", "exponential", "linear", "cosine", "one-cycle"],
    "lr": 0.005,
    "batch_size": 64,
    "epochs": 1,
    "seeds": [0, 1, 2],
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


def run(data, schedule, seed, config):
    """Train one LeNet; return its validation scores and its seconds."""
    torch.manual_seed(seed)
    model = lenet().to(device())
    train = batches(data.train, config["batch_size"], shuffle=True, device=device())
    valid = batches(data.valid, 1_000, device=device())
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    scheduler = SCHEDULES[schedule](optimizer, config["epochs"] * len(train))
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    )
    return {
        "schedule": schedule,
        "seed": seed,
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
    }


def main(config=CONFIG, folder=None):
    record = Record("schedules", config, folder)
    data = load("mnist")
    for seed in config["seeds"]:
        for schedule in config["schedules"]:
            if not record.has(schedule=schedule, seed=seed):
                print(f"{schedule}, seed {seed}", flush=True)
                record.add(run(data, schedule, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
