"""The one look of all figures of the book; importing this module sets it."""

import matplotlib.pyplot as plt

# Colours that stay apart for colour-blind readers (M. Okabe and K. Ito, Color universal design, 2008).
# The same colour is the same thing everywhere in the book.
COLOURS = {
    "train": "#0072B2",
    "valid": "#D55E00",
    "published": "#666666",
    "sigmoid": "#CC79A7",
    "sigmoid − ½": "#882255",
    "tanh": "#E69F00",
    "relu": "#56B4E9",
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
