"""What every figure of the book is drawn with: one look, which importing this module sets, pictures, and checks."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ._arguments import kind, number, shown
from ._files import resource

Picture: TypeAlias = np.ndarray | torch.Tensor
Pictures: TypeAlias = Picture | Sequence[Picture]
Numbers: TypeAlias = Sequence[float] | np.ndarray | torch.Tensor
Value = TypeVar("Value")

COLOURS: dict[str, str] = tomllib.loads(resource("colours.toml").read_text(encoding="utf-8"))
WIDTH = 6.4  # inches: the width of every figure, so that its letters keep their size on the page

plt.style.use(resource("figure.mplstyle"))


def numbers_of(name: str, values: object) -> np.ndarray:
    """values as an array of numbers, with at least one axis. Raises: TypeError."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype.kind not in "fiub" or array.ndim == 0:
        raise TypeError(f"{name} must hold numbers, along an axis or more; got {shown(values)}.")
    return array


def groups_of(name: str, groups: Mapping[str, Value]) -> Mapping[str, Value]:
    """groups, a dict with something in it. Raises: TypeError, ValueError."""
    kind(name, groups, dict, "a dict, such as {name: values}")
    if not groups:
        raise ValueError(f"{name} must hold at least one entry, {{name: values}}; got an empty dict.")
    return groups


def array_of(picture: Picture) -> np.ndarray:
    """A picture as NumPy H×W or H×W×3, from a tensor or array of shape H×W, 1×H×W or 3×H×W."""
    array = numbers_of("pictures", picture)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == 0 or array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] == 3):
        raise ValueError(f"Each of the pictures must be H×W, 1×H×W or 3×H×W; got shape {tuple(np.shape(picture))}.")
    return array


def make_panels(rows: int, columns: int, height: float, **options: object) -> tuple[Figure, np.ndarray]:
    """A figure of the book's width, and its panels, rows × columns."""
    return plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)


def name_panel(axes: Axes, name: str, *, size: int = 11) -> None:
    """Write the name of a panel above its middle."""
    axes.set_title(name, fontsize=size, loc="center")


def draw_picture(
    axes: Axes,
    picture: Picture,
    *,
    signed: bool = False,
    numbers: bool = False,
    limit: float | None = None,
    name: str = "",
    frame: tuple[int, int, int, int] | None = None,
) -> None:
    """Draw one picture on given axes, without ticks.

    Args:
        picture: H×W, 1×H×W or 3×H×W. Colour pictures are 0–255 or 0–1; grey ones go from 0, or a
            lower value, as black to their largest value as white.
        signed: blue for negative, white for 0, red for positive.
        numbers: write each value into its pixel, to four digits.
        limit: with `signed`, the value of the strongest colour; else the value shown white. Default: the largest.
        name: a short text above it.
        frame: row, column, height and width of a part to draw a frame around.

    Raises:
        TypeError, ValueError: the picture holds no numbers, or has another shape.
    """
    array = array_of(picture)
    limit = max(float(np.abs(array).max()), 1e-12) if limit is None else number("limit", limit)
    if limit <= 0:
        raise ValueError(f"limit must be above 0, the value of the strongest colour; got {limit}.")
    lowest = -limit if signed else min(0, array.min())
    axes.imshow(array, cmap="RdBu_r" if signed else "gray", vmin=lowest, vmax=limit)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999")
    if numbers:
        for (i, j), value in np.ndenumerate(array):
            dark = abs(value) > 0.6 * limit if signed else value < 0.5 * limit
            style = {"ha": "center", "va": "center", "fontsize": 10, "color": "white" if dark else "black"}
            axes.text(j, i, f"{value + 0.0:.4g}", **style)
    if name:
        name_panel(axes, name, size=10)
    if frame is not None:
        row, column, height, width = frame
        place = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(place, width, height, fill=False, color=COLOURS["frame"], linewidth=3))


def show_figure(figure: Figure, title: str | None = None) -> None:
    """Show a figure of several panels, with what it finds written above all of them."""
    if title is not None:
        kind("title", title, str, "a sentence")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    plt.show()
