"""Doors of rooms: a room's ``__init__`` names what it offers; each name is imported on first use.

A door lists its names once, as imports under ``TYPE_CHECKING``, so that type checkers and import contracts read them.
`opened` reads the same lines at run time. So ``from bus.publishing import Publisher`` loads only the publisher and
its imports. A command that only reads a store does not load NATS; admission or the registry alone do not load the log
(PEP 562, docs/adr/015; PEP 810 makes this a statement).

No room offers a function with the name of one of its modules: an imported module takes that name in its package.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path


def opened(room: str, file: str) -> Callable[[str], object]:
    """The ``__getattr__`` of the room's package.

    Args:
        room: the name of the package, ``__name__`` in its ``__init__``.
        file: the path of its ``__init__``, ``__file__`` there.

    Returns:
        A function that imports and returns the object with a name. It raises AttributeError for a name that the room does not offer.
    """
    modules: dict[str, str] = {}

    def attribute(name: str) -> object:
        if not modules:
            modules.update(offered(Path(file).read_text("utf-8")))
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        home = modules[name]
        is_module = home == room  # `from bus.trust import ceremony` in the door of bus.trust
        value: object = (
            importlib.import_module(f"{room}.{name}")
            if is_module
            else getattr(importlib.import_module(home), name)
        )
        setattr(sys.modules[room], name, value)
        return value

    return attribute


def offered(source: str) -> dict[str, str]:
    """The names that a door imports for type checkers: name -> module."""
    return {
        alias.name: node.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
