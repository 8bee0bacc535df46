"""Which augmentation helps on which data set? A LeNet, 5,000 images, one change at a time, three seeds.

    python -m experiments.augmentations

Takes about 12 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse
from types import SimpleNamespace

import torch
from torch import nn

from course_utils import Augment, batches, device, evaluate, fit, load
from course_utils.networks import lenet
from course_utils.records import Record, finished

CONFIG = {
    "data": ["mnist", "fashion_mnist", "cifar10"],
    "changes": {  # what `Augment` is asked for
        "none": {},
        "flip": {"flip": 0.5},
        "shift": {"shift": 2},
        "turn": {"rotation": 15},
        "scale": {"scale": 0.15},
        "brightness": {"brightness": 0.2},
        "cutout": {"cutout": 8},
        "hue": {"hue": 0.1},  # of colour pictures only
    },
    "images": 5_000,
    "epochs": 12,
    "batch_size": 64,
    "max_lr": 0.004,
    "seeds": [0, 1, 2],
}


def build(channels):
    """LeNet; for colour pictures of 32×32 pixels its first layer reads three channels and pads nothing."""
    model = lenet(pool=nn.MaxPool2d)
    if channels == 3:
        model[0] = nn.Conv2d(3, 6, 5)
    return model


def run(data, change, seed, config):
    """Train one network; return its scores on the images it has seen, unchanged, and on others."""
    torch.manual_seed(seed)
    images = data.train.take(config["images"])
    model = build(images.x.shape[1]).to(device())
    asked = config["changes"][change]
    augment = Augment(**asked) if asked else None
    train = batches(images, config["batch_size"], shuffle=True, augment=augment, device=device())
    seen, valid = (batches(split, 1_000, device=device()) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config["max_lr"], total_steps=steps)
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    )
    return {
        "data": data.name,
        "change": change,
        "seed": seed,
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config=CONFIG, folder=None):
    record = Record("augmentations", config, folder)
    loaded = [load(name) for name in config["data"]]
    copies = SimpleNamespace(name=" + ".join(config["data"]), source=" + ".join(data.source for data in loaded))
    for seed in config["seeds"]:
        for data in loaded:
            for change in config["changes"]:
                is_grey = data.train.x.shape[1] == 1
                if not (change == "hue" and is_grey or record.has(data=data.name, change=change, seed=seed)):
                    print(f"{data.name}, {change}, seed {seed}", flush=True)
                    record.add(run(data, change, seed, config), copies)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
