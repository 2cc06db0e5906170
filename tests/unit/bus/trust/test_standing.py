"""The validity of a proposal, the differences between two, and the country of a national network."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.errors import PermitError, TrustError
from bus.trust import ceremony, differences, must_stand, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.registry import PublishGrant, Registry
from schemas.vocab import Scope, Status, Tlp
from tests.support.world import NOW, bulletin, shared_world, signed_registry

WORLD = shared_world()
DAY = dt.timedelta(days=1)
NEXT = ceremony.next_version(WORLD.registry.document, WORLD.pin, NOW, 90 * DAY)


def changed(**fields: object) -> Registry:
    """The next version with other fields."""
    return msgspec.structs.replace(NEXT, **fields)


def roots(**fields: object) -> Registry:
    """The next version with each root key changed."""
    keys = {kid: msgspec.structs.replace(key, **fields) for kid, key in NEXT.root.keys.items()}
    return changed(root=msgspec.structs.replace(NEXT.root, keys=keys))


def test_what_stands_once_it_is_signed_is_not_refused() -> None:
    """The judgement of a proposal is that of a reader."""
    must_stand(NEXT, WORLD.registry, NOW)
    WORLD.registry.update(signed_registry(NEXT, WORLD.roots[:2]), NOW)


REFUSED = {
    "another domain": (changed(domain="another"), "domain"),
    "a version that is skipped": (changed(version=3), "skip"),
    "a version that is held": (changed(version=1), "rollback"),
    "another version before it": (changed(prev="A" * 43), "fork"),
    "issued before the one held": (changed(issued=WORLD.registry.document.issued - DAY), "rollback"),
    "issued in the future": (changed(issued=NOW + DAY), "from-the-future"),
    "root keys that have ended": (roots(not_after=NOW - DAY), "unreachable-threshold"),
    "root keys that are revoked": (roots(revoked_since=NOW - DAY), "unreachable-threshold"),
    "a grant for nobody": (changed(audiences={}), "audience"),
}


@pytest.mark.parametrize(("document", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_signatures_make_stand_is_refused(document: Registry, reason: str) -> None:
    """With the reason that its readers would have, by all its roots' signatures."""
    with pytest.raises(TrustError) as refused:
        must_stand(document, WORLD.registry, NOW)
    assert refused.value.reason == reason
    with pytest.raises(TrustError):
        WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)


def test_root_keys_of_the_version_before_count_too() -> None:
    """They must sign the next one, so they must be able to as it is issued."""
    late = NOW + 800 * DAY
    document = msgspec.structs.replace(NEXT, issued=late, expires=late + DAY)
    with pytest.raises(TrustError, match="of the root before it must sign, but only 0 can"):
        must_stand(document, WORLD.registry, late)


def test_without_the_version_before_only_the_document_is_judged() -> None:
    """A first version has none."""
    must_stand(WORLD.registry.document, None, NOW)
    must_stand(changed(version=7), None, NOW)


def test_differences_name_what_came_and_what_went() -> None:
    """Members of objects are compared by name, members of lists regardless of order."""
    first = proposals.set_audience(NEXT, "one", Scope.UNION)
    assert differences(first, first) == ()
    joined = proposals.join(first, "xa-csirt", "one")
    assert [(each.place, each.gone, each.new) for each in differences(first, joined)] == [
        ("audiences.one.members", None, '"xa-csirt"')
    ]
    assert [(each.place, each.gone) for each in differences(joined, first)] == [
        ("audiences.one.members", '"xa-csirt"')
    ]
    national = proposals.set_audience(joined, "one", Scope.NATIONAL)
    assert [(each.place, each.gone, each.new) for each in differences(joined, national)] == [
        ("audiences.one.scope", '"union"', None),
        ("audiences.one.scope", None, '"national"'),
    ]
    gone = differences(joined, NEXT)
    assert [(each.place, each.new) for each in gone] == [("audiences.one", None)]
    came = differences(NEXT, joined)
    assert [(each.place, each.gone) for each in came] == [("audiences.one", None)]


def test_joining_twice_is_joining_once() -> None:
    """An unknown authority cannot join, and nobody can join a missing audience."""
    once = proposals.join(proposals.set_audience(NEXT, "one", Scope.UNION), "xa-csirt", "one")
    assert proposals.join(once, "xa-csirt", "one") == once
    with pytest.raises(TrustError) as refused:
        proposals.join(once, "xa-csirt", "two")
    assert refused.value.reason == "audience"
    with pytest.raises(TrustError) as refused:
        proposals.leave(once, "xa-nobody", "one")
    assert refused.value.reason == "unknown-authority"


def test_grants_that_name_several_audiences_keep_the_others() -> None:
    """An authority that leaves one audience with its grants keeps its grants for the others."""
    says = PublishGrant(
        statuses=(Status.ACTUAL,),
        tlps=(Tlp.GREEN,),
        audiences=("one", "community"),
        kinds=("*",),
        areas=("*",),
    )
    document = proposals.set_audience(NEXT, "one", Scope.UNION)
    document = proposals.grant(proposals.join(document, "xa-csirt", "one"), "xa-csirt", publish=(says,))
    assert proposals.grants_for(document.authorities["xa-csirt"], "one") == 1
    left = proposals.leave(document, "xa-csirt", "one", with_grants=True)
    kept = left.authorities["xa-csirt"].publish[-1]
    assert kept == msgspec.structs.replace(says, audiences=("community",))
    assert left.authorities["xa-csirt"].publish[:-1] == NEXT.authorities["xa-csirt"].publish


def test_who_writes_to_the_network_of_another_country_is_told_so() -> None:
    """In one sentence, with where it may write instead."""
    document = proposals.set_audience(WORLD.registry.document, "nation", Scope.NATIONAL)
    document = proposals.join(document, "xb-csirt", "nation")
    registry = VerifiedRegistry(document=document, digest="", raw=b"", beacon=None)
    with pytest.raises(PermitError) as refused:
        registry.permit(bulletin(WORLD, "xa-csirt", audience="nation"))
    assert refused.value.reason == "not-permitted"
    assert str(refused.value) == (
        "nation is a national network of XB, and xa-csirt is of XA: only authorities of its own country publish there; "
        "at this marking it may publish to: community"
    )
    with pytest.raises(PermitError, match="has no grant to publish"):
        registry.permit(bulletin(WORLD, "xb-csirt", audience="nation"))
