"""Ray itself: imported, started on this machine's loopback or joined at an address, and kept quiet.

What it writes while it runs goes to a directory of our own, its home, which is removed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import symloss
from symloss.errors import ExperimentError, RunError
from symloss.judging.environment import variable
from symloss.judging.homes import HOME, let_go, make, marked, sweep
from symloss.judging.nodes import facts_of_node
from symloss.judging.watcher import processes_of

STORE_BYTES = 80_000_000  # of Ray's object store; jobs are text, so nearly its smallest will do
REACH = 5.0  # seconds in which a cluster's port must open
REMOVAL = 3.0  # seconds to wait for Ray's last processes, which may still write while they end

# A socket's path may have 103 bytes (macOS; Linux 107): the home's own name and what Ray puts below it leave these.
ROOM = 103 - len(f"/{HOME}01234567/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store")

# By how much what Ray starts on this machine gives way to this process, and its workers to all else (Ray's default).
BEHIND, WORKERS_BEHIND = 5, 15
NICENESS = "RAY_worker_niceness"  # Ray adds it to its own

# Read by Ray when it is imported or started: no usage reports, no log noise, no overriding of GPU visibility.
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_kill_worker_timeout_milliseconds": "1000",  # until a worker that does not answer, being stopped, is shot
    # Ray's parts look for each other once a second, ten times; the first look is always too early.
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",
}

QUIET: dict[str, Any] = {"log_to_driver": False, "configure_logging": True, "logging_level": "ERROR"}

LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"
}  # Ray's word for "no cluster": it then binds to 127.0.0.1 everywhere


def load_ray(address: str | None = None) -> Any:
    """Import Ray, which no other module does.

    Args:
        address: of the cluster to join; without one, Ray is kept to this machine's loopback.

    Raises:
        RunError: it is not installed.
    """
    wanted = RAY_ENVIRONMENT if address else RAY_ENVIRONMENT | LOOPBACK
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise RunError("Ray is not installed. --workers 0 works without it, in this process.") from error
    return ray


def check_reachable(address: str) -> None:
    """Refuse a cluster that is not there, which Ray itself notices after minutes only.

    Args:
        address: `host:port`, whose port is tried; `auto` and `ray://host:port` are left to Ray.

    Raises:
        ExperimentError: it is none of these.
        RunError: nothing listens there.
    """
    if address == "auto" or "://" in address:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ExperimentError(f"--address must be host:port, ray://host:port or auto, got '{address}'.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH).close()
    except OSError as error:
        raise RunError(
            f"No Ray cluster can be reached at {address}: {error}. Start one there with "
            f"`ray start --head --port={port}`, or leave out --address to work on this machine."
        ) from error


def make_home() -> Path:
    """Make the directory of a Ray of our own; it goes at the end of this process at the latest, however that comes.

    Raises:
        RunError: no directory for temporary files can be written, or each has too long a path.
    """
    wished = os.environ.get("RAY_TMPDIR")
    tried = [*([os.path.abspath(wished)] if wished else []), tempfile.gettempdir(), "/tmp"]
    for parent in tried:
        if len(os.fsencode(parent)) <= ROOM and os.access(parent, os.W_OK | os.X_OK):
            sweep(parent)
            home = make(parent)
            atexit.register(remove_home, home)
            return home
    raise RunError(
        f"Ray needs a directory for its sockets with a path of at most {ROOM} bytes that can be written; tried "
        f"{', '.join(tried)}. Set TMPDIR to one. --workers 0 works without Ray, in this process."
    )


def remove_home(home: Path) -> None:
    """Remove what Ray has written, once it is shut down."""
    deadline = time.monotonic() + REMOVAL
    while home.exists() and time.monotonic() < deadline:
        shutil.rmtree(home, ignore_errors=True)
        time.sleep(0.02)
    let_go(home)


def join_ray(ray: Any, address: str) -> None:
    """Join a cluster that runs."""
    be_quiet(ray)
    ray.init(address=address, **QUIET)


def start_ray(ray: Any, workers: int, home: Path) -> None:
    """Start a cluster that only this machine can reach; see `make_home` for its home."""
    be_quiet(ray)
    with importable_symloss(), marked(home), deaf(), with_home(home):
        ray.init(
            address="local",
            num_cpus=workers,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(home),
            **QUIET,
        )


def start_ray_behind(ray: Any, workers: int, home: Path) -> None:
    """Start such a cluster while other threads of this process work: they come first where there are too few cores.

    The thread that calls this, and what it starts, give way for good; nobody does where a priority is a process's own.
    """
    if sys.platform != "linux":
        start_ray(ray, workers, home)
        return
    os.nice(BEHIND)
    with variable(NICENESS, os.environ.get(NICENESS, str(WORKERS_BEHIND - BEHIND))):
        start_ray(ray, workers, home)


def stop_ray(ray: Any, home: Path | None) -> None:
    """Shut down a cluster of our own: once this process has left it, its processes are killed, deaf as they are."""
    over = threading.Event()
    killer = threading.Thread(target=_kill_when_left, args=(ray, home, over), name="symloss-killer", daemon=True)
    killer.start()
    ray.shutdown()
    over.set()
    killer.join()


def _kill_when_left(ray: Any, home: Path | None, over: threading.Event) -> None:
    # Ray's shutdown leaves the cluster first, which needs its processes, and then waits for each of them in turn.
    here = ray._private.worker.global_worker
    while (ray.is_initialized() or hasattr(here, "core_worker")) and not over.wait(0.01):
        pass
    for pid in processes_of(str(home)) if home is not None else ():
        with suppress(OSError):  # it has ended by itself
            os.kill(pid, signal.SIGKILL)


def be_quiet(ray: Any) -> None:
    """Keep Ray from announcing a killed worker on standard output, by a thread that no option turns off."""
    ray._private.worker._worker_logs_enabled = False


@contextmanager
def deaf() -> Iterator[None]:
    """Let what Ray starts not hear the signals that end a run: the driver hears them, and its workers end their jobs.

    A batch system, or a person's `kill` of a process group, sends them to all; Ray's processes inherit this mask.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGUSR1))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def with_home(home: Path) -> AbstractContextManager[None]:
    """Give Ray, which looks there for tokens, a home directory while it starts, where the system knows none."""
    try:
        Path.home()
    except RuntimeError:
        return variable("HOME", str(home))
    return nullcontext()


def importable_symloss() -> AbstractContextManager[None]:
    """Let workers import the symloss that runs here, installed or not: they inherit this while Ray starts."""
    before = os.environ.get("PYTHONPATH")
    here = str(Path(symloss.__file__).parent.parent)
    return variable("PYTHONPATH", os.pathsep.join([here, *([before] if before else [])]))


def shell() -> type:
    """Return the class of an actor, which travels whole: its first method works on a machine without symloss, too."""
    look = facts_of_node()

    class SymlossWorker:
        def __init__(self) -> None:
            self._worker: Any = None

        def hello(self) -> Any:
            import ray.util

            facts = look()
            return {**facts, "node": f"{ray.util.get_node_ip_address()} ({facts['node']})"}

        def enter(self, spec: Any, crowd: Any) -> Any:
            import gc

            gc.disable()  # what is imported stays: to look through it as it grows takes a fifth of a worker's start
            try:
                from symloss.judging.worker import Worker

                self._worker = Worker(spec, crowd)
                return self._worker.prepare()
            finally:
                gc.enable()

        def ping(self) -> None:
            pass

        def judge(self, job: Any) -> Any:
            return self._worker.judge(job)

    return SymlossWorker
