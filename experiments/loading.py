"""Does training wait for its images? Four ways to augment CIFAR-10, and two small networks, one four times the other.

The augmentation is that of the published study: rotation, brightness, hue and flip. Of each run we keep how long it
took in all, and how much of this the loop spent waiting for the next batch.

    python -m experiments.loading

Takes about 2 minutes on two CPU cores, which must have nothing else to do. Saves after every run.
"""

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from course_utils import Augment, as_dataset, batches, load
from course_utils.data import ImageData
from course_utils.networks import cifar_net
from tools.recording import command_line, record_all

CONFIG = {
    "pipelines": ["PIL", "PIL, 2 workers", "one tensor at a time", "whole batches"],
    "widths": [4, 8],
    "images": 2_048,
    "batch_size": 128,
    "rounds": 5,
}


def transform(as_tensor: bool) -> v2.Compose:
    """The study's augmentation of one picture, by PIL or on a tensor of bytes."""
    steps = [v2.RandomRotation(20), v2.ColorJitter(brightness=0.2, hue=0.1), v2.RandomHorizontalFlip()]
    return v2.Compose([v2.ToImage(), *steps] if as_tensor else steps)


def run(data: ImageData, config: dict, pipeline: str, width: int) -> dict:
    """Seconds for `images` images, round by round: in all, and waiting for batches."""
    images, size = data.train.take(config["images"]), config["batch_size"]
    if pipeline == "whole batches":
        loader = batches(images, size, augment=Augment(flip=0.5, rotation=20, brightness=0.2, hue=0.1), shuffle=True)
    else:
        dataset = as_dataset(images, transform(as_tensor="tensor" in pipeline))
        loader = DataLoader(dataset, size, shuffle=True, num_workers=2 if "workers" in pipeline else 0)
    torch.manual_seed(0)
    model = cifar_net(c1=width, c2=2 * width, hidden=4 * width)
    optimizer = torch.optim.Adam(model.parameters())
    total, waiting = [], []
    for _ in range(config["rounds"] + 1):
        start, waited, source = time.perf_counter(), 0.0, iter(loader)
        while True:
            asked = time.perf_counter()
            batch = next(source, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            optimizer.zero_grad()
            F.cross_entropy(model(batch[0]), batch[1]).backward()
            optimizer.step()
        total.append(time.perf_counter() - start)
        waiting.append(waited)
    return {"seconds": {"total": total[1:], "waiting": waiting[1:]}}  # the first round warms up


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"pipeline": pipeline, "width": width} for pipeline in config["pipelines"] for width in config["widths"]]
    record_all("loading", config, load("cifar10"), run, marks, folder=folder, timed=True)


if __name__ == "__main__":
    command_line(__doc__, main)
