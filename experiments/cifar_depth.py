"""Plain against residual networks of 8, 20, 38 and 56 layers: what do they learn, and what of it holds on new images?

    python -m experiments.cifar_depth

Takes about 20 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import batches, device, evaluate, fit, load, networks
from course_utils.records import Record, finished

CONFIG = {
    "depths": [8, 20, 38, 56],
    "images": 5_000,
    "epochs": 10,
    "batch_size": 64,
    "max_lr": 0.01,
    "seeds": [0, 1, 2],
}


def run(data, depth, residual, seed, config):
    """Train one network; return its curve, and its scores on both splits in evaluation mode."""
    torch.manual_seed(seed)
    model = networks.deep_net(depth, residual).to(device(), memory_format=torch.channels_last)
    images, options = data.train.take(config["images"]), {"channels_last": True, "device": device()}
    train = batches(images, config["batch_size"], shuffle=True, **options)
    seen, valid = (batches(split, 1_000, **options) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    )
    return {
        "depth": depth,
        "residual": residual,
        "seed": seed,
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config=CONFIG, folder=None):
    record = Record("cifar_depth", config, folder)
    data = load("cifar10")
    for seed in config["seeds"]:
        for depth in config["depths"]:
            for residual in (False, True):
                if not record.has(depth=depth, residual=residual, seed=seed):
                    print(f"{depth} layers, {'residual' if residual else 'plain'}, seed {seed}", flush=True)
                    record.add(run(data, depth, residual, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
