"""The built-in sample: three small data sets for tests and for a first look where no data can be had.

`mnist` is real handwriting, the UCI digits that come with scikit-learn; `fashion_mnist` and `cifar10` are drawn. Each
has ten classes that can be learnt, and about a fiftieth of the images of its namesake, so scores on a sample say
nothing about the real data. `tools/draw_sample.py` has made the files.
"""

import numpy as np

from .._arguments import one_of
from .._files import resource
from .catalogue import SOURCES
from .order import stratified_order

SIZES = {"train": 1200, "valid": 300, "test": 297}
NOISE = 18  # grey levels up or down, at most


def make(name: str) -> dict[str, np.ndarray]:
    """The sample of data set `name`: `x_train`, `y_train`, `x_valid`, … for 1,200, 300 and 297 images.

    Images are uint8, N×28×28 or (cifar10) N×32×32×3; labels uint8 from 0 to 9. Raises ValueError for an unknown name.
    """
    one_of("name", name, SOURCES)
    with np.load(resource(f"_images/sample/{name}.npz"), allow_pickle=False) as stored:
        x, y, seeds, drawn = (stored[key] for key in ("x", "y", "seed", "drawn"))
    for label, (seed, count) in enumerate(zip(seeds.tolist(), drawn.tolist(), strict=True)):
        x[y == label] = _with_grain(x[y == label], np.random.PCG64(seed).advance(count))
    order, arrays = stratified_order(y, seed=0), {}
    for split, size in SIZES.items():
        chosen, order = order[:size], order[size:]
        chosen = chosen[np.random.PCG64(size).random_raw(size).argsort(kind="stable")]  # in no order at all
        arrays[f"x_{split}"], arrays[f"y_{split}"] = x[chosen], y[chosen]
    return arrays


def _with_grain(x: np.ndarray, random: np.random.PCG64) -> np.ndarray:
    """Pictures with noise, the same for all colours of a pixel; in grey ones not on the black around the thing."""
    raw = random.random_raw(x[..., 0].size if x.ndim == 4 else x.size) >> np.uint64(32)
    grain = (raw % np.uint64(2 * NOISE + 1)).astype(np.int64).reshape(x.shape[:3]) - NOISE
    noisy = x + grain[..., None] if x.ndim == 4 else x + grain * (x > 0)
    return noisy.clip(0, 255).astype(np.uint8)
