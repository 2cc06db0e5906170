"""Where an authority may speak, and what it is told where it may not."""

from __future__ import annotations

import msgspec

from bus.drafts import Speaker, audiences_of, look
from schemas.bulletin import Defaults
from schemas.vocab import Pap, Tlp
from tests.support.world import NOW, shared_world
from tests.unit.bus.drafts.test_looking import GOOD

GIVEN = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
RECENT = GOOD.replace(b"2026-11-20T09:10:00Z", b"2026-01-23T18:07:00Z")


def said(raw: bytes, **marks: object) -> tuple[str, ...]:
    """What the CSIRT is told about a draft with a marking beside it."""
    registry = shared_world().registry
    speaker = Speaker(
        issuer=registry.issuer("xa-csirt"),
        given=GIVEN,
        now=NOW,
        registry=registry,
        marked=lambda draft: msgspec.structs.replace(draft, **marks),
        beside=frozenset(marks),
    )
    return tuple(each.text + " | " + each.choice for each in look(raw, speaker, NOW).findings)


def test_an_opening_is_what_the_registry_permits() -> None:
    """To each audience that is listed, and at each marking, a bulletin of each kind may be said; to others not."""
    registry = shared_world().registry
    listed = audiences_of(registry, "xa-csirt")
    ways = {(tlp, audience) for _, tlp, audience in registry.publish_prefixes("xa-csirt")}
    assert listed
    for each in listed:
        assert all((tlp, each.audience) in ways for tlp in each.tlps)
        assert "receipt" not in each.kinds


def test_a_mistyped_audience_has_a_nearest_and_a_list() -> None:
    """What may be said to whom is told in the place of: ask your registrar."""
    listed = [each.audience for each in audiences_of(shared_world().registry, "xa-csirt")]
    wanted = next(name for name in listed if len(name) > 5)
    (text,) = said(RECENT, audience=wanted[:-2] + wanted[-1], tlp=Tlp.GREEN)
    assert f"did you mean {wanted}?" in text
    assert wanted in text.partition(" | ")[2]


def test_a_marking_that_is_not_granted_lists_those_that_are() -> None:
    """For the audience that was asked for."""
    text, *_ = said(RECENT, tlp=Tlp.RED, audience="eu-csirts")
    assert text.endswith(
        ", ".join(
            next(
                e.tlps for e in audiences_of(shared_world().registry, "xa-csirt") if e.audience == "eu-csirts"
            )
        )
    )
