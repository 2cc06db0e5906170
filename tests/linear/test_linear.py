"""Work on hostile bytes grows with their number, and no faster; and every place where bytes enter is looked at.

Processor time of this process is compared with itself: the whole with an eighth of it, and with a plain pass over the same bytes.
Noise only adds, so a result that is too high is measured again, and the least counts.
"""

from __future__ import annotations

import importlib
import inspect
import types

import pytest

from bus.plugin import discover
from tests.linear.entries import EXCUSED, MODULES, OF_FORMATS, Entry, entries
from tests.linear.measure import measured, tried, undisturbed

MOST = 48 * 1024
"""Bytes at which `make test` measures; `make linear` measures at each bound."""
GROWN = 192 * 1024
"""Bytes up to which it measures what is too quick to tell."""
ENTRIES = tuple(entries())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_the_work_grows_with_the_bytes_and_no_faster(entry: Entry) -> None:
    """Each hostile shape of each way in, and not many times what a plain pass costs."""
    size = min(entry.limit, entry.tested or MOST)

    def faults(shape: str) -> list[str]:
        return tried(entry, shape, size, GROWN).faults(entry)

    with undisturbed():
        # What grows too fast does so each time; what a busy machine adds, it adds once.
        found = [
            fault for shape in entry.shapes if faults(shape) and faults(shape) for fault in faults(shape)
        ]
    assert not found


def test_a_search_in_a_search_is_found() -> None:
    """The measure tells the square of a size from the size."""
    slow = Entry(
        name="a list in a list",
        limit=MOST,
        read=lambda raw: [raw.count(raw[n : n + 1]) for n in range(0, len(raw), 64)],
        shapes={"letters": lambda size: b"a" * size},
    )
    assert measured(slow, "letters", MOST).faults(slow)


def test_every_parser_has_an_entry() -> None:
    """Each function of the rooms that read what comes from outside is in an entry, or excused with a reason."""
    covered = {name for entry in ENTRIES for name in entry.covers}
    offered = {
        f"{name}.{each}"
        for name in MODULES
        for each, found in vars(importlib.import_module(name)).items()
        if not each.startswith("_") and found_here(found, name)
    }
    assert not covered & EXCUSED.keys()
    assert offered - covered - EXCUSED.keys() == set(), "new: give it an entry or say why it needs none"
    assert EXCUSED.keys() - offered == set(), "gone"
    assert {name for name in covered if name.rpartition(".")[0] in MODULES} - offered == set(), "gone"


def found_here(found: object, module: str) -> bool:
    """Whether it is a function that the module defines."""
    plain = inspect.unwrap(found) if callable(found) and not isinstance(found, type) else found
    return isinstance(plain, types.FunctionType) and plain.__module__ == module


def test_every_format_has_an_entry() -> None:
    """A format that is installed is measured, with shapes of its own."""
    offered = {name for found in discover() if found.adapter for name in found.adapter.formats}
    assert offered == set(OF_FORMATS)
