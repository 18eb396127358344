"""Where a task's models train: on the processor, or on a GPU where there is one."""

import torch

from symloss.errors import ExperimentError, unknown

DEVICES = ("auto", "cpu", "cuda")


def find_device(place: str, name: str) -> torch.device:
    """Return the device that a task names.

    Args:
        place: for the complaint, e.g. `task 'mine'`.
        name: `cpu`, `cuda`, `cuda:1` and so on, or `auto`, which is `cuda` where there is a GPU and `cpu` elsewhere.

    Raises:
        ExperimentError: the name is none of these, or there is no such GPU.
    """
    kind, colon, number = name.partition(":") if isinstance(name, str) else (str(name), "", "")
    if kind not in DEVICES or (colon and not (kind == "cuda" and number.isdecimal())):
        raise ExperimentError(unknown(place, "device", str(name), DEVICES))
    if kind == "cpu" or (kind == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(number or 0)
    if index >= count:
        raise ExperimentError(
            f"{place}: device = '{name}', and torch {torch.__version__} finds {no_more_than(count)} here. "
            "Use device = 'cpu', or 'auto', which takes a GPU where there is one."
        )
    return torch.device("cuda", index)


def no_more_than(count: int) -> str:
    """Word the GPUs that there are."""
    return "no GPU" if count == 0 else "one GPU, number 0," if count == 1 else f"GPUs 0 to {count - 1}"
