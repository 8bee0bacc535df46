"""What does each part of a recipe for CIFAR-10 bring, if all of them get the same seconds of training?

The row *one-cycle* is the base: our network, trained by AdamW under a rate that rises and falls. Every other row
changes one thing about it, and gets as many steps as two quiet cores made in those seconds (`recipe_steps` has timed
them), so that the training itself can run anywhere. In each row the first seed tries three settings of what was
changed, and its validation accuracy chooses one; the other seeds judge that one. Every run is also scored with averaged
weights, and with the mean answer to each image and its mirror image.

    python -m experiments.recipe_ladder

Takes about two hours on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, cycle, islice, pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils import Augment, batches, evaluate, load, networks
from course_utils._precision import bfloat16
from course_utils.data import ImageData, Images
from course_utils.networks import Layer, _classifier, _conv
from course_utils.records import recorded
from course_utils.shapes import count_macs, count_parameters
from tools.recording import best_setting, command_line

PEAKS = (0.005, 0.01, 0.02)
CONFIG = {
    "seconds": 60,  # of training, on two quiet cores
    "base": {
        "network": "ours",
        "batch_size": 256,
        "optimizer": "AdamW",
        "one_cycle": True,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "small": 0.0,  # the share of steps, the first ones, with images of 24×24
        "bfloat16": False,
    },
    "rows": {  # the settings among which the first seed chooses; the peak is the base's, if none is named
        "one-cycle": [{"peak": peak} for peak in PEAKS],
        "published network": [
            {"network": "published", "batch_size": 64, "peak": peak} for peak in (0.0005, 0.001, 0.002)
        ],
        "constant rate": [{"one_cycle": False, "peak": peak} for peak in (0.001, 0.003, 0.01)],
        "weight decay": [{"weight_decay": decay} for decay in (0.05, 0.2, 0.8)],
        "label smoothing": [{"label_smoothing": share} for share in (0.05, 0.1, 0.2)],
        "shortcuts": [{"network": "residual", "peak": peak} for peak in PEAKS],
        "smaller batches": [{"batch_size": 128, "peak": peak} for peak in PEAKS],
        "small images first": [{"small": share} for share in (0.25, 0.5, 0.75)],
        "bfloat16": [{"bfloat16": True, "peak": peak} for peak in PEAKS],
        "Muon": [{"optimizer": "Muon", "peak": peak} for peak in PEAKS],
    },
    "averages": [0.9, 0.97, 0.99],  # what an average of the weights keeps of itself in each step
    "choosing_seed": 0,
    "judging_seeds": [1, 2, 3, 4, 5],
}


def deep_cifar_net(widths: Sequence[int], activation: Layer = nn.ReLU) -> nn.Sequential:
    """A network for some minutes on CIFAR-10: N×3×32×32 images to N×10 logits.

    A 2×2 convolution without padding; for each further width a pair of 3×3 convolutions, of which the first pools; the
    global maximum of each map; one linear layer. With four widths its maps have 31×31, 15×15, 7×7 and 3×3 numbers.

    Source: after K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, arXiv 2404.00498.
    """
    conv = partial(_conv, activation=activation)
    layers = conv(3, widths[0], kernel_size=2, padding=0)
    for before, width in pairwise(widths):
        layers += conv(before, width, pool=True) + conv(width, width)
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), *_classifier(widths[-1], 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "published": networks.cifar_net,
    "ours": networks.fast_cifar_net,
    "residual": partial(networks.fast_cifar_net, residual=True),
    "deep": partial(deep_cifar_net, (24, 48, 192, 192)),
    "deep, GELU": partial(deep_cifar_net, (24, 48, 192, 192), nn.GELU),
}


class Filters(nn.Module):
    """A matrix with one filter in each row, seen as the weight of a convolution."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, matrix: torch.Tensor) -> torch.Tensor:
        return matrix.view(self.shape)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.flatten(1)


class Mirrored(nn.Module):
    """The mean answer of a model to an image and its mirror image."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.model(x) + self.model(x.flip(3))) / 2


def build(settings: dict) -> nn.Module:
    """The network of these settings. For Muon, which takes matrices only, its filters are kept as the rows of one."""
    model = NETWORKS[settings["network"]]()
    if settings["optimizer"] == "Muon":
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                parametrize.register_parametrization(layer, "weight", Filters(layer.weight.shape))
    return model.to(memory_format=torch.channels_last)


def optimizers(model: nn.Module, settings: dict) -> Iterator[Optimizer]:
    """AdamW for all parameters; or Muon for the filters, scaled to steps of AdamW's size, and AdamW for the rest."""
    decay, rest = settings["weight_decay"], dict(model.named_parameters())
    if settings["optimizer"] == "Muon":
        filters = [rest.pop(name) for name in list(rest) if "parametrizations" in name]
        yield Muon(filters, lr=settings["peak"], weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    yield AdamW(rest.values(), lr=settings["peak"], betas=(0.9, 0.99), weight_decay=decay)


def forever(loaders: Iterable[Iterable]) -> Iterator:
    """The batches of one epoch after the other, each epoch from the next loader."""
    return chain.from_iterable(cycle(loaders))


def both_sides(images: Images) -> list[Images]:
    """The images twice: a random half of them is mirrored the first time, and the other half the second time."""
    side = torch.rand(len(images)).lt(0.5)[:, None, None, None]
    mirror = images.x.flip(3)
    return [
        Images(torch.where(mirrored, mirror, images.x), images.y, images.mean, images.std) for mirrored in (side, ~side)
    ]


def train(model: nn.Module, images: Images, settings: dict, steps: int) -> Iterator[None]:
    """Train a model; pause after each step."""
    flip, sets = 0.5, [images]
    if settings.get("flips_in_turns"):  # no row of the ladder
        flip, sets = 0.0, both_sides(images)
    change = Augment(flip=flip, shift=2, padding_mode="reflect")
    loaders = [batches(each, settings["batch_size"], shuffle=True, augment=change, channels_last=True) for each in sets]
    loss_fn = partial(F.cross_entropy, label_smoothing=settings["label_smoothing"])
    both = list(optimizers(model, settings))
    schedules = []  # a constant rate
    if settings["one_cycle"]:
        straight = {"pct_start": 0.25, "anneal_strategy": "linear", "cycle_momentum": False}
        schedules = [OneCycleLR(each, settings["peak"], total_steps=steps, **straight) for each in both]
    model.train()
    for step, (x, y) in enumerate(islice(forever(loaders), steps)):
        if step < settings["small"] * steps:
            x = F.interpolate(x, size=24, mode="bilinear", antialias=True)
        with bfloat16(model, settings["bfloat16"]):
            logits = model(x)
        model.zero_grad()
        loss_fn(logits, y).backward()
        for each in (*both, *schedules):
            each.step()
        yield


def speed(settings: dict) -> dict:
    """What decides how long a step takes, as the marks of `recipe_steps` name it."""
    return {key: settings[key] for key in ("network", "batch_size", "optimizer", "bfloat16")}


def steps_in(seconds: float, settings: dict) -> int:
    """How many steps two quiet cores made in so many seconds, by the fastest round: a guest can only slow a machine."""
    timed: dict[int, list[float]] = {32: [], 24: []}
    for run in recorded("recipe_steps")["runs"]:
        if speed(settings).items() <= run.items():
            timed[run["size"]].append(run["milliseconds"])
    small = settings["small"]
    milliseconds = (1 - small) * min(timed[32]) + (small * min(timed[24]) if small else 0)
    return int(1_000 * seconds / milliseconds)


def run(data: ImageData, config: dict, row: str, seed: int, **changes: Any) -> dict:
    """Train with the base's settings and these changes; return the scores on validation images."""
    settings = config["base"] | changes
    torch.manual_seed(seed)
    model, steps, start = build(settings), steps_in(config["seconds"], settings), time.perf_counter()
    averages = {
        str(keep): AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(keep), use_buffers=True)
        for keep in config["averages"]
    }
    for _ in train(model, data.train, settings, steps):
        for average in averages.values():
            average.update_parameters(model)
    seconds = time.perf_counter() - start
    valid = batches(data.valid, 1_000, channels_last=True)
    return {
        "parameters": count_parameters(model),
        "multiply_adds": count_macs(model, (1, 3, 32, 32)),
        "steps": steps,
        "epochs": steps * settings["batch_size"] / len(data.train.x),
        "seconds": seconds,
        "valid": evaluate(model, valid)._asdict(),
        "averaged": {keep: evaluate(average, valid).accuracy for keep, average in averages.items()},
        "mirrored": evaluate(Mirrored(model), valid).accuracy,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    data = load("cifar10")
    peak: dict[str, float] = {}
    for row, settings in config["rows"].items():
        tried = [peak | setting for setting in settings]
        chosen = best_setting("recipe_ladder", config, data, run, {"row": row}, tried, folder=folder)
        peak = peak or {"peak": chosen["peak"]}  # of the first row


if __name__ == "__main__":
    command_line(__doc__, main)
