"""Settings and fixtures for every test."""

from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import settings

from tests.mutations import Mutations

# A property is about what comes out, not about how busy the machine is; pytest's own timeout bounds a test.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")


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
