"""Draws the cover's picture: `python book/_ext/hero.py` writes book/_static/hero.svg.

A real handwritten digit (scikit-learn ships it), the nine weights of a Sobel kernel, and what that kernel answers,
all computed here. The window slides over the digit once, in four seconds; where motion is unwelcome, it stands still.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

KERNEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SIZE, STEPS = 28, 9       # pixels along a side of the digit; grey steps
DIGIT = 0                 # its place in scikit-learn's set
GAP, CELL = 5, 4          # around the kernel, and the side of one of its weights, in pixels of the digit
BLUE, ORANGE, WHITE, DARK = (86, 180, 233), (230, 159, 0), (255, 255, 255), (17, 22, 29)


def enlarge(image, size):
    """Linear interpolation of a square picture to size×size."""
    old, new = np.arange(len(image)), np.linspace(0, len(image) - 1, size)
    rows = np.stack([np.interp(new, old, column) for column in image.T], axis=1)
    return np.stack([np.interp(new, old, row) for row in rows])


def slide(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel).sum(axis=(2, 3))


def squares(values, colour, x, y):
    """One path per grey step: unit squares for the values (0 to 1) that fall into it."""
    paths = []
    for step in range(1, STEPS + 1):
        places = np.argwhere(np.round(values * STEPS) == step)
        if len(places):
            shade = "#" + "".join(f"{round(d + (c - d) * step / STEPS):02x}" for c, d in zip(colour, DARK, strict=True))
            paths.append(f'<path fill="{shade}" d="' + "".join(f"M{x + j} {y + i}h1v1h-1z" for i, j in places) + '"/>')
    return "".join(paths)


def tile(x, y, size):
    return f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="#11161d" stroke="#2b3540" stroke-width=".3"/>'


def hero():
    digit = enlarge(np.pad(load_digits().images[DIGIT] / 16, 1), SIZE)
    answer = slide(digit, KERNEL)
    answer = answer / np.abs(answer).max()
    i, j = np.unravel_index(answer.argmax(), answer.shape)  # there the window rests at the end
    n, right = len(answer), SIZE + GAP + 3 * CELL + GAP
    weights = "".join(
        f'<rect x="{SIZE + GAP + CELL * j + 0.2}" y="{SIZE / 2 + CELL * (i - 1.5) + 0.2}" '
        f'width="{CELL - 0.4}" height="{CELL - 0.4}" rx=".5" fill="{colour}" opacity="{0.6 if abs(w) == 1 else 1}"/>'
        for i, row in enumerate(KERNEL) for j, w in enumerate(row)
        for colour in ["#56b4e9" if w < 0 else "#e69f00" if w > 0 else "#8a94a0"]
    )
    frame = '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill="none" stroke="{}" stroke-width=".5"/>'
    box = f"-.5 -.5 {right + SIZE + 1} {SIZE + 1}"
    seconds = 4
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" shape-rendering="crispEdges">
<style>
.sweep {{ display: none }}
@media (prefers-reduced-motion: no-preference) {{
  .sweep {{ display: inline; animation: gone 0s {seconds}s forwards }}
  .rest {{ animation: come {seconds}s step-end }}
  .down {{ animation: down {seconds}s steps({n}) forwards }}
  .across {{ animation: across {seconds / n:.4f}s linear {n} }}
}}
@keyframes down {{ to {{ transform: translateY({n}px) }} }}
@keyframes across {{ to {{ transform: translateX({n}px) }} }}
@keyframes gone {{ to {{ visibility: hidden }} }}
@keyframes come {{ from {{ visibility: hidden }} to {{ visibility: visible }} }}
</style>
<clipPath id="map"><rect x="{right + 0.5}" y=".5" width="{n + 1}" height="{n + 1}"/></clipPath>
{tile(0, 0, SIZE)}{squares(digit, WHITE, 0, 0)}
{weights}
{tile(right, 0, SIZE)}{squares(answer.clip(0), ORANGE, right + 1, 1)}{squares((-answer).clip(0), BLUE, right + 1, 1)}
{frame.format("rest", j, i, 3, 3, "#e69f00")}{frame.format("rest", right + 1 + j, 1 + i, 1, 1, "#fff")}
<g class="sweep">
<g clip-path="url(#map)"><g class="down"><rect x="{right}" y="2" width="{n + 2}" height="{n}" fill="#11161d"/>
<g class="across"><rect x="{right + 2}" y=".9" width="{n}" height="1.2" fill="#11161d"/></g></g></g>
<g class="down"><g class="across">{frame.format("", 0, 0, 3, 3, "#e69f00")}
{frame.format("", right + 1, 1, 1, 1, "#fff")}</g></g>
</g>
</svg>
"""


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("_static/hero.svg").write_text(hero())
