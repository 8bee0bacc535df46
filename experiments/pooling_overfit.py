"""Does pooling prevent over-fitting? LeNet with it, with a stride in its place, and with neither; few images.

    python -m experiments.pooling_overfit

Takes about 3 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch
from torch import nn

from course_utils import batches, count_parameters, device, evaluate, fit, load
from course_utils.networks import lenet
from course_utils.records import Record, finished

CONFIG = {
    "networks": ["max pooling", "stride 2", "neither"],
    "images": 1_000,
    "epochs": 20,
    "batch_size": 64,
    "lr": 0.001,
    "seeds": [0, 1, 2],
}


def build(name):
    """LeNet; every second pixel instead of the largest of four; or every pixel, for a larger linear layer to read."""
    if name == "max pooling":
        return lenet(pool=nn.MaxPool2d)
    if name == "stride 2":
        return lenet(pool=lambda size: nn.MaxPool2d(1, stride=size))
    model = lenet(pool=lambda size: nn.Identity())
    model[7] = nn.Linear(16 * 24 * 24, 120)
    return model


def run(data, name, seed, config):
    """Train one network; return its scores on the images it has seen, and on others."""
    torch.manual_seed(seed)
    model = build(name).to(device())
    images = data.train.take(config["images"])
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    seen, valid = (batches(split, 1_000, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    history = finished(fit(model, train, valid, optimizer, epochs=config["epochs"]))
    return {
        "network": name,
        "seed": seed,
        "parameters": count_parameters(model),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config=CONFIG, folder=None):
    record = Record("pooling_overfit", config, folder)
    data = load("fashion_mnist")
    for seed in config["seeds"]:
        for name in config["networks"]:
            if not record.has(network=name, seed=seed):
                print(f"{name}, seed {seed}", flush=True)
                record.add(run(data, name, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
