"""Four published networks, from 44 thousand to 25.8 million parameters, learn the same 2,000 images of FashionMNIST.

    python -m experiments.capacity

Takes about 7 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch

from course_utils import batches, count_parameters, device, evaluate, fit, load, networks
from course_utils.records import Record, finished

CONFIG = {
    "networks": ["small_fashion_net", "fashion_net", "mnist_net", "wide_mnist_net"],
    "images": 2_000,
    "epochs": 10,
    "batch_size": 32,
    "lr": 0.001,
    "seeds": [0, 1, 2],
}


def run(data, name, seed, config):
    """Train one network; return its curves, and its scores on both splits in evaluation mode."""
    torch.manual_seed(seed)
    model = getattr(networks, name)().to(device())
    images = data.train.take(config["images"])
    train = batches(images, config["batch_size"], shuffle=True, device=device())
    seen, valid = (batches(split, 500, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"], fused=True)
    history = finished(fit(model, train, valid, optimizer, epochs=config["epochs"]))
    return {
        "network": name,
        "seed": seed,
        "parameters": count_parameters(model),
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config=CONFIG, folder=None):
    record = Record("capacity", config, folder)
    data = load("fashion_mnist")
    for seed in config["seeds"]:
        for name in config["networks"]:
            if not record.has(network=name, seed=seed):
                print(f"{name}, seed {seed}", flush=True)
                record.add(run(data, name, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
