"""The built-in sample: the same bytes everywhere, ten classes that can be learnt, nothing in two splits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestCentroid

from course_utils._images import prepared, sample, sources
from tools import draw_sample

HASHES = {
    "mnist": "9a69ca962d1a4d725c54f59d69b15734d6f81c2d9a742c6776d369bb207053ba",
    "fashion_mnist": "56faae02be3d52370aeb41e93800bde91f910d33955b8dceab9505e50cd29929",
    "cifar10": "f9205b31df9bf56c761c67ef59e7d9abc4e8dffdc22941633d83a8859d818a1f",
}


@pytest.fixture(scope="module", params=HASHES)
def named(request):
    return request.param, sample.make(request.param)


def test_the_bytes_are_the_same_everywhere(named):
    name, arrays = named
    np.random.seed(1)  # must not matter
    assert prepared.hash_arrays(arrays) == prepared.hash_arrays(sample.make(name)) == HASHES[name]


def test_sizes_types_and_ranges(named):
    name, arrays = named
    labels = np.concatenate([arrays[f"y_{split}"] for split in sample.SIZES])
    assert len(np.unique(labels)) == 10
    for split, size in (("train", 1200), ("valid", 300), ("test", 297)):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        assert x.shape == (size, *sources.SOURCES[name].shape) and y.shape == (size,)
        assert x.dtype == y.dtype == np.uint8
        assert (x.min(), x.max()) == (0, 255)
        in_proportion = np.bincount(labels) * size / 1797
        assert np.abs(np.bincount(y, minlength=10) - in_proportion).max() < 1


def test_every_image_is_there_once(named):
    images = [image.tobytes() for split in sample.SIZES for image in named[1][f"x_{split}"]]
    assert len(set(images)) == len(images) == 1797


@pytest.mark.parametrize(("name", "at_least"), [("mnist", 0.80), ("fashion_mnist", 0.85), ("cifar10", 0.55)])
def test_the_classes_can_be_learnt(name, at_least):
    arrays = sample.make(name)
    x, y, x_test = (arrays[key].reshape(len(arrays[key]), -1).astype(float) for key in ("x_train", "y_train", "x_test"))
    x += np.random.default_rng(0).uniform(0, 1e-6, x.shape)  # scikit-learn warns of pixels that are always black
    score = NearestCentroid().fit(x, y.ravel()).score(x_test, arrays["y_test"])
    assert at_least <= score < 0.99  # chance is .1; a class mean alone must not solve it either


def test_the_digits_are_the_real_ones_placed_as_in_mnist():
    arrays = sample.make("mnist")
    x = np.concatenate([arrays[f"x_{split}"] for split in sample.SIZES]).astype(float)
    y = np.concatenate([arrays[f"y_{split}"] for split in sample.SIZES])
    assert np.array_equal(np.bincount(y), np.bincount(load_digits().target))
    for axis in (1, 2):
        mass = x.sum(3 - axis)
        centre = (mass * np.arange(28)).sum(1) / mass.sum(1)
        assert np.abs(centre - 13.5).max() <= 1.1  # half a pixel, or the margin
        assert ((x > 0).any(3 - axis).sum(1) <= 20).all()
    assert abs(x.mean() / 255 - 0.1307) < 0.01 and abs(x.std() / 255 - 0.3081) < 0.01  # MNIST's own


def test_enlarging_keeps_a_flat_image_flat():
    grow = draw_sample._enlarge(8, 20)
    assert grow.shape == (20, 8) and (grow.sum(1) == 2000).all()


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="name must be one of 'mnist'"):
        sample.make("svhn")


def test_the_files_are_what_the_tool_draws(named):
    name, _ = named
    drawn = draw_sample.draw(name)
    with np.load(draw_sample.FOLDER / f"{name}.npz") as stored:
        assert set(stored.files) == set(drawn)
        assert all(np.array_equal(stored[key], drawn[key]) for key in drawn)
    assert (draw_sample.FOLDER / f"{name}.npz").stat().st_size < 700_000
