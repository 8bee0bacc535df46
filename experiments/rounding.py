"""How far rounding takes two trainings apart: LeNet on MNIST with one thread, with two, and by halves of each batch.

All three do the same arithmetic in another order. Halves, whose gradients are averaged, are what two processes do. The
recipe is that of the training program: Adadelta with a learning rate of 1, in batches of 64.

    python -m experiments.rounding

Takes about 2 minutes on two CPU cores. Saves after every run, and goes on where it was stopped.
"""

import time
from pathlib import Path

import torch
import torch.nn.functional as F

from course_utils import batches, evaluate, load
from course_utils.data import ImageData
from course_utils.networks import lenet
from tools.recording import command_line, record_all

CONFIG = {"batch_size": 64, "looks": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 859], "seeds": [0, 1, 2, 3, 4]}


def train(data: ImageData, config: dict, seed: int, threads: int, parts: int) -> tuple[list[torch.Tensor], float]:
    """The weights after each of the steps in `looks`, as one row, and the validation accuracy at the end."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model, train = lenet(), batches(data.train, config["batch_size"], shuffle=True)
    optimizer, seen = torch.optim.Adadelta(model.parameters(), lr=1.0), []
    for step, (x, y) in enumerate(train, start=1):
        optimizer.zero_grad()
        for part in range(parts):
            loss = F.cross_entropy(model(x[part::parts]), y[part::parts])
            (loss / parts).backward()
        optimizer.step()
        if step in config["looks"]:
            seen.append(torch.cat([weight.detach().flatten().clone() for weight in model.parameters()]))
        if step == config["looks"][-1]:
            break
    return seen, evaluate(model, batches(data.valid, 1_000)).accuracy


def run(data: ImageData, config: dict, seed: int) -> dict:
    """The largest difference of a weight from those of one thread, after each look."""
    start, usual = time.perf_counter(), torch.get_num_threads()
    base, accuracy = train(data, config, seed, threads=1, parts=1)
    found: dict = {"valid_accuracy": {"one thread": accuracy}, "difference": {}}
    for way, (threads, parts) in {"two threads": (2, 1), "two halves": (1, 2)}.items():
        weights, found["valid_accuracy"][way] = train(data, config, seed, threads, parts)
        found["difference"][way] = [(a - b).abs().max().item() for a, b in zip(weights, base, strict=True)]
    torch.set_num_threads(usual)
    return found | {"seconds": time.perf_counter() - start}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("rounding", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
