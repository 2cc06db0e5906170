"""The hubs that must and may send receipts, and the grants that let a hub answer only its authors."""

from __future__ import annotations

import msgspec

from bus.trust import proposals, receipt_grants
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from schemas.registry import Registry
from schemas.subject import Channel
from schemas.vocab import Status, Tlp
from tests.support.world import NOW, shared_world, signed_registry

WORLD = shared_world()
STRICT = Channel(issuer="xa-dpa", status=Status.ACTUAL, tlp=Tlp.AMBER_STRICT, audience="eu-dpas")
PUBLIC = Channel(issuer="xa-emb", status=Status.ACTUAL, tlp=Tlp.CLEAR, audience="public")


def opened(document: Registry) -> VerifiedRegistry:
    """A registry of this content, signed."""
    return VerifiedRegistry.open(signed_registry(document, WORLD.roots[:2]))


def test_the_hubs_that_may_read_a_channel_must_have_it() -> None:
    """A hub from which a network is withheld owes no answer there, and an office that reads owes none at all."""
    assert receipt_grants.required(WORLD.registry, STRICT) == ("xa-hub",)
    assert receipt_grants.required(WORLD.registry, PUBLIC) == ("xa-hub", "xb-hub")


def test_a_hub_is_granted_to_answer_exactly_whom_it_may_read() -> None:
    """By marking: the withheld network's authors only at GREEN, and the public's at GREEN too."""
    document = WORLD.registry.document
    for hub in ("xa-hub", "xb-hub"):
        document = proposals.grant_receipts(document, hub)
    registry = opened(document)
    ways = receipt_grants.ways(registry, "xb-hub")
    assert (Tlp.GREEN, "xa-dpa") in ways
    assert (Tlp.AMBER_STRICT, "xa-dpa") not in ways
    assert (Tlp.AMBER_STRICT, "xa-csirt") in ways
    assert {tlp for tlp, _ in ways} == {Tlp.GREEN, Tlp.AMBER_STRICT}
    assert receipt_grants.may_answer(registry, "xa-hub", STRICT)
    assert not receipt_grants.may_answer(registry, "xb-hub", STRICT)
    assert receipt_grants.may_answer(registry, "xb-hub", PUBLIC)


def test_granting_again_replaces_and_follows_who_is_there() -> None:
    """Said twice it changes nothing; when an author has gone, so has the grant to answer it."""
    once = proposals.grant_receipts(WORLD.registry.document, "xb-hub")
    assert proposals.grant_receipts(once, "xb-hub") == once
    without = {name: record for name, record in once.authorities.items() if name != "xa-dpa"}
    fewer = proposals.grant_receipts(msgspec.structs.replace(once, authorities=without), "xb-hub")
    assert "xa-dpa" not in {name for grant in fewer.authorities["xb-hub"].publish for name in grant.audiences}


def test_a_hub_whose_keys_are_revoked_has_no_way_to_answer() -> None:
    """It is shown as mute, not as late."""
    document = WORLD.registry.document
    hub = document.authorities["xb-hub"]
    ended = {kid: msgspec.structs.replace(key, revoked_since=NOW) for kid, key in hub.keys.items()}
    silent = msgspec.structs.replace(hub, keys=ended)
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xb-hub": silent})
    assert receipt_grants.ways(opened(document), "xb-hub") == frozenset()
    assert receipt_grants.ways(WORLD.registry, "xb-hub")


def test_a_hub_whose_key_a_statement_has_ended_has_no_way_to_answer_either() -> None:
    """A key that a statement or the registry revokes vouches for nothing more."""
    signer = WORLD.signers["xb-hub"]
    raw = new_statement(
        domain="test",
        authority="xb-hub",
        kids=[signer.kid],
        since=NOW,
        reason="key-lost",
        signer=signer,
        now=NOW,
    )
    assert receipt_grants.ways(WORLD.registry.with_revocation(raw, NOW), "xb-hub") == frozenset()


def test_more_authors_than_a_grant_holds_are_answered_by_several() -> None:
    """A grant names 256 audiences at the most."""
    authors = [f"xa-org{n}" for n in range(600)]
    found = receipt_grants.grants(authors, (Tlp.GREEN,))
    assert [len(each.audiences) for each in found] == [256, 256, 88]
    assert [name for each in found for name in each.audiences] == authors
