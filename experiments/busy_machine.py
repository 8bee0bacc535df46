"""What a second busy process costs: the same training steps alone, and beside another process that trains, too.

    python -m experiments.busy_machine

Takes about 3 minutes on two CPU cores, which must have nothing else to do. Saves after every run.
"""

import multiprocessing
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import torch
import torch.nn.functional as F

from course_utils import load, networks
from course_utils.data import ImageData
from tools.recording import command_line, record_all

CONFIG = {
    "networks": {"lenet": [1, 28, 28], "fast_cifar_net": [3, 32, 32]},
    "batch_size": 64,
    "sides": [[1, 0], [1, 1], [2, 0], [2, 2]],  # threads of the training, and of the one beside it
    "seconds": 5.0,
    "rounds": 3,
}


def train(network: str, batch: list[int], threads: int, seconds: float, begun: Event | None = None) -> float:
    """Train for so many seconds; return those of a step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = getattr(networks, network)()
    x, y = torch.randn(*batch), torch.randint(10, (batch[0],))
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    for _ in range(3):
        step()  # warms up
    if begun is not None:
        begun.set()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    return (time.perf_counter() - start) / steps


def run(data: ImageData, config: dict, network: str, own: int, beside: int) -> dict:
    """Seconds of a step, round by round."""
    task, usual = (network, [config["batch_size"], *config["networks"][network]]), torch.get_num_threads()
    processes, seconds = multiprocessing.get_context("spawn"), []
    for _ in range(config["rounds"]):
        begun = processes.Event()
        other = processes.Process(target=train, args=(*task, beside, 600.0, begun), daemon=True)
        if beside:
            other.start()
            begun.wait()
        try:
            seconds.append(train(*task, own, config["seconds"]))
        finally:
            if beside:
                other.kill()
                other.join()
    torch.set_num_threads(usual)
    return {"seconds": seconds}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    sides = [{"own": own, "beside": beside} for own, beside in config["sides"]]
    marks = [{"network": network, **side} for network in config["networks"] for side in sides]
    record_all("busy_machine", config, load("mnist"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
