"""One network, two loops: the 896,522-parameter network for FashionMNIST as it was published, and as it can be trained.

The published loop: batches of 32 from a DataLoader, Adam at .001, five epochs, and a second forward pass after each
step, only to count right answers. Ours: batches of 128, channels last, a learning rate that rises to .003 and falls
again, three epochs. Then single changes, timed in turns: which of them saves the time?

    python -m experiments.fashion_loops

Takes about 11 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import argparse
import time

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from course_utils import batches, device, evaluate, fit, load
from course_utils.networks import fashion_net
from course_utils.records import Record, finished

CONFIG = {
    "published": {"lr": 0.001, "batch_size": 32, "epochs": 5},
    "ours": {"max_lr": 0.003, "batch_size": 128, "epochs": 3},
    "seeds": [0],
    "timed_images": 1_920,
    "timed_rounds": 5,
}


def published_epoch(model, loader, optimizer):
    """One epoch of the published loop; the share of right answers, counted by its second forward pass."""
    model.train()
    correct = count = 0
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            correct += (model(x).argmax(1) == y).sum().item()
        count += len(y)
    return correct / count


def published(data, seed, config):
    """Train as published; return the curves, the seconds of each epoch and one look at the test split."""
    pixels = TensorDataset(data.train.x.float() / 255, data.train.y)
    valid, test = ([(split.x.float() / 255, split.y)] for split in (data.valid, data.test))
    torch.manual_seed(seed)
    model = fashion_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    loader = DataLoader(pixels, config["batch_size"], shuffle=True)
    seconds, train_accuracy, scores = [], [], []
    for epoch in range(config["epochs"]):
        start = time.perf_counter()
        train_accuracy.append(published_epoch(model, loader, optimizer))
        seconds.append(time.perf_counter() - start)
        scores.append(evaluate(model, valid))
        print(f"published loop, epoch {epoch + 1}: {scores[-1].accuracy:.2%} in {seconds[-1]:.0f} s", flush=True)
    return {
        "train_accuracy": train_accuracy,
        "valid_loss": [score.loss for score in scores],
        "valid_accuracy": [score.accuracy for score in scores],
        "seconds": seconds,
        "test_accuracy": evaluate(model, test).accuracy,
    }


def ours(data, seed, config):
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
    history = finished(
        fit(model, train, valid, optimizer, epochs=config["epochs"], scheduler=scheduler, scheduler_step="batch")
    )
    return {
        "train_accuracy": history.column("train", "accuracy"),
        "valid_loss": history.column("valid", "loss"),
        "valid_accuracy": history.column("valid", "accuracy"),
        "seconds": [row.seconds for row in history],
        "test_accuracy": evaluate(model, test).accuracy,
    }


def timed_steps(data, config):
    """Seconds per 1,000 images, each line with one change more than the line before, measured in turns."""
    images = data.train.take(config["timed_images"])
    variants = {  # batch size, second forward pass, channels last
        "as published": (32, True, False),
        "one forward pass": (32, False, False),
        "batches of 128": (128, False, False),
        "channels last": (128, False, True),
    }
    seconds = {name: [] for name in variants}
    for round in range(config["timed_rounds"]):
        print(f"timing, round {round + 1}", flush=True)
        for name, (size, second, last) in variants.items():
            model = fashion_net()
            if last:
                model = model.to(memory_format=torch.channels_last)
            optimizer = torch.optim.Adam(model.parameters())
            start = time.perf_counter()
            for x, y in batches(images, size, channels_last=last):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                if second:
                    with torch.no_grad():
                        model(x)
            seconds[name].append((time.perf_counter() - start) / len(images) * 1_000)
    return {"seconds": seconds}


def main(config=CONFIG, folder=None):
    record = Record("fashion_loops", config, folder)
    data = load("fashion_mnist")
    for seed in config["seeds"]:
        for name, train in (("published", published), ("ours", ours)):
            if not record.has(loop=name, seed=seed):
                print(f"{name} loop, seed {seed}", flush=True)
                record.add({"loop": name, "seed": seed} | train(data, seed, config[name]), data)
    if not record.has(loop="timed"):
        record.add({"loop": "timed"} | timed_steps(data, config), data)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
