"""Which peak of the learning rate, and which network? What was tried on validation images for `recipe_headline`.

First peaks for our network, the likely ones with three seeds. Then a deeper network, with as many epochs as fit into
five minutes or ten: its optimiser, its peak, and changes after K. Jordan's airbench. At last peaks for the published
network. All runs are in bfloat16. Where there is one seed, differences below half a point may be luck.

    python -m experiments.recipe_choices

Takes about two hours on two CPU cores that compute in bfloat16. Saves after every run, and goes on where it was
stopped.
"""

from pathlib import Path
from typing import Any

from course_utils import load
from course_utils.data import ImageData
from experiments.recipe_headline import CHOSEN, RECIPE, train
from tools.recording import command_line, record_all

PEAKS = (0.01, 0.02, 0.04)
OURS: dict[str, Any] = {"network": "ours", "epochs": 5}
DEEP: dict[str, Any] = {"network": "deep", "epochs": 7, "optimizer": "AdamW", "whitened": False, "seed": 0}
MUON: dict[str, Any] = DEEP | {"optimizer": "Muon"}
JORDANS: dict[str, Any] = {"network": "deep, GELU", "whitened": True, "label_smoothing": 0.2}
PUBLISHED: dict[str, Any] = {"network": "published", "batch_size": 64, "epochs": 5}
CONFIG = {
    "recipe": RECIPE,
    "precision": "bfloat16",
    "tried": [
        *[OURS | {"peak": peak, "seed": 0} for peak in (0.0025, 0.005, *PEAKS)],
        *[OURS | {"peak": peak, "seed": seed} for seed in (6, 7) for peak in PEAKS],
        DEEP | {"peak": 0.01},
        *[MUON | {"peak": peak} for peak in PEAKS],
        MUON | {"peak": 0.02, "whitened": True},
        MUON | {"peak": 0.02} | JORDANS,
        MUON | {"peak": 0.01, "epochs": 14},
        MUON | {"peak": 0.01, "epochs": 14} | JORDANS,
        *[CHOSEN | {"peak": peak, "epochs": 8, "seed": 0} for peak in (0.01, 0.02)],
        CHOSEN | {"peak": 0.02, "epochs": 4, "seed": 0},
        *[PUBLISHED | {"peak": peak, "seed": 0} for peak in (0.00025, 0.0005, 0.001)],
    ],
}


def run(data: ImageData, config: dict, *, epochs: int, seed: int, **changes: Any) -> dict:
    """Train one network; return its validation curve."""
    _, result = train(data, config["recipe"] | changes, epochs, config["precision"], seed)
    return result


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    record_all("recipe_choices", config, load("cifar10"), run, config["tried"], folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
