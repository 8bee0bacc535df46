"""Loading, splitting and batching: nothing lost, nothing twice, nothing leaked, and a plain error for what can't be."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import sources
from course_utils.data import ImageData, Images, batches, load


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty data folder, in mode `auto`."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "auto")
    monkeypatch.setattr(sources, "_warned", set())
    monkeypatch.setattr(sources, "loaded", {})
    return tmp_path


def numbered(name="mnist", train=300, test=50):
    """Arrays whose first two pixels tell which image it is, with classes of unequal size."""
    arrays = {}
    for split, n in (("train", train), ("test", test)):
        x = np.random.default_rng(n).integers(0, 256, (n, *sources.SOURCES[name].shape), np.uint8)
        x.reshape(n, -1)[:, 0], x.reshape(n, -1)[:, 1] = np.arange(n) // 256, np.arange(n) % 256
        arrays[f"x_{split}"], arrays[f"y_{split}"] = x, (np.sqrt(np.arange(n)) % 10).astype(np.uint8)
    return arrays


def number(images):
    """Which images these are."""
    first = images.x.permute(0, 2, 3, 1).flatten(1).long()
    return (first[:, 0] * 256 + first[:, 1]).tolist()


def some(n=10, channels=1, side=4):
    x = torch.arange(n * channels * side * side).reshape(n, channels, side, side).remainder(256).byte()
    return Images(x, torch.arange(n) % 3, [.5] * channels, [.25] * channels)


# load

@pytest.mark.parametrize("name", sources.SOURCES)
def test_the_sample_has_its_own_validation_split(name, capsys):
    data, again = load(name), load(name, valid=7, seed=3)
    assert (len(data.train), len(data.valid), len(data.test)) == (1200, 300, 297)
    assert torch.equal(data.valid.x, again.valid.x) and torch.equal(data.train.x, again.train.x)
    assert (data.source, data.name, data.classes) == ("sample", name, sources.SOURCES[name].classes)
    assert data.train.x.shape[1:] == ((3, 32, 32) if name == "cifar10" else (1, 28, 28))
    assert sources.loaded == {name: {"copy": "sample", "fingerprint": sources.fingerprint(name)}}
    said = capsys.readouterr()
    assert said.out.startswith("SAMPLE DATA") and said.out.count("\n") == 1 and not said.err
    assert repr(data) == f"{name} (sample): train 1,200, valid 300, test 297"


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_split_keeps_every_image_once_and_in_order(folder, name, capsys):
    arrays = numbered(name)
    np.savez(folder / f"{name}.npz", **arrays)
    data = load(name, valid=60)
    train, valid = number(data.train), number(data.valid)
    assert len(valid) == 60 and sorted(train + valid) == list(range(300)) and number(data.test) == list(range(50))
    assert train == sorted(train) and valid == sorted(valid)
    for split, where in ((data.train, train), (data.valid, valid)):
        x = torch.from_numpy(arrays["x_train"][where])
        assert torch.equal(split.x, x[:, None] if name == "mnist" else x.permute(0, 3, 1, 2))
        assert split.y.tolist() == arrays["y_train"][where].tolist()
        assert split.x.is_contiguous() and (split.x.dtype, split.y.dtype) == (torch.uint8, torch.int64)
    assert data.source == "unknown copy" == sources.loaded[name]["copy"] and capsys.readouterr().out == ""


def test_a_split_is_set_by_its_seed_alone(folder):
    np.savez(folder / "mnist.npz", **numbered())
    np.random.seed(1), torch.manual_seed(1)
    first = number(load("mnist", valid=60).valid)
    np.random.seed(2), torch.manual_seed(2)
    assert first == number(load("mnist", valid=60, seed=0).valid) != number(load("mnist", valid=60, seed=1).valid)


def test_a_split_is_the_same_on_every_machine():
    order = sources.stratified_order(np.arange(1000) % 7, seed=5)
    assert hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()[:16] == "0c477e8499db5683"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=300), st.integers(0, 2**32), st.data())
@settings(max_examples=100, deadline=None)
def test_every_beginning_holds_each_class_in_proportion(labels, seed, data):
    y = np.array(labels)
    order = sources.stratified_order(y, seed)
    assert sorted(order) == list(range(len(y)))
    n = data.draw(st.integers(1, len(y)))
    total, taken = np.bincount(y, minlength=10), np.bincount(y[order[:n]], minlength=10)
    total, taken = total[total > 0], taken[total > 0]
    # as seats are shared out after Webster: no class has a seat that another one deserves more
    assert ((taken - .5) / total).max() <= ((taken + .5) / total).min() + 1e-12


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_mean_and_std_are_those_of_the_training_split(folder, name):
    np.savez(folder / f"{name}.npz", **numbered(name))
    data = load(name, valid=200)
    pixels = data.train.x.double() / 255
    assert torch.allclose(data.train.mean.double(), pixels.mean((0, 2, 3)), atol=1e-7)
    assert torch.allclose(data.train.std.double(), pixels.std((0, 2, 3), correction=0), atol=1e-7)
    whole = torch.cat([data.train.x, data.valid.x]).double().mean((0, 2, 3)) / 255
    assert not torch.allclose(data.train.mean.double(), whole, atol=1e-6)
    for split in (data.valid, data.test):
        assert torch.equal(split.mean, data.train.mean) and torch.equal(split.std, data.train.std)


@pytest.mark.parametrize(("valid", "error"), [(0, ValueError), (-1, ValueError), (300, ValueError), (5_000, ValueError),
                                              (True, TypeError), (.2, TypeError), ("60", TypeError)])
def test_an_impossible_split_is_refused(folder, valid, error):
    np.savez(folder / "mnist.npz", **numbered())
    with pytest.raises(error, match="valid must"):
        load("mnist", valid=valid)
    assert not sources.loaded


def test_other_wrong_arguments_of_load(folder, monkeypatch):
    with pytest.raises(ValueError, match="'mnist', 'fashion_mnist', 'cifar10'; got 'MNIST'"):
        load("MNIST")
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0; got -1"):
        load("mnist", seed=-1)
    monkeypatch.setenv("COURSE_DATA", "real")
    with pytest.raises(sources.MissingData):
        load("mnist")
    (folder / "mnist.npz").write_bytes(b"PK")
    with pytest.raises(sources.DataError):
        load("mnist")
    assert [file.name for file in folder.iterdir()] == ["mnist.npz"] and not sources.loaded


# Images

def test_take(folder):
    np.savez(folder / "mnist.npz", **numbered())
    images = load("mnist", valid=50).train
    few, more = images.take(30), images.take(90)
    assert len(few) == 30 and set(number(few)) < set(number(more)) and number(few) == sorted(number(few))
    assert number(few) != number(images.take(30, seed=1))
    assert len(few.y.unique()) == 10 and torch.equal(few.mean, images.mean)
    share = [split.y.bincount(minlength=10) / len(split) for split in (more, images)]
    assert (share[0] - share[1]).abs().max() < 1 / 90
    assert images.take(250) is images is images.take(9_999)
    for n, error in ((0, ValueError), (-3, ValueError), (2.5, TypeError), (None, TypeError)):
        with pytest.raises(error, match="n must be a whole number"):
            images.take(n)
    with pytest.raises(ValueError, match="seed must"):
        images.take(3, seed=-1)


X, Y = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.arange(4)


@pytest.mark.parametrize(("change", "error", "reason"), [
    ({"x": X.numpy()}, TypeError, "x must be a tensor; got ndarray"),
    ({"y": [0, 1, 2, 3]}, TypeError, "y must be a tensor; got list"),
    ({"x": X.float()}, ValueError, "x must be torch.uint8, N×C×H×W; got torch.float32"),
    ({"x": X[:, 0]}, ValueError, r"x must be torch.uint8, N×C×H×W; got torch.uint8 of shape \(4, 2, 2\)"),
    ({"y": Y.int()}, ValueError, "y must be torch.int64, N; got torch.int32"),
    ({"y": Y[:, None]}, ValueError, r"y must be torch.int64, N; .*\(4, 1\)"),
    ({"y": Y[:3]}, ValueError, "equally long; got 4 images and 3 labels"),
    ({"y": Y - 1}, ValueError, "Labels must not be negative; got -1"),
    ({"x": X[:0], "y": Y[:0]}, ValueError, "at least one image"),
    ({"mean": [.1, .2, .3]}, ValueError, r"mean must hold one number for each of 1 channels; got shape \(3,\)"),
    ({"std": .3}, ValueError, r"std must hold one number .* got shape \(\)"),
    ({"std": [0.]}, ValueError, "std must be above 0"),
    ({"std": [float("nan")]}, ValueError, "std must be above 0"),
])
def test_images_that_do_not_fit_are_refused(change, error, reason):
    with pytest.raises(error, match=reason):
        Images(**{"x": X, "y": Y, "mean": [.5], "std": [.5], **change})


def test_labels_without_a_class_are_refused():
    images, three = Images(X, Y, [.5], [.5]), Images(X[:3], Y[:3], [.5], [.5])
    with pytest.raises(ValueError, match="from 0 to 2, for 3 classes; test holds 3"):
        ImageData(three, three, images, "abc", "sample")
    assert ImageData(images, images, images, "abcd", "sample").classes == ("a", "b", "c", "d")
    assert repr(images) == "Images(4 of 1×2×2)"


# batches

@given(st.integers(1, 40), st.integers(1, 50), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_batches_hand_out_every_image_once(n, size, shuffle, drop_last):
    images = Images(torch.arange(n, dtype=torch.uint8)[:, None, None, None], torch.arange(n), [.5], [.25])
    if drop_last and size > n:
        with pytest.raises(ValueError, match="With drop_last, batch_size must be at most"):
            batches(images, size, drop_last=True)
        return
    epoch = batches(images, size, shuffle=shuffle, drop_last=drop_last)
    for _ in range(2):      # and again
        seen = list(epoch)
        assert len(seen) == len(epoch) and all(len(x) == len(y) == size for x, y in seen[:-1])
        x, y = (torch.cat(part) for part in zip(*seen, strict=True))
        assert len(set(y.tolist())) == len(y) == (n // size * size if drop_last else n)
        assert torch.allclose(x.flatten(), (y / 255 - .5) / .25, atol=1e-6)
        assert shuffle or y.tolist() == list(range(len(y)))


def test_a_batch_is_a_normalised_slice():
    images = some(channels=3)
    x, y = next(iter(batches(images, 4)))
    assert x.dtype == torch.float32 and torch.equal(y, images.y[:4])
    assert torch.equal(x, (images.x[:4].float() / 255 - .5) / .25)
    assert x.is_contiguous() and images.x.dtype == torch.uint8


def test_the_training_split_comes_out_with_mean_0_and_std_1():
    for name in ("mnist", "cifar10"):
        x = torch.cat([x for x, _ in batches(load(name).train, 256)])
        assert x.mean((0, 2, 3)).abs().max() < 1e-4 and (x.std((0, 2, 3)) - 1).abs().max() < 1e-4


def order(epoch):
    return torch.cat([x[:, 0, 0, 0] for x, _ in epoch]).tolist()


def test_the_order_comes_from_the_generator():
    images = some(n=12, side=1)

    def fresh(seed):
        return batches(images, 5, shuffle=True, generator=torch.Generator().manual_seed(seed))

    state = torch.get_rng_state()
    mine, same = fresh(1), fresh(1)
    first, second = order(mine), order(mine)
    assert first != second and (first, second) == (order(same), order(same)) and first != order(fresh(2))
    assert torch.equal(torch.get_rng_state(), state)
    expected = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    assert first == [order(batches(images, 12))[i] for i in expected]


def test_without_a_generator_the_order_comes_from_torch():
    epoch = batches(some(n=12), 5, shuffle=True)
    torch.manual_seed(3)
    first = order(epoch)
    torch.manual_seed(3)
    assert first == order(epoch) != order(epoch)


def test_augment_sees_pixels_from_0_to_1_and_the_generator():
    seen, generator = [], torch.Generator()

    def negative(x, generator):
        seen.append((x.min().item(), x.max().item(), generator))
        return 1 - x

    images = Images(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), torch.arange(2), [.25], [.5])
    (x, _), = batches(images, 2, augment=negative, generator=generator)
    assert seen == [(0, 1, generator)] and x.flatten().tolist() == [1.5, -.5]
    assert images.x.flatten().tolist() == [0, 255]


def test_what_augment_returns_stays_as_it_is():
    mine = torch.full((2, 1, 4, 4), .5)
    for (x, _), _ in zip(batches(some(), 2, augment=lambda x, generator: mine), range(2), strict=False):
        assert (x == 0).all() and (mine == .5).all()


def test_channels_last_changes_the_layout_alone():
    images = some(channels=3)
    for (x, _), (plain, _) in zip(batches(images, 4, channels_last=True), batches(images, 4), strict=True):
        assert x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous() and torch.equal(x, plain)


def test_the_device_holds_the_images_before_the_first_batch():
    epoch = batches(some(), 4, device="meta", shuffle=True)
    assert epoch.x.device.type == epoch.y.device.type == "meta" and epoch.x.dtype == torch.uint8
    assert all(part.device.type == "meta" for batch in epoch for part in batch)
    assert all(part.device.type == "cpu" for batch in batches(some(), 4) for part in batch)


@pytest.mark.parametrize(("arguments", "error", "reason"), [
    ({"images": X}, TypeError, "images must be Images"),
    ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1; got 0"),
    ({"batch_size": -2}, ValueError, "batch_size must"),
    ({"batch_size": 2.0}, TypeError, "batch_size must"),
    ({"augment": "flip"}, TypeError, "augment must be a function"),
    ({"generator": 0}, TypeError, "generator must be a torch.Generator"),
])
def test_wrong_arguments_of_batches(arguments, error, reason):
    with pytest.raises(error, match=reason):
        batches(**{"images": some(), "batch_size": 4, **arguments})
