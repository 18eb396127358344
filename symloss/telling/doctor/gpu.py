"""The GPU: whether there is one, and whether torch can use it. Nothing needs one."""

from pathlib import Path

import torch

from symloss.telling.doctor.finding import Finding, Patient, note, well

DEVICE = Path("/dev/nvidia0")


def check_gpu(patient: Patient) -> list[Finding]:
    """Ask torch for GPUs, and the system for one that torch does not see."""
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return [well("GPU", f'{", ".join(names)}; a task uses one with device = "cuda"', names=names)]
    if DEVICE.exists():
        said = f"there is an NVIDIA GPU, and torch {torch.__version__} cannot use it; searches train on processors"
        return [note("GPU", said, "install a torch with CUDA, and look whether nvidia-smi answers", names=[])]
    return [well("GPU", "none; searches train on processors", names=[])]
