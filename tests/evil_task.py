"""A task whose model misbehaves for certain formulas; the pools' tests name it as a user would."""

import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

from symloss.judging.tasks.base import SupervisedTask

DIES, SPINS, RAISES, SLEEPS = "0.125*x", "0.25*x", "0.375*x", "0.625*x"


class Evil(nn.Module):
    """A perceptron that looks at its nonlinearity's value at 1."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, nonlinearity):
        deed = DEEDS.get(float(nonlinearity(torch.tensor(1.0))))
        if deed:
            deed()
        return self.last(nonlinearity(self.first(x)))


def spin():
    while True:
        pass


def fail():
    raise ValueError("evil")


def sleep_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as a C function that does not return
    time.sleep(1000)


DEEDS = {0.125: lambda: os._exit(3), 0.25: spin, 0.375: fail, 0.625: sleep_deaf}


def task():
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    return SupervisedTask("evil", slot="activation", x=x, y=torch.arange(100) % 3, model=Evil, batch_size=10)


def exits():
    raise SystemExit(3)


def endless():
    time.sleep(1000)


def deadly():
    os._exit(3)


def deadly_at_first(marks):
    """Kill the first two workers that make it."""
    deaths = Path(marks)
    count = len(list(deaths.iterdir()))
    if count < 2:
        (deaths / str(count)).touch()
        os._exit(3)
    return task()
