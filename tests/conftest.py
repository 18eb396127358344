"""What several test files share: one Ray cluster per test process, and one computing thread, as in a worker."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fakes import FakePool


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Start Ray once; pools find it running, use it, and leave it alone."""
    from symloss.judging.cluster import load_ray, make_home, remove_home, start_ray, stop_ray

    home = make_home()
    ray = load_ray()
    start_ray(ray, 3, home)
    yield
    stop_ray(ray, home)
    remove_home(home)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute on one thread, as workers do."""
    from symloss.judging.threads import one_thread

    with one_thread():
        yield


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; returns its exit status and what it wrote to either stream."""
    from symloss.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> "Callable[[FakePool], FakePool]":
    """Let runs train in a fake pool."""
    import symloss.running.session

    def install(pool: "FakePool") -> "FakePool":
        monkeypatch.setattr(symloss.running.session, "make_pool", lambda workers, spec, address: pool)
        return pool

    return install
