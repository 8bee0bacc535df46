"""What every figure of the book is drawn with: one look, which importing this module sets, pictures, and checks."""

import base64
import html
import io
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ._arguments import T, kind, number, one_of, shown
from ._files import resource

Picture: TypeAlias = np.ndarray | torch.Tensor
Pictures: TypeAlias = Picture | Sequence[Picture]
Numbers: TypeAlias = Sequence[float] | np.ndarray | torch.Tensor

COLOURS: dict[str, str] = tomllib.loads(resource("colours.toml").read_text(encoding="utf-8"))
WIDTH = 5.8  # inches: the width of every figure, so that its letters keep their size on the page
CSS_DPI = 96  # pixels of a page in one inch
HEAVY = 200_000  # bytes of a drawing that is lighter as pixels

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


def groups_of(name: str, groups: Mapping[str, T]) -> Mapping[str, T]:
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


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name: that of `COLOURS`, or the next of those that mean nothing."""
    names = dict.fromkeys(names)
    others = [name for name in names if name not in COLOURS]
    return {name: COLOURS[name] if name in COLOURS else f"C{others.index(name)}" for name in names}


def scales(log: str) -> dict[str, str]:
    """How `Axes.set` is told which axes are logarithmic. Raises: TypeError, ValueError."""
    one_of("log", log, ("", "x", "y", "xy"))
    return {f"{axis}scale": "log" if axis in log else "linear" for axis in "xy"}


def legend_below(figure: Figure, handles: Sequence) -> None:
    """One legend for the whole figure, with as many names in a row as fit into its width."""
    in_a_row = max(1, 70 // (8 + max(len(handle.get_label()) for handle in handles)))  # in letters
    figure.legend(handles=handles, loc="outside lower left", ncols=in_a_row, columnspacing=1)


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
    axes.set(xticks=[], yticks=[], title=name)
    axes.grid(False)
    axes.spines[:].set(visible=True, color=COLOURS["line"])
    if numbers:
        for (i, j), value in np.ndenumerate(array):
            dark = abs(value) > 0.6 * limit if signed else value < 0.5 * limit
            axes.text(j, i, f"{value + 0.0:.4g}", ha="center", va="center", color="white" if dark else "black")
    if frame is not None:
        row, column, height, width = frame
        place = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(place, width, height, fill=False, color=COLOURS["frame"], linewidth=3))


def show_figure(figure: Figure, title: str | None = None) -> None:
    """Show a figure, and above it what it finds.

    In a notebook a chart is a drawing, and pictures are pixels, twice as many as the page needs; the title is text of
    the page, which wraps on a phone. Both are transparent, for light pages and dark ones. Elsewhere a window opens.
    """
    kind("title", title, str | None, "a sentence")
    if get_ipython() is None:
        figure.suptitle(title or "", x=0.01, ha="left")
        plt.show()
        return
    if title is not None:
        _display("text/html", f'<div class="figure-title"><b>{html.escape(title, quote=False)}</b></div>', title)
    width, height = (figure.get_size_inches() * CSS_DPI).round().astype(int).tolist()
    pictures = any(axes.images for axes in figure.axes)
    drawing = "" if pictures else print_figure(figure, "svg", bbox_inches=None, metadata={"Date": None})
    kinds = ("image/svg+xml", drawing) if 0 < len(drawing) < HEAVY else ("image/png", _as_pixels(figure))
    _display(*kinds, f"<figure of {width}×{height} pixels>", width=width, height=height)
    plt.close(figure)


def _display(mime: str, data: str, plain: str, **size: int) -> None:
    display({mime: data, "text/plain": plain}, raw=True, metadata={mime: size})


def _as_pixels(figure: Figure) -> str:
    """The figure as PNG of 256 colours, in base 64."""
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=2 * CSS_DPI)
    Image.open(drawn).quantize(256).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
