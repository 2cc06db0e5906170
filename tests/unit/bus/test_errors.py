"""What an error says of itself."""

from __future__ import annotations

import pytest

from bus.errors import StoreError


@pytest.mark.parametrize(
    ("reason", "is_passing", "is_final"),
    [
        ("store-full", True, False),
        ("store-busy", True, False),
        ("store-failed", False, True),
        ("store-closed", False, True),
        ("store-corrupt", False, True),
        ("store-replaced", False, True),
        ("store-memory", True, False),
        ("lease-held", False, False),
        (None, False, False),
    ],
)
def test_a_store_says_whether_its_failure_passes(
    reason: str | None, is_passing: bool, is_final: bool
) -> None:
    """A full or busy store is asked again, a failed or closed one is given up; no failure is both."""
    error = StoreError("the store does not do it", reason=reason)
    assert (error.is_passing, error.is_final) == (is_passing, is_final)
