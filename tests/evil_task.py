"""A task whose model misbehaves for certain formulas; the pools' tests name it as a user would."""

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from symloss.judging.tasks.base import SupervisedTask

DIES, SPINS, RAISES, SLEEPS = "0.125*x", "0.25*x", "0.375*x", "0.625*x"
SEGFAULTS, STOPS, HOARDS, IS_NAN = "0.75*x", "0.875*x", "1.125*x", "1.25*x"
IS_STEEP, FAILS_BACK, WRITES, CHATTERS = "1.375*x", "1.5*x", "1.625*x", "1.75*x"
SMEARS, EXITS, IS_DEAF, GROWS = "1.875*x", "2.125*x", "2.25*x", "2.375*x"

HELD = []  # the task, and what was done once


class Evil(nn.Module):
    """A perceptron that looks at its nonlinearity's value at 1."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, nonlinearity):
        value = float(nonlinearity(torch.tensor(1.0)))
        deed = DEEDS.get(value)
        if deed:
            deed()
        if value == 1.875:
            x.zero_()
        hidden = nonlinearity(self.first(x))
        return self.last(TWISTS[value].apply(hidden) if value in TWISTS else hidden)


class Nan(torch.autograd.Function):
    """NaN forwards."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x * torch.nan

    @staticmethod
    def setup_context(context, inputs, output):
        pass

    @staticmethod
    def backward(context, gradient):
        return gradient


class Steep(Nan):
    """Nothing forwards, an infinite gradient backwards."""

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * torch.inf


class FailsBack(Steep):
    """Nothing forwards, an exception backwards."""

    @staticmethod
    def backward(context, gradient):
        raise ValueError("evil backwards")


TWISTS = {1.25: Nan, 1.375: Steep, 1.5: FailsBack}


def spin():
    while True:
        pass


def fail():
    raise ValueError("evil")


def sleep_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as a C function that does not return
    time.sleep(1000)


def segfault():
    ctypes.string_at(0)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def hoard():
    torch.ones(25_000_000_000)  # 100 GB


def grow():
    while True:
        HELD.append(torch.empty(100_000_000))


def write():
    HELD[0].x.numpy()[:] = 0


def chatter():
    if len(HELD) == 1:
        HELD.append("said")
        for _ in range(100):
            print("evil " * 2_000_000, flush=True)


def leave():
    raise SystemExit(3)


def close_ears():
    while True:
        with suppress(Exception):
            spin()


DEEDS = {0.75: segfault, 0.875: stop, 1.125: hoard, 1.625: write, 1.75: chatter, 2.125: leave, 2.25: close_ears}
DEEDS |= {2.375: grow}
DEEDS |= {0.125: lambda: os._exit(3), 0.25: spin, 0.375: fail, 0.625: sleep_deaf}


def task():
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    made = SupervisedTask("evil", slot="activation", x=x, y=torch.arange(100) % 3, model=Evil, batch_size=10)
    HELD[:] = [made]
    return made


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
