"""One authority with its own folder and without a bus: the real registry, keys and outbox, to try an adapter.

Nothing here is a mock. Bulletins are stamped, checked, permitted, signed and kept as in service; they are only not
sent.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.keys import FileSigner
from bus.plugin import PUBLIC, Manifest
from bus.publishing import Outbox, Publisher
from bus.sealing import Sealer
from bus.trust import VerifiedRegistry, ceremony, proposals
from schemas.bulletin import Bulletin
from schemas.codec import decode
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant
from schemas.vocab import Scope, Status, Tlp

REGISTRY_LIFETIME = dt.timedelta(days=30)
CLOCK_SLACK = dt.timedelta(hours=1)


class Rehearsal:
    """An authority with exactly the grants that a manifest needs. Use `Rehearsal.open`."""

    def __init__(self, publisher: Publisher, outbox: Outbox) -> None:
        self.publisher = publisher
        self._outbox = outbox

    @classmethod
    @asynccontextmanager
    async def open(
        cls, manifest: Manifest, folder: Path, *, country: str, clock: Callable[[], dt.datetime]
    ) -> AsyncIterator[Rehearsal]:
        """Make the authority that a manifest describes, or continue with its outbox.

        Args:
            manifest: the adapter's manifest.
            folder: folder of the outbox; the same folder again simulates a restart.
            country: the authority's country.
            clock: the present, aware.
        """
        authority_id = f"{country.lower()}-{manifest.authority_kind}"
        signer = FileSigner.generate()
        registry = registry_for(manifest, authority_id, signer, country=country, now=clock())
        async with (
            Outbox.open(folder / "outbox.db") as outbox,
            Publisher.open(
                authority_id=authority_id,
                outbox=outbox,
                registry=lambda: registry,
                signers=(signer,),
                endpoint=None,
                defaults=manifest.defaults(),
                clock=clock,
                rng=secrets.token_bytes,
                seal=Sealer((signer,), secrets.token_bytes),
            ) as publisher,
        ):
            yield cls(publisher, outbox)

    async def bulletins(self) -> tuple[Bulletin, ...]:
        """Everything kept so far, in order."""
        rows = await self._outbox.rows()
        return tuple(decode(row.payload) for row in sorted(rows, key=lambda row: row.n))


def registry_for(
    manifest: Manifest, authority_id: str, signer: FileSigner, *, country: str, now: dt.datetime
) -> VerifiedRegistry:
    """A signed registry with one authority, whose grants are exactly what the manifest declares."""
    root, beacon = FileSigner.generate(), FileSigner.generate()
    channels = [(manifest.tlp, manifest.audience), (manifest.network.tlp, manifest.network.audience)]
    if manifest.public_kinds:
        channels.append((Tlp.CLEAR, PUBLIC))
    document = ceremony.new_registry(
        domain="rehearsal",
        root_keys=[_record(root, now)],
        root_threshold=1,
        beacon_keys=[_record(beacon, now)],
        beacon_threshold=1,
        audiences={
            name: Audience(scope=Scope.PUBLIC if name == PUBLIC else Scope.UNION, members=(authority_id,))
            for _, name in channels
        },
        now=now - CLOCK_SLACK,
        lifetime=REGISTRY_LIFETIME,
    )
    document = proposals.add_authority(
        document,
        authority_id,
        AuthorityRecord(
            name=f"{manifest.name} of {country}",
            kind=manifest.authority_kind,
            domain=manifest.domain,
            country=country,
            keys={signer.kid: _record(signer, now)},
            publish=tuple(
                PublishGrant(
                    statuses=(Status.ACTUAL, Status.EXERCISE, Status.TEST),
                    tlps=(tlp,),
                    audiences=(audience,),
                    kinds=manifest.kinds,
                    areas=("*",),
                )
                for tlp, audience in channels
            ),
        ),
    )
    return VerifiedRegistry.open(ceremony.sign_registry(ceremony.unsigned(document), root))


def _record(signer: FileSigner, now: dt.datetime) -> KeyRecord:
    fields = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": (now - CLOCK_SLACK).replace(microsecond=0),
        "not_after": now + REGISTRY_LIFETIME,
    }
    return msgspec.convert(fields, KeyRecord)
