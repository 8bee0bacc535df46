"""Do heat maps find a shortcut that was planted? Five pairs of networks, one of each pair trained on marked shirts.

Both networks of a pair are asked about the same marked shirts: in how many does the largest value of the heat map
belong to a place that sees the mark?

    python -m experiments.heat_maps

Takes about 3 minutes on two CPU cores. Saves after every pair, and goes on where it was stopped.
"""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import batches, evaluate, fit, load
from course_utils.data import ImageData, Images
from course_utils.inside import grad_cam, occlusion
from course_utils.networks import lenet
from tools.recording import command_line, record_all

RECIPE = {"images": 20_000, "epochs": 3, "batch_size": 128, "max_lr": 0.006}
CONFIG = {"recipe": RECIPE, "shirts": 100, "cover": 5, "seeds": [0, 1, 2, 3, 4]}


def train_lenet(images: Images, valid: Images, seed: int, epochs: int, batch_size: int, max_lr: float) -> nn.Sequential:
    """LeNet as lesson 14 trains it."""
    torch.manual_seed(seed)
    model, train = lenet(pool=nn.MaxPool2d), batches(images, batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(train))
    options = {"epochs": epochs, "scheduler": scheduler, "scheduler_step": "batch"}
    fit(model, train, batches(valid, 500), optimizer, **options).finished()
    return model.eval()


def with_marks(images: Images, label: int) -> Images:
    """The same images, with a white mark in the corner of every image of this class."""
    x = images.x.clone()
    x[images.y == label, :, 1:4, 1:4] = 255
    return Images(x, images.y, images.mean, images.std)


def peaks_at(heat_map: Tensor, rows: int) -> bool:
    """Whether the largest value is in the first rows and columns."""
    return max(divmod(int(heat_map.argmax()), heat_map.shape[1])) < rows


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train one pair; return for both networks how often each method points at the mark."""
    start, shirt = time.perf_counter(), data.classes.index("Shirt")
    recipe = dict(config["recipe"])
    images = data.train.take(recipe.pop("images"))
    marked = with_marks(data.valid, shirt)
    networks = {
        "plain": train_lenet(images, data.valid, seed, **recipe),
        "tricked": train_lenet(with_marks(images, shirt), marked, seed, **recipe),
    }
    found: dict = {name: {"occlusion": 0, "Grad-CAM": 0} for name in networks}
    shirts = marked[marked.y == shirt][: config["shirts"]]
    size, black = config["cover"], float((-data.train.mean / data.train.std)[0])
    for x, _ in batches(shirts, 1):
        for name, model in networks.items():
            falls = occlusion(model, x, shirt, size=size, fill=black)
            found[name]["occlusion"] += peaks_at(falls, rows=4) / len(shirts)
            found[name]["Grad-CAM"] += peaks_at(grad_cam(model, model[4], x, shirt), rows=3) / len(shirts)
    unmarked = batches(data.valid[data.valid.y == shirt], 500)
    right = {name: evaluate(model, unmarked).accuracy for name, model in networks.items()}
    return {"found": found, "unmarked_shirts": right, "seconds": time.perf_counter() - start}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("heat_maps", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
