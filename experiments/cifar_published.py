"""The published network for CIFAR-10, 3,716,154 parameters, under the recipes that were published for it.

    python -m experiments.cifar_published --run final --minutes 45     # on two CPU cores: as far as it gets
    python -m experiments.cifar_published --run final                  # to its end; this and the others want a GPU

`--run` is one of: base (batches of 24, no augmentation), augmented (with it), large-batch (of 512, without it), grid-0
to grid-7 (of 512, with it: the eight networks of the published search), wide-kernel (base, its first kernel 5×5), final
(the published last training, of up to 50 epochs). base, augmented, large-batch and grid-0 are an ablation in full
size. One epoch of the default network takes four to six minutes on two CPU cores.

What differs from what was published: 5,000 training images are set aside for validation, and early stopping looks at
them; dropout is off when the network is scored; rotation is bilinear. The test images are read once, at the end, by the
weights of the best epoch (of the last one where the recipe has no early stopping).

The state is kept after each epoch, in .run/experiments/: a kill loses one epoch at most. `--minutes` are those of
training in all, so that a longer run goes on from a shorter one.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from course_utils import Augment, Checkpoint, EarlyStopping, batches, count_parameters, device, fit, load, predict
from course_utils.data import ImageData
from course_utils.networks import cifar_net
from tools.recording import command_line, curves, record_all

KEPT = Path(__file__).parents[1] / ".run" / "experiments"
BASE: dict = {"network": {}, "augmented": False, "batch_size": 24, "lr": 0.001, "epochs": 10, "patience": None}
GRID = BASE | {"augmented": True, "batch_size": 512, "patience": 3}
WIDTHS = [(hidden, c1, c2) for hidden in (256, 512) for c1 in (48, 96) for c2 in (96, 192)]  # as it was numbered
CONFIG: dict = {
    "runs": {
        "base": BASE,
        "augmented": BASE | {"augmented": True},
        "large-batch": BASE | {"batch_size": 512},
        **{
            f"grid-{k}": GRID | {"network": {"hidden": hidden, "c1": c1, "c2": c2}}
            for k, (hidden, c1, c2) in enumerate(WIDTHS)
        },
        "wide-kernel": BASE | {"network": {"first_kernel": 5}},
        "final": GRID | {"lr": 0.0008, "epochs": 50, "patience": 6},
    },
    "augment": {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5},
    "normalise": 0.5,
}


class TimeIsUp:
    """A callback that ends a training as Ctrl-C does, so that its checkpoint can be gone on with."""

    def __init__(self, minutes: float) -> None:
        self.seconds = 60 * minutes

    def on_epoch_end(self, state: Any) -> None:
        if sum(row.seconds for row in state.history) >= self.seconds:
            raise KeyboardInterrupt


def trained(data: ImageData, config: dict, run: str, seed: int, minutes: float | None, *, folder: Path) -> dict:
    """Train, or go on with, one network; return its curves, its seconds and its one look at the test split."""
    recipe, half = config["runs"][run], [config["normalise"]] * 3
    data = data.normalised(half, half)
    torch.manual_seed(seed)
    model = cifar_net(**recipe["network"]).to(device(), memory_format=torch.channels_last)
    options = {"channels_last": True, "device": device()}
    augment = Augment(**config["augment"]) if recipe["augmented"] else None
    train = batches(data.train, recipe["batch_size"], shuffle=True, augment=augment, **options)
    valid, test = (batches(split, 500, **options) for split in (data.valid, data.test))
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe["lr"])
    checkpoint = Checkpoint(folder / f"cifar_published-{run}-{seed}.pt", resume=True)
    callbacks: list = [checkpoint]
    if recipe["patience"]:
        callbacks.append(EarlyStopping(recipe["patience"]))
    if minutes:
        callbacks.append(TimeIsUp(minutes))
    history = fit(model, train, valid, optimizer, epochs=recipe["epochs"], callbacks=callbacks)
    seen = curves(history)
    if history.interrupted and not (minutes and sum(seen["seconds"]) >= 60 * minutes):
        raise SystemExit("Interrupted: the same command goes on after the last whole epoch.")
    scored = checkpoint.load_best(model).epoch if recipe["patience"] else len(history)
    answer, truth = predict(model, test).argmax(1), test.y
    counts = torch.bincount(10 * truth + answer, minlength=100).view(10, 10)
    return {
        "out_of_time": history.interrupted,
        "parameters": count_parameters(model),
        **seen,
        "scored_epoch": scored,
        "test_accuracy": (answer == truth).double().mean().item(),
        "test_counts": counts.tolist(),
    }


def main(
    config: dict = CONFIG,
    folder: Path | None = None,
    *,
    run: str = "final",
    seed: Iterable[int] = (0,),
    minutes: float | None = None,
) -> None:
    marks = [{"run": run, "seed": one, "minutes": minutes} for one in seed]
    go_on = partial(trained, folder=folder or KEPT)
    record_all("cifar_published", config, load("cifar10"), go_on, marks, folder=folder)


if __name__ == "__main__":
    command_line(
        __doc__,
        main,
        run={"default": "final", "choices": CONFIG["runs"]},
        seed={"type": int, "nargs": "+", "default": [0], "help": "one run with each"},
        minutes={"type": float, "help": "stop after so many minutes of training; without it, never"},
    )
