"""`bus.connect`: opens an identity, which publishes and reads, by the name of a context."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bus import config, logs
from bus.api.identity import Identity
from bus.tasks import background


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def connect(
    context: str | None = None,
    *,
    env: Mapping[str, str] = os.environ,
    folder: Path | None = None,
    clock: Callable[[], dt.datetime] = _now,
    rng: Callable[[int], bytes] = secrets.token_bytes,
) -> AsyncIterator[Identity]:
    """Act as an identity on the bus until the context manager exits.

    Each part is opened on first use: a program that only looks something up needs no key, and one that only publishes
    reads nothing. Bulletins that are accepted but not stored at the end are safe on this disk. They are sent when a
    program of this identity runs.

    The library logs with structlog. A program that has not configured it gets warnings on standard error.

    Args:
        context: its name in the settings (`tocsin context ls`); None is the current one.
        env: the environment, which locates the settings (`TOCSIN_HOME`, `TOCSIN_CONTEXT`).
        folder: the folder of `tocsin.toml`; None is the current one.
        clock: the present, aware.
        rng: random bytes.

    Raises:
        ConfigError: there is no such context, or its settings are wrong.
        TrustError: its registry is not valid or has expired.
        BusError: a background task has failed for good; this ends the context.
    """
    logs.quietly()
    loaded = config.load(env, folder or Path.cwd())
    name, chosen = loaded.pick(context)
    async with background() as tasks:
        yield Identity(
            name=name,
            context=chosen,
            folder=config.state_of(name, chosen, env),
            tasks=tasks,
            clock=clock,
            rng=rng,
            deadlines=loaded.settings.deadlines,
        )
