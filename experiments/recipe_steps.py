"""How many milliseconds does a training step take, with each network and setting of `recipe_ladder`?

A step is all of it: drawing the batch and augmenting it, the pass forward and back, the optimiser's own arithmetic.
Several rounds time one after the other, so that a slow minute of the machine touches all of them.

    python -m experiments.recipe_steps

Takes about seven minutes on two CPU cores, which must be quiet: seconds are compared. Saves after every setting.
"""

import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch

from course_utils import load
from course_utils.data import ImageData
from experiments import recipe_ladder
from tools.recording import command_line, record_all

BASE: dict = {"peak": 0.001} | recipe_ladder.CONFIG["base"]  # type: ignore[operator]
CONFIG = {
    "settings": [
        {},
        {"network": "published", "batch_size": 64},
        {"network": "residual"},
        {"batch_size": 128},
        {"batch_size": 512},
        {"small": 1.0},
        {"bfloat16": True},
        {"optimizer": "Muon"},
        {"network": "deep, GELU", "optimizer": "Muon", "bfloat16": True},
        {"network": "deep, GELU", "optimizer": "Muon"},
        {"network": "published", "batch_size": 64, "bfloat16": True},
    ],
    "rounds": 9,
    "warm_up": 3,
    "steps": 15,
}


def run(data: ImageData, config: dict, size: int, **speed: Any) -> dict:
    """Time steps of one setting; a round is one measurement of it."""
    torch.manual_seed(0)
    settings = BASE | speed | {"small": float(size == 24)}
    model, total = recipe_ladder.build(settings), config["warm_up"] + config["steps"]
    training = recipe_ladder.train(model, data.train, settings, total)
    for _ in islice(training, config["warm_up"]):
        pass
    times, start = [], time.perf_counter()
    for _ in training:
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return {"milliseconds": 1_000 * median(times), "seconds": sum(times)}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        recipe_ladder.speed(BASE | setting) | {"size": 24 if "small" in setting else 32, "round": number}
        for number in range(config["rounds"])
        for setting in config["settings"]
    ]
    record_all("recipe_steps", config, load("cifar10"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
