"""Settings and fixtures for every test."""

import os
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import settings

from bus.demo.federation import PORTS
from tests.support.mutations import Mutations
from tests.support.order import slow_first
from tests.support.tokens import token
from tests.support.waiting import patience
from tests.support.warden import bid_farewell, keep_watch

__all__ = ["token"]  # a fixture of several rooms

# A property is about what comes out, not about how busy the machine is: examples are bounded by their number, and
# pytest's own timeout ends what hangs. CI draws the same examples in every run, so that a change is not blamed for what
# was there before; at a desk they differ from run to run, and what once failed is kept and tried first.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "desk"))


# A hub has no console here unless a test asks for one: each is a process of its own.
os.environ.setdefault("TOCSIN_CONSOLE", "off")


def pytest_configure() -> None:
    """What the tests of this process start ends with it, though it is killed."""
    keep_watch()


def pytest_unconfigure() -> None:
    """It was not killed."""
    bid_farewell()


@pytest.hookimpl(trylast=True)  # when the order is drawn, and what is not meant has been left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long begins first. A test's timeout ends what hangs; it is stretched by how slow this machine is now."""
    usual = float(config.getini("timeout"))
    for item in items:
        marked = item.get_closest_marker("timeout")
        seconds = float(marked.args[0]) if marked else usual
        item.add_marker(pytest.mark.timeout(seconds * patience()), append=False)
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    items[:] = slow_first(
        items, workers, lambda item: (item.path, item.get_closest_marker("slow") is not None)
    )


@pytest.fixture(scope="session", autouse=True)
def quick_keys() -> Iterator[None]:
    """Keys that tests make are encrypted with one lane of scrypt, not four: as much as is accepted, at a quarter of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bus.keys.pbes2.SCRYPT_P", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def ports_of_its_own(worker_number: tuple[int, int]) -> Iterator[None]:
    """Each worker looks for free ports among its own: none takes one that another has found and not bound yet."""
    number, workers = worker_number
    with pytest.MonkeyPatch.context() as patch:
        share = len(PORTS) // workers
        patch.setattr("bus.demo.federation.PORTS", PORTS[number * share : (number + 1) * share])
        yield


@pytest.fixture(scope="session")
def worker_number() -> tuple[int, int]:
    """Which of the run's workers this is, from 0 on, and how many there are."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(worker.removeprefix("gw")), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """A command that runs in this process sets up its log; it ends with the test, so that others hear theirs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def mutations(record_property: Callable[[str, object], None]) -> Iterator[Mutations]:
    """Mutations, whose number `make attacks` is told."""
    found = Mutations()
    yield found
    for name, count in vars(found).items():
        record_property(name, count)
