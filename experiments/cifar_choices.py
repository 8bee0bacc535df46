"""Which peak of the learning rate, and which network? What was tried on validation images for `cifar_headline`.

First peaks: for our network, and for one with shortcuts in a short training. Then networks for five minutes, each with
about as many epochs as fit, and the deepest for ten. All else is the recipe of that script. One run each: differences
below a point may be luck. Some ten more networks were looked at by hand before, and are not kept.

    python -m experiments.cifar_choices

Takes about 55 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path
from typing import Any

from course_utils import count_parameters, device, load
from course_utils.data import ImageData
from experiments import cifar_headline
from tools.recording import command_line, curves, record_all

WIDER = {"widths": [32, 64, 128, 256], "residual": False}
CONFIG = {
    "recipe": {key: value for key, value in cifar_headline.CONFIG.items() if key != "points"},
    "tried": [
        *[cifar_headline.FAST | {"epochs": 5, "max_lr": peak} for peak in (0.0025, 0.005, 0.01, 0.02, 0.04)],
        *[cifar_headline.SHORTCUTS | {"epochs": 4, "max_lr": peak} for peak in (0.0025, 0.005, 0.01)],
        WIDER | {"epochs": 16, "max_lr": 0.01},
        cifar_headline.SHORTCUTS | {"epochs": 7, "max_lr": 0.01},
        {"widths": [64, 128, 256], "residual": True, "epochs": 4, "max_lr": 0.01},
        WIDER | {"epochs": 14, "max_lr": 0.01, "shift": 4},
        *[cifar_headline.DEEPER | {"epochs": 5, "max_lr": peak, "shift": 2} for peak in (0.005, 0.01)],
        cifar_headline.DEEPER | {"epochs": 10, "max_lr": 0.01, "shift": 4},
    ],
    "seed": 0,
}


def run(data: ImageData, config: dict, **point: Any) -> dict:
    """Train one network; return its validation curve."""
    model, history, _ = cifar_headline.train(data, config["recipe"], point, config["seed"], device())
    return {"parameters": count_parameters(model), **curves(history, "valid_accuracy", "seconds")}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    record_all("cifar_choices", config, load("cifar10"), run, config["tried"], folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
