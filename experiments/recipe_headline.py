"""How well is CIFAR-10 read after 35 seconds of training on two CPU cores, after five minutes, and after ten?

Every choice was made on validation images, by `recipe_choices`. Each run reads the test split when its training is
over, and nothing is chosen by what it reads. Each point is trained in bfloat16, the two shorter ones in float32 too,
with no more epochs than fit into its seconds, by the fastest steps that `recipe_steps` has timed on two cores. The
published network gets five minutes as well. The test accuracy of asking for the mirror image too is kept apart.

    python -m experiments.recipe_headline

Takes about four hours on two CPU cores that compute in bfloat16; two processes of one thread each may share it. Saves
after every run, and goes on where it was stopped.
"""

import time
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import batches, count_parameters, evaluate, load
from course_utils._precision import NATIVE
from course_utils.data import ImageData, Images
from experiments import recipe_ladder
from experiments.recipe_ladder import Mirrored
from tools.recording import command_line, record_all

RECIPE = {  # of every point that has no value of its own
    "batch_size": 256,
    "optimizer": "AdamW",
    "peak": 0.01,
    "one_cycle": True,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "small": 0.0,
    "whitened": False,
    "flips_in_turns": False,
}
CHOSEN = {  # for five minutes and ten, by `recipe_choices`
    "network": "deep, GELU",
    "optimizer": "Muon",
    "label_smoothing": 0.2,
    "whitened": True,
    "flips_in_turns": True,
}
CONFIG = {
    "recipe": RECIPE,
    "points": {  # what each changes in the recipe
        "35 seconds": {"network": "ours", "peak": 0.02, "epochs": {"bfloat16": 5, "float32": 3}},
        "five minutes": CHOSEN | {"epochs": {"bfloat16": 6, "float32": 3}},
        "ten minutes": CHOSEN | {"epochs": {"bfloat16": 12}},
        "published, five minutes": {
            "network": "published",
            "batch_size": 64,
            "peak": 0.0005,
            "epochs": {"bfloat16": 4},
        },
    },
    "seeds": [1, 2, 3, 4, 5],
}


def train(data: ImageData, recipe: dict, epochs: int, precision: str, seed: int) -> tuple[nn.Module, dict]:
    """Train one network; return it, its validation accuracy after each epoch, and the seconds of each.

    No test image is read. An epoch counts its whole batches.
    """
    torch.manual_seed(seed)
    settings = recipe | {"bfloat16": precision == "bfloat16"}
    model, valid = recipe_ladder.build(settings), batches(data.valid, 1_000, channels_last=True)
    steps = len(data.train.x) // recipe["batch_size"]  # of an epoch
    if recipe["whitened"]:
        whiten(model[0], data.train)
    training = recipe_ladder.train(model, data.train, settings, epochs * steps)
    curves: dict[str, list[float]] = {"valid_accuracy": [], "seconds": []}
    for _ in range(epochs):
        start = time.perf_counter()
        for _ in islice(training, steps):
            pass
        curves["seconds"].append(time.perf_counter() - start)
        curves["valid_accuracy"].append(evaluate(model, valid).accuracy)
    return model, curves | {"parameters": count_parameters(model), "capability": capability()}


def whiten(layer: nn.Conv2d, images: Images) -> None:
    """Give a first layer filters that are computed from images, and learn no more: half of them, and their negatives.

    Its patches of training images, seen through the first half, have a covariance of nearly 1: no direction is louder
    than another, and none says what another says.
    """
    x, _ = next(iter(batches(images, 5_000)))
    patches = F.unfold(x, layer.kernel_size).transpose(0, 1).flatten(1)  # pixels of a patch × patches
    sizes, directions = torch.linalg.eigh(patches.cov())
    filters = (directions / (sizes + 5e-4).sqrt()).T
    [weight] = layer.parameters()
    weight.data.copy_(torch.cat([filters, -filters]).view_as(weight))
    weight.requires_grad_(False)


def capability() -> str:
    """The widest instructions that torch uses on this CPU, and those for bfloat16."""
    able = torch.cpu.get_capabilities()
    return ", ".join([torch.backends.cpu.get_cpu_capability(), *(name for name in NATIVE if able.get(name))])


def run(data: ImageData, config: dict, point: str, precision: str, seed: int) -> dict:
    """Train one network; return its validation curve, its seconds of training, and its test accuracy."""
    recipe = config["recipe"] | config["points"][point]
    model, result = train(data, recipe, recipe["epochs"][precision], precision, seed)
    test = batches(data.test, 1_000, channels_last=True)
    return result | {
        "test_accuracy": evaluate(model, test).accuracy,
        "mirrored_test_accuracy": evaluate(Mirrored(model), test).accuracy,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"point": name, "precision": precision, "seed": seed}
        for precision in ("bfloat16", "float32")
        for name, point in config["points"].items()
        if precision in point["epochs"]
        for seed in config["seeds"]
    ]
    record_all("recipe_headline", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
