"""What do features that were learned from garments know about digits? A linear probe with few labels, and its controls.

Each way to read digits chooses its own best setting on the same 1,000 validation digits, and reads the test digits
once: logistic regression chooses the strength of its regularisation, a training from scratch its learning rate and the
step at which it ends.

    python -m experiments.probe

Takes about 8 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from course_utils import batches, load
from course_utils.data import ImageData, Images
from experiments.heat_maps import RECIPE, new_lenet, train_lenet
from tools.recording import command_line, record_all

CONFIG = {
    "labels": [10, 100, 1_000],
    "readers": ["pixels", "random", "garments", "last random", "last garments", "from scratch"],
    "garments": RECIPE,
    "strengths": [0.01, 0.1, 1, 10, 100],
    "lrs": [0.001, 0.003, 0.01],
    "steps": {"10": 150, "100": 150, "1000": 300},
    "batch_size": 64,
    "look_every": 25,
    "valid": 1_000,
    "seeds": [0, 1, 2, 3, 4],
}


@cache
def reads_garments(seed: int, images: int, **recipe: Any) -> nn.Sequential:
    """The plain network of lesson 14."""
    garments = load("fashion_mnist")
    return train_lenet(garments.train.take(images), garments.valid, seed, **recipe)


def all_of(images: Images) -> tuple[Tensor, Tensor]:
    [(x, y)] = batches(images, len(images))
    return x, y


def linear_probe(features: nn.Module, splits: list, strengths: list[float]) -> dict:
    """Logistic regression on frozen features; the strength is chosen on the validation digits."""
    with torch.no_grad():
        (a, y), (b, y_valid), (c, y_test) = [(features(x).flatten(1), y) for x, y in splits]
    scale = a.std()
    found = []
    for strength in strengths:
        probe = LogisticRegression(C=strength, max_iter=500).fit(a / scale, y)
        found.append((probe.score(b / scale, y_valid), strength, probe))
    valid, strength, probe = max(found, key=lambda each: each[:2])
    return {"strength": strength, "valid_accuracy": valid, "test_accuracy": probe.score(c / scale, y_test)}


def from_scratch(splits: list, config: dict, steps: int, seed: int) -> dict:
    """The same network, trained on these digits alone; rate and last step are chosen on the validation digits."""
    (x, y), (x_valid, y_valid), (x_test, y_test) = splits

    def accuracy(images: Tensor, labels: Tensor) -> float:
        with torch.no_grad():
            return (model(images).argmax(1) == labels).float().mean().item()

    found = []
    for lr in config["lrs"]:
        model = new_lenet(seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        for step in range(1, steps + 1):
            chosen = torch.randperm(len(x))[: config["batch_size"]]
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % config["look_every"] == 0 or step == steps:
                weights = {name: value.clone() for name, value in model.state_dict().items()}
                found.append((accuracy(x_valid, y_valid), lr, step, weights))
    valid, lr, step, weights = max(found, key=lambda each: each[0])
    model.load_state_dict(weights)
    return {"lr": lr, "steps": step, "valid_accuracy": valid, "test_accuracy": accuracy(x_test, y_test)}


def run(data: ImageData, config: dict, labels: int, reader: str, seed: int) -> dict:
    """One way to read digits, with this many labels; its best setting, and the test digits it then reads."""
    start = time.perf_counter()
    splits = [
        all_of(images)
        for images in (data.train.take(labels, seed=seed), data.valid.take(config["valid"], seed=seed), data.test)
    ]
    if reader == "from scratch":
        result = from_scratch(splits, config, config["steps"][str(labels)], seed)
    else:
        random, garments = new_lenet(seed).eval(), reads_garments(seed, **config["garments"])
        features = {
            "pixels": nn.Identity(),
            "random": random[:6],  # both convolutions, each with ReLU and pooling: 400 numbers
            "garments": garments[:6],
            "last random": random[:-1],  # all but the last layer: 84 numbers
            "last garments": garments[:-1],
        }
        result = linear_probe(features[reader], splits, config["strengths"])
    return result | {"seconds": time.perf_counter() - start}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"labels": labels, "reader": reader, "seed": seed}
        for labels in config["labels"]
        for seed in config["seeds"]
        for reader in config["readers"]
    ]
    record_all("probe", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
