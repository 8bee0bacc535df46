"""Loading, splitting and batching: nothing lost, nothing twice, nothing leaked, and a plain error for what can't be."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import transforms
from torchvision.transforms import v2

from course_utils._images import sources
from course_utils._images.order import stratified_order
from course_utils.data import ImageData, Images, as_dataset, batches, load


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty data folder, in mode `auto`."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "auto")
    monkeypatch.setattr(sources, "_failed", {})
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
    return Images(x, torch.arange(n) % 3, [0.5] * channels, [0.25] * channels)


# load


def order(epoch):
    return torch.cat([x[:, 0, 0, 0] for x, _ in epoch]).tolist()


def official_sizes(name):
    """Labels as they are counted in the official training sets: MNIST's classes are of unequal size."""
    mnist = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    counts = {"mnist": mnist, "fashion_mnist": [6_000] * 10, "cifar10": [5_000] * 10}[name]
    return np.random.default_rng(0).permutation(np.repeat(np.arange(10), counts).astype(np.uint8))


@pytest.mark.parametrize("name", sources.SOURCES)
def test_the_sample_has_its_own_validation_split(name, capsys):
    data, again = load(name), load(name, valid=7, seed=3)
    assert (len(data.train), len(data.valid), len(data.test)) == (1200, 300, 297)
    assert torch.equal(data.valid.x, again.valid.x) and torch.equal(data.train.x, again.train.x)
    assert (data.source, data.name, data.classes) == ("sample", name, sources.SOURCES[name].classes)
    assert data.train.x.shape[1:] == ((3, 32, 32) if name == "cifar10" else (1, 28, 28))
    assert sources.loaded == {name: {"copy": "sample", "fingerprint": sources.fingerprint(name)}}
    said = capsys.readouterr()
    assert said.out.startswith("SAMPLE DATA") and said.out.count("\n") == 2 and not said.err
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
    order = stratified_order(np.arange(1000) % 7, seed=5)
    assert hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()[:16] == "0c477e8499db5683"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=300), st.integers(0, 2**32), st.data())
@settings(max_examples=100, deadline=None)
def test_every_beginning_holds_each_class_in_proportion(labels, seed, data):
    y = np.array(labels)
    order = stratified_order(y, seed)
    assert sorted(order) == list(range(len(y)))
    n = data.draw(st.integers(1, len(y)))
    total, taken = np.bincount(y, minlength=10), np.bincount(y[order[:n]], minlength=10)
    total, taken = total[total > 0], taken[total > 0]
    # as seats are shared out after Webster: no class has a seat that another one deserves more
    assert ((taken - 0.5) / total).max() <= ((taken + 0.5) / total).min() + 1e-12


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


@pytest.mark.parametrize(
    ("valid", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (300, ValueError),
        (5_000, ValueError),
        (True, TypeError),
        (0.2, TypeError),
        ("60", TypeError),
    ],
)
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


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"x": X.numpy()}, TypeError, "x must be a tensor, N×C×H×W; got ndarray"),
        ({"y": [0, 1, 2, 3]}, TypeError, "y must be a tensor, N; got list"),
        ({"x": X.float()}, ValueError, "x must be torch.uint8, N×C×H×W; got Tensor of torch.float32"),
        ({"x": X[:, 0]}, ValueError, r"x must be a tensor, N×C×H×W; got shape \(4, 2, 2\)"),
        ({"y": Y.int()}, ValueError, "y must be torch.int64, N; got Tensor of torch.int32"),
        ({"y": Y[:, None]}, ValueError, r"y must be a tensor, N; got shape \(4, 1\)"),
        ({"y": Y[:3]}, ValueError, "equally long; got 4 images and 3 labels"),
        ({"y": Y - 1}, ValueError, "y must hold labels from 0; got -1"),
        ({"x": X[:0], "y": Y[:0]}, ValueError, "at least one image"),
        ({"mean": [0.1, 0.2, 0.3]}, ValueError, r"mean must hold one .* of 1 channels; got list \[0.1, 0.2, 0.3\]"),
        ({"std": 0.3}, ValueError, "std must hold one number .* got float 0.3"),
        ({"std": [0.0]}, ValueError, "std must be above 0"),
        ({"std": [float("nan")]}, ValueError, "std must hold one number .* got list"),
    ],
)
def test_images_that_do_not_fit_are_refused(change, error, reason):
    with pytest.raises(error, match=reason):
        Images(**{"x": X, "y": Y, "mean": [0.5], "std": [0.5], **change})


def test_labels_without_a_class_are_refused():
    images, three = Images(X, Y, [0.5], [0.5]), Images(X[:3], Y[:3], [0.5], [0.5])
    with pytest.raises(ValueError, match="from 0 to 2, for 3 classes; test holds 3"):
        ImageData(three, three, images, "abc", "sample")
    assert ImageData(images, images, images, "abcd", "sample").classes == ("a", "b", "c", "d")
    assert repr(images) == "Images(4 of 1×2×2)"


# batches


@given(st.integers(1, 40), st.integers(1, 50), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_batches_hand_out_every_image_once(n, size, shuffle, drop_last):
    images = Images(torch.arange(n, dtype=torch.uint8)[:, None, None, None], torch.arange(n), [0.5], [0.25])
    if drop_last and size > n:
        with pytest.raises(ValueError, match="With drop_last, batch_size must be at most"):
            batches(images, size, drop_last=True)
        return
    epoch = batches(images, size, shuffle=shuffle, drop_last=drop_last)
    for _ in range(2):  # and again
        seen = list(epoch)
        assert len(seen) == len(epoch) and all(len(x) == len(y) == size for x, y in seen[:-1])
        x, y = (torch.cat(part) for part in zip(*seen, strict=True))
        assert len(set(y.tolist())) == len(y) == (n // size * size if drop_last else n)
        assert torch.allclose(x.flatten(), (y / 255 - 0.5) / 0.25, atol=1e-6)
        assert shuffle or y.tolist() == list(range(len(y)))


def test_a_batch_is_a_normalised_slice():
    images = some(channels=3)
    x, y = next(iter(batches(images, 4)))
    assert x.dtype == torch.float32 and torch.equal(y, images.y[:4])
    assert torch.equal(x, (images.x[:4].float() / 255 - 0.5) / 0.25)
    assert x.is_contiguous() and images.x.dtype == torch.uint8


def test_the_training_split_comes_out_with_mean_0_and_std_1():
    for name in ("mnist", "cifar10"):
        x = torch.cat([x for x, _ in batches(load(name).train, 256)])
        assert x.mean((0, 2, 3)).abs().max() < 1e-4 and (x.std((0, 2, 3)) - 1).abs().max() < 1e-4


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

    images = Images(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), torch.arange(2), [0.25], [0.5])
    ((x, _),) = batches(images, 2, augment=negative, generator=generator)
    assert seen == [(0, 1, generator)] and x.flatten().tolist() == [1.5, -0.5]
    assert images.x.flatten().tolist() == [0, 255]


def test_what_augment_returns_stays_as_it_is():
    mine = torch.full((2, 1, 4, 4), 0.5)
    for (x, _), _ in zip(batches(some(), 2, augment=lambda x, generator: mine), range(2), strict=False):
        assert (x == 0).all() and (mine == 0.5).all()


def test_channels_last_changes_the_layout_alone():
    images = some(channels=3)
    for (x, _), (plain, _) in zip(batches(images, 4, channels_last=True), batches(images, 4), strict=True):
        assert x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous() and torch.equal(x, plain)


def test_the_device_holds_the_images_before_the_first_batch():
    epoch = batches(some(), 4, device="meta", shuffle=True)
    assert epoch.x.device.type == epoch.y.device.type == "meta" and epoch.x.dtype == torch.uint8
    assert all(part.device.type == "meta" for batch in epoch for part in batch)
    assert all(part.device.type == "cpu" for batch in batches(some(), 4) for part in batch)


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"images": X}, TypeError, "images must be Images"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1; got 0"),
        ({"batch_size": -2}, ValueError, "batch_size must"),
        ({"batch_size": 2.0}, TypeError, "batch_size must"),
        ({"augment": "flip"}, TypeError, "augment must be a function"),
        ({"generator": 0}, TypeError, "generator must be a torch.Generator"),
    ],
)
def test_wrong_arguments_of_batches(arguments, error, reason):
    with pytest.raises(error, match=reason):
        batches(**{"images": some(), "batch_size": 4, **arguments})


# Nothing leaks from split to split


@pytest.mark.parametrize("name", sources.SOURCES)
@pytest.mark.parametrize("valid", [5_000, 10_000, 777])
def test_splits_of_the_official_sizes_are_stratified_and_disjoint(name, valid):
    y = official_sizes(name)
    order = stratified_order(y, seed=0)
    aside, rest = order[:valid], order[valid:]
    assert not set(aside) & set(rest) and len(aside) + len(rest) == len(y) == len(set(order))
    for part in (aside, rest):
        share = np.bincount(y) * len(part) / len(y)
        assert np.abs(np.bincount(y[part]) - share).max() < 1  # each class within one image of its share


def test_the_split_of_a_real_set_is_the_same_on_every_machine():
    """Of 60,000 labels, for three seeds: PCG64's raw output is promised, and all sorting is stable."""
    y = (np.arange(60_000) * 7 % 10).astype(np.uint8)
    digest = hashlib.sha256()
    for seed in range(3):
        digest.update(stratified_order(y, seed)[:5_000].astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "08ab6599bf308f1d"


def test_augmenting_one_split_touches_no_other_and_not_its_own_images(folder):
    np.savez(folder / "mnist.npz", **numbered())
    data = load("mnist", valid=60)
    before = [
        (split.x.clone(), split.y.clone(), split.mean.clone(), split.std.clone())
        for split in (data.train, data.valid, data.test)
    ]
    expected = [x for x, _ in batches(data.valid, 20)]

    def spoil(x, generator):
        x.mul_(0).add_(0.5)  # in place, as badly as can be
        return x

    for x, _ in batches(data.train, 32, augment=spoil, shuffle=True):
        x.fill_(9)
    for x, _ in as_dataset(data.train, lambda picture: picture.rotate(90)):
        x.fill_(9)
    for split, tensors in zip((data.train, data.valid, data.test), before, strict=True):
        for now, then in zip((split.x, split.y, split.mean, split.std), tensors, strict=True):
            assert torch.equal(now, then)
    assert all(torch.equal(x, then) for (x, _), then in zip(batches(data.valid, 20), expected, strict=True))
    assert data.train.x.data_ptr() != data.valid.x.data_ptr()


def test_a_transform_of_one_split_is_not_seen_by_another():
    images = some(20)
    train, valid = images.take(10), Images(images.x[10:], images.y[10:], images.mean, images.std)
    seen = []
    as_dataset(train, lambda picture: seen.append(1) or picture)[0]
    as_dataset(valid)[0]
    assert len(seen) == 1


# as_dataset


@pytest.mark.parametrize("channels", [1, 3])
def test_items_equal_batches_bit_for_bit(channels):
    images = some(7, channels)
    ((x, y),) = batches(images, 7)
    items = as_dataset(images)
    assert len(items) == 7 and isinstance(items, torch.utils.data.Dataset)
    for index in (0, 6, -1):
        assert torch.equal(items[index][0], x[index]) and items[index][1] == y[index] and type(items[index][1]) is int
    for index in (7, -8):
        with pytest.raises(IndexError, match=f"index must lie from -7 to 6; got {index}"):
            items[index]
    assert len(list(items)) == 7


@pytest.mark.parametrize("channels", [1, 3])
def test_a_dataloader_gives_what_batches_give(channels):
    images = some(10, channels)
    loader = torch.utils.data.DataLoader(as_dataset(images), batch_size=4)
    for (x, y), (x_batch, y_batch) in zip(loader, batches(images, 4), strict=True):
        assert torch.equal(x, x_batch) and torch.equal(y, y_batch) and y.dtype == torch.int64


SAME = {
    "nothing": lambda picture: picture,
    "v2, picture": v2.Compose([v2.RandomHorizontalFlip(0), v2.RandomCrop(4)]),
    "v2, image": v2.Compose([v2.ToImage(), v2.RandomVerticalFlip(0)]),
    "v2, floats": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
    "v1": transforms.Compose([transforms.RandomCrop(4), transforms.ToTensor()]),
    "tensor": v2.functional.pil_to_tensor,
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", SAME)
def test_transforms_of_torchvision_fit_and_normalising_comes_after_them(how, channels):
    images = some(6, channels)
    plain, transformed = as_dataset(images), as_dataset(images, SAME[how])
    for (x, y), (x_plain, y_plain) in zip(transformed, plain, strict=True):
        assert type(x) is torch.Tensor and x.dtype == torch.float32 and y == y_plain
        if "floats" in how:  # torchvision multiplies by 1 / 255
            assert torch.allclose(x, x_plain, rtol=0, atol=1e-6)
        else:
            assert torch.equal(x, x_plain)


def test_a_transform_sees_a_picture_as_torchvision_has_it():
    seen = []
    as_dataset(some(1, 1), lambda picture: seen.append((picture.mode, picture.size)) or picture)[0]
    as_dataset(some(1, 3, side=5), lambda picture: seen.append((picture.mode, picture.size)) or picture)[0]
    assert seen == [("L", (4, 4)), ("RGB", (5, 5))]
    flipped, _ = as_dataset(some(1, 3), v2.RandomHorizontalFlip(1))[0]
    assert torch.equal(flipped, as_dataset(some(1, 3))[0][0].flip(-1))


@pytest.mark.parametrize(
    ("transform", "error", "reason"),
    [
        (
            v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.25])]),
            ValueError,
            r"from -2 to -1.76. Is there a Normalize in it\? Leave it out",
        ),
        (lambda picture: torch.full((1, 4, 4), float("nan")), ValueError, "from 0 to 1; got torch.float32 from nan"),
        (lambda picture: torch.zeros(1, 4, 4, dtype=torch.int64), ValueError, "got torch.int64"),
        (lambda picture: torch.zeros(3, 4, 4), ValueError, r"must return 1×H×W pixels; got shape \(3, 4, 4\)"),
        (lambda picture: torch.zeros(4, 4), ValueError, "must return 1×H×W"),
        (lambda picture: picture.convert("RGB"), ValueError, r"1×H×W pixels; got shape \(3, 4, 4\)"),
        (lambda picture: np.asarray(picture), TypeError, "must return a picture or a tensor; got ndarray"),
        (lambda picture: None, TypeError, "got NoneType"),
    ],
)
def test_what_a_transform_must_not_return(transform, error, reason):
    with pytest.raises(error, match=reason):
        as_dataset(some(1), transform)[0]


def test_wrong_arguments_of_as_dataset():
    with pytest.raises(TypeError, match="images must be Images, such as load"):
        as_dataset(X)
    with pytest.raises(TypeError, match="transform must be a function of a picture"):
        as_dataset(some(), transform="flip")


def test_skorch_trains_on_it():
    skorch = pytest.importorskip("skorch")
    images = load("mnist").train.take(200)
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=5,
        lr=0.05,
        batch_size=32,
        train_split=None,
        verbose=0,
    )
    net.fit(as_dataset(images), y=None)
    assert (net.predict(as_dataset(images)) == images.y.numpy()).mean() > 0.6


def test_images_are_taken_by_index_slice_and_tensor():
    some = load("mnist").test
    for at, places in ((3, [3]), (-1, [296]), (slice(2, 9, 3), [2, 5, 8]), (torch.tensor([7, 7, 0]), [7, 7, 0])):
        part = some[at]
        assert torch.equal(part.x, some.x[places]) and torch.equal(part.y, some.y[places])
        assert torch.equal(part.mean, some.mean) and torch.equal(part.std, some.std)
    sevens = some[some.y == 7]
    assert set(sevens.y.tolist()) == {7} and len(sevens) == int((some.y == 7).sum())
    with pytest.raises(IndexError, match="from -297 to 296; got 297"):
        some[297]
    with pytest.raises(TypeError, match="an index, a slice or a tensor"):
        some["first"]
    assert len(list(some[:5])) == 5  # a loop ends
