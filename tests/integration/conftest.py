"""A real nats-server, configured and provisioned from a test world's registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.stage import Bus, serving
from tests.support.world import shared_world


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A fresh broker for one test."""
    async with serving(tmp_path / "server", shared_world()) as broker:
        yield broker
