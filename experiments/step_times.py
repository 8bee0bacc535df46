"""What makes a training step faster: one change at a time, timed in turns, for networks of three sizes.

A step is forward, backward and Adam, in batches of 128 of random numbers. Each round times every variant once, over
equally many images, so that a slow minute of the machine spoils a round of all of them and not one variant.

    python -m experiments.step_times

Takes about 8 minutes on two CPU cores, which must have nothing else to do. Saves after every network.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from course_utils import load, networks
from course_utils.data import ImageData
from tools.recording import command_line, record_all

CONFIG = {
    "networks": {"lenet": [1, 28, 28], "fashion_net": [1, 28, 28], "fast_cifar_net": [3, 32, 32]},
    "images": 2_048,
    "batch_size": 128,
    "batch_sizes": [16, 1_024],
    "rounds": 7,
    "compile": True,
}


def stepper(network: str, size: list[int], batch_size: int, *, threads: int = 2, compiled: bool = False,
            last: bool = False, fused: bool = False, bfloat16: bool = False) -> Callable[[int], float]:  # fmt: skip
    """A function that trains on so many images and returns its seconds."""
    torch.manual_seed(0)
    memory_format = torch.channels_last if last else torch.contiguous_format
    model = getattr(networks, network)().to(memory_format=memory_format)
    x = torch.randn(batch_size, *size).contiguous(memory_format=memory_format)
    y = torch.randint(10, (batch_size,))
    optimizer = torch.optim.Adam(model.parameters(), fused=fused)
    answer = torch.compile(model) if compiled else model

    def train(images: int) -> float:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(max(1, images // batch_size)):
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = F.cross_entropy(answer(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - start

    return train


def run(data: ImageData, config: dict, network: str) -> dict:
    """Seconds for `images` images, round by round, of each variant; and those of its very first step."""
    size, usual, threads = config["networks"][network], config["batch_size"], torch.get_num_threads()
    variants = {
        "plain": stepper(network, size, usual, threads=threads),
        "channels last": stepper(network, size, usual, threads=threads, last=True),
        "one thread": stepper(network, size, usual, threads=1),
        "fused Adam": stepper(network, size, usual, threads=threads, fused=True),
        "bfloat16": stepper(network, size, usual, threads=threads, bfloat16=True),
    }
    if config["compile"]:
        variants["compiled"] = stepper(network, size, usual, threads=threads, compiled=True)
    for batch_size in config["batch_sizes"]:
        variants[f"batches of {batch_size:,}"] = stepper(network, size, batch_size, threads=threads)
    first = {name: train(1) for name, train in variants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round in range(config["rounds"]):
        print(f"{network}, round {round + 1} of {config['rounds']}", flush=True)
        for name, train in variants.items():
            seconds[name].append(train(config["images"]))
    torch.set_num_threads(threads)
    return {"seconds": {"rounds": seconds, "first step": first}, "capability": torch.backends.cpu.get_cpu_capability()}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"network": network} for network in config["networks"]]
    record_all("step_times", config, load("mnist"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
