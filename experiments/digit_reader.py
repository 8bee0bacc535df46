"""Train the network that reads digits in the explorer of that name, and write it into the explorer's page.

It is the network of exercise 6.7, trained as its solution trains it. Each batch normalisation becomes a scale and a
shift for each map, and all numbers are rounded to 16 bits, before the test split is read. Into the page go these
numbers, and the first validation digit of each kind.

    python -m experiments.digit_reader

Takes a minute on two CPU cores.
"""

import base64
import re
from itertools import chain
from pathlib import Path

import torch
from torch import nn

from course_utils import batches, evaluate, fit, load
from course_utils._files import PACKAGE, replace
from course_utils.data import ImageData
from course_utils.networks import _classifier, _conv
from tools.recording import command_line, curves, finished, record_all

CONFIG = {"maps": [8, 16, 32], "batch_size": 64, "peak": 0.02, "epochs": 3, "seeds": [0]}
PAGE = PACKAGE / "widgets" / "digit.html"


def build(maps: list[int]) -> nn.Sequential:
    """Three rounds of 3×3 convolution, 2×2 pooling, normalisation and ReLU, then one linear layer."""
    pairs = zip([1, *maps], maps, strict=False)
    rounds = chain.from_iterable(_conv(before, after, pool=True) for before, after in pairs)
    return nn.Sequential(*rounds, *_classifier(9 * maps[-1], 10))


@torch.no_grad()
def rounded(model: nn.Module) -> list[torch.Tensor]:
    """All numbers of a network in 16 bits, in the order of its layers; the network itself now holds no others."""
    for norm in (layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)):
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias -= scale * norm.running_mean
        norm.weight.copy_(scale)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
    for parameter in model.parameters():
        parameter.copy_(parameter.half())
    return [parameter.half() for parameter in model.parameters()]


def text(numbers: torch.Tensor) -> str:
    """The bytes of a tensor in base64."""
    return base64.b64encode(numbers.numpy().tobytes()).decode()


def examples(data: ImageData) -> torch.Tensor:
    """The first validation digit of each kind, in 16 greys: bytes with two pixels each, the first one above."""
    firsts = [int((data.valid.y == digit).nonzero()[0]) for digit in range(10)]
    high, low = (data.valid.x[firsts].float() / 17).round().byte().view(-1, 2).unbind(1)
    return 16 * high + low


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train one network; return its validation curve, its test accuracy after rounding, and what the page needs."""
    torch.manual_seed(seed)
    model = build(config["maps"])
    train = batches(data.train, config["batch_size"], shuffle=True)
    optimizer = torch.optim.Adam(model.parameters())
    steps = config["epochs"] * len(train)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, config["peak"], total_steps=steps)
    history = fit(
        model,
        train,
        batches(data.valid, 2_000),
        optimizer,
        epochs=config["epochs"],
        scheduler=scheduler,
        scheduler_step="batch",
    )
    numbers = torch.cat([parameter.flatten() for parameter in rounded(model)])
    return {
        **curves(finished(history), "valid_accuracy", "seconds"),
        "numbers": len(numbers),
        "test_accuracy": evaluate(model, batches(data.test, 2_000)).accuracy,
        "weights": text(numbers),
        "digits": text(examples(data)),
        "mean": float(data.train.mean[0]),
        "std": float(data.train.std[0]),
    }


def page_with(page: str, result: dict) -> str:
    """The explorer's page with the numbers of this result."""
    lines = {
        "DIGITS": f'DIGITS = "{result["digits"]}"',
        "WEIGHTS": f'WEIGHTS = "{result["weights"]}"',
        "[MEAN, STD]": f"[MEAN, STD] = [{result['mean']}, {result['std']}]",
    }
    for name, line in lines.items():
        page, found = re.subn(rf"^const {re.escape(name)} = .*;", f"const {line};", page, flags=re.MULTILINE)
        assert found == 1, f"{PAGE} holds {name} {found} times"
    return page


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    runs = record_all("digit_reader", config, load("mnist"), run, marks, folder=folder)
    old = PAGE.read_text(encoding="utf-8")
    if folder is None and (new := page_with(old, runs[0])) != old:
        replace(PAGE, new.encode())


if __name__ == "__main__":
    command_line(__doc__, main)
