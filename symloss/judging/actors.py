"""Ray's actors in few words: take one on, ask it something, wait for answers, kill it. Retries are the driver's own."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from symloss.judging.cluster import shell


class LostError(Exception):
    """The actor that was to answer is gone."""


class Actors(Protocol):
    """Where workers come from; a simulation of a thousand of them implements it as well."""

    def new(self) -> Any:
        """Take on an actor with the methods `hello`, `enter`, `ping` and `judge`; returns before it has a place."""
        ...

    def ask(self, actor: Any, method: str, *arguments: Any) -> Any:
        """Ask an actor; return what its answer is known by."""
        ...

    def wait(self, asked: Sequence[Any], timeout: float) -> list[Any]:
        """Return what has been answered, or lost, of all that was asked, as soon as there is any."""
        ...

    def answer(self, asked: Any) -> Any:
        """Return an answer that is there.

        Raises:
            LostError: the actor died.
        """
        ...

    def kill(self, actor: Any) -> None:
        """Kill an actor; one that is dead already will do."""
        ...

    def now(self) -> float:
        """Return seconds, as `time.monotonic`."""
        ...

    def places(self) -> int:
        """Return how many actors have room at all."""
        ...


class RayActors:
    """Actors of a Ray that runs.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        # Restarts and retries are the driver's: Ray's own would run a hanging job again.
        self._shell = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(shell())

    def new(self) -> Any:
        """See Actors.new."""
        return self._shell.remote()

    def ask(self, actor: Any, method: str, *arguments: Any) -> Any:
        """See Actors.ask."""
        return getattr(actor, method).remote(*arguments)

    def wait(self, asked: Sequence[Any], timeout: float) -> list[Any]:
        """See Actors.wait."""
        first, rest = self._ray.wait(list(asked), num_returns=1, timeout=timeout)
        more = self._ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        return [*first, *more]

    def answer(self, asked: Any) -> Any:
        """See Actors.answer."""
        try:
            return self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            raise LostError(cause_of(error)) from error

    def kill(self, actor: Any) -> None:
        """See Actors.kill."""
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(actor, no_restart=True)

    def now(self) -> float:
        """See Actors.now."""
        return time.monotonic()

    def places(self) -> int:
        """See Actors.places."""
        return int(self._ray.cluster_resources().get("CPU", 0))


def cause_of(error: Exception) -> str:
    """Word why an actor is gone, where Ray knows more than that its process ended."""
    text = " ".join(str(error).split())
    found = re.search(r"exit code (-?\d+)", text)
    if found:
        return f"exit code {found[1]}"
    if re.search(r"\bnode (has )?died|node failure|node was", text, re.IGNORECASE):
        return "its machine is gone"
    return "its machine ran out of memory" if type(error).__name__ == "OutOfMemoryError" else ""
