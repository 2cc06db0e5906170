"""An authority's own program over the public classes: `python -m tests.programs.publisher CONTEXT RATE`, until SIGTERM.

What it has said it writes, at its end, as one line: how many bulletins `publish` has returned for.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from pathlib import Path

from bus import config
from bus.delivery import TABLES
from bus.errors import BusError
from bus.keys import nkeys
from bus.keys.files import load_signer
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.transport.connection import Endpoint
from bus.trust.store import RegistryStore
from tests.programs.founding import PASSPHRASE
from tests.support.clocks import utc_now
from tests.support.world import DEFAULTS, draft

PAUSE_S = 0.2
REST_S = 60.0


async def speak(name: str, rate: float) -> int:
    """Publish at a rate until SIGTERM, then until everything is stored; how many were accepted."""
    _, context = config.load(os.environ, Path.cwd()).pick(name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    assert context.state is not None
    assert context.key is not None
    assert context.nkey is not None
    assert context.server is not None
    context.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = RegistryStore(
        context.registry, pin=context.pin, domain=context.domain, beacon=context.beacon, clock=utc_now
    )
    endpoint = Endpoint(
        url=context.server, authority_id=name, nkey_seed=nkeys.load_nkey(context.nkey), name=name
    )
    accepted, due = 0, loop.time()
    async with (
        Outbox.open(context.state / "outbox.db", tables=TABLES) as outbox,
        Publisher.open(
            authority_id=name,
            outbox=outbox,
            registry=registry,
            signers=(load_signer(context.key, PASSPHRASE),),
            endpoint=endpoint,
            defaults=DEFAULTS,
            clock=utc_now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        while not stop.is_set():
            try:
                await publisher.publish(draft(f"number {accepted} of {secrets.token_hex(4)}"))
                accepted += 1
            except BusError as exc:
                sys.stderr.write(f"not said: {exc.reason}: {exc}\n")
                await asyncio.sleep(PAUSE_S)
            due = max(due + 1.0 / rate, loop.time() - 1.0)  # what was missed for a second is not made up for
            await asyncio.sleep(max(0.0, due - loop.time()))
        await publisher.idle(REST_S)
    return accepted


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(speak(sys.argv[1], float(sys.argv[2])))}\n")
