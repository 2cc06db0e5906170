"""Doors of rooms: each offers what it names, and names what it offers."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bus
from bus.doors import offered

ROOMS = sorted(module.name for module in pkgutil.walk_packages(bus.__path__, "bus.") if module.ispkg)


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_names_what_it_offers(room: str) -> None:
    """Its `__all__` is what it imports for type checkers, sorted as a linter wants it; each name is there."""
    package = importlib.import_module(room)
    names = getattr(package, "__all__", [])
    source = Path(str(package.__file__)).read_text("utf-8")
    assert sorted(names) == sorted(offered(source))
    for name in names:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_is_taken_by_a_module(room: str) -> None:
    """An imported module takes its name in its package; what a door offers under that name is the module itself."""
    package = importlib.import_module(room)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    homes = offered(Path(str(package.__file__)).read_text("utf-8"))
    assert [name for name, home in homes.items() if name in modules and home != room] == []


def test_a_door_refuses_what_it_does_not_offer() -> None:
    """As any module does: by AttributeError, also for a module that it keeps to itself."""
    door = importlib.import_module("bus.trust")
    with pytest.raises(AttributeError, match=r"module 'bus\.trust' has no attribute 'nonsense'"):
        _ = door.nonsense


def test_a_door_loads_what_is_asked_for_and_nothing_else() -> None:
    """A program that names streams, or its place on the bus, loads no NATS client, and nothing a log before it says something."""
    program = (
        "import sys; from bus.transport import Connection, Endpoint, streams_of; from bus.publishing import Publisher\n"
        "print('nats' in sys.modules or 'structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
