"""From a published network for CIFAR-10 to a small one, one change in each row. What does each change bring?

All rows train with flips and shifts. Rows keep the changes of those above them; an aside is tried once, and not kept.
Every run is also scored with averaged weights, and with the mean answer to each image and its mirror image.

    python -m experiments.cifar_ladder

Takes about an hour on one CPU core for the rows on 5,000 images, and 45 minutes more for the first and the last on all
images. Saves after every run, and goes on where it was stopped.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils import Augment, batches, device, evaluate, fit, load, networks
from course_utils.data import ImageData
from course_utils.shapes import count_macs, count_parameters, receptive_field
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "start": {
        "network": "published",
        "he": False,
        "max_lr": 0.001,
        "one_cycle": False,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
    },
    "rows": {
        "published network": {},
        "no dropout": {"network": "no dropout"},
        "BatchNorm2d": {"network": "batch norm"},
        "our convolutions": {"network": "convolutions"},
        "global average": {"network": "averaged"},
        "global maximum": {"network": "ours"},
        "one-cycle": {"one_cycle": True, "max_lr": 0.01},
        "weight decay": {"weight_decay": 0.05},
        "label smoothing": {"label_smoothing": 0.1},
    },
    "asides": {
        "He's initialisation": ["published network", {"he": True}],
        "residual blocks": ["label smoothing", {"network": "residual"}],
    },
    "images": 5_000,
    "epochs": 10,
    "batch_size": 128,
    "average": 0.98,  # what the average of the weights keeps of itself in each step
    "seeds": [0, 1, 2],
    "ends": {"rows": ["published network", "label smoothing"], "images": 45_000, "seeds": [0]},
}


def without_dropout() -> list[nn.Module]:
    return [layer for layer in networks.cifar_net() if not isinstance(layer, nn.Dropout)]


def with_batch_norm() -> Iterator[nn.Module]:
    """Behind every convolution, in place of the one behind `Flatten`."""
    for layer in without_dropout():
        if not isinstance(layer, nn.BatchNorm1d):
            yield layer
        if isinstance(layer, nn.Conv2d):
            yield nn.BatchNorm2d(layer.out_channels)


def with_head(*head: nn.Module) -> nn.Module:
    """The convolutions of our network, with another head than global maximum, `Flatten` and `Linear`."""
    return nn.Sequential(*networks.fast_cifar_net()[:-3], *head)


NETWORKS = {
    "published": networks.cifar_net,
    "no dropout": lambda: nn.Sequential(*without_dropout()),
    "batch norm": lambda: nn.Sequential(*with_batch_norm()),
    "convolutions": lambda: with_head(nn.Flatten(), nn.Linear(192 * 4 * 4, 256), nn.ReLU(), nn.Linear(256, 10)),
    "averaged": lambda: with_head(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 10)),
    "ours": networks.fast_cifar_net,
    "residual": lambda: networks.fast_cifar_net(residual=True),
}


class Mirrored(nn.Module):
    """The mean answer of a model to an image and its mirror image."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.model(x) + self.model(x.flip(3))) / 2


def row_before(name: str, config: dict) -> str | None:
    """The row that this one differs from by one change; None for the first."""
    if name in config["asides"]:
        return config["asides"][name][0]
    return dict(pairwise([*reversed(config["rows"])])).get(name)


def settings_of(name: str, config: dict) -> dict:
    """All settings of a row: its own change, and those of the rows before it."""
    before = row_before(name, config)
    change = config["rows"][name] if name in config["rows"] else config["asides"][name][1]
    return (config["start"] if before is None else settings_of(before, config)) | change


def run(data: ImageData, config: dict, row: str, images: int, seed: int) -> dict:
    """Train the network of one row; return its size and its validation scores, of plain and averaged weights."""
    settings = settings_of(row, config)
    torch.manual_seed(seed)
    model = NETWORKS[settings["network"]]()
    if settings["he"]:
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    model = model.to(device(), memory_format=torch.channels_last)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config["average"]), use_buffers=True)
    options = {"channels_last": True, "device": device()}
    change = Augment(flip=0.5, shift=2, padding_mode="reflect")
    train = batches(
        data.train.take(images), config["batch_size"], shuffle=True, drop_last=True, augment=change, **options
    )
    valid, test = (batches(split, 500, **options) for split in (data.valid, data.test))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["max_lr"], weight_decay=settings["weight_decay"])
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(model))
    scheduler = None
    if settings["one_cycle"]:
        scheduler = OneCycleLR(optimizer, max_lr=settings["max_lr"], total_steps=config["epochs"] * len(train))
    history = fit(
        model,
        train,
        valid,
        optimizer,
        epochs=config["epochs"],
        scheduler=scheduler,
        scheduler_step="batch",
        loss_fn=partial(F.cross_entropy, label_smoothing=settings["label_smoothing"]),
    )
    result = {
        "before": row_before(row, config),
        "parameters": count_parameters(model),
        "multiply_adds": count_macs(model, (1, 3, 32, 32)),
        "receptive_field": receptive_field(model),
        **curves(finished(history), "valid_accuracy", "seconds"),
        "accuracy": history[-1].valid.accuracy,
        "averaged weights": evaluate(average, valid).accuracy,
        "mirrored images": evaluate(Mirrored(model), valid).accuracy,
    }
    if images != config["images"]:  # the ends: these networks are compared with others on the test split
        result["test_accuracy"] = evaluate(model, test).accuracy
    return result


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    rows, ends = (*config["rows"], *config["asides"]), config["ends"]
    runs = [(row, config["images"], seed) for seed in config["seeds"] for row in rows]
    runs += [(row, ends["images"], seed) for seed in ends["seeds"] for row in ends["rows"]]
    marks = [{"row": row, "images": images, "seed": seed} for row, images, seed in runs]
    record_all("cifar_ladder", config, load("cifar10"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
