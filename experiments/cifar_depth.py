"""Plain against residual networks of 20 and 56 layers: do the plain ones learn less, or only more slowly?

All are trained for ten epochs, those of 20 layers for forty too. The first seed tries each peak of the learning rate,
and its validation accuracy chooses one; the other seeds judge that one.

    python -m experiments.cifar_depth

Takes about an hour on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import Residual, _classifier, _conv
from tools.recording import best_setting, command_line, curves, finished

CONFIG = {
    "lengths": {"20": [10, 40], "56": [10]},  # depth: numbers of epochs
    "peaks": [0.001, 0.003, 0.01],
    "images": 5_000,
    "batch_size": 64,
    "choosing_seed": 0,
    "judging_seeds": [1, 2, 3],
}


def deep_net(depth: int, residual: bool, width: int = 16) -> nn.Sequential:
    """As deep as asked, with or without shortcuts: N×3×32×32 images, on maps of 16×16, 8×8 and 4×4 numbers.

    The depth counts the convolutions and linear layers on the way from image to answer: 8, 14, 20, 26 and so on. With
    shortcuts there are as many parameters as without.

    Source: after the plain and residual networks of 6n + 2 layers for CIFAR-10 in arXiv 1512.03385.
    """
    wrap = Residual if residual else nn.Sequential
    layers = _conv(3, width, kernel_size=4, stride=2)
    for pool in (nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)):
        for _ in range((depth - 2) // 6):
            *pair, _ = _conv(width, width) + _conv(width, width)  # its last ReLU comes after the sum
            layers += [wrap(*pair), nn.ReLU()]
        layers.append(pool)
    return nn.Sequential(*layers, *_classifier(width, 10))


def run(data: ImageData, config: dict, depth: int, residual: bool, epochs: int, peak: float, seed: int) -> dict:
    """Train one network; return its curves, and its scores on both splits in evaluation mode."""
    torch.manual_seed(seed)
    model = deep_net(depth, residual).to(device(), memory_format=torch.channels_last)
    images, options = data.train.take(config["images"]), {"channels_last": True, "device": device()}
    train = batches(images, config["batch_size"], shuffle=True, **options)
    seen, valid = (batches(split, 1_000, **options) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = OneCycleLR(optimizer, max_lr=peak, total_steps=epochs * len(train))
    history = fit(model, train, valid, optimizer, epochs=epochs, scheduler=scheduler, scheduler_step="batch")
    return {
        **curves(finished(history), "train_loss", "train_accuracy", "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"depth": int(depth), "residual": residual, "epochs": epochs}
        for depth, lengths in config["lengths"].items()
        for epochs in lengths
        for residual in (False, True)
    ]
    peaks = [{"peak": peak} for peak in config["peaks"]]
    for mark in marks:
        best_setting("cifar_depth", config, load("cifar10"), run, mark, peaks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
