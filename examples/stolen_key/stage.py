"""The cast of this evening: an electoral body with a reserve key, and a thief with stolen keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from bus.demo import KEY_LIFETIME, Hub, Stage, clock, forged
from bus.keys import FileSigner
from bus.transport import Connection, publish
from bus.trust import RegistryStore, proposals
from schemas.bulletin import Draft
from schemas.registry import KeyRecord, Registry

VICTIM, NEIGHBOUR, HUBS = "xa-emb", "xb-csirt", ("xa-hub", "xb-hub")
GREEN, PUBLIC = "actual.green.community", "actual.clear.public"


class Thief:
    """A thief with copies of an authority's signing key and transport key, and unlimited time."""

    def __init__(self, registry: RegistryStore, signer: FileSigner, connection: Connection) -> None:
        self._issuer, self._domain = registry().issuer(VICTIM), registry().domain
        self._signer = signer
        self.connection = connection
        self.said: list[str] = []

    async def forge(
        self, draft: Draft, seq: int, prev: str | None, *, back: dt.timedelta = dt.timedelta(0)
    ) -> str:
        """Sign a bulletin that the authority never sent, with any date, and send it. Returns its digest."""
        message, found = forged(
            self._issuer, self._signer, draft, domain=self._domain, seq=seq, prev=prev, moment=clock() - back
        )
        await publish(self.connection, message.subject, message.payload, message.headers)
        self.said.append(found)
        return found


class Evening(Stage):
    """The world of this evening."""

    def __init__(self, root: Path, stack: AsyncExitStack) -> None:
        super().__init__(root, stack)
        self.hubs: list[Hub] = []

    async def open(self, reserve: FileSigner) -> None:
        """Open two countries, their registry with a reserve key for the electoral body, a broker and two hubs."""
        await self.begin((VICTIM, NEIGHBOUR, *HUBS), lambda document: with_key(document, reserve))
        for name in HUBS:
            self.hubs.append(await self._stack.enter_async_context(self.hub(name)))

    async def all_hubs(self, question: Callable[[Hub], Awaitable[bool]]) -> bool:
        """Whether a condition holds at every hub."""
        return all([await question(hub) for hub in self.hubs])


def with_key(document: Registry, signer: FileSigner) -> Registry:
    """The registry with one more key of the electoral body."""
    begin = clock().replace(microsecond=0)
    record = document.authorities[VICTIM]
    fields: dict[str, object] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": begin,
        "not_after": begin + KEY_LIFETIME,
    }
    key = msgspec.convert(fields, KeyRecord)
    changed = msgspec.structs.replace(record, keys={**record.keys, signer.kid: key})
    return proposals.add_authority(document, VICTIM, changed)
