"""The tutorial of lesson 17 as it was published, with single mistakes mended, and with all of them mended.

The tutorial's own cells are run, as they stand in the lesson. A mend replaces one piece of their text.

    python -m experiments.audit

Takes about 40 minutes on one CPU core. Saves after every run, and goes on where it was stopped.
"""

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import load
from course_utils.data import ImageData
from tools.common import ROOT, read_notebook
from tools.recording import command_line, record_all

MENDS = {  # letter: pairs of what the tutorial says, and what it should have said
    "A": [("images[order[n * 7 // 10 :]]", "images[order[n * 8 // 10 :]]")],
    "B": [
        (
            "    return (x - x.mean()) / x.std(), images.y",
            "    known = train_images.x.float() / 255\n    return (x - known.mean()) / known.std(), images.y",
        )
    ],
    "E": [
        (
            "        answers = torch.cat([",
            "        model.eval()\n        answers = torch.cat([",
        ),  # `train` sets it back
        ("model = models[best]", "model = models[best].eval()"),
    ],
    "F": [
        (
            "torch.stack(losses).mean().item()",
            "(torch.stack(losses) * torch.tensor([len(part) for part in y.split(900)])).sum().item() / len(y)",
        )
    ],
    "H": [("    return model.state_dict()", "    return {name: w.clone() for name, w in model.state_dict().items()}")],
    "I": [('results[lr]["test"])  # I', 'results[lr]["valid"])  # I')],
    "J": [("logits.softmax(0)", "logits.softmax(1)")],
    "K": [("counts.sum(1)", "counts.sum(0)")],
    "0": [("def network(dropout=0.5)", "def network(dropout=0.0)")],  # no mistake, but what place L compares
}
EVERY = "ABEFHIJK"  # D and L change no number of the others
CONFIG = {
    "images": 10_000,
    "epochs": 4,
    "mended": ["", "0", "E", "AE", "BE", "EH", "EI", EVERY, EVERY + "0"],
    "seeds": [0, 1, 2, 3, 4],
}


def tutorial() -> str:
    """The cells of the tutorial, as one program."""
    cells = read_notebook(ROOT / "notebooks" / "17_audit.ipynb").cells
    return "\n\n".join(cell.source for cell in cells if "tutorial" in cell.metadata.get("tags", []))


def program(letters: str) -> str:
    """The tutorial with these mistakes mended."""
    text = tutorial()
    for letter in letters:
        for published, mended in MENDS[letter]:
            assert text.count(published) == 1, f"place {letter}: {text.count(published)} times in the tutorial"
            text = text.replace(published, mended)
    return text


def run(data: ImageData, config: dict, mended: str, seed: int) -> dict:
    """What the tutorial reports."""
    world: dict[str, Any] = {"torch": torch, "F": F, "nn": nn, "load": lambda name: data}
    world |= {"SEED": seed, "IMAGES": config["images"], "EPOCHS": config["epochs"]}
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(program(mended), world)
    best, shirt = world["best"], world["shirt"]
    return {
        "lr": best,
        "valid_accuracy": world["results"][best]["valid"],
        "test_accuracy": world["results"][best]["test"],
        "loss": world["mean_loss"](world["model"], *world["test_set"]),
        "confidence": world["confidence"](world["logits"][:10]).mean().item(),
        "shirts": world["precision"](world["counts"])[shirt].item(),
        "curve": world["curves"][best],
        "seconds": time.perf_counter() - start,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"mended": mended, "seed": seed} for seed in config["seeds"] for mended in config["mended"]]
    record_all("audit", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
