"""A small picture for each lesson: `python book/_ext/cards.py FOLDER` writes them all there, and the cards for links.

Each is computed, 48 by 24 pixels, from what its lesson is about; its docstring says in words what there is to see. The
digits and photographs are scikit-learn's. A card, 1200 by 630, is what a chat shows of a link: picture, title, question.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits, load_sample_image

HEIGHT, WIDTH = 24, 48
DARK, GREY, WHITE, BLUE, ORANGE = (np.array(c) / 255 for c in (
    (17, 22, 29), (88, 98, 110), (240, 243, 246), (86, 180, 233), (230, 159, 0)))
EDGES = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def canvas():
    return np.tile(DARK, (HEIGHT, WIDTH, 1))


@cache
def digits():
    return load_digits().images / 16, load_digits().target


def enlarge(image, height, width):
    """The nearest pixel of a picture for each of height × width places."""
    rows = np.arange(height) * image.shape[0] // height
    return image[rows][:, np.arange(width) * image.shape[1] // width]


def blend(values, colour, ground=DARK):
    """Numbers from 0 to 1 as colours from `ground` to `colour`."""
    return ground + np.clip(values, 0, 1)[..., None] * (colour - ground)


def signed(values):
    """Numbers from −1 to 1: blue below 0, orange above."""
    return np.where(values[..., None] < 0, blend(-values, BLUE), blend(values, ORANGE))


def put(picture, patch, top, left):
    height, width = patch.shape[:2]
    picture[top:top + height, left:left + width] = patch


def slide(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel).sum(axis=(2, 3))


def curve(picture, heights, colour, left=3):
    """A curve, one pixel a column and no gaps; heights from 0 (bottom) to 1 (top)."""
    rows = np.round((1 - np.asarray(heights)) * (HEIGHT - 5) + 2).astype(int)
    for column, (row, before) in enumerate(zip(rows, [rows[0], *rows[:-1]], strict=True)):
        picture[min(row, before + (row > before)):max(row, before - (row < before)) + 1, left + column] = colour


def training_loop():
    """A loss that falls in large steps first and in small ones later."""
    picture, weight, losses = canvas(), 3.0, []
    for _ in range(WIDTH - 6):
        losses.append(weight**2)
        weight -= 0.06 * 2 * weight
    picture[HEIGHT - 2, 2:-2] = GREY
    curve(picture, np.array(losses) / losses[0], ORANGE)
    return picture


def convolution():
    """A handwritten digit, and the answer of a kernel that looks for vertical edges."""
    picture, digit = canvas(), enlarge(digits()[0][0], 20, 20)
    answer = slide(digit, EDGES)
    put(picture, blend(digit, WHITE), 2, 2)
    put(picture, signed(answer / np.abs(answer).max()), 3, 27)
    return picture


def shapes():
    """One number of the last layer, and below it the ever wider part of each layer before that it can see."""
    picture = canvas()
    for layer, row in enumerate(range(2, HEIGHT - 2, 4)):
        picture[row:row + 3, 2:-2] = blend(np.full((3, WIDTH - 4), 0.3), GREY)
        reach = 1 + 4 * layer
        picture[row:row + 3, WIDTH // 2 - reach:WIDTH // 2 + reach] = ORANGE if layer == 0 else BLUE
    return picture


def twelve_parameters():
    """Twelve squares in three rows: all the numbers of a network, negative ones blue and positive ones orange."""
    picture, weights = canvas(), np.random.default_rng(3).uniform(-1, 1, (3, 4))
    for (i, j), weight in np.ndenumerate(weights):
        shade = np.sign(weight) * (0.35 + 0.65 * abs(weight))
        put(picture, signed(np.full((6, 6), shade)), 1 + 8 * i, 9 + 8 * j)
    return picture


def data():
    """A sheet of handwritten digits, white on black; one of them is black on orange."""
    picture, images = canvas(), digits()[0]
    for number in range(10):
        (row, column), image = divmod(number, 5), images[number]
        shown = blend(1 - image, ORANGE) if number == 6 else blend(image, WHITE)
        put(picture, shown, 3 + 10 * row, 2 + 9 * column)
    return picture


def lenet():
    """A handwritten digit, and what four filters of a first layer make of it."""
    picture, digit = canvas(), digits()[0][3]
    put(picture, blend(enlarge(digit, 20, 20), WHITE), 2, 2)
    for number, kernel in enumerate([EDGES, EDGES.T, -EDGES, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])]):
        answer = np.maximum(slide(enlarge(digit, 11, 11), kernel), 0)
        put(picture, blend(answer / answer.max(), ORANGE), 2 + 11 * (number // 2), 25 + 11 * (number % 2))
    return picture


def training_control():
    """Two losses: that of training falls on, the other has turned upwards again, and its lowest point is marked."""
    picture, epoch = canvas(), np.linspace(0, 1, WIDTH - 6)
    held_out = 0.9 * np.exp(-4 * epoch) + 0.6 * epoch**2 + 0.1
    curve(picture, 0.95 * np.exp(-3 * epoch), GREY)
    curve(picture, held_out, ORANGE)
    picture[2:-2, 3 + held_out.argmin()] = BLUE
    return picture


def capacity():
    """Pairs of bars, for networks of growing size: on images they know they grow on, on new ones they do not."""
    picture = canvas()
    for number, width in enumerate(2.0 ** np.arange(6)):
        known, new = 20 * (1 - np.exp(-width / 6)), 11 * (1 - np.exp(-width / 3))
        for offset, height, colour in [(0, known, GREY), (3, new, ORANGE)]:
            top = HEIGHT - 2 - max(1, round(height))
            picture[top:-2, 3 + 7 * number + offset:6 + 7 * number + offset] = colour
    return picture


def results():
    """A table of ten rows and columns: right answers on its diagonal, mistakes beside it."""
    picture, (images, labels) = canvas(), digits()
    flat, known = images.reshape(len(images), -1), slice(0, 300)
    means = np.stack([flat[known][labels[known] == digit].mean(0) for digit in range(10)])
    guesses = ((flat[300:, None] - means) ** 2).sum(-1).argmin(1)
    table = np.zeros((10, 10))
    np.add.at(table, (labels[300:], guesses), 1)
    share = table / table.sum(1, keepdims=True)
    colours = np.where(np.eye(10)[..., None] > 0, blend(share, BLUE), blend(4 * share, ORANGE))
    put(picture, enlarge(colours, 20, 20), 2, 14)
    return picture


def invariance():
    """The same handwritten digit twice, orange and blue, one copy moved by a few pixels; white where both lie."""
    picture, digit = canvas(), enlarge(digits()[0][2], 24, 24)
    orange, blue = np.zeros((2, HEIGHT, WIDTH))
    orange[:, 8:32] = digit
    blue[:, 15:39] = digit
    both = np.minimum(orange, blue)
    return np.clip(blend(orange, ORANGE) + blend(blue, BLUE) - picture + 0.6 * both[..., None], 0, 1)


def cifar10():
    """A photograph of a roof, so coarse that one sees its pixels."""
    photo = np.asarray(Image.fromarray(load_sample_image("china.jpg")[60:360]).resize((WIDTH, HEIGHT), Image.BOX))
    return photo / 255


def modern_blocks():
    """A chain of layers, and arches that lead around each two of them."""
    picture = canvas()
    picture[15:17, 1:-1] = GREY
    for number in range(4):
        picture[11:21, 4 + 11 * number:11 + 11 * number] = BLUE
    for left in (2, 24):
        picture[5, left:left + 21] = picture[5:15, left] = picture[5:15, left + 20] = ORANGE
    return picture


def recipe():
    """A staircase that rises to the right: what each further minute of training buys."""
    picture, minutes = canvas(), np.arange(WIDTH - 6)
    curve(picture, np.maximum.accumulate(np.floor(6 * np.sqrt(minutes / minutes[-1])) / 6.5), GREY)
    for column in range(2, WIDTH - 6, 7):
        height = round((1 - np.floor(6 * np.sqrt(column / minutes[-1])) / 6.5) * (HEIGHT - 5) + 2)
        picture[height - 1:height + 2, 2 + column:5 + column] = ORANGE
    return picture


def inside():
    """A handwritten digit, and in orange the places without which it would be read as another one."""
    picture, (images, labels) = canvas(), digits()
    means = np.stack([images[labels == digit].mean(0) for digit in range(10)])
    digit = images[5]

    def margin(image):
        distance = ((image - means) ** 2).sum((1, 2))
        return np.delete(distance, labels[5]).min() - distance[labels[5]]

    drop = np.zeros((8, 8))
    for i, j in np.ndindex(7, 7):
        hidden = digit.copy()
        hidden[i:i + 2, j:j + 2] = 0
        drop[i:i + 2, j:j + 2] += margin(digit) - margin(hidden)
    put(picture, blend(enlarge(digit, 20, 20), WHITE), 2, 2)
    put(picture, blend(enlarge(np.maximum(drop, 0) / drop.max(), 20, 20), ORANGE), 2, 26)
    return picture


def instruments():
    """Rows of histograms, one a step of training: what was narrow becomes wide."""
    picture, places = canvas(), np.linspace(-3, 3, WIDTH - 4)
    for step in range(5):
        heights = 6 * np.exp(-((places / (0.5 + 0.35 * step)) ** 2)) / (1 + 0.15 * step)
        base = 7 + 4 * step
        for column, height in enumerate(heights):
            picture[base - round(height):base + 1, 2 + column] = blend(np.array(0.25 + 0.18 * step), ORANGE)
    return picture


def speed_and_scale():
    """A time line of two workers: one waits, in gaps, for the other."""
    picture, left = canvas(), 2
    for length in (9, 5, 9, 5, 9):
        picture[4:10, left:left + length] = BLUE if length == 5 else ORANGE
        if length == 9:
            picture[14:20, left:left + 5] = GREY
        left = left + length + 1
    return picture


def audit():
    """Lines of a program, three of which are marked."""
    picture, random = canvas(), np.random.default_rng(17)
    for line, row in enumerate(range(2, HEIGHT - 2, 3)):
        indent = 3 + 4 * int(random.integers(0, 3)) * (line % 3 > 0)
        end = indent + int(random.integers(12, 28))
        picture[row:row + 2, indent:end] = ORANGE if line in (1, 4, 5) else GREY
        if line in (1, 4, 5):
            picture[row:row + 2, -4:-2] = BLUE
    return picture


PICTURES = {
    "01": training_loop, "02": convolution, "03": shapes, "04": twelve_parameters, "05": data, "06": lenet,
    "07": training_control, "08": capacity, "09": results, "10": invariance, "11": cifar10, "12": modern_blocks,
    "13": recipe, "14": inside, "15": instruments, "16": speed_and_scale, "17": audit,
}


def picture(number):
    """The picture of a lesson, such as "02"."""
    return Image.fromarray((PICTURES[number]() * 255).round().astype(np.uint8))


def font(size, name="DejaVuSans"):
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", size)


def wrapped(text, letters, width):
    """Lines of text that are at most `width` pixels wide."""
    line = ""
    for word in text.split():
        if line and letters.getlength(f"{line} {word}") > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def card(title, question, image, course):
    """What a chat shows of a link: 1200 by 630 pixels."""
    sheet = Image.new("RGB", (1200, 630), (17, 22, 29))
    sheet.paste(image.resize((648, 324), Image.NEAREST), (552, 0))
    draw, place = ImageDraw.Draw(sheet), 70
    draw.text((60, place), course, font=font(26), fill=(86, 180, 233))
    place = 355
    for text, letters, colour in [(title, font(50, "DejaVuSans-Bold"), (255, 255, 255)), (question, font(30), (190, 198, 206))]:
        for line in wrapped(text, letters, 1080):
            draw.text((60, place), line, font=letters, fill=colour)
            place += round(letters.size * 1.25)
        place += 14
    return sheet.quantize(128)


def touch_icon():
    """The mark, nine weights of a kernel, 180 by 180 pixels for the screen of a phone."""
    sheet = Image.new("RGB", (180, 180), (17, 22, 29))
    draw = ImageDraw.Draw(sheet)
    for column, colour in enumerate([(86, 180, 233), (138, 148, 160), (230, 159, 0)]):
        for row in range(3):
            draw.rectangle([27 + 44 * column, 27 + 44 * row, 64 + 44 * column, 64 + 44 * row], fill=colour)
    return sheet


def write_all(folder, lessons, course):
    """The picture and the card of each lesson, {"02": (title, question)}, those of the cover, and the phone's icon."""
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    touch_icon().save(folder / "touch.png")
    lead = "Convolutional networks in PyTorch, with nothing taken on trust."
    card(course, lead, picture("02"), "").save(folder / "cards/cover.png")
    for number, (title, question) in lessons.items():
        picture(number).quantize(64).save(folder / "cards" / f"{number}.png")
        card(title, question, picture(number), course).save(folder / "cards" / f"{number}-card.png")


if __name__ == "__main__":
    every = {number: (f"Lesson {number}", draw.__doc__) for number, draw in PICTURES.items()}
    write_all(Path(sys.argv[1]), every, "Kernel by Kernel")
