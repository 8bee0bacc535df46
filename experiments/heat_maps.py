"""Do heat maps find a shortcut that was planted? Five pairs of networks, one of each pair trained on marked shirts.

Both networks of a pair are asked about the same marked shirts, and the plain one about the same shirts without marks:
for how many is the largest value of the heat map at a place that sees the mark? And how alike is the plain network's
Grad-CAM to that of an untrained network, to that of another plain network, and to its own occlusion?

    python -m experiments.heat_maps

Takes about 5 minutes on two CPU cores. Saves after every pair, and goes on where it was stopped.
"""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import batches, evaluate, fit, load
from course_utils.data import ImageData, Images
from course_utils.inside import grad_cam, occlusion
from course_utils.networks import lenet
from tools.recording import command_line, finished, record_all

RECIPE = {"images": 20_000, "epochs": 3, "batch_size": 128, "max_lr": 0.006}
CONFIG = {"recipe": RECIPE, "shirts": 100, "compared": 100, "cover": 5, "seeds": [0, 1, 2, 3, 4]}


def new_lenet(seed: int) -> nn.Sequential:
    """LeNet before its training."""
    torch.manual_seed(seed)
    return lenet(pool=nn.MaxPool2d)


def train_lenet(images: Images, valid: Images, seed: int, epochs: int, batch_size: int, max_lr: float) -> nn.Sequential:
    """LeNet as lesson 14 trains it."""
    model, train = new_lenet(seed), batches(images, batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(train))
    options = {"epochs": epochs, "scheduler": scheduler, "scheduler_step": "batch"}
    finished(fit(model, train, batches(valid, 500), optimizer, **options))
    return model.eval()


def with_marks(images: Images, label: int) -> Images:
    """The same images, with a white mark in the corner of every image of this class."""
    x = images.x.clone()
    x[images.y == label, :, 1:4, 1:4] = 255
    return Images(x, images.y, images.mean, images.std)


def peaks_at(heat_map: Tensor, rows: int) -> bool:
    """Whether the largest value is in the first rows and columns, and above 0."""
    return bool(heat_map.max() > 0) and max(divmod(int(heat_map.argmax()), heat_map.shape[1])) < rows


def place_by_place(model: nn.Sequential, x: Tensor, label: int) -> Tensor:
    """Grad-CAM with each place weighted by its own gradient, not by its map's mean (HiResCAM, arXiv 2011.08891)."""
    maps = model[:5](x).detach().requires_grad_()
    [gradient] = torch.autograd.grad(model[5:](maps)[0, label], maps)
    return (gradient * maps).sum(1)[0].clamp(min=0).detach()


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of two maps; nan where one of them is empty."""
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Train one pair; return how often each method points at the mark, and how alike its maps are to others."""
    start, shirt = time.perf_counter(), data.classes.index("Shirt")
    recipe = dict(config["recipe"])
    images = data.train.take(recipe.pop("images"))
    marked = with_marks(data.valid, shirt)
    plain = train_lenet(images, data.valid, seed, **recipe)
    tricked = train_lenet(with_marks(images, shirt), marked, seed, **recipe)
    another = train_lenet(images, data.valid, seed + 100, **recipe)
    untrained = new_lenet(seed).eval()
    black = float((-data.train.mean / data.train.std)[0])

    def falls(model: nn.Module, x: Tensor, label: int) -> Tensor:
        return occlusion(model, x, label, size=config["cover"], fill=black)

    shirts, unmarked = (split[split.y == shirt] for split in (marked, data.valid))
    found: dict = {}
    for name, model, asked in (
        ("tricked", tricked, shirts),
        ("plain", plain, shirts),
        ("plain, no mark", plain, unmarked),
    ):
        hits = {"occlusion": 0, "Grad-CAM": 0, "place by place": 0}
        for x, _ in batches(asked[: config["shirts"]], 1):
            hits["occlusion"] += peaks_at(falls(model, x, shirt), rows=4)
            hits["Grad-CAM"] += peaks_at(grad_cam(model, model[4], x, shirt), rows=3)
            hits["place by place"] += peaks_at(place_by_place(model, x, shirt), rows=3)
        found[name] = hits
    alike: dict = {"an untrained network": [], "another network": [], "occlusion": []}
    for x, y in batches(data.valid[: config["compared"]], 1):
        cam = grad_cam(plain, plain[4], x, int(y))
        alike["an untrained network"].append(correlation(cam, grad_cam(untrained, untrained[4], x, int(y))))
        alike["another network"].append(correlation(cam, grad_cam(another, another[4], x, int(y))))
        fall = falls(plain, x, int(y))[None, 2:22, 2:22]  # two by two, these have the centres of Grad-CAM's places
        alike["occlusion"].append(correlation(cam, nn.functional.avg_pool2d(fall, 2)[0]))
    right = {name: evaluate(model, batches(unmarked, 500)) for name, model in (("plain", plain), ("tricked", tricked))}
    return {
        "found": found,
        "alike": {name: round(float(torch.stack(values).nanmean()), 4) for name, values in alike.items()},
        "empty": {name: int(torch.stack(values).isnan().sum()) for name, values in alike.items()},
        "unmarked_shirts": {name: score.accuracy for name, score in right.items()},
        "seconds": time.perf_counter() - start,
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("heat_maps", config, load("fashion_mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
