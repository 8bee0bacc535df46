"""Pictures of a page: their size in the HTML, so that nothing jumps; loaded when they come into sight; as WebP.

Jupyter keeps a figure's pixels as PNG, which is two to four times as heavy as WebP with the same pixels. Drawings (SVG)
stay as they are. What was converted once is kept beside the sources, by its name, which is a hash of its content.
"""

import re
import shutil
from pathlib import Path

from PIL import Image

STYLE = re.compile(r' style="width: ([\d.]+)px; height: ([\d.]+)px;"')
LOSSY_ABOVE, LOSSY_QUALITY = 60_000, 50  # bytes without loss; twice as many pixels as the page shows hide the loss


def dress(body, static):
    """The HTML of a page with sizes and `loading` for all its pictures; those of lessons as WebP."""
    shown = 0

    def mend(match):
        nonlocal shown
        shown += 1
        tag = STYLE.sub(r' width="\1" height="\2"', match[0])
        if "width=" not in tag and (file := static / Path(re.search(r'src="([^"]+)"', tag)[1]).name).exists():
            width, height = size_of(file)
            tag = tag.replace("<img ", f'<img width="{width}" height="{height}" ')
        tag = re.sub(r'(src="[^"]*_images/[0-9a-f]{64})\.png"', r'\1.webp"', tag)
        return tag if shown == 1 else tag.replace("<img ", '<img loading="lazy" ')

    return re.sub(r"<img [^>]*>", mend, body)


def size_of(file):
    """Width and height of a picture, in pixels or in the units of its drawing."""
    if file.suffix == ".svg":
        box = re.search(r'viewBox="([^"]+)"', file.read_text(encoding="utf-8"))[1].split()
        return round(float(box[2]) * 10), round(float(box[3]) * 10)
    return Image.open(file).size


def convert(images, kept):
    """Turn the figures in the folder `images` from PNG into WebP; `kept` holds those converted before."""
    kept.mkdir(parents=True, exist_ok=True)
    for file in images.glob("*.png"):
        if not re.fullmatch(r"[0-9a-f]{64}", file.stem):
            continue
        converted = kept / f"{file.stem}.webp"
        if not converted.exists():
            partial = converted.with_suffix(".part")
            picture = Image.open(file).convert("RGBA")
            picture.save(partial, "webp", lossless=True, quality=80, method=4)
            if partial.stat().st_size > LOSSY_ABOVE:
                picture.save(partial, "webp", quality=LOSSY_QUALITY, method=6)
            partial.rename(converted)
        shutil.copy(converted, images)
        file.unlink()
