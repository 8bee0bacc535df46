"""The ablation in full size: augmentation, batches of 512 and patience, told apart.

A published study changed three things at once: from batches of 24 to batches of 512, from plain images to augmented
ones, and from ten epochs to a patience of 3. Here are its network in full width and all four combinations of the first
two, for ten epochs each; the last row adds the patience. All else is as in `cifar_published`, whose training it is.

    python -m experiments.cifar_full_ablation

Wants a GPU: an epoch takes four to six minutes on two CPU cores. The state is kept after each epoch, in
.run/experiments/full_ablation/: a kill loses one epoch at most.
"""

from functools import partial
from pathlib import Path

from course_utils import load
from experiments.cifar_published import BASE, KEPT, trained
from experiments.cifar_published import CONFIG as PUBLISHED
from tools.recording import command_line, record_all

LARGE: dict = BASE | {"batch_size": 512}
CONFIG: dict = PUBLISHED | {
    "runs": {
        "base": BASE,
        "augmented": BASE | {"augmented": True},
        "batches of 512": LARGE,
        "both": LARGE | {"augmented": True},
        "both with patience 3": LARGE | {"augmented": True, "patience": 3},
    },
    "seeds": [0, 1, 2],
}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"run": run, "seed": seed} for seed in config["seeds"] for run in config["runs"]]
    go_on = partial(trained, minutes=None, folder=(folder or KEPT) / "full_ablation")
    record_all("cifar_full_ablation", config, load("cifar10"), go_on, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
