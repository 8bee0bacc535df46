"""Augmentation of whole batches: every image gets its own random parameters, and no loop runs over the images.

Names, order of arguments and directions are those of `torchvision.transforms.v2.functional`, where it has the operation
(`shift` and `scale` are parts of its `affine`). What differs: a parameter is one number for all images, or a tensor of
N numbers, one for each. Images x are N×C×H×W, on any device, floating point, from 0 to 1; `horizontal_flip` and `shift`
take any dtype. Shape, dtype and memory format stay, and x itself is never written to.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from . import _pixels
from ._arguments import kind, number, one_of, tensor, whole

Pixels: TypeAlias = int | Tensor  # one number for all images, or one for each
Ends: TypeAlias = tuple[float, float]
Range: TypeAlias = float | Ends


def horizontal_flip(x: Tensor, flip: bool | Tensor) -> Tensor:
    """Mirror images left to right.

    Args:
        x: images, N×C×H×W, any dtype.
        flip: which of them: True or False, or a tensor of N.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `horizontal_flip`, the same to the last bit.

    Example:
        >>> x = torch.tensor([[[[1, 2, 3]]], [[[4, 5, 6]]]])
        >>> horizontal_flip(x, torch.tensor([True, False])).flatten(1)
        tensor([[3, 2, 1],
                [4, 5, 6]])
    """
    tensor("x", x, "N×C×H×W")
    flip = _each("flip", flip, x, kind, wanted=bool, such_as="True or False")
    return torch.where(flip[:, None, None, None], x.flip(3), x)


def shift(x: Tensor, dy: Pixels, dx: Pixels, padding_mode: str = "constant") -> Tensor:
    """Move images by whole pixels, as padding and then cropping does.

    Args:
        x: images, N×C×H×W, any dtype.
        dy, dx: pixels down and to the right, whole numbers; negative ones move up and to the left.
        padding_mode: what comes in from outside: "constant" (zeros), "edge" (the nearest pixel) or "reflect" (the
            image, mirrored at the centres of its outermost pixels).

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `crop` of a `pad`, the same to the last bit; also its `affine(translate=[dx, dy])`.

    Example:
        >>> x = torch.tensor([[[[1, 2, 3]]]])
        >>> shift(x, 0, 1), shift(x, 0, 1, "edge")
        (tensor([[[[0, 1, 2]]]]), tensor([[[[1, 1, 2]]]]))
    """
    tensor("x", x, "N×C×H×W")
    one_of("padding_mode", padding_mode, _pixels.PADDING)
    dy, dx = (_each(name, value, x, whole) for name, value in (("dy", dy), ("dx", dx)))
    return _pixels.copy(x, torch.zeros_like(dy, dtype=torch.bool), dy, dx, padding_mode)


def rotate(x: Tensor, angle: float | Tensor, padding_mode: str = "constant") -> Tensor:
    """Turn images about their centre, bilinear.

    Args:
        x: images, N×C×H×W, floating point.
        angle: degrees, counter-clockwise.
        padding_mode: as in `shift`.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `rotate(interpolation=BILINEAR)`, equal to 1e-5. (Its `affine` turns clockwise.)

    Example:
        >>> x = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])
        >>> rotate(x, 90).round(decimals=2)
        tensor([[[[1., 0.],
                  [0., 0.]]]])
    """
    return _about_the_centre(x, padding_mode, angle=angle)


def scale(x: Tensor, factor: float | Tensor, padding_mode: str = "constant") -> Tensor:
    """Enlarge images about their centre (factor above 1) or shrink them, bilinear; H and W stay.

    Args:
        x: images, N×C×H×W, floating point.
        factor: at least .01.
        padding_mode: as in `shift`.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `affine(scale=factor, interpolation=BILINEAR)`, equal to 1e-5.

    Example:
        >>> x = torch.tensor([[[[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]]])
        >>> scale(x, 2)[0, 0, 1]
        tensor([0.5625, 0.7500, 0.7500, 0.5625])
    """
    return _about_the_centre(x, padding_mode, factor=factor)


def _about_the_centre(x: Tensor, padding_mode: str, *, angle: float | Tensor = 0, factor: float | Tensor = 1) -> Tensor:
    """Images turned and enlarged. Raises: TypeError, ValueError."""
    tensor("x", x, "N×C×H×W", floating=True)
    one_of("padding_mode", padding_mode, _pixels.PADDING)
    angle, factor = _each("angle", angle, x), _each("factor", factor, x, least=0.01)
    none = torch.zeros_like(angle)
    return _pixels.resample(x, _pixels.find_sources(none, none, none, angle, factor), padding_mode)


def adjust_brightness(x: Tensor, brightness_factor: float | Tensor) -> Tensor:
    """Multiply each image by its factor, and clamp to 0 … 1.

    Args:
        x: images, N×C×H×W, floating point, from 0 to 1.
        brightness_factor: at least 0; 1 leaves the image as it is.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `adjust_brightness`.

    Example:
        >>> adjust_brightness(torch.tensor([[[[0.25, 0.75]]]]), 2)
        tensor([[[[0.5000, 1.0000]]]])
    """
    tensor("x", x, "N×C×H×W", floating=True)
    return _pixels.brighten(x, _each("brightness_factor", brightness_factor, x, least=0)).clamp_(0, 1)


def adjust_hue(x: Tensor, hue_factor: float | Tensor) -> Tensor:
    """Turn the colours of images about the grey axis, red = green = blue, and clamp to 0 … 1.

    Torchvision's `adjust_hue` is another operation: it goes through HSV and keeps the largest of red, green and blue,
    where this keeps their mean; but hues arrive where they do there, 99 in 100 saturated pixels to .02 of a turn, and
    with factors from −.1 to .1 the pixels of CIFAR-10 differ by at most .02 on average.

    Args:
        x: images, N×3×H×W, floating point, from 0 to 1.
        hue_factor: share of a full turn, from −.5 to .5; 1/3 makes red green, .5 gives the opposite colour.

    Raises:
        TypeError, ValueError: an argument that is not as above; images of other than three channels.

    Source: the rotation about an axis, O. Rodrigues, Journal de mathématiques pures et appliquées 5 (1840).

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
        >>> adjust_hue(red, 1 / 3).flatten().round(decimals=2)
        tensor([0., 1., 0.])
    """
    tensor("x", x, "N×C×H×W", floating=True)
    turn = _pixels.hue_matrices(_each("hue_factor", hue_factor, x, least=-0.5, most=0.5))
    return _pixels.recolour(x, turn).clamp_(0, 1)


def erase(x: Tensor, i: Pixels, j: Pixels, h: Pixels, w: Pixels, v: float = 0) -> Tensor:
    """Paint a rectangle in each image; what sticks out of the image is left away.

    Args:
        x: images, N×C×H×W, floating point.
        i, j: row and column of its top left corner, whole numbers; they may be negative.
        h, w: its height and width in pixels, whole numbers of at least 0.
        v: the one value to paint with.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `erase`, the same to the last bit.

    Example:
        >>> erase(torch.ones(1, 1, 2, 4), 0, 1, 2, 2)
        tensor([[[[1., 0., 0., 1.],
                  [1., 0., 0., 1.]]]])
    """
    tensor("x", x, "N×C×H×W", floating=True)
    i, j = (_each(name, value, x, whole) for name, value in (("i", i), ("j", j)))
    h, w = (_each(name, value, x, whole, least=0) for name, value in (("h", h), ("w", w)))
    return _pixels.paint(x, i, j, i + h, j + w, number("v", v))


class Augment:
    """Random changes for each batch: `batches(images, 256, shuffle=True, augment=Augment(flip=.5, shift=2))`.

    First one resampling mirrors, scales and turns each image about its centre, and then shifts it; where neither
    rotation nor scale is asked for, pixels are copied, not resampled. Then one matrix changes its colours. Last comes
    the square. Where nothing is asked for, the batch itself comes back.

    A range is a pair (low, high); one number a stands for ±a around what changes nothing.

    Args:
        flip: chance of being mirrored left to right, from 0 to 1.
        shift: whole pixels: at most so many up or down, and left or right.
        rotation: range of degrees, counter-clockwise.
        scale: range of factors, at least .01; .1 stands for (.9, 1.1).
        padding_mode: what comes in from outside: "constant" (zeros), "edge" or "reflect", as in `shift`. (On an Apple
            GPU, "edge" needs torch 2.13 or newer.)
        brightness: range of factors, at least 0; .2 stands for (.8, 1.2).
        hue: range of shares of a full turn, from −.5 to .5; for images of three channels.
        cutout: side in pixels of a square that is painted black, its centre anywhere in the image.

    Raises:
        TypeError, ValueError: an argument that is not as above.

    Source: torchvision's `RandomHorizontalFlip`, `RandomCrop` with padding, `RandomAffine` and `ColorJitter`;
    T. DeVries and G. W. Taylor, Improved regularization of convolutional neural networks with Cutout, 2017.

    Example:
        >>> Augment(flip=0.5, scale=0.1)
        Augment(flip=0.5, scale=(0.9, 1.1))
    """

    def __init__(
        self,
        *,
        flip: float = 0,
        shift: int = 0,
        rotation: Range = 0,
        scale: Range = 0,
        padding_mode: str = "constant",
        brightness: Range = 0,
        hue: Range = 0,
        cutout: int = 0,
    ) -> None:
        self.flip = number("flip", flip, least=0, most=1)
        self.shift = whole("shift", shift, least=0)
        self.rotation = _range("rotation", rotation, around=0)
        self.scale = _range("scale", scale, around=1, least=0.01)
        self.padding_mode = one_of("padding_mode", padding_mode, _pixels.PADDING)
        self.brightness = _range("brightness", brightness, around=1, least=0)
        self.hue = _range("hue", hue, around=0, least=-0.5, most=0.5)
        self.cutout = whole("cutout", cutout, least=0)

    def _asked(self) -> dict[str, object]:
        nothing = vars(Augment())
        return {name: value for name, value in vars(self).items() if value != nothing[name]}

    def __repr__(self) -> str:
        return f"Augment({', '.join(f'{name}={value!r}' for name, value in self._asked().items())})"

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Change a batch x: N×C×H×W, floating point, from 0 to 1; so is the answer. Raises: TypeError, ValueError.

        Example:
            >>> x = torch.rand(8, 3, 32, 32)
            >>> Augment(rotation=10, hue=0.05)(x).shape
            torch.Size([8, 3, 32, 32])
        """
        tensor("x", x, "N×C×H×W", floating=True)
        asked, before = self._asked().keys(), x
        flip, dy, dx, angle, factor, brightness, hue, i, j = self.draw(x, generator=generator).values()
        if asked & {"rotation", "scale"}:
            x = _pixels.resample(x, _pixels.find_sources(flip, dy, dx, angle, factor), self.padding_mode)
        elif asked & {"flip", "shift"}:
            x = _pixels.copy(x, flip, dy, dx, self.padding_mode)
        if "hue" in asked:
            x = _pixels.recolour(x, brightness[:, None, None] * _pixels.hue_matrices(hue))
        elif "brightness" in asked:
            x = _pixels.brighten(x, brightness)
        if x is not before:
            x.clamp_(0, 1)
        return _pixels.paint(x, i, j, i + self.cutout, j + self.cutout, 0) if self.cutout else x

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Draw what a call would: by the names of the functions' arguments, N numbers each, on the device of x.

        All come from one draw, so that one more change asked for leaves the others as they were.

        Args:
            x: images, N×C×H×W.
            generator: the torch.Generator that draws, on any device; None for torch's own, on the CPU.

        Raises:
            TypeError, ValueError: an argument that is not as above.

        Example:
            >>> drawn = Augment(shift=2).draw(torch.rand(8, 3, 32, 32))
            >>> drawn["dy"].shape, drawn["flip"].any()
            (torch.Size([8]), tensor(False))
        """
        n, _, height, width = tensor("x", x, "N×C×H×W").shape
        generator = torch.default_generator if generator is None else generator
        kind("generator", generator, torch.Generator, "a torch.Generator")
        u = torch.rand(9, n, generator=generator, device=generator.device).to(x.device)
        return {
            "flip": u[0] < self.flip,
            "dy": _below(2 * self.shift + 1, u[1]) - self.shift,
            "dx": _below(2 * self.shift + 1, u[2]) - self.shift,
            "angle": _between(self.rotation, u[3]),
            "factor": _between(self.scale, u[4]),
            "brightness_factor": _between(self.brightness, u[5]),
            "hue_factor": _between(self.hue, u[6]),
            "i": _below(height, u[7]) - self.cutout // 2,
            "j": _below(width, u[8]) - self.cutout // 2,
        }


def _below(count: int, u: Tensor) -> Tensor:
    """Whole numbers 0 … count − 1, equally likely, from u, uniform in [0, 1)."""
    return (u * count).floor().long()


def _between(low_high: Ends, u: Tensor) -> Tensor:
    return low_high[0] + (low_high[1] - low_high[0]) * u


def _range(name: str, value: Range, *, around: float, least: float | None = None, most: float | None = None) -> Ends:
    """value as (low, high). Raises: TypeError, ValueError."""
    if not isinstance(value, tuple | list):
        reach = min((abs(end - around) for end in (least, most) if end is not None), default=None)
        half = number(name, value, least=0, most=reach)
        return around - half, around + half
    if len(value) != 2:
        raise ValueError(f"{name} must be one number or a pair (low, high); got {value!r}.")
    low, high = (number(name, end, least=least, most=most) for end in value)
    if low > high:
        raise ValueError(f"{name} must be a pair (low, high); got {value!r}: swap the two.")
    return low, high


def _each(name: str, value: object, x: Tensor, single: Callable = number, **limits: object) -> Tensor:
    """value, one or N of what `single` lets pass, as N, one for each image of x. Raises: TypeError, ValueError."""
    if not isinstance(value, torch.Tensor):
        return torch.tensor(single(name, value, **limits), device=x.device).expand(len(x))
    if value.shape != x.shape[:1]:
        raise ValueError(f"{name} must be one value, or {len(x)} for the images of x; got shape {tuple(value.shape)}.")
    for end in value.aminmax() if len(value) else ():
        single(name, end.item(), **limits)
    return value.to(x.device, torch.int64 if single is whole else None)
