"""One network, one process or two: the training program alone with one thread, with two, and twice under torchrun.

Each round trains one epoch of MNIST in each of the three ways. Of the network without dropout the weights are compared,
too: how far those of two processes are from those of one.

    python -m experiments.processes

Takes about 13 minutes on two CPU cores, which must have nothing else to do. Saves after every round.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from course_utils import load
from course_utils._files import PACKAGE
from course_utils.data import ImageData
from tools.recording import command_line, record_all

CONFIG = {
    "ways": {"1 process, 1 thread": [1, 1], "1 process, 2 threads": [1, 2], "2 processes, 1 thread each": [2, 1]},
    "networks": {"lenet": 5, "mnist_net": 1},  # rounds
    "options": ["--epochs", "1", "--log-interval", "10000", "--save-model", "--no-cuda", "--no-mps"],
}


def train(network: str, options: list[str], processes: int, threads: int) -> tuple[dict, float, dict]:
    """Seconds of the epoch and of the whole program, the validation accuracy, and the weights that it saved."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "course_utils.training", "--network", network, *options]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(PACKAGE.parent)}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        weights = torch.load(Path(folder) / "mnist_cnn.pt", weights_only=True)
    [row] = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("1 ")]
    return {"epoch": float(row[-1]), "program": seconds}, float(row[-2].strip("%")) / 100, weights


def run(data: ImageData, config: dict, network: str, round: int) -> dict:
    """Each way once."""
    seconds, accuracy, weights = {}, {}, {}
    for way, (processes, threads) in config["ways"].items():
        seconds[way], accuracy[way], weights[way] = train(network, config["options"], processes, threads)
        print(f"{network}, round {round}, {way}: {seconds[way]}", flush=True)
    one, _, two = weights.values()
    difference = max((one[name] - two[name]).abs().max().item() for name in one)
    return {"seconds": seconds, "valid_accuracy": accuracy, "difference": difference}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [
        {"network": name, "round": round} for name, rounds in config["networks"].items() for round in range(rounds)
    ]
    record_all("processes", config, load("mnist"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
