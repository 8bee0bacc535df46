"""A published network with 25,775,882 parameters, on MNIST, under the recipe that was published without a result.

The recipe: pixels from −1 to 1, Adam as it comes, batches of 64, five epochs. Ours keeps 5,000 of the 60,000 training
images for validation. `fused` makes Adam faster and leaves its rule as it is.

    python -m experiments.wide_mnist

Takes about 20 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse

import torch

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import Images
from course_utils.networks import wide_mnist_net
from course_utils.records import Record, finished

CONFIG = {"batch_size": 64, "epochs": 5, "seeds": [0]}


def run(data, seed, config):
    """Train the network once; return its curves, its seconds and its one look at the test split."""
    splits = [
        Images(split.x, split.y, torch.tensor([0.5]), torch.tensor([0.5]))
        for split in (data.train, data.valid, data.test)
    ]
    torch.manual_seed(seed)
    model = wide_mnist_net().to(device())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    train = batches(splits[0], config["batch_size"], shuffle=True, device=device())
    valid, test = (batches(split, 500, device=device()) for split in splits[1:])
    history = finished(fit(model, train, valid, optimizer, epochs=config["epochs"]))
    return {
        "seed": seed,
        "train_loss": history.column("train", "loss"),
        "train_accuracy": history.column("train", "accuracy"),
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "test_accuracy": evaluate(model, test).accuracy,
    }


def main(config=CONFIG, folder=None):
    record = Record("wide_mnist", config, folder)
    data = load("mnist")
    for seed in config["seeds"]:
        if not record.has(seed=seed):
            print(f"seed {seed}", flush=True)
            record.add(run(data, seed, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
