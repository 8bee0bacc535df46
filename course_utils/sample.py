"""The built-in sample: three small data sets for tests and for a first look where no data can be had.

`mnist` is real handwriting: the UCI digits of 8×8 pixels that come with scikit-learn, enlarged to MNIST's format.
`fashion_mnist` and `cifar10` are drawn by `course_utils._drawings`. Each has ten classes that can be learnt, and about
a fiftieth of the images of its namesake, so scores on a sample say nothing about the real data.

All of it is integer arithmetic on raw random numbers, so that every machine makes the same bytes.
"""

import numpy as np

from . import _drawings, sources

PIXEL, FINE = 12, 3  # a pixel measures 12 units and is looked at in 3×3 places
CIRCLE = (
    (100, 0),
    (92, 38),
    (71, 71),
    (38, 92),
    (0, 100),
    (-38, 92),
    (-71, 71),
    (-92, 38),
    (-100, 0),
    (-92, -38),
    (-71, -71),
    (-38, -92),
    (0, -100),
    (38, -92),
    (71, -71),
    (92, -38),
)
SIZES = {"train": 1200, "valid": 300, "test": 297}


def make(name: str) -> dict[str, np.ndarray]:
    """Make the sample of data set `name`: `x_train`, `y_train`, `x_valid`, … for 1,200, 300 and 297 images.

    Images are uint8, N×28×28 or (cifar10) N×32×32×3; labels uint8 from 0 to 9. Takes about a second. Raises ValueError
    for an unknown name.

    Source of the digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998.
    """
    sources.path(name)  # refuses an unknown name
    x, y = _digits() if name == "mnist" else _drawn(name)
    order, arrays = sources.stratified_order(y, seed=0), {}
    for split, size in SIZES.items():
        chosen, order = order[:size], order[size:]
        chosen = chosen[np.random.PCG64(size).random_raw(size).argsort(kind="stable")]  # in no order at all
        arrays[f"x_{split}"], arrays[f"y_{split}"] = x[chosen], y[chosen]
    return arrays


def _digits():
    """The 1,797 digits, each in a box of 20×20 pixels inside 28×28, centred by mass, as in MNIST."""
    from sklearn.datasets import load_digits

    small, y = load_digits(return_X_y=True)
    small, grow = small.astype(np.int64).reshape(-1, 8, 8), _enlarge(8, 20)
    large = np.einsum("ij,njk,lk->nil", grow, small, grow) * 255 // (16 * 2000**2)
    ink = (large - 95) * 255 // 115  # saturated strokes with soft edges, as MNIST has them
    box, x = ink.clip(0, 255).astype(np.uint8), np.zeros((len(small), 28, 28), np.uint8)
    for image, digit in zip(x, box, strict=True):
        top, left = (_offset(digit.sum(axis, dtype=np.int64)) for axis in (1, 0))
        image[top : top + 20, left : left + 20] = digit
    return x, y.astype(np.uint8)


def _enlarge(size, to):
    """The to×size matrix of cubic (Catmull-Rom) interpolation, in units of 1/2000; rows sum to 2000."""
    matrix = np.zeros((to, size), np.int64)
    for i in range(to):
        at = (2 * i + 1) * 10 * size // (2 * to) - 5  # in tenths: where the new pixel's centre falls
        first, t = divmod(at, 10)
        weights = (-t * (10 - t) ** 2, 3 * t**3 - 50 * t**2 + 2000, -3 * t**3 + 40 * t**2 + 100 * t, -(t**2) * (10 - t))
        for k, weight in enumerate(weights):
            matrix[i, min(max(first - 1 + k, 0), size - 1)] += weight
    return matrix


def _offset(mass):
    """Where 20 pixels start so that the centre of their mass falls on the middle of 28, as far as there is room."""
    centre = (mass * (2 * np.arange(20) + 1)).sum() // mass.sum()  # in half pixels
    return int(np.clip((29 - centre) // 2, 0, 8))


class Easel:
    """`n` square pictures, with the dice and the brushes to draw on all of them at once."""

    def __init__(self, n, size, channels, seed):
        self.n, self.size, self.random = n, size, np.random.PCG64(seed)
        self.places = np.arange(size * FINE) * (PIXEL // FINE) + PIXEL // FINE // 2
        self.canvas = np.zeros((n, channels, size * FINE, size * FINE), np.uint8)

    def dice(self, low, high, *shape):
        """Whole numbers from `low` to `high`, one for each picture (or n×shape)."""
        count = self.n * int(np.prod(shape, dtype=int))
        raw = self.random.random_raw(count) >> np.uint64(32)
        return (raw % np.uint64(high - low + 1)).astype(np.int64).reshape(self.n, *shape) + low

    def pose(self, width, height, slant, shift, flip):
        """Choose for each picture how much it is stretched, slanted, shifted (per cent), and whether it is mirrored."""
        self.width, self.height = self.dice(*width)[:, None], self.dice(*height)[:, None]
        self.slant, self.side = self.dice(-slant, slant)[:, None], 1 - 2 * self.dice(0, int(flip))[:, None]
        self.right, self.down = self.dice(-shift, shift)[:, None], self.dice(-shift, shift)[:, None]

    def colour(self, *choices, vary=25):
        """One of the colours (red, green, blue) for each picture, up to `vary` brighter or darker, and tinted: n×3."""
        chosen = np.array(choices)[self.dice(0, len(choices) - 1)]
        return (chosen + self.dice(-vary, vary, 1) + self.dice(-9, 9, 3)).clip(0, 255)

    def polygon(self, points, colour, posed=True):
        """Fill a polygon (even-odd rule) with a colour: a number, n numbers, or n×channels."""
        x, y = (
            np.stack([np.broadcast_to(value, self.n) for value in values], 1).astype(np.int64) - 50
            for values in zip(*points, strict=True)
        )
        if posed:
            x = self.side * (x * self.width + y * self.slant) + 100 * self.right
            y = y * self.height + 100 * self.down
        else:
            x, y = 100 * x, 100 * y
        x, y = (value * self.size * PIXEL // 10_000 + self.size * PIXEL // 2 for value in (x, y))
        inside = np.zeros((self.n, len(self.places), len(self.places)), bool)
        for i in range(len(points)):
            x1, y1, x2, y2 = (value[:, i - k, None] for k in (1, 0) for value in (x, y))
            crosses = (y1 <= self.places) != (y2 <= self.places)
            at = x1 + (self.places - y1) * (x2 - x1) // np.where(y1 == y2, 1, y2 - y1)
            inside ^= self.places.astype(np.int16) < np.where(crosses, at, -1).astype(np.int16)[:, :, None]
        colour = np.asarray(colour).reshape(len(colour) if np.ndim(colour) else 1, -1, 1, 1)
        np.copyto(self.canvas, colour.astype(np.uint8), where=inside[:, None])

    def ellipse(self, x, y, across, down, colour):
        """Fill an ellipse around (x, y) that reaches `across` to the sides and `down` up and down."""
        self.polygon([(x + c * across // 100, y + s * down // 100) for c, s in CIRCLE], colour)

    def band(self, top, bottom, colour):
        """Paint the whole width from `top` to `bottom`, whatever the pose: sky, sea, grass."""
        self.polygon([(0, top), (100, top), (100, bottom), (0, bottom)], colour, posed=False)

    def finish(self, noise, on_black=False):
        """Average each pixel's places and add noise, `on_black` not to the black around; n×size×size×channels."""
        shape = (self.n, -1, self.size, FINE, self.size, FINE)
        pixels = self.canvas.reshape(shape).sum((3, 5), dtype=np.int64) // FINE**2
        grain = self.dice(-noise, noise, 1, self.size, self.size)
        return (pixels + grain * (pixels > 0 if on_black else 1)).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _drawn(name):
    """1,797 drawings, ten classes in equal parts."""
    y = (np.arange(sum(SIZES.values())) % 10).astype(np.uint8)
    x = np.empty((len(y), *sources.SOURCES[name].shape), np.uint8)
    for label in range(10):
        x[y == label] = (_garments if name == "fashion_mnist" else _objects)(label, int((y == label).sum()))
    return x, y


def _garments(label, n):
    easel = Easel(n, 28, 1, seed=2017 + label)
    easel.pose(width=(84, 108), height=(88, 104), slant=6, shift=3, flip=False)
    _drawings.GARMENTS[label](easel, easel.dice(110, 245))
    return easel.finish(noise=18, on_black=True)[..., 0]


def _objects(label, n):
    easel = Easel(n, 32, 3, seed=2009 + label)
    easel.pose(width=(66, 106), height=(66, 106), slant=10, shift=9, flip=True)
    _drawings.OBJECTS[label](easel)
    return easel.finish(noise=18)
