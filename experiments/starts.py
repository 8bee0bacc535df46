"""Batch normalisation, or He's initialisation: what lets a deep network begin to learn, and which of them is needed?

Three networks for CIFAR-10: a small one in the manner of VGG, a plain one of twenty layers, and a published one at a
quarter of its widths, which normalises once, behind its convolutions. Each is trained from several starts. The first
seed tries each peak of the learning rate, and its validation accuracy chooses one; the other seeds judge that one.

    python -m experiments.starts

Takes about an hour on one CPU core. Saves after every run, and goes on where it was stopped.
"""

from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import Augment, batches, device, evaluate, fit, load, networks
from course_utils.data import ImageData
from experiments.cifar_depth import deep_net
from tools.recording import best_setting, command_line, curves, finished

CONFIG = {
    "starts": {
        "twenty plain layers": ["batch norm", "PyTorch's weights", "He's weights"],
        "published, a quarter wide": ["PyTorch's weights", "He's weights", "He's weights everywhere"],
        "small VGG": ["batch norm", "PyTorch's weights", "He's weights"],
    },
    "peaks": [0.0003, 0.001, 0.003, 0.01],
    "images": 5_000,
    "epochs": 10,
    "batch_size": 64,
    "augment": {"flip": 0.5, "shift": 2, "padding_mode": "reflect"},
    "choosing_seed": 0,
    "judging_seeds": [1, 2, 3, 4, 5],
}
NETWORKS = {
    "twenty plain layers": lambda: deep_net(20, residual=False),
    "published, a quarter wide": lambda: networks.cifar_net(c1=12, c2=24, hidden=64),
    "small VGG": networks.small_vgg,
}


def build(network: str, start: str) -> nn.Module:
    """The network; but for the start "batch norm", without the normalisation behind each of its convolutions.

    He's weights are those of the convolutions, which a ReLU follows; "everywhere" adds the linear layers, the last one
    too, which no ReLU follows.
    """
    model = NETWORKS[network]()
    if start != "batch norm":
        remove_norms(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and start.startswith("He's"):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if isinstance(layer, nn.Linear) and start == "He's weights everywhere":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def remove_norms(model: nn.Module) -> None:
    """Put a layer that does nothing in the place of each `nn.BatchNorm2d`, and give each convolution a bias."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(model, name, nn.Identity())
        elif isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
        else:
            remove_norms(layer)


def run(data: ImageData, config: dict, network: str, start: str, peak: float, seed: int) -> dict:
    """Train one network; return its curves, and its scores on the images it has seen, unchanged, and on others."""
    torch.manual_seed(seed)
    model = build(network, start).to(device(), memory_format=torch.channels_last)
    images, options = data.train.take(config["images"]), {"channels_last": True, "device": device()}
    train = batches(images, config["batch_size"], shuffle=True, augment=Augment(**config["augment"]), **options)
    seen, valid = (batches(split, 1_000, **options) for split in (images, data.valid))
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = OneCycleLR(optimizer, max_lr=peak, total_steps=config["epochs"] * len(train))
    history = fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    return {
        **curves(finished(history), "train_loss", "valid_accuracy", "seconds"),
        "train": evaluate(model, seen)._asdict(),
        "valid": evaluate(model, valid)._asdict(),
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"network": network, "start": start} for network, starts in config["starts"].items() for start in starts]
    peaks = [{"peak": peak} for peak in config["peaks"]]
    for mark in marks:
        best_setting("starts", config, load("cifar10"), run, mark, peaks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
