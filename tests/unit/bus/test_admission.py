"""Admission: what stands is admitted, everything else is refused for its reason."""

from __future__ import annotations

from bus.admission import admit
from tests.worlds import bulletin, shared_world, sign


def test_a_signed_bulletin_is_admitted_with_its_signer_and_channel() -> None:
    """What an authority signs within its grant is admitted."""
    world = shared_world()
    message = sign(world, bulletin(world))
    found = admit(message.subject, message.headers, message.payload, registry=world.registry, now=world.now)
    assert found.signer_kid == world.signers["xa-csirt"].kid
    assert str(found.channel) == "xa-csirt/actual.green.community"
    assert found.trust == "fresh"
