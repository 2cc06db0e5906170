"""Which streams and consumers a registry asks for."""

from __future__ import annotations

import msgspec

from bus.transport import consumers, reader_streams, streams_of
from bus.trust import VerifiedRegistry
from schemas.registry import AuthorityRecord
from schemas.vocab import Status
from tests.support.world import shared_world, signed_registry

SAID = (Status.ACTUAL, Status.SYSTEM)


def without_exercises() -> VerifiedRegistry:
    """A registry by which everybody may read everything, and nobody may say anything at exercise or test."""
    world = shared_world()

    def only_said(record: AuthorityRecord) -> AuthorityRecord:
        grants = [
            msgspec.structs.replace(grant, statuses=kept)
            for grant in record.publish
            if (kept := tuple(status for status in grant.statuses if status in SAID))
        ]
        return msgspec.structs.replace(record, publish=tuple(grants))

    document = world.registry.document
    authorities = {name: only_said(record) for name, record in document.authorities.items()}
    changed = msgspec.structs.replace(document, authorities=authorities)
    return VerifiedRegistry.open(signed_registry(changed, world.roots[:2]))


def test_a_status_at_which_nobody_may_speak_has_no_world() -> None:
    """A stream without subjects and sources would be given some by the server; nobody reads what is not there."""
    registry = without_exercises()
    assert {status for status, _, _ in registry.read_prefixes("xa-hub")} > {*SAID, Status.BEAT}
    worlds = {spec.name for spec in streams_of(registry) if spec.name.startswith("WORLD_")}
    assert worlds == {"WORLD_ACTUAL", "WORLD_BEAT", "WORLD_SYSTEM"}
    assert {stream for stream, _ in reader_streams(registry, "xa-hub")} == worlds
    assert {spec.stream for spec in consumers(registry)} <= {spec.name for spec in streams_of(registry)}
