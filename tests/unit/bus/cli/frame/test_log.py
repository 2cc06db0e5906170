"""The log on standard error is bounded: by kind and time, and by line."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from bus.cli.frame.log import (
    LIBRARIES,
    LINES_EACH,
    MAX_LINE,
    TRACE_LINE,
    TRACE_LINES,
    WINDOW_S,
    Share,
    configure,
    render,
)


def test_one_kind_has_so_many_lines_in_a_while() -> None:
    """The last says that more are left out, the first of the next window how many; other kinds are not touched."""
    now = [0.0]
    share = Share(lambda: now[0])

    def said(kind: str) -> dict[str, Any] | None:
        try:
            return dict(share(None, "", {"event": kind}))
        except structlog.DropEvent:
            return None

    lines = [said("bulletin_refused") for _ in range(LINES_EACH + 7)]
    assert [line for line in lines if line] == lines[:LINES_EACH]
    assert "left out" in (lines[LINES_EACH - 1] or {})["more"]
    assert said("trust_left_aside") == {"event": "trust_left_aside"}
    now[0] = WINDOW_S
    assert said("bulletin_refused") == {"event": "bulletin_refused", "left_out_before": 7}
    assert said("bulletin_refused") == {"event": "bulletin_refused"}


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_line_has_an_end(size: int) -> None:
    """However long what it tells of."""
    assert len(render(None, "", {"event": "x", "problem": "a" * size})) <= MAX_LINE


def test_a_trace_has_an_end() -> None:
    """Its last lines are shown, each up to a length: what a stranger sends may stand in it."""
    trace = "\n".join(["first", *["  in a function"] * 10_000, "ValueError: " + "x" * 10_000_000])
    shown = render(None, "", {"event": "x", "exception": trace})
    assert len(shown) <= MAX_LINE + (TRACE_LINES + 1) * (TRACE_LINE + 1)
    assert "more lines" in shown
    assert "ValueError: xxx" in shown
    assert "first" not in shown


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_logs_comes_through_this_log(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error as one safe line each, and no more of them than of any other kind."""
    before = structlog.get_config()
    logger = logging.getLogger(library)
    kept = (logger.handlers, logger.propagate, logger.level)
    try:
        configure(0)
        for _ in range(LINES_EACH + 100):
            try:
                raise ValueError("\x1b[2J" * 100_000)
            except ValueError as exc:
                logging.getLogger(f"{library}.inner").error("it %s", "\x1b[2J", exc_info=exc)
        logging.getLogger(library).debug("not shown")
    finally:
        structlog.configure(**before)
        logger.handlers, logger.propagate = kept[:2]
        logger.setLevel(kept[2])
    written = capsys.readouterr().err
    assert written.count("library report") == LINES_EACH
    assert len(written) < LINES_EACH * (MAX_LINE + 10 * TRACE_LINE)
    assert "\x1b" not in written
    assert "not shown" not in written
