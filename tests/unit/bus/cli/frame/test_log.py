"""The log on standard error is bounded: by kind and time, and by line."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from bus.cli.frame.log import LINES_EACH, MAX_LINE, WINDOW_S, Share, render


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
