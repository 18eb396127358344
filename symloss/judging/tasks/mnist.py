"""The files of MNIST and Fashion-MNIST: 28 x 28 images of 10 classes.

LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition", Proc. IEEE 86(11);
Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747. The files are the user's, see `datafiles.py`.
"""

from collections.abc import Sequence

from symloss.judging.tasks.datafiles import DataFile, DataSet, Images, read_idx, read_npz

ARRAYS = ("x_train", "y_train", "x_test", "y_test", "n_train_sure")

MNIST = DataSet(
    "mnist",
    ("mnist", "MNIST/raw"),
    "It is the four IDX files of LeCun and Cortes, as torchvision keeps them in MNIST/raw, compressed or not.",
)
MNIST_FILES = (
    DataFile("train-images-idx3-ubyte", ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",)),
    DataFile("train-labels-idx1-ubyte", ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",)),
    DataFile("t10k-images-idx3-ubyte", ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",)),
    DataFile("t10k-labels-idx1-ubyte", ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",)),
)

FASHION_MNIST = DataSet(
    "fashion_mnist",
    ("fashion_mnist", "FashionMNIST/raw"),
    "It is the four IDX files (.gz) of zalandoresearch/fashion-mnist, as torchvision keeps them in FashionMNIST/raw, "
    "or fashion_mnist.npz.",
)
FASHION_MNIST_FILES = (
    DataFile("train-images-idx3-ubyte", ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",)),
    DataFile("train-labels-idx1-ubyte", ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",)),
    DataFile("t10k-images-idx3-ubyte", ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",)),
    DataFile("t10k-labels-idx1-ubyte", ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",)),
)
# All 70,000 images, in parts that are the official ones but for 840 training and 320 test images that could not be told
# apart any more; they stand last in its training part, and are left out.
FASHION_MNIST_NPZ = DataFile("fashion_mnist.npz", ("20744839fcb6a9bf27bf6e9df3ca52bb126f4608790ad64ab239fb31c8fe175c",))


def read_mnist(data_dir: str | None) -> Images:
    """Read MNIST in its official parts.

    Raises:
        ExperimentError: a file is missing or not the published one.
    """
    return read_images(MNIST, MNIST_FILES, data_dir)


def read_fashion_mnist(data_dir: str | None) -> Images:
    """Read Fashion-MNIST, in its official parts where all four files are there.

    Raises:
        ExperimentError: a file is missing or not the published one.
    """
    if FASHION_MNIST.has(data_dir, FASHION_MNIST_FILES):
        return read_images(FASHION_MNIST, FASHION_MNIST_FILES, data_dir)
    return read_surely_parted(FASHION_MNIST, FASHION_MNIST_NPZ, data_dir)


def read_images(data: DataSet, files: Sequence[DataFile], data_dir: str | None) -> Images:
    """Read four IDX files: training images and labels, test images and labels."""
    return Images(*(read_idx(f"task '{data.name}': {each.name}", data.read(data_dir, each)) for each in files))


def read_surely_parted(data: DataSet, file: DataFile, data_dir: str | None) -> Images:
    """Read an npz file, and leave out the training rows that may be test images."""
    held = read_npz(f"task '{data.name}': {file.name}", data.read(data_dir, file), ARRAYS)
    sure = int(held["n_train_sure"])
    return Images(held["x_train"][:sure], held["y_train"][:sure], held["x_test"], held["y_test"])
