"""`bus.connect`: from the name of a context to somebody who publishes and reads."""

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
    """Act as an identity on the bus, for as long as the context lasts.

    Nothing is opened before it is needed: who only looks something up needs no key, and who only publishes reads nothing. What
    was accepted and is not stored when the context ends is safe on this disk, and is sent when a program of this identity runs.

    The library logs with structlog. A program that has not configured it gets warnings on standard error.

    Args:
        context: its name in the settings (`tocsin context ls`); None is the current one.
        env: the environment, from which the settings are found (`TOCSIN_HOME`, `TOCSIN_CONTEXT`).
        folder: where `tocsin.toml` is looked for; None is the current one.
        clock: the present, aware.
        rng: random bytes.

    Raises:
        ConfigError: there is no such context, or its settings are wrong.
        TrustError: its registry cannot be relied on.
        BusError: what runs in the background has failed for good; it ends the context.
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
