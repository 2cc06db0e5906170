"""Quarantine says of every code that can stand there what it means, and what to do."""

from __future__ import annotations

from bus.admission import REASONS
from bus.console.pages.quarantine import TO_DO, WORDS

WAITS = "from-the-future"
"""What has this is not refused."""


def test_every_code_is_explained_and_no_other() -> None:
    """In words, and with what to do."""
    codes = {code.partition(":")[0] for code in REASONS} - {WAITS}
    assert set(WORDS) == codes
    assert set(TO_DO) == codes
