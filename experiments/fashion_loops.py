"""One network, two loops: the 896,522-parameter network for FashionMNIST as it was published, and as it can be trained.

The published loop: batches of 32 from a DataLoader, Adam at .001, five epochs, and a second forward pass after each
step, only to count right answers. Ours: batches of 128, channels last, a learning rate that rises to .003 and falls
again, three epochs. Then single changes, timed in turns: which of them saves the time?

    python -m experiments.fashion_loops

Takes about 11 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import batches, device, evaluate, fit, load
from course_utils.data import ImageData
from course_utils.networks import fashion_net
from tools.recording import command_line, curves, finished, record_all

CONFIG = {
    "published": {"lr": 0.001, "batch_size": 32, "epochs": 5},
    "ours": {"max_lr": 0.003, "batch_size": 128, "epochs": 3},
    "seeds": [0],
    "timed_images": 1_920,
    "timed_rounds": 5,
}


def published_epoch(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    """One epoch of the published loop; the loss, and the share of right answers, counted by its second forward pass."""
    model.train()
    total = correct = count = 0.0
    for x, y in loader:
        x, y = x.to(device()), y.to(device())
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            correct += (model(x).argmax(1) == y).sum().item()
        total += loss.item() * len(y)
        count += len(y)
    return total / count, correct / count


def published(data: ImageData, config: dict, seed: int) -> dict:
    """Train as published; return the curves, the seconds of each epoch and one look at the test split."""
    pixels = TensorDataset(data.train.x.float() / 255, data.train.y)
    valid, test = ([(split.x.to(device()).float() / 255, split.y.to(device()))] for split in (data.valid, data.test))
    torch.manual_seed(seed)
    model = fashion_net().to(device())
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    loader = DataLoader(pixels, config["batch_size"], shuffle=True)
    seconds, train, scores = [], [], []
    for epoch in range(config["epochs"]):
        start = time.perf_counter()
        train.append(published_epoch(model, loader, optimizer))
        seconds.append(time.perf_counter() - start)
        scores.append(evaluate(model, valid))
        print(f"published loop, epoch {epoch + 1}: {scores[-1].accuracy:.2%} in {seconds[-1]:.0f} s", flush=True)
    return {
        "train_loss": [loss for loss, _ in train],
        "train_accuracy": [accuracy for _, accuracy in train],
        "valid_loss": [score.loss for score in scores],
        "valid_accuracy": [score.accuracy for score in scores],
        "seconds": seconds,
        "test_accuracy": evaluate(model, test).accuracy,
    }


def ours(data: ImageData, config: dict, seed: int) -> dict:
    """Train the same network with `fit`; return the same measures."""
    torch.manual_seed(seed)
    options = {"channels_last": True, "device": device()}
    model = fashion_net().to(device(), memory_format=torch.channels_last)
    train = batches(data.train, config["batch_size"], shuffle=True, **options)
    valid, test = (batches(split, 1_000, **options) for split in (data.valid, data.test))
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config["max_lr"], total_steps=config["epochs"] * len(train)
    )
    history = fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    seen = curves(finished(history), "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "seconds")
    return seen | {"test_accuracy": evaluate(model, test).accuracy}


def timed_steps(data: ImageData, config: dict) -> dict:
    """Seconds per 1,000 images, each line with one change more than the line before, measured in turns."""
    images = data.train.take(config["timed_images"])
    variants = {  # batch size, second forward pass, channels last
        "as published": (32, True, False),
        "one forward pass": (32, False, False),
        "batches of 128": (128, False, False),
        "channels last": (128, False, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round in range(config["timed_rounds"]):
        print(f"timing, round {round + 1}", flush=True)
        for name, (size, second, last) in variants.items():
            model = fashion_net().to(device())
            if last:
                model = model.to(memory_format=torch.channels_last)
            optimizer = torch.optim.Adam(model.parameters())
            batched = batches(images, size, channels_last=last, device=device())
            start = time.perf_counter()
            for x, y in batched:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                if second:
                    with torch.no_grad():
                        model(x)
            loss.item()  # waits for a GPU
            seconds[name].append((time.perf_counter() - start) / len(images) * 1_000)
    return {"seconds": seconds}


def run(data: ImageData, config: dict, loop: str, seed: int = 0) -> dict:
    """One of the two trainings, or the timing of single changes."""
    if loop == "timed":
        return timed_steps(data, config)
    return {"published": published, "ours": ours}[loop](data, config[loop], seed)


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"loop": loop, "seed": seed} for seed in config["seeds"] for loop in ("published", "ours")]
    marks += [{"loop": "timed"}]
    record_all("fashion_loops", config, load("fashion_mnist"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
