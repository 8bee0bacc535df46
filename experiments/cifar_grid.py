"""A published search over three widths of a network for CIFAR-10, once more, small, and with three seeds.

The search tried eight networks, once each. Here all widths are an eighth of the published ones; images and batch are a
tenth, so that there are as many steps; augmentation, optimizer and the ten epochs are the published ones. Validation
images score the networks, not those of the test.

    python -m experiments.cifar_grid

Takes about 12 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

import argparse
from itertools import product

import torch

from course_utils import Augment, batches, count_macs, count_parameters, device, fit, load
from course_utils.networks import cifar_net
from course_utils.records import Record, finished

CONFIG = {
    "hidden": [32, 64],
    "c1": [6, 12],
    "c2": [12, 24],
    "augment": {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5},
    "images": 5_000,
    "valid_images": 2_500,
    "batch_size": 51,
    "lr": 0.001,
    "epochs": 10,
    "seeds": [0, 1, 2],
}


def run(data, widths, seed, config):
    """Train one network; return its validation curve."""
    torch.manual_seed(seed)
    model = cifar_net(**widths).to(device(), memory_format=torch.channels_last)
    options = {"channels_last": True, "device": device()}
    images, augment = data.train.take(config["images"]), Augment(**config["augment"])
    train = batches(images, config["batch_size"], shuffle=True, augment=augment, **options)
    valid = batches(data.valid.take(config["valid_images"]), 500, **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    history = finished(fit(model, train, valid, optimizer, epochs=config["epochs"]))
    return widths | {
        "seed": seed,
        "parameters": count_parameters(model),
        "multiply_adds": count_macs(model, (1, 3, 32, 32)),
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
    }


def main(config=CONFIG, folder=None):
    record = Record("cifar_grid", config, folder)
    data = load("cifar10")
    for seed in config["seeds"]:
        for hidden, c1, c2 in product(config["hidden"], config["c1"], config["c2"]):
            widths = {"c1": c1, "c2": c2, "hidden": hidden}
            if not record.has(seed=seed, **widths):
                print(f"{widths}, seed {seed}", flush=True)
                record.add(run(data, widths, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
