"""What several test files share: one Ray cluster per test process, and one computing thread, as in a worker."""

from collections.abc import Iterator

import pytest


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
