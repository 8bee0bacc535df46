"""Images for the lessons: load them, split them, hand them out in batches.

A data set is two tensors that fit into memory: pixels (uint8, a quarter of float32's bytes) and labels. A batch is a
slice of them.

`python -m course_utils.data` fetches, verifies and lists data sets: see its `--help`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ._arguments import kind, shown, tensor, whole
from ._images import sources
from ._images.order import stratified_order

Numbers: TypeAlias = Sequence[float] | np.ndarray | Tensor


class Images:
    """Images with their labels, and the mean and standard deviation that normalise them.

    Args:
        x: uint8, N×C×H×W, pixels from 0 to 255.
        y: int64, N, labels from 0.
        mean, std: C numbers each, one per channel, of the training split's pixels on the scale 0 to 1; std above 0.

    Raises:
        TypeError: x or y is no tensor.
        ValueError: a dtype or shape that does not fit, not one image, a negative label, a std of 0.

    Example:
        >>> images = load("mnist").train
        >>> images
        Images(1,200 of 1×28×28)
        >>> images[:4].x.shape, images[7].y
        (torch.Size([4, 1, 28, 28]), tensor([3]))
    """

    def __init__(self, x: Tensor, y: Tensor, mean: Numbers, std: Numbers) -> None:
        for name, value, dtype, shape in (("x", x, torch.uint8, "N×C×H×W"), ("y", y, torch.int64, "N")):
            if tensor(name, value, shape).dtype != dtype:
                raise ValueError(f"{name} must be {dtype}, {shape}; got {shown(value)}.")
        if len(x) != len(y):
            raise ValueError(f"x and y must be equally long; got {len(x):,} images and {len(y):,} labels.")
        if x.numel() == 0:
            raise ValueError(f"x must hold at least one image of at least one pixel; got shape {tuple(x.shape)}.")
        if y.min() < 0:
            raise ValueError(f"y must hold labels from 0; got {y.min()}.")
        self.x, self.y = x.contiguous(), y
        self.mean, self.std = _per_channel("mean", mean, x), _per_channel("std", std, x)
        if not (self.std > 0).all():
            raise ValueError(f"std must be above 0; got {self.std.tolist()}. Are all pixels of a channel equal?")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Images({len(self):,} of {'×'.join(map(str, self.x.shape[1:]))})"

    def __getitem__(self, at: int | slice | Tensor) -> "Images":
        """The images at these places: an index, a slice, or a tensor of indices or of truth values, one for each.

        Raises:
            IndexError: there is no such place.
            TypeError: at is something else.
            ValueError: that is not one image.
        """
        if isinstance(at, int):
            if not -len(self) <= at < len(self):
                raise IndexError(f"index must lie from {-len(self)} to {len(self) - 1}; got {at}.")
            at = slice(at % len(self), at % len(self) + 1)
        elif not isinstance(at, slice | Tensor):
            raise TypeError(f"Images are taken by an index, a slice or a tensor of indices; got {shown(at)}.")
        return Images(self.x[at], self.y[at], self.mean, self.std)

    def take(self, n: int, seed: int = 0) -> "Images":
        """Take n of the images, each class in proportion; all of them if n is larger.

        With one seed, fewer images are always a part of more.

        Raises:
            TypeError, ValueError: n is not a whole number of at least 1, or seed not one of at least 0.

        Example:
            >>> load("mnist").train.take(100)
            Images(100 of 1×28×28)
        """
        n, seed = whole("n", n, least=1), whole("seed", seed, least=0)
        if n >= len(self):
            return self
        chosen = np.sort(stratified_order(self.y.cpu().numpy(), seed)[:n])
        return self[torch.from_numpy(chosen).to(self.x.device)]


class ImageData:
    """A data set in three parts: `train` to learn from, `valid` to choose by, `test` to judge by, once, at the end.

    Args:
        train, valid, test: Images, all normalised by the mean and std of train.
        classes: the names of the labels 0, 1, ….
        source: the name of the copy: "official", "reordered copy", "JPEG-recompressed copy", "unknown copy", "sample".
        name: what `load` knows it by.

    Raises:
        ValueError: a label that has no class.

    Example:
        >>> data = load("mnist")
        >>> data.source, len(data.test), data.classes[:3]
        ('sample', 297, ('0', '1', '2'))
    """

    def __init__(
        self, train: Images, valid: Images, test: Images, classes: Sequence[str], source: str, name: str = ""
    ) -> None:
        for split, images in (("train", train), ("valid", valid), ("test", test)):
            n, largest = len(classes), images.y.max()
            if largest >= n:
                raise ValueError(f"Labels must lie from 0 to {n - 1}, for {n} classes; {split} holds {largest}.")
        self.train, self.valid, self.test = train, valid, test
        self.classes, self.source, self.name = tuple(classes), source, name

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {len(getattr(self, split)):,}" for split in ("train", "valid", "test"))
        return f"{self.name} ({self.source}): {sizes}"

    def normalised(self, mean: Numbers, std: Numbers) -> "ImageData":
        """The same images, normalised by these numbers, one per channel: mean 0 and std 1 leave pixels from 0 to 1.

        Raises:
            TypeError, ValueError: as for `Images`.

        Example:
            >>> load("mnist").normalised([0.5], [0.5]).train.mean
            tensor([0.5000])
        """
        train, valid, test = (Images(split.x, split.y, mean, std) for split in (self.train, self.valid, self.test))
        return ImageData(train, valid, test, self.classes, self.source, self.name)


def load(name: str, *, valid: int = 5_000, seed: int = 0) -> ImageData:
    """Load a data set and set some of its training images aside for validation.

    MNIST and Fashion-MNIST hold 60,000 + 10,000 images of 1×28×28 pixels, CIFAR-10 50,000 + 10,000 of 3×32×32. They
    are downloaded once and kept; where they can't be had, the built-in sample takes their place. The page *Start here*
    says more.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".
        valid: how many training images become the validation split. The sample's own split of 300 is used whatever
            this says.
        seed: chooses which, at random, each class in proportion; the same images on every machine.

    Returns:
        ImageData. Its mean and std are those of the images that are left for training.

    Raises:
        ValueError: an unknown name; an empty split; a broken file of yours (DataError, which says how to mend it).
        MissingData: a FileNotFoundError: `COURSE_DATA=real`, and the data can't be had.

    Source: LeCun et al. 1998 (MNIST), Xiao et al. 2017 (Fashion-MNIST), Krizhevsky 2009 (CIFAR-10).

    Example:
        >>> load("mnist")
        mnist (sample): train 1,200, valid 300, test 297
    """
    valid, seed = whole("valid", valid, least=1), whole("seed", seed, least=0)
    arrays, copy, fingerprint = sources.read(name)
    x, y = _tensors(arrays, "train")
    if copy == "sample":
        x_valid, y_valid = _tensors(arrays, "valid")
    else:
        if valid >= len(x):
            raise ValueError(f"valid must leave some of {len(x):,} training images to train on; got {valid:,}.")
        order = stratified_order(arrays["y_train"], seed)
        chosen, rest = (torch.from_numpy(np.sort(part)) for part in (order[:valid], order[valid:]))
        x_valid, y_valid, x, y = x[chosen], y[chosen], x[rest], y[rest]
    mean, std = _mean_and_std(x)
    splits = [(x, y), (x_valid, y_valid), _tensors(arrays, "test")]
    train, aside, test = (Images(*split, mean=mean, std=std) for split in splits)
    sources.loaded[name] = {"copy": copy, "fingerprint": fingerprint}
    return ImageData(train, aside, test, sources.SOURCES[name].classes, copy, name)


class batches:
    """Batches to loop over, a new epoch each time: `for x, y in batches(images, 64, shuffle=True): …`

    Yields x (float32, B×C×H×W, normalised: (pixel / 255 − mean) / std) and y (int64, B); `len` counts the batches.

    Args:
        images: the Images to hand out.
        batch_size: B, at least 1. The last batch is smaller where they do not divide.
        shuffle: draw a new order for each epoch.
        augment: called as `augment(x, generator=generator)` with a batch of pixels from 0 to 1; returns such a batch.
        generator: the torch.Generator that draws; None for torch's own.
        drop_last: leave a smaller last batch out.
        channels_last: keep the channels of each pixel together in memory; the shape stays.
        device: where batches are made. All images move there at once, as uint8; None leaves them where they are.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: a batch_size below 1, or one that no batch would fill with drop_last.

    Example:
        >>> train = batches(load("mnist").train, 64, shuffle=True)
        >>> len(train), [(x.shape, y.shape) for x, y in train][0]
        (19, (torch.Size([64, 1, 28, 28]), torch.Size([64])))
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        *,
        shuffle: bool = False,
        augment: Callable | None = None,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        channels_last: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        kind("images", images, Images, "Images, such as load('mnist').train")
        kind("augment", augment, Callable | None, "a function of a batch")
        kind("generator", generator, torch.Generator | None, "a torch.Generator")
        self.batch_size = whole("batch_size", batch_size, least=1)
        if drop_last and len(images) < self.batch_size:
            most, got = f"{len(images):,}", f"{self.batch_size:,}"
            raise ValueError(f"With drop_last, batch_size must be at most {most}, or there is no batch; got {got}.")
        self.x, self.y = images.x.to(device), images.y.to(device)
        self.mean, self.std = (value.to(device).view(-1, 1, 1) for value in (images.mean, images.std))
        self.shuffle, self.augment, self.generator, self.drop_last = shuffle, augment, generator, drop_last
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def __len__(self) -> int:
        full, rest = divmod(len(self.x), self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.shuffle:
            device = "cpu" if self.generator is None else self.generator.device
            order = torch.randperm(len(self.x), generator=self.generator, device=device).to(self.x.device)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            at = slice(start, start + self.batch_size)
            if self.shuffle:  # index_select copies whole images, many times faster than x[order]
                x, y = (part.index_select(0, order[at]) for part in (self.x, self.y))
            else:
                x, y = self.x[at], self.y[at]
            x = x.float().div_(255)
            if self.augment is not None:
                x = self.augment(x, generator=self.generator)
            yield (x - self.mean).div_(self.std).contiguous(memory_format=self.memory_format), y


class as_dataset(torch.utils.data.Dataset):
    """Images one by one, for `torch.utils.data.DataLoader`, skorch, and transforms that work on single pictures.

    Item i is `(x, y)`: x float32, C×H×W, normalised as `batches` does it; y the label, an int. Without a transform, x
    equals what `batches` hands out, bit for bit.

    Args:
        images: the Images to hand out; they are never changed.
        transform: called with each picture as PIL has it (mode L or RGB), as torchvision's own data sets do, so that
            all of torchvision's transforms of pictures fit. It returns a picture, or a tensor of pixels: uint8 from 0
            to 255, or floating-point numbers from 0 to 1. Normalising comes after it: leave `Normalize` out.

    Raises:
        TypeError: images or transform is something else; on access, the index is no whole number, or transform
            returned neither picture nor tensor.
        ValueError: on access, transform returned pixels beyond 0 and 1 (perhaps normalised), or other channels.
        IndexError: there is no such item.

    Example:
        >>> pictures = as_dataset(load("mnist").train)
        >>> x, y = pictures[7]
        >>> len(pictures), x.shape, y
        (1200, torch.Size([1, 28, 28]), 3)
    """

    def __init__(self, images: Images, transform: Callable | None = None) -> None:
        self.images = kind("images", images, Images, "Images, such as load('mnist').train")
        self.transform = kind("transform", transform, Callable | None, "a function of a picture")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        kind("index", index, int | np.integer | Tensor, "a whole number; for several, as_dataset(images[:3])")
        if not -len(self) <= index < len(self):
            raise IndexError(f"index must lie from {-len(self)} to {len(self) - 1}; got {index}.")
        x, mean, std = self.images.x[index], self.images.mean, self.images.std
        if self.transform is not None:
            x = _transformed(x, self.transform).to(mean.device)
        x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        return (x - mean.view(-1, 1, 1)) / std.view(-1, 1, 1), int(self.images.y[index])


def _transformed(x: Tensor, transform: Callable) -> Tensor:
    """What a transform makes of uint8 pixels, C×H×W: uint8, or floats from 0 to 1. Raises: TypeError, ValueError."""
    from torchvision.transforms.functional import pil_to_tensor, to_pil_image  # takes a second to load

    returned = transform(to_pil_image(x))
    if isinstance(returned, Image.Image):
        returned = pil_to_tensor(returned)
    if not isinstance(returned, Tensor):
        raise TypeError(f"transform must return a picture or a tensor; got {type(returned).__name__}.")
    if returned.ndim != 3 or len(returned) != len(x):
        raise ValueError(f"transform must return {len(x)}×H×W pixels; got shape {tuple(returned.shape)}.")
    from_0_to_1 = returned.is_floating_point() and returned.min() >= 0 and returned.max() <= 1  # NaN is neither
    if returned.dtype != torch.uint8 and not from_0_to_1:
        seen = f"{returned.dtype} from {returned.min():.3g} to {returned.max():.3g}"
        remedy = "Is there a Normalize in it? Leave it out: as_dataset normalises."
        if returned.min() >= 0 and 100 < returned.max() <= 255:
            remedy = "Divide them by 255."
        raise ValueError(f"transform must return pixels as uint8, or floats from 0 to 1; got {seen}. {remedy}")
    return returned.as_subclass(Tensor)


def _per_channel(name: str, value: Numbers, x: Tensor) -> Tensor:
    """One finite number for each channel of x, float32. Raises: TypeError, ValueError."""
    expected = f"{name} must hold one number for each of {x.shape[1]} channels"
    try:
        numbers = torch.as_tensor(value, dtype=torch.float32, device=x.device)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{expected}; got {shown(value)}.") from None
    if numbers.shape != x.shape[1:2] or not numbers.isfinite().all():
        raise ValueError(f"{expected}; got {shown(value)}.")
    return numbers


def _tensors(arrays: dict[str, np.ndarray], split: str) -> tuple[Tensor, Tensor]:
    x, y = (torch.from_numpy(arrays[f"{part}_{split}"]) for part in "xy")
    return (x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)).contiguous(), y.long()


def _mean_and_std(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, from exact counts of the 256 values that a pixel can have."""
    values = np.arange(256) / 255
    counts = np.stack([np.bincount(channel.flatten().numpy(), minlength=256) for channel in x.unbind(1)])
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ values
    return mean, np.sqrt((share * (values - mean[:, None]) ** 2).sum(1))


if __name__ == "__main__":
    from ._images.commands import main

    raise SystemExit(main())
