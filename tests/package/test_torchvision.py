"""Our whole-batch way hands out the same pixels as torchvision's per-image transforms."""

import torch
from torchvision.transforms import v2

from course_utils import batches, load


def test_batches_are_normalised_as_torchvision_does_it():
    for name in ("mnist", "cifar10"):
        images = load(name).valid
        steps = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(images.mean.tolist(), images.std.tolist())]
        one_by_one = torch.stack([v2.Compose(steps)(image) for image in images.x])
        x = torch.cat([x for x, _ in batches(images, 64)])
        assert (x - one_by_one).abs().max() <= 1e-5
