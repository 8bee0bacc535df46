"""Train a network for MNIST, from a terminal.

Every default is that of PyTorch's own MNIST example, so without options you repeat its recipe: 14 epochs in batches of
64, with Adadelta and a learning rate that starts at 1 and is multiplied by 0.7 after each epoch. Unlike it, this
program keeps 5,000 training images for validation, shuffles the others, and reads the test split only once, at the end.

Several processes share the work when torchrun starts them, as in torchrun --nproc-per-node=2 -m course_utils.training.
Each takes its part of every batch, so --batch-size must be a multiple of their number. Only the first one prints; its
training scores are those of its own part.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import StepLR
from tqdm import tqdm

from . import networks
from ._arguments import number
from ._files import replace
from ._machine import device
from ._snapshot import pack
from .data import batches, load
from .history import History, Score

TORCHRUN = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1}  # what it tells each process, and what holds for one alone
LEAST = {"batch_size": 1, "test_batch_size": 1, "epochs": 1, "lr": 1e-9, "gamma": 1e-9, "seed": 0, "log_interval": 1}


@dataclass
class Share:
    """Of each batch every n-th image, which is what one of n processes works on."""

    batches: Iterable
    mine: slice

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((x[self.mine], y[self.mine]) for x, y in self.batches)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]


def parser() -> argparse.ArgumentParser:
    """The options of `python -m course_utils.training`."""
    style = argparse.ArgumentDefaultsHelpFormatter
    program = argparse.ArgumentParser("python -m course_utils.training", description=__doc__, formatter_class=style)
    program.allow_abbrev = False
    program.print_usage = lambda file=None: None  # type: ignore[method-assign]  # a wrong option is reported in one line
    option = program.add_argument
    option("--network", choices=("mnist_net", "lenet"), default="mnist_net", help="network from course_utils.networks")
    option("--batch-size", type=int, default=64, metavar="N", help="images in a training batch")
    option("--test-batch-size", type=int, default=1000, metavar="N", help="images in a batch that is scored")
    option("--epochs", type=int, default=14, metavar="N", help="times to go through the training images")
    option("--lr", type=float, default=1.0, metavar="X", help="learning rate")
    option("--gamma", type=float, default=0.7, metavar="X", help="factor for the learning rate after each epoch")
    option("--no-cuda", action="store_true", help="do not use an NVIDIA GPU")
    option("--no-mps", action="store_true", help="do not use an Apple GPU")
    option("--dry-run", action="store_true", help="train on a single batch, to check that everything works")
    option("--seed", type=int, default=1, metavar="N", help="random seed")
    option("--log-interval", type=int, default=10, metavar="N", help="batches between two printed losses")
    option("--save-model", action="store_true", help="write the weights to mnist_cnn.pt")
    return program


def main(fit: Callable, evaluate: Callable, arguments: list[str] | None = None) -> tuple[History, Score]:
    """Train with these two functions as the options say, typed ones by default; return history and test score."""
    program = parser()
    options = program.parse_args(arguments)
    launched = os.environ if "MASTER_ADDR" in os.environ else {}
    rank, local, processes = (int(launched.get(name, alone)) for name, alone in TORCHRUN.items())
    try:
        for name, least in LEAST.items():
            number(f"--{name.replace('_', '-')}", getattr(options, name), least=least)
        if options.batch_size % processes:
            raise ValueError(f"--batch-size must be a multiple of {processes} processes; got {options.batch_size}.")
    except ValueError as problem:
        program.error(str(problem))
    torch.manual_seed(options.seed)
    place, data = "cpu" if getattr(options, f"no_{device()}", False) else device(), load("mnist")
    if processes > 1:
        if place == "cuda":
            torch.cuda.set_device(local)
        else:
            place = "cpu"  # no engine joins Apple's GPUs
        distributed.init_process_group()  # gloo between CPUs, NCCL between NVIDIA GPUs
    images = data.train[: options.batch_size] if options.dry_run else data.train
    images = images[: len(images) // processes * processes]
    # All processes draw the same order, from equal seeds, because they draw equally often.
    train = Share(batches(images, options.batch_size, shuffle=True, device=place), slice(rank, None, processes))
    valid, test = (batches(split, options.test_batch_size, device=place) for split in (data.valid, data.test))
    model = getattr(networks, options.network)().to(place)
    shared = DistributedDataParallel(model) if processes > 1 else model  # averages the gradients of all processes
    optimizer = torch.optim.Adadelta(model.parameters(), lr=options.lr)
    cooling, loss_fn = StepLR(optimizer, step_size=1, gamma=options.gamma), _logged(options.log_interval)
    epochs = 1 if options.dry_run else options.epochs
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if rank else sys.stdout):
        history = fit(shared, train, valid, optimizer, epochs=epochs, loss_fn=loss_fn, scheduler=cooling)
        score = evaluate(model, test)
        print(f"test loss {score.loss:.4f}, accuracy {score.accuracy:.2%}")
    if options.save_model and rank == 0:
        replace(Path("mnist_cnn.pt"), pack(model.state_dict(), prove=True))
    if processes > 1:
        distributed.destroy_process_group()
    return history, score


def _logged(interval: int) -> Callable:
    """Cross-entropy that prints its value every `interval` training batches."""
    steps = count(1)

    def loss_fn(logits: Tensor, labels: Tensor) -> Tensor:
        loss = F.cross_entropy(logits, labels)
        if torch.is_grad_enabled() and (step := next(steps)) % interval == 0:  # not in evaluation
            tqdm.write(f"batch {step}: loss {loss.item():.4f}")
        return loss

    return loss_fn
