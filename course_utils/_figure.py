"""What every figure of the book is drawn with: one look, which importing this module sets, pictures, and checks."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from ._arguments import kind, number, shown

# Colours that stay apart for colour-blind readers (M. Okabe and K. Ito, Color universal design, 2008).
# The same colour is the same thing everywhere in the book.
COLOURS = {
    "train": "#0072B2",
    "valid": "#D55E00",
    "held out": "#D55E00",
    "published": "#666666",
    "sigmoid": "#CC79A7",
    "sigmoid − ½": "#882255",
    "tanh": "#E69F00",
    "relu": "#56B4E9",
    "red": "#CC3311",
    "green": "#117733",
    "blue": "#0077BB",
    "constant": "#888888",
    "frame": "#D55E00",
    "right": "#1B7837",
    "wrong": "#B2182B",
}
WIDTH = 6.4  # inches: the width of every figure, so that its letters keep their size on the page

plt.rcParams.update(
    {
        "figure.dpi": 130,
        "figure.facecolor": "white",
        "savefig.bbox": "tight",
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "image.cmap": "gray",
        "axes.prop_cycle": plt.cycler(color=["#332288", "#117733", "#AA4499", "#999933", "#44AA99"]),  # P. Tol, muted
    }
)


def numbers_of(name, values):
    """values as an array of numbers, with at least one axis. Raises: TypeError."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype.kind not in "fiub" or array.ndim == 0:
        raise TypeError(f"{name} must hold numbers, along an axis or more; got {shown(values)}.")
    return array


def groups_of(name, groups):
    """groups, a dict with something in it. Raises: TypeError, ValueError."""
    kind(name, groups, dict, "a dict, such as {name: values}")
    if not groups:
        raise ValueError(f"{name} must hold at least one entry, {{name: values}}; got an empty dict.")
    return groups


def picture_of(picture):
    """A picture as NumPy H×W or H×W×3, from a tensor or array of shape H×W, 1×H×W or 3×H×W."""
    array = numbers_of("pictures", picture)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == 0 or array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] == 3):
        raise ValueError(f"Each of the pictures must be H×W, 1×H×W or 3×H×W; got shape {tuple(np.shape(picture))}.")
    return array


def draw_picture(axes, picture, *, signed=False, numbers=False, limit=None):
    """Draw one picture on given axes, without ticks.

    Args:
        picture: H×W, 1×H×W or 3×H×W. Colour pictures are 0–255 or 0–1; grey ones go from 0, or a
            lower value, as black to their largest value as white.
        signed: blue for negative, white for 0, red for positive.
        numbers: write each value into its pixel, to four digits.
        limit: with `signed`, the value of the strongest colour; else the value shown white. Default: the largest.

    Raises:
        TypeError, ValueError: the picture holds no numbers, or has another shape.
    """
    array = picture_of(picture)
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
            axes.text(
                j, i, f"{value + 0.0:.4g}", ha="center", va="center", color="white" if dark else "black", fontsize=10
            )


def show_figure(figure, title=None):
    """Show a figure of several panels, with what it finds written above all of them."""
    if title is not None:
        kind("title", title, str, "a sentence")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    plt.show()
