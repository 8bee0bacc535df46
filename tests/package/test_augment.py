"""Whole-batch augmentation: each operation is torchvision's, image by image; each call is seeded and in range."""

import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from course_utils import Augment, augment, batches, load
from course_utils._images import sources
from course_utils.data import Images

BILINEAR = InterpolationMode.BILINEAR
MODES = ["constant", "edge", "reflect"]
EVERYTHING = {"flip": 0.5, "shift": 3, "rotation": 20, "scale": 0.1, "brightness": 0.2, "hue": 0.1, "cutout": 4}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=5, channels=3, height=12, width=9, seed=0, dtype=torch.float32):
    return torch.rand(n, channels, height, width, generator=seeded(seed), dtype=dtype)


@st.composite
def some_pictures(draw, least=1, channels=(1, 3)):
    """A batch of odd and even, square and oblong pictures, in float32 or float64."""
    n, side = st.integers(1, 6), st.integers(least, 40)
    channels, dtype = st.sampled_from(channels), st.sampled_from([torch.float32, torch.float64])
    return pictures(draw(n), draw(channels), draw(side), draw(side), draw(st.integers(0, 2**32)), draw(dtype))


def each(data, x, values):
    """One parameter for each picture, as a list."""
    return data.draw(st.lists(values, min_size=len(x), max_size=len(x)))


def one_by_one(operation, x, *parameters):
    """torchvision's operation, called for each picture with its own parameters."""
    return torch.stack([operation(image, *own) for image, *own in zip(x, *parameters, strict=True)])


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    return True


many = settings(max_examples=120, deadline=None)


# Each operation is torchvision's


def hue_and_saturation(x):
    """Of each pixel, N×H×W: the hue as a share of a turn, the saturation from 0 to 1."""
    largest, least = x.amax(1), x.amin(1)
    r, g, b = ((x - least[:, None]) / (largest - least)[:, None].clamp_min(1e-9)).unbind(1)
    sixth = torch.where(r == 1, (g - b) % 6, torch.where(g == 1, 2 + b - r, 4 + r - g))
    return sixth / 6, (largest - least) / largest.clamp_min(1e-9)


@given(some_pictures(), st.data())
@many
def test_horizontal_flip(x, data):
    flip = each(data, x, st.booleans())
    expected = one_by_one(lambda image, flip: tv.horizontal_flip(image) if flip else image, x, flip)
    assert torch.equal(augment.horizontal_flip(x, torch.tensor(flip)), expected)
    assert torch.equal(augment.horizontal_flip(x, True), x.flip(3))


@given(some_pictures(), st.sampled_from(MODES), st.data())
@many
def test_shift_is_a_crop_of_the_padded_picture(x, mode, data):
    height, width = x.shape[2:]
    pad = data.draw(st.integers(0, 50 if mode != "reflect" else min(height, width) - 1))
    dy, dx = (each(data, x, st.integers(-pad, pad)) for _ in range(2))

    def crop(image, dy, dx):
        return tv.crop(tv.pad(image, [pad], padding_mode=mode), pad - dy, pad - dx, height, width)

    assert torch.equal(augment.shift(x, torch.tensor(dy), torch.tensor(dx), mode), one_by_one(crop, x, dy, dx))


@given(some_pictures(), st.data())
@many
def test_shift_is_a_translation(x, data):
    dy, dx = (each(data, x, st.integers(-45, 45)) for _ in range(2))

    def translate(image, dy, dx):
        return tv.affine(image, angle=0, translate=[dx, dy], scale=1, shear=[0], interpolation=BILINEAR)

    assert close(augment.shift(x, torch.tensor(dy), torch.tensor(dx)), one_by_one(translate, x, dy, dx))


@given(some_pictures(), st.data())
@many
def test_rotate(x, data):
    angle = each(data, x, st.floats(-400, 400, width=32))
    expected = one_by_one(lambda image, angle: tv.rotate(image, angle, BILINEAR), x, angle)
    assert close(augment.rotate(x, torch.tensor(angle)), expected)
    assert close(augment.rotate(x, angle[0])[:1], expected[:1])


@given(some_pictures(), st.data())
@many
def test_scale(x, data):
    factor = each(data, x, st.floats(0.125, 4, width=32))

    def scaled(image, factor):
        return tv.affine(image, angle=0, translate=[0, 0], scale=factor, shear=[0], interpolation=BILINEAR)

    assert close(augment.scale(x, torch.tensor(factor)), one_by_one(scaled, x, factor))


@given(some_pictures(), st.data())
@many
def test_adjust_brightness(x, data):
    factor = each(data, x, st.floats(0, 3, width=32))
    assert close(augment.adjust_brightness(x, torch.tensor(factor)), one_by_one(tv.adjust_brightness, x, factor))


@given(some_pictures(), st.data())
@many
def test_erase(x, data):
    height, width = x.shape[2:]
    i, j = (each(data, x, st.integers(-10, size + 5)) for size in (height, width))
    h, w = (each(data, x, st.integers(0, 20)) for _ in range(2))

    def erased(image, i, j, h, w):
        top, left = max(i, 0), max(j, 0)  # torchvision counts a negative row from below
        colour = image.new_full((len(image), 1, 1), 0.25)
        return tv.erase(image, top, left, max(i + h - top, 0), max(j + w - left, 0), colour)

    parameters = (torch.tensor(values) for values in (i, j, h, w))
    assert torch.equal(augment.erase(x, *parameters, 0.25), one_by_one(erased, x, i, j, h, w))


# Hue, which is another operation than torchvision's, but moves the hue as far


@pytest.mark.parametrize("kind", ["sample", "real"])
def test_hue_on_pictures(kind, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", kind)
    try:
        x = load("cifar10").test.x[:1000] / 255
    except sources.MissingData:
        pytest.skip("the real CIFAR-10 is not here")
    for turn in (-0.5, -0.1, -0.05, 0.05, 0.1, 0.3):
        changed = augment.adjust_hue(x, turn)
        (hue, saturation), (moved, _) = hue_and_saturation(x), hue_and_saturation(changed)
        saturated = (saturation > 0.3) & (x.amax(1) > 0.3)
        assert saturated.float().mean() > 0.1
        error = ((moved - hue - turn + 0.5) % 1 - 0.5)[saturated].abs()
        assert error.quantile(0.99) <= 0.02 and error.max() <= 0.03
        if kind == "real":
            assert (changed - tv.adjust_hue(x, turn)).abs().mean() <= 0.02
    turns = 0.2 * torch.rand(len(x), generator=seeded()) - 0.1
    theirs = one_by_one(tv.adjust_hue, x, turns.tolist())
    assert (augment.adjust_hue(x, turns) - theirs).abs().mean() <= 0.02


@given(some_pictures(channels=(3,)), st.floats(-0.5, 0.5, width=32))
@many
def test_a_turn_of_hue_keeps_the_mean_of_the_colours_and_can_be_undone(x, turn):
    x = x * 0.2 + 0.4  # nothing to clamp
    turned = augment.adjust_hue(x, turn)
    assert close(turned.mean(1), x.mean(1)) and close(augment.adjust_hue(turned, -turn), x)


def test_a_third_of_a_turn_makes_red_green_and_green_blue():
    red, green, blue = torch.eye(3).view(3, 1, 3, 1, 1)
    assert close(augment.adjust_hue(red, 1 / 3), green) and close(augment.adjust_hue(green, 1 / 3), blue)
    assert close(augment.adjust_hue(red, -1 / 3), blue)
    with pytest.raises(ValueError, match=r"x must have three channels, N×3×H×W; got shape \(2, 1, 4, 4\)"):
        augment.adjust_hue(torch.rand(2, 1, 4, 4), 0.1)


# Directions, as the eye sees them


def test_directions():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 4] = 1  # a spot at the right edge
    moved = {(0, 2): augment.rotate(x, 90), (3, 3): augment.shift(x, 1, -1), (2, 0): augment.horizontal_flip(x, True)}
    for (row, column), picture in moved.items():
        assert picture[0, 0, row, column] > 0.99
    square = torch.zeros(1, 1, 9, 9)
    square[..., 3:6, 3:6] = 1
    assert augment.scale(square, 2).sum() > 3 * square.sum() > 9 * augment.scale(square, 0.5).sum()


# Augment


@given(some_pictures(), st.sampled_from(MODES), st.integers(0, 9), st.data())
@many
def test_resampling_and_copying_agree(x, mode, reach, data):
    """Edge and reflection mean the same to both; with shifts beyond the picture too."""
    flip, dy, dx = each(data, x, st.booleans()), *(each(data, x, st.integers(-reach, reach)) for _ in range(2))
    flip, dy, dx = torch.tensor(flip), torch.tensor(dy), torch.tensor(dx)
    still = torch.zeros(len(x))
    resampled = augment._pixels.resample(x, augment._pixels.find_sources(flip, dy, dx, still, still + 1), mode)
    assert close(resampled, augment._pixels.copy(x, flip, dy, dx, mode))


@given(some_pictures(), st.integers(0, 5), st.booleans(), st.integers(0, 2**32))
@many
def test_geometry_is_fused_into_one_resampling(x, reach, straight, seed):
    """…equal to torchvision's flip and then its affine, which resamples once too."""
    change = Augment(flip=0.5, shift=reach, **({} if straight else {"rotation": 30, "scale": (0.7, 1.5)}))
    drawn = {name: values.tolist() for name, values in change.draw(x, generator=seeded(seed)).items()}

    def steps(image, flip, dy, dx, angle, factor):
        image = tv.horizontal_flip(image) if flip else image
        return tv.affine(image, -angle, [dx, dy], factor, [0], BILINEAR)  # its affine turns clockwise

    expected = one_by_one(steps, x, *(drawn[name] for name in ("flip", "dy", "dx", "angle", "factor")))
    assert close(change(x, generator=seeded(seed)), expected)


def test_colour_is_fused_into_one_matrix():
    x = pictures(40)
    both = Augment(hue=0.2, brightness=0.3)
    drawn = both.draw(x, generator=seeded())
    inner = x * 0.3 + 0.2  # nothing to clamp in between
    expected = augment.adjust_hue(augment.adjust_brightness(inner, drawn["brightness_factor"]), drawn["hue_factor"])
    assert close(both(inner, generator=seeded()), expected)
    for name, alone, operation in (
        ("hue_factor", Augment(hue=0.2), augment.adjust_hue),
        ("brightness_factor", Augment(brightness=0.3), augment.adjust_brightness),
    ):
        assert close(alone(x, generator=seeded()), operation(x, drawn[name]))


@given(st.integers(1, 30), st.integers(1, 12))
@many
def test_cutout_is_a_square_with_its_centre_in_the_picture(size, seed):
    black = Augment(cutout=size)(torch.ones(60, 1, 12, 9), generator=seeded(seed))[:, 0] == 0
    rows, columns = black.any(2).sum(1), black.any(1).sum(1)
    assert torch.equal(black.sum((1, 2)), rows * columns)
    assert rows.max() == min(size, 12) and columns.max() == min(size, 9)  # a whole one among sixty
    assert rows.min() >= min((size + 1) // 2, 12) and columns.min() >= min((size + 1) // 2, 9)  # at most half cut off


def test_cutout_comes_last():
    x = torch.ones(20, 3, 16, 16)
    change = Augment(rotation=45, brightness=0.1, padding_mode="edge", cutout=6)
    hole = change(x, generator=seeded())[:, 0] == 0
    assert (hole.sum((1, 2)) == hole.any(2).sum(1) * hole.any(1).sum(1)).all()  # not turned, not blurred


def test_the_draw_spans_what_is_asked_for():
    x = torch.empty(1, 1, 12, 9).expand(20_000, 3, -1, -1)
    u = {name: drawn.double() for name, drawn in Augment(**EVERYTHING).draw(x, generator=seeded()).items()}
    for name, low, high in (
        ("angle", -20, 20),
        ("factor", 0.9, 1.1),
        ("brightness_factor", 0.8, 1.2),
        ("hue_factor", -0.1, 0.1),
    ):
        share = (u[name] - low) / (high - low)
        assert share.min() >= -1e-6 and share.max() <= 1 + 1e-6 and abs(share.mean() - 0.5) < 0.01
        assert abs(share.std() - 12**-0.5) < 0.01
    for name, low, high in (("dy", -3, 3), ("dx", -3, 3), ("i", -2, 9), ("j", -2, 6)):
        counts = (u[name].long() - low).bincount()
        assert u[name].min() == low and len(counts) == high - low + 1
        assert (counts / 20_000 * len(counts) - 1).abs().max() < 0.15
    assert abs(u["flip"].mean() - 0.5) < 0.02
    pairs = torch.corrcoef(torch.stack(list(u.values()))) - torch.eye(9)
    assert pairs.abs().max() < 0.04


@pytest.mark.parametrize("asked", [EVERYTHING, {"flip": 0.5, "shift": 2}, {"rotation": 180, "padding_mode": "reflect"}])
def test_the_seed_decides_and_nothing_else(asked):
    change, x = Augment(**asked), pictures(8)
    state = torch.get_rng_state()
    first = change(x, generator=seeded(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, Augment(**asked)(x, generator=seeded(1)))
    assert not torch.equal(first, change(x, generator=seeded(2)))
    torch.manual_seed(1)
    assert torch.equal(change(x), first)  # without a generator, torch's own
    same = change(x[:1].expand(8, -1, -1, -1), generator=seeded(1))
    assert len(same.flatten(1).unique(dim=0)) >= 7  # each picture its own parameters; two may meet


def test_one_more_change_leaves_the_others_as_they_were():
    x = pictures(50)
    few, more = (Augment(**asked).draw(x, generator=seeded()) for asked in ({"flip": 0.5, "hue": 0.1}, EVERYTHING))
    assert torch.equal(few["flip"], more["flip"]) and torch.equal(few["hue_factor"], more["hue_factor"])
    assert few["dy"].eq(0).all() and not more["dy"].eq(0).all()


def test_what_changes_nothing():
    x = pictures()
    for nothing in (Augment(), Augment(flip=0, rotation=0.0, scale=(1, 1), hue=[0, 0], padding_mode="edge")):
        assert nothing(x) is x  # not asked: not touched
    for neutral in (
        augment.horizontal_flip(x, False),
        augment.shift(x, 0, 0),
        augment.erase(x, 3, 3, 0, 5),
        augment.adjust_brightness(x, 1),
    ):
        assert torch.equal(neutral, x)
    for mode in MODES:
        assert close(augment.rotate(x, 0, mode), x) and close(augment.scale(x, 1, mode), x)
    assert close(augment.adjust_hue(x, 0), x)


OPERATIONS = {
    "horizontal_flip": lambda x: augment.horizontal_flip(x, True),
    "shift": lambda x: augment.shift(x, 2, -1, "reflect"),
    "rotate": lambda x: augment.rotate(x, 30),
    "scale": lambda x: augment.scale(x, 1.3, "edge"),
    "adjust_brightness": lambda x: augment.adjust_brightness(x, 1.5),
    "adjust_hue": lambda x: augment.adjust_hue(x, 0.2),
    "erase": lambda x: augment.erase(x, 1, 1, 3, 4, 1),
}
CALLS = OPERATIONS | {
    "everything": lambda x: Augment(**EVERYTHING)(x, generator=seeded()),
    "everything, reflected": lambda x: Augment(**EVERYTHING, padding_mode="reflect")(x, generator=seeded()),
    "flip and shift": lambda x: Augment(flip=0.5, shift=2)(x, generator=seeded()),
}


def test_every_operation_is_listed_here():
    functions = inspect.getmembers(augment, inspect.isfunction)
    ours = {name for name, function in functions if function.__module__ == augment.__name__ and name[0] != "_"}
    assert ours == OPERATIONS.keys()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_house_keeping(call):
    """x stays; shape, dtype, memory format and device are kept; results lie in 0 … 1; an empty batch is one."""
    x = pictures(8)
    before = x.clone()
    changed = call(x)
    assert torch.equal(x, before) and changed.data_ptr() != x.data_ptr() and not torch.equal(changed, x)
    for white_or_black in (torch.ones_like(x), torch.zeros_like(x), x):
        seen = call(white_or_black)
        assert seen.shape == x.shape and seen.is_contiguous() and seen.min() >= 0 and seen.max() <= 1
    exact = call(x.double())
    assert exact.dtype == torch.float64 and close(exact.float(), changed)
    last = call(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous() and close(last, changed)
    assert close(call(x.transpose(2, 3).contiguous().transpose(2, 3)), changed)  # neither of the two formats
    assert call(x[:0]).shape == x[:0].shape
    nowhere = call(x.to("meta"))
    assert nowhere.is_meta and nowhere.shape == x.shape


def test_shift_and_flip_move_bytes_too():
    x = (pictures() * 255).byte()
    assert augment.shift(x, 1, 2).dtype == augment.horizontal_flip(x, True).dtype == torch.uint8
    assert torch.equal(augment.shift(x, 1, 2)[..., 1:, 2:], x[..., :-1, :-2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_gpu_gives_the_same(call):
    """The generator of `call` lives on the CPU; so does the random draw."""
    x = pictures(8)
    changed = call(x.cuda())
    assert changed.is_cuda and close(changed.cpu(), call(x))
    drawn_there = Augment(**EVERYTHING)(x, generator=torch.Generator("cuda"))
    assert drawn_there.device == x.device


def test_parameters_may_be_whole_numbers_of_any_size():
    x = pictures(3)
    turns, steps = torch.tensor([0, 90, 180]), torch.tensor([1, 2, 255], dtype=torch.uint8)
    assert close(augment.rotate(x, turns), augment.rotate(x, turns.float()))
    assert close(augment.scale(x, turns + 1), augment.scale(x, turns.float() + 1))
    assert close(augment.adjust_brightness(x, steps), augment.adjust_brightness(x, steps.float()))
    assert torch.equal(augment.shift(x, steps, steps), augment.shift(x, steps.long(), steps.long()))
    expected = augment.erase(x, steps.long(), 0, steps.long().flip(0), 9)
    assert torch.equal(augment.erase(x, steps, 0, steps.flip(0), 9), expected)  # 1 + 255 is not 0


def test_gradients_pass():
    x = pictures(2, dtype=torch.float64).requires_grad_()
    Augment(rotation=20, hue=0.1)(x * 0.5 + 0.25, generator=seeded()).sum().backward()
    assert x.grad.abs().sum() > 0


def test_batches_augment_what_they_hand_out():
    images = Images((pictures(20, height=8, width=8) * 255).byte(), torch.arange(20), [0.5] * 3, [0.25] * 3)
    change = Augment(flip=0.5, shift=1, rotation=10, hue=0.1)
    ((x, y),) = batches(images, 20, augment=change, generator=seeded(), channels_last=True)
    expected = (change(images.x.float() / 255, generator=seeded()) - 0.5) / 0.25
    assert torch.equal(x, expected) and y.tolist() == list(range(20))


def test_an_augment_shows_what_it_was_asked():
    change = Augment(flip=0.5, shift=2, padding_mode="reflect", rotation=20, scale=(0.9, 1.1), brightness=0.5, cutout=8)
    assert repr(Augment()) == "Augment()"
    assert repr(Augment(flip=0.5, rotation=20)) == "Augment(flip=0.5, rotation=(-20.0, 20.0))"
    assert vars(eval(repr(change))) == vars(change)


# Wrong arguments


@pytest.mark.parametrize(
    ("asked", "error", "reason"),
    [
        ({"flip": 1.5}, ValueError, "flip must be a number from 0 to 1; got 1.5"),
        ({"flip": True}, TypeError, "flip must be a number from 0 to 1; got bool True"),
        ({"shift": 1.5}, TypeError, "shift must be a whole number of at least 0; got float 1.5"),
        ({"shift": -1}, ValueError, "shift must be a whole number of at least 0; got -1"),
        ({"rotation": "20"}, TypeError, "rotation must be a number"),
        ({"rotation": -20}, ValueError, "rotation must be a number of at least 0; got -20"),
        ({"rotation": (20, -20)}, ValueError, r"rotation must be a pair \(low, high\); got \(20, -20\): swap"),
        ({"rotation": (1, 2, 3)}, ValueError, r"rotation must be one number or a pair \(low, high\); got \(1, 2, 3\)"),
        ({"rotation": math.nan}, ValueError, "rotation must be a number of at least 0; got nan"),
        ({"scale": 1}, ValueError, "scale must be a number from 0 to 0.99; got 1"),
        ({"scale": (0, 1)}, ValueError, "scale must be a number of at least 0.01; got 0"),
        ({"brightness": 2}, ValueError, "brightness must be a number from 0 to 1; got 2"),
        ({"brightness": (-1, 1)}, ValueError, "brightness must be a number of at least 0; got -1"),
        ({"hue": 0.6}, ValueError, "hue must be a number from 0 to 0.5; got 0.6"),
        ({"hue": (0, 0.6)}, ValueError, "hue must be a number from -0.5 to 0.5; got 0.6"),
        ({"cutout": 2.0}, TypeError, "cutout must be a whole number of at least 0; got float 2.0"),
        (
            {"padding_mode": "zeros"},
            ValueError,
            "padding_mode must be one of 'constant', 'edge', 'reflect'; got 'zeros'",
        ),
    ],
)
def test_wrong_settings(asked, error, reason):
    with pytest.raises(error, match=reason):
        Augment(**asked)


X = pictures(3)


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda: Augment()(X[0]), ValueError, r"x must be a tensor, N×C×H×W; got shape \(3, 12, 9\)"),
        (lambda: Augment()(X.byte()), TypeError, "x must be a tensor of floating-point numbers; got torch.uint8"),
        (lambda: Augment()(X.tolist()), TypeError, "x must be a tensor, N×C×H×W; got list"),
        (lambda: Augment(hue=0.1)(X[:, :1]), ValueError, r"x must have three channels.*got shape \(3, 1, 12, 9\)"),
        (lambda: Augment()(X, generator=0), TypeError, "generator must be a torch.Generator; got int 0"),
        (lambda: Augment().draw(X[0]), ValueError, r"x must be a tensor, N×C×H×W; got shape \(3, 12, 9\)"),
        (
            lambda: augment.rotate(X.long(), 3),
            TypeError,
            "x must be a tensor of floating-point numbers; got torch.int64",
        ),
        (lambda: augment.rotate(X, torch.zeros(2)), ValueError, r"angle must be one value, or 3 for .*\(2,\)"),
        (lambda: augment.rotate(X, "20"), TypeError, "angle must be a number; got str '20'"),
        (lambda: augment.rotate(X, [1, 2, 3]), TypeError, "angle must be a number; got list"),
        (lambda: augment.rotate(X, torch.tensor([1, 2, math.nan])), ValueError, "angle must be a number; got nan"),
        (lambda: augment.rotate(X, 3, "mirror"), ValueError, "padding_mode must be one of"),
        (lambda: augment.scale(X, 0), ValueError, "factor must be a number of at least 0.01; got 0"),
        (lambda: augment.scale(X, torch.tensor([1, 2, -1.0])), ValueError, "factor must be .* at least 0.01; got -1"),
        (lambda: augment.shift(X, 1.5, 0), TypeError, "dy must be a whole number; got float 1.5"),
        (lambda: augment.shift(X, 0, torch.tensor([0, 0.5, 1])), TypeError, "dx must be a whole number; got float"),
        (lambda: augment.shift(X, 0, 0, None), TypeError, "padding_mode must be one of"),
        (lambda: augment.horizontal_flip(X, 1), TypeError, "flip must be True or False; got int 1"),
        (lambda: augment.horizontal_flip(X, torch.ones(3)), TypeError, "flip must be True or False; got float 1.0"),
        (lambda: augment.adjust_brightness(X, -0.1), ValueError, "brightness_factor must be .* at least 0; got -0.1"),
        (lambda: augment.adjust_hue(X, 0.7), ValueError, "hue_factor must be a number from -0.5 to 0.5; got 0.7"),
        (lambda: augment.erase(X, 0, 0, -1, 2), ValueError, "h must be a whole number of at least 0; got -1"),
        (lambda: augment.erase(X, 0, 0, 1, 2, "black"), TypeError, "v must be a number; got str 'black'"),
    ],
)
def test_wrong_arguments(call, error, reason):
    with pytest.raises(error, match=reason):
        call()
