"""A table fits its terminal: columns go in the order they say, and no word and no time is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.cli.frame.tables import laid_out

CHANNELS = ("state", "channel", "issued", "gaps", "forks")
ROW = ("live", "xa-csirt/actual.green.community", "2026-11-28 22:06:20", "0", "2")


def text(columns: tuple[str, ...], rows: list[tuple[str, ...]], width: int, *less: str) -> list[str]:
    """The lines of a table, its heading first."""
    layout = laid_out(columns, rows, width, less)
    lines = [layout.heading, *layout.lines] if layout.heading else layout.lines
    return ["  ".join(cells).rstrip() for cells in lines]


def test_a_table_that_fits_stands_whole() -> None:
    """Columns as wide as their widest cell."""
    assert text(("n", "name"), [("1", "one"), ("20", "twenty")], 80) == [
        "N   NAME",
        "1   one",
        "20  twenty",
    ]


@pytest.mark.parametrize(
    ("width", "gone"),
    [(72, ()), (71, ("gaps",)), (65, ("gaps", "forks")), (58, ("issued", "gaps", "forks"))],
)
def test_columns_that_say_nothing_go_first(width: int, gone: tuple[str, ...]) -> None:
    """Then those that may go, in their order; the names of what is left out are told."""
    layout = laid_out(CHANNELS, [ROW], width, ("forks", "gaps", "issued"))
    assert layout.left_out == gone


def test_the_widest_column_is_broken_between_words() -> None:
    """The others stand whole, and a time is one word."""
    detail = "silent since 2026-11-28 22:06:20 and asked for twice by the hub"
    lines = text(("state", "detail"), [("silent", detail)], 40)
    assert lines[1].startswith("silent  silent since")
    assert any("2026-11-28 22:06:20" in line for line in lines)
    assert " ".join(" ".join(lines[1:]).split()) == f"silent {detail}"


def test_what_fits_no_way_has_a_line_for_each_cell() -> None:
    """Its name before it; a word that is wider than the terminal stands whole, so that it can be copied."""
    digest = "x" * 43
    assert text(("id", "digest"), [(digest, digest), ("a", "b")], 50) == [
        f"id      {digest}",
        f"digest  {digest}",
        "",
        "id      a",
        "digest  b",
    ]


CELL = st.lists(st.text("ab1-:", min_size=1, max_size=12), max_size=6).map(" ".join)


@given(st.integers(20, 120), st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=4))
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(
    width: int, rows: list[tuple[str, ...]]
) -> None:
    """Whatever the cells: every word stands there whole."""
    columns = ("one", "two", "three")
    layout = laid_out(columns, rows, width)
    lines = text(columns, rows, width)
    words = sorted(word for row in rows for cell in row for word in cell.split())
    shown = [word for line in layout.lines for cell in line for word in cell.split()]
    if layout.is_listed:
        shown = [word for word in shown if word not in columns]
    assert sorted(shown) == words
    assert all(len(line) <= width for line in lines)
