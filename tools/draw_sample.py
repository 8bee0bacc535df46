"""Draws the built-in sample: `python -m tools.draw_sample` writes `course_utils/_images/sample/NAME.npz`.

`mnist` is real handwriting: the UCI digits of 8×8 pixels that come with scikit-learn, enlarged to MNIST's format.
`fashion_mnist` and `cifar10` are drawn, ten classes each (`tools/sample_drawings.py`). Files hold pictures before their
noise, which is added when they are loaded: noise does not compress. The seed of each class's noise, and how many draws
its pictures took before it, lie beside them.

All of it is integer arithmetic on raw random numbers, so that every machine makes the same bytes.

Source of the digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998.
"""

import numpy as np
from sklearn.datasets import load_digits

from course_utils._files import PACKAGE
from course_utils._images.catalogue import SOURCES
from course_utils._images.sample import SIZES
from tools import sample_drawings

FOLDER = PACKAGE / "_images" / "sample"
PIXEL, FINE = 12, 3  # a pixel measures 12 units and is looked at in 3×3 places
CIRCLE = (
    (100, 0), (92, 38), (71, 71), (38, 92), (0, 100), (-38, 92), (-71, 71), (-92, 38),
    (-100, 0), (-92, -38), (-71, -71), (-38, -92), (0, -100), (38, -92), (71, -71), (92, -38),
)  # fmt: skip


def draw(name: str) -> dict[str, np.ndarray]:
    """The contents of NAME.npz: `x` (uint8, N×H×W or N×H×W×3, before the noise) and `y`; and for each class `seed` and
    `drawn`, from which its noise follows; none for the digits."""
    if name == "mnist":
        x, y = _digits()
        return {"x": x, "y": y, "seed": np.zeros(0, np.int64), "drawn": np.zeros(0, np.int64)}
    draw_class = _garments if name == "fashion_mnist" else _objects
    y = (np.arange(sum(SIZES.values())) % 10).astype(np.uint8)  # ten classes in equal parts
    easels = [draw_class(label, int((y == label).sum())) for label in range(10)]
    pixels = [easel.pixels() for easel in easels]
    x = np.empty((len(y), *pixels[0].shape[1:]), np.uint8)
    for label in range(10):
        x[y == label] = pixels[label]
    seed, drawn = ([getattr(easel, fact) for easel in easels] for fact in ("seed", "drawn"))
    return {"x": x, "y": y, "seed": np.array(seed), "drawn": np.array(drawn)}


def main() -> None:
    for name in SOURCES:
        file = FOLDER / f"{name}.npz"
        file.parent.mkdir(exist_ok=True)
        np.savez_compressed(file, **draw(name))
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB")


def _digits():
    """The 1,797 digits, each in a box of 20×20 pixels inside 28×28, centred by mass, as in MNIST."""
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
        self.n, self.size, self.seed, self.random, self.drawn = n, size, seed, np.random.PCG64(seed), 0
        self.places = np.arange(size * FINE) * (PIXEL // FINE) + PIXEL // FINE // 2
        self.canvas = np.zeros((n, channels, size * FINE, size * FINE), np.uint8)

    def dice(self, low, high, *shape):
        """Whole numbers from `low` to `high`, one for each picture (or n×shape)."""
        count = self.n * int(np.prod(shape, dtype=int))
        self.drawn += count
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

    def pixels(self):
        """Average the places of each pixel; n×size×size, or n×size×size×3."""
        shape = (self.n, -1, self.size, FINE, self.size, FINE)
        pixels = self.canvas.reshape(shape).sum((3, 5), dtype=np.int64) // FINE**2
        pixels = pixels.astype(np.uint8).transpose(0, 2, 3, 1)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _garments(label, n):
    easel = Easel(n, 28, 1, seed=2017 + label)
    easel.pose(width=(84, 108), height=(88, 104), slant=6, shift=3, flip=False)
    sample_drawings.GARMENTS[label](easel, easel.dice(110, 245))
    return easel


def _objects(label, n):
    easel = Easel(n, 32, 3, seed=2009 + label)
    easel.pose(width=(66, 106), height=(66, 106), slant=10, shift=9, flip=True)
    sample_drawings.OBJECTS[label](easel)
    return easel


if __name__ == "__main__":
    main()
