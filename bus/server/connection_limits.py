"""No identity takes the connections of the others: nats-server counts them for an account, and this for each transport key.

Connections beyond a key's share are cut, the newest first, over the server's system account. A thief who comes back is
cut again; in between there is room for the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog

from bus.server.monitor import read_monitor
from bus.transport import Connection, Endpoint

EVERY_S = 1.0
MOST_EACH = 64
SYSTEM = "system"
CONNECTIONS = "connz?auth=1&limit=65536"

log = structlog.get_logger()


def held(connz: Mapping[str, Any]) -> dict[str, list[int]]:
    """Connections by transport key, from `CONNECTIONS`, each by its number, the newest last."""
    cids_of: dict[str, list[int]] = {}
    for connection in connz.get("connections") or ():
        user = connection.get("authorized_user")
        if user:  # others have not logged in yet, and the server ends them soon
            cids_of.setdefault(user, []).append(int(connection["cid"]))
    return {user: sorted(cids) for user, cids in cids_of.items()}


class Excess(NamedTuple):
    """A connection beyond what its transport key may have."""

    user: str
    cid: int


def beyond(connections: Mapping[str, list[int]], most: int) -> Iterable[Excess]:
    """The connections beyond `most` of each transport key, the newest."""
    return (Excess(user, cid) for user, cids in connections.items() for cid in cids[most:])


async def share_connections(
    *, monitor_url: str, endpoint: Endpoint, most: int = MOST_EACH, every: float = EVERY_S
) -> None:
    """Cut what is beyond, until cancelled. What fails is tried again at the next look.

    Args:
        monitor_url: the broker's monitoring address.
        endpoint: its system account's one user.
        most: connections of one transport key.
        every: seconds between two looks.
    """
    known: set[str] = set()
    async with Connection.open(endpoint) as connection:
        while True:
            await asyncio.sleep(every)
            try:
                connz = await asyncio.to_thread(read_monitor, monitor_url, CONNECTIONS)
                cut = list(beyond(held(connz), most))
                for _, cid in cut:
                    await connection.send(
                        f"$SYS.REQ.SERVER.{connz['server_id']}.KICK",
                        json.dumps({"cid": cid}).encode(),
                        f"{endpoint.private_inbox}.cut",  # without one the server does nothing
                    )
            except Exception as exc:  # noqa: BLE001 (the client raises many things; none may end a broker)
                log.debug("connections_not_counted", problem=str(exc))
                continue
            users = {user for user, _ in cut}
            for user in users - known:
                log.warning("too_many_connections", transport_key=user, most=most)
            known = users
