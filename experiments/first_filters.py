"""The first layer of the published CIFAR-10 network, 48 colour filters of 3×3, before and after a training.

The network that was published with a picture of these filters; no augmentation, Adam as it comes.

    python -m experiments.first_filters

Takes about 15 minutes on two CPU cores. Saves at its end.
"""

from pathlib import Path

import torch

from course_utils import batches, device, fit, load
from course_utils.data import ImageData
from course_utils.networks import cifar_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {"images": 45_000, "batch_size": 128, "epochs": 4, "seeds": [0], "decimals": 4}


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train the network once; return its curves and the filters of its first layer, 48×3×3×3, before and after."""
    torch.manual_seed(seed)
    model = cifar_net().to(device())
    train = batches(data.train.take(config["images"]), config["batch_size"], shuffle=True, device=device())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def filters() -> list:
        return model[0].weight.detach().cpu().double().round(decimals=config["decimals"]).tolist()

    before = filters()
    history = fit(model, train, batches(data.valid, 500, device=device()), optimizer, epochs=config["epochs"])
    return {**curves(finished(history), "valid_accuracy", "seconds"), "before": before, "after": filters()}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("first_filters", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
