"""The digits of scikit-learn, upscaled to 28 x 28 pixels: for the image MLP where there is no MNIST on the machine."""

from torch.nn.functional import interpolate

from symloss import SupervisedTask
from symloss.judging.tasks.digits import CLASSES, mlp, pixels
from symloss.judging.tasks.labels import Hardship


def task(noise: float = 0.4) -> SupervisedTask:
    """Classify upscaled digits with a perceptron of 784, 128 and 10 units, in mini-batches of 100."""
    x, y = pixels()
    large = interpolate(x.view(-1, 1, 8, 8), size=(28, 28), mode="bilinear").flatten(1)
    return SupervisedTask(
        "upscaled_digits",
        x=large,
        y=y,
        model=lambda: mlp((784, 128, CLASSES)),
        batch_size=100,
        alter=Hardship(noise),
    )
