"""Brings a reader's store up to what the bus holds, for a command that prints its answer and ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bus import trust
from bus.cli import frame
from bus.errors import BusError

if TYPE_CHECKING:
    from bus.cli.frame import App
    from bus.subscribing import Inbox
    from bus.trust import VerifiedRegistry

READ_S = 5.0
LOOK_S = 0.05
STANDS_BY_S = 0.5
"""Seconds to wait for another program that reads into the store, until it has what this one saw."""


async def up_to_date(app: App, store: Inbox, registry: VerifiedRegistry) -> bool:
    """Read what the bus holds into the store, unless a hub or another program does that.

    Returns:
        False when the bus could not be read to its end in time. What arrived is in the store all the same.
    """
    identity = app.identity
    record = registry.document.authorities.get(identity.authority)
    if record is not None and record.kind == trust.HUB:
        return True  # `hub run` feeds the store; the answer gives its time
    if identity.server is None or identity.nkey is None:
        return False
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with frame.reading(app, store, "answers", tell=False) as service:
            while service is not None:
                if service.subscriber.caught_up():
                    return True
                if service.standing != "reading" and clock() - began > STANDS_BY_S:
                    return True
                if clock() - began > app.timeout(READ_S):
                    return False
                await asyncio.sleep(LOOK_S)
    except BusError:
        return False
    return False
