"""Grants: the ways to publish and to read, answers without a grant, and the kinds that a speaker may publish."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import PermitError
from bus.trust import proposals
from bus.trust.grants import HUB, Speaker, answers_to, granted, read_by, spoken_by
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.parts import Area, Authority, ElectionRef, Observable, Ref
from schemas.registry import AuthorityRecord, PublishGrant, ReadGrant
from schemas.subject import Channel, channel_of
from schemas.vocab import Domain, ElectionType, PersonalFlag, Phase, RefRel, Status, Tlp
from tests.support.world import NOW, bulletin, key_record, shared_world, signed_registry

WORLD = shared_world()
DAY = dt.timedelta(days=1)
ACTUAL, TEST, SYSTEM = Status.ACTUAL, Status.TEST, Status.SYSTEM


def says(**changes: Any) -> PublishGrant:
    """A grant to say anything on one way, with fields replaced."""
    fields: dict[str, Any] = {
        "statuses": (ACTUAL,),
        "tlps": (Tlp.GREEN,),
        "audiences": ("community",),
        "kinds": ("*",),
        "areas": ("*",),
    }
    return PublishGrant(**{**fields, **changes})


def reads(*audiences: str, tlp: Tlp = Tlp.GREEN, status: Status = ACTUAL) -> ReadGrant:
    """A grant to read one marking to audiences."""
    return ReadGrant(statuses=(status,), tlps=(tlp,), audiences=audiences)


def record(kind: str = "csirt", **changes: Any) -> AuthorityRecord:
    """An authority of a kind, with grants."""
    return AuthorityRecord(name="Somebody", kind=kind, domain=Domain.CYBER, country="XA", **changes)


def test_a_grant_opens_every_combination_it_lists() -> None:
    """Statuses, markings and audiences multiply; several grants add up."""
    wide = says(statuses=(ACTUAL, TEST), tlps=(Tlp.CLEAR, Tlp.RED), audiences=("a", "b"))
    assert len(granted([wide])) == 8
    assert granted([wide, reads("c")]) == {
        *((status, tlp, name) for status in (ACTUAL, TEST) for tlp in (Tlp.CLEAR, Tlp.RED) for name in "ab"),
        (ACTUAL, Tlp.GREEN, "c"),
    }
    assert granted([]) == frozenset()


def test_a_grant_for_heartbeats_opens_status_beat() -> None:
    """A grant for heartbeats on status system opens status beat, and a reader of system reads them; no other grant does."""
    system, beat = (SYSTEM, Tlp.GREEN, "community"), (Status.BEAT, Tlp.GREEN, "community")
    for kinds in (("*",), ("channel-status", "reanchor")):
        assert granted([says(statuses=(SYSTEM,), kinds=kinds)]) == {system, beat}
    assert granted([says(statuses=(SYSTEM,), kinds=("receipt",))]) == {system}
    assert granted([says(kinds=("channel-status",))]) == {(ACTUAL, Tlp.GREEN, "community")}
    assert granted([reads("community", status=SYSTEM)]) == {system, beat}
    assert answers_to("xa-csirt", granted([says(statuses=(SYSTEM,))])) == frozenset()


def test_speaking_and_reading_are_two_things() -> None:
    """A grant to publish allows no reading, and a grant to read no publishing."""
    both = record(publish=(says(),), read=(reads("public"),))
    assert spoken_by(both) == {(ACTUAL, Tlp.GREEN, "community")}
    assert read_by("xa-csirt", both) == {(ACTUAL, Tlp.GREEN, "public")}


def test_a_hub_also_hears_what_is_said_to_it_about_what_it_reads() -> None:
    """On status system, to its id, at the marking of what it reads; GREEN for CLEAR."""
    grants = (reads("public", tlp=Tlp.CLEAR), reads("eu-dpas", tlp=Tlp.AMBER_STRICT))
    own = granted(grants)
    assert read_by("xa-hub", record(HUB, read=grants)) == own | {
        (SYSTEM, Tlp.GREEN, "xa-hub"),
        (SYSTEM, Tlp.AMBER_STRICT, "xa-hub"),
    }
    assert read_by("xa-hub", record("csirt", read=grants)) == own


def test_an_author_hears_answers_to_what_it_says_and_none_to_its_answers() -> None:
    """At each marking it speaks at; what it says on status system asks for no answer."""
    grants = (says(tlps=(Tlp.AMBER,)), says(statuses=(SYSTEM,), tlps=(Tlp.RED,)))
    assert answers_to("xa-csirt", granted(grants)) == {(SYSTEM, Tlp.AMBER, "xa-csirt")}
    assert answers_to("xa-csirt", granted(grants[1:])) == frozenset()


def test_a_speaker_is_as_its_record_says() -> None:
    """Every field of the authority, the algorithms in their order, and its grants."""
    made = msgspec.structs.replace(record("dpa", publish=(says(),)), require=("ES256", "Ed25519"))
    assert Speaker.of("xa-dpa", made) == Speaker(
        authority=Authority(id="xa-dpa", kind="dpa", domain=Domain.CYBER, country="XA", name="Somebody"),
        require=("ES256", "Ed25519"),
        grants=(says(),),
    )


def country(code: str) -> Area:
    """A country as an area."""
    return Area(scope="country", country=code)


UNION = Area(scope="eu")
NOWHERE = Area(scope="multi")
NO_CHANNEL = (
    "xa-csirt has no grant to publish actual.green.community (actual, TLP:GREEN, to community); "
    "ask your registrar"
)
NO_KIND = "xa-csirt has no grant for kind cyber-threat on actual.green.community"

PERMITS: dict[str, tuple[tuple[PublishGrant, ...], tuple[Area, ...], str]] = {
    "everything": ((says(),), (country("XA"),), ""),
    "no grant": ((), (), NO_CHANNEL),
    "another status": ((says(statuses=(TEST,)),), (), NO_CHANNEL),
    "another marking": ((says(tlps=(Tlp.AMBER,)),), (), NO_CHANNEL),
    "another audience": ((says(audiences=("public",)),), (), NO_CHANNEL),
    "each right in another grant": (
        (says(statuses=(TEST,)), says(tlps=(Tlp.AMBER,)), says(audiences=("public",))),
        (),
        NO_CHANNEL,
    ),
    "its kind": ((says(kinds=("data-breach", "cyber-threat")),), (), ""),
    "another kind": ((says(kinds=("data-breach",)),), (), NO_KIND),
    "its kind on another channel": (
        (says(kinds=("data-breach",)), says(kinds=("cyber-threat",), tlps=(Tlp.RED,))),
        (),
        NO_KIND,
    ),
    "its areas": ((says(areas=("XA", "XB")),), (country("XA"), country("XB")), ""),
    "no area": ((says(areas=("*",)),), (), ""),
    "no area, under a grant for one": (
        (says(areas=("XA", "EU", "INT")),),
        (),
        "xa-csirt has no grant for areas without a country on actual.green.community",
    ),
    "an area without a country": ((says(areas=("*",)),), (NOWHERE,), ""),
    "an area without a country, under a grant for one": (
        (says(areas=("XA",)),),
        (country("XA"), NOWHERE),
        "xa-csirt has no grant for areas without a country, XA on actual.green.community",
    ),
    "a country called the Union": (
        (says(areas=("EU",)),),
        (Area(scope="eu", country="XB"),),
        "xa-csirt has no grant for EU, XB on actual.green.community",
    ),
    "the Union": ((says(areas=("EU",)),), (UNION,), ""),
    "the Union, under a grant for countries": (
        (says(areas=("XA", "XB")),),
        (UNION,),
        "xa-csirt has no grant for EU on actual.green.community",
    ),
    "an area that is not granted": (
        (says(areas=("XA",)),),
        (country("XB"), country("XA")),
        "xa-csirt has no grant for XA, XB on actual.green.community",
    ),
    "areas of two grants together": (
        (says(areas=("XA",)), says(areas=("XB",))),
        (country("XA"), country("XB")),
        "xa-csirt has no grant for XA, XB on actual.green.community",
    ),
    "its area under the grant for another kind": (
        (says(areas=("XA",)), says(areas=("XB",), kinds=("data-breach",))),
        (country("XB"),),
        "xa-csirt has no grant for XB on actual.green.community",
    ),
    "every area, in the second grant": ((says(areas=("XB",)), says()), (country("XA"),), ""),
}


@pytest.mark.parametrize(("grants", "areas", "sentence"), PERMITS.values(), ids=PERMITS)
def test_one_grant_must_cover_all_of_it(
    grants: tuple[PublishGrant, ...], areas: tuple[Area, ...], sentence: str
) -> None:
    """Channel, kind and areas are one grant's; the sentence says which of them is missing."""
    made = bulletin(WORLD, areas=areas)
    speaker = Speaker.of("xa-csirt", record(publish=grants))
    if not sentence:
        speaker.permit(made, channel_of(made))
        return
    with pytest.raises(PermitError) as refused:
        speaker.permit(made, channel_of(made))
    assert (refused.value.reason, str(refused.value)) == ("not-permitted", sentence)


# -- the registry's answers ---------------------------------------------------------------------------------------


def _registry() -> VerifiedRegistry:
    """A hub that reads and answers, an office that speaks, and one that only reads."""
    document = WORLD.registry.document
    keys = {name: document.authorities[name] for name in ("xa-csirt", "xb-csirt", "xa-hub")}
    made = {
        "xa-csirt": msgspec.structs.replace(
            keys["xa-csirt"], publish=(says(tlps=(Tlp.GREEN, Tlp.AMBER)), says(statuses=(SYSTEM,))), read=()
        ),
        "xb-csirt": msgspec.structs.replace(
            keys["xb-csirt"], publish=(), read=(reads("public", "community"),)
        ),
        "xa-hub": msgspec.structs.replace(keys["xa-hub"], publish=(), read=(reads("community"),)),
    }
    for name, changed in made.items():
        document = proposals.add_authority(document, name, changed)
    return VerifiedRegistry.open(signed_registry(document, WORLD.roots[:2]))


REGISTRY = _registry()


def on(
    status: Status = ACTUAL, tlp: Tlp = Tlp.GREEN, audience: str = "community", issuer: str = "xa-csirt"
) -> Channel:
    """A channel."""
    return Channel(issuer=issuer, status=status, tlp=tlp, audience=audience)


PUBLISHES: dict[str, tuple[str, Channel, bool]] = {
    "granted": ("xa-csirt", on(), True),
    "granted at another marking": ("xa-csirt", on(tlp=Tlp.AMBER), True),
    "granted on status system": ("xa-csirt", on(SYSTEM), True),
    "on another's channel": ("xa-csirt", on(issuer="xb-csirt"), False),
    "another on its channel": ("xb-csirt", on(), False),
    "another status": ("xa-csirt", on(TEST), False),
    "another marking": ("xa-csirt", on(tlp=Tlp.RED), False),
    "a marking of another status": ("xa-csirt", on(SYSTEM, Tlp.AMBER), False),
    "another audience": ("xa-csirt", on(audience="public"), False),
    "without any grant, where it reads": ("xb-csirt", on(issuer="xb-csirt"), True),
    "without any grant, where it reads what nobody says": (
        "xb-csirt",
        on(audience="public", issuer="xb-csirt"),
        False,
    ),
    "nobody": ("xa-nobody", on(issuer="xa-nobody"), False),
}


@pytest.mark.parametrize(("who", "channel", "may"), PUBLISHES.values(), ids=PUBLISHES)
def test_who_may_speak_on_a_channel(who: str, channel: Channel, may: bool) -> None:
    """Its own channel, by one grant."""
    assert REGISTRY.may_publish(who, channel) is may


READS: dict[str, tuple[str, Channel, bool]] = {
    "its own channel": ("xa-csirt", on(), True),
    "granted": ("xb-csirt", on(), True),
    "granted, to another audience": ("xb-csirt", on(audience="public"), True),
    "no grant for the status": ("xb-csirt", on(TEST), False),
    "no grant for the marking": ("xb-csirt", on(tlp=Tlp.AMBER), False),
    "no grant for the audience": ("xb-csirt", on(audience="eu-dsc"), False),
    "no grant at all": ("xa-csirt", on(issuer="xb-csirt"), False),
    "answers to what it says": ("xa-csirt", on(SYSTEM, Tlp.GREEN, "xa-csirt", "xa-hub"), True),
    "answers at another marking it says": ("xa-csirt", on(SYSTEM, Tlp.AMBER, "xa-csirt", "xa-hub"), True),
    "answers to another": ("xb-csirt", on(SYSTEM, Tlp.GREEN, "xa-csirt", "xa-hub"), False),
    "a hub, what is said to it": ("xa-hub", on(SYSTEM, Tlp.GREEN, "xa-hub"), True),
    "an office, what is said to it about its answers": ("xb-csirt", on(SYSTEM, Tlp.GREEN, "xb-csirt"), True),
    "nobody": ("xa-nobody", on(), False),
}


@pytest.mark.parametrize(("who", "channel", "may"), READS.values(), ids=READS)
def test_who_may_read_a_channel(who: str, channel: Channel, may: bool) -> None:
    """Its own, by a grant, or because answers to it come there."""
    assert REGISTRY.may_read(who, channel) is may


def test_the_readers_of_a_channel_are_sorted_and_include_who_is_answered() -> None:
    """By grant, and by receipt; an audience that says nothing is no reader."""
    assert {"xa-hub", "xb-csirt"} <= set(REGISTRY.readers(on()))
    assert "xa-csirt" not in REGISTRY.readers(on())
    assert list(REGISTRY.readers(on())) == sorted(REGISTRY.readers(on()))
    assert "xa-csirt" in REGISTRY.readers(on(SYSTEM, Tlp.AMBER, "xa-csirt", "xa-hub"))
    assert "xb-csirt" not in REGISTRY.readers(on(SYSTEM, Tlp.AMBER, "xb-csirt", "xa-hub"))
    assert REGISTRY.readers(on(SYSTEM, Tlp.RED, "xa-csirt", "xa-hub")) == ()


def test_the_ways_of_an_authority_are_listed_sorted() -> None:
    """The ways that it reads by grant, receives answers on, and publishes on; none for an unknown authority."""
    registry = VerifiedRegistry.open(REGISTRY.raw)
    assert registry.read_prefixes("xb-csirt") == (
        (ACTUAL, Tlp.GREEN, "community"),
        (ACTUAL, Tlp.GREEN, "public"),
    )
    assert registry.read_prefixes("xa-hub") == (
        (ACTUAL, Tlp.GREEN, "community"),
        (SYSTEM, Tlp.GREEN, "xa-hub"),
    )
    assert registry.receipt_prefixes("xa-csirt") == (
        (SYSTEM, Tlp.AMBER, "xa-csirt"),
        (SYSTEM, Tlp.GREEN, "xa-csirt"),
    )
    assert registry.publish_prefixes("xa-csirt") == (
        (ACTUAL, Tlp.AMBER, "community"),
        (ACTUAL, Tlp.GREEN, "community"),
        (Status.BEAT, Tlp.GREEN, "community"),
        (SYSTEM, Tlp.GREEN, "community"),
    )
    assert registry.granted_prefixes("xa-csirt") == registry.publish_prefixes("xa-csirt")
    assert registry.publish_prefixes("xb-csirt") == ((ACTUAL, Tlp.GREEN, "community"),)
    assert registry.granted_prefixes("xb-csirt") == ()
    assert registry.receipt_prefixes("xa-nobody") == registry.publish_prefixes("xa-nobody") == ()
    assert registry.read_prefixes("xa-nobody") == ()
    assert registry.seal_keys("xa-nobody") == {}


def test_an_authority_is_asked_for_by_its_id() -> None:
    """Its record, its speaker, made once, and its description in bulletins."""
    record_held = REGISTRY.document.authorities["xa-csirt"]
    assert REGISTRY.authority("xa-csirt") is record_held
    assert REGISTRY.speaker("xa-csirt") == Speaker.of("xa-csirt", record_held, REGISTRY.document)
    assert REGISTRY.speaker("xa-csirt") is REGISTRY.speaker("xa-csirt")
    assert REGISTRY.issuer("xa-csirt") == REGISTRY.speaker("xa-csirt").authority


def _with_ends() -> tuple[VerifiedRegistry, dict[str, str]]:
    """Four keys: good, past its window, revoked, and both."""
    signers = {name: WORLD.signers[name] for name in ("xa-csirt", "xb-csirt", "xa-emb", "xb-emb")}
    ends: dict[str, dict[str, Any]] = {
        "xa-csirt": {},
        "xb-csirt": {"not_after": NOW - DAY},
        "xa-emb": {"revoked_since": NOW - 2 * DAY},
        "xb-emb": {"not_after": NOW - 2 * DAY, "revoked_since": NOW - DAY},
    }
    document = WORLD.registry.document
    for name, changes in ends.items():
        keys = {signers[name].kid: key_record(signers[name], **changes)}
        changed = msgspec.structs.replace(document.authorities[name], keys=keys)
        document = proposals.add_authority(document, name, changed)
    opened = VerifiedRegistry.open(signed_registry(document, WORLD.roots[:2]))
    return opened, {name: signer.kid for name, signer in signers.items()}


def test_a_key_has_ended_since_its_revocation_or_its_last_moment_whichever_is_earlier() -> None:
    """A window ends as its last moment comes; a revoked key counts from its own moment."""
    registry, kids = _with_ends()
    assert registry.revoked() == {kids["xa-emb"]: NOW - 2 * DAY, kids["xb-emb"]: NOW - DAY}
    since = {kid: end.since for kid, end in registry.ended(NOW).items()}
    assert since == {
        kids["xb-csirt"]: NOW - DAY,
        kids["xa-emb"]: NOW - 2 * DAY,
        kids["xb-emb"]: NOW - 2 * DAY,
    }
    assert kids["xb-csirt"] in registry.ended(NOW - DAY)
    before = registry.ended(NOW - DAY - dt.timedelta(microseconds=1))
    assert kids["xb-csirt"] not in before
    early = registry.ended(NOW - 3 * DAY)
    assert {kid: end.since for kid, end in early.items()} == {
        kids["xa-emb"]: NOW - 2 * DAY,
        kids["xb-emb"]: NOW - DAY,
    }


def test_keys_are_listed_by_authority_and_id() -> None:
    """Every bulletin key once; none of a role."""
    listed = [(key.authority_id, key.public.kid) for key in WORLD.registry.bulletin_keys()]
    assert listed == sorted((name, signer.kid) for name, signer in WORLD.signers.items())
    assert WORLD.registry.key(WORLD.roots[0].kid) is None


# -- what is left out -------------------------------------------------------------------------------------------------

AREAS = st.builds(
    Area,
    scope=st.sampled_from(
        ["country", "region", "municipality", "eu", "abroad", "international", "online", "x"]
    ),
    country=st.sampled_from([None, "XA", "XB", "EU", "INT"]),
    code=st.sampled_from([None, "XB-001"]),
    name=st.sampled_from([None, "Capital of XB"]),
)
RIGHTS = st.lists(
    st.builds(
        says,
        statuses=st.sampled_from([(ACTUAL,), (TEST,)]),
        tlps=st.sampled_from([(Tlp.GREEN,), (Tlp.AMBER,)]),
        kinds=st.sampled_from([("*",), ("cyber-threat",), ("data-breach",)]),
        areas=st.lists(st.sampled_from(["*", "XA", "XB", "EU", "INT"]), min_size=1, unique=True).map(tuple),
    ),
    max_size=3,
).map(tuple)
FULL = bulletin(
    WORLD,
    co_issuers=(WORLD.registry.issuer("xb-csirt"),),
    exercise_id="ce-2027",
    incident_id="0196fe2f-9be0-7000-8000-000000000001",
    references=(Ref(id="0196fe2f-9be0-7000-8000-000000000001", rel=RefRel.SUPERSEDES),),
    election=ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING),
    effective=NOW,
    onset=NOW,
    observables=(Observable(type="domain-name", personal=PersonalFlag.NONE, value="c2.example"),),
    labels=("a:b",),
)
OPTIONAL = {
    each.name: each.default
    for each in msgspec.structs.fields(Bulletin)
    if each.default is not msgspec.NODEFAULT
}


def permitted(made: Bulletin, rights: tuple[PublishGrant, ...]) -> bool:
    """Whether an authority with these grants may say it."""
    speaker = Speaker.of("xa-csirt", record(publish=rights))
    try:
        speaker.permit(made, channel_of(made))
    except PermitError:
        return False
    return True


def test_every_optional_member_is_tried() -> None:
    """None was added to a bulletin without a thought for what its absence permits."""
    assert OPTIONAL
    assert all(default in (None, ()) for default in OPTIONAL.values())


@given(RIGHTS, st.lists(AREAS, max_size=4).map(tuple), st.sampled_from(sorted(OPTIONAL)))
def test_leaving_out_an_optional_member_permits_nothing_more(
    rights: tuple[PublishGrant, ...], areas: tuple[Area, ...], member: str
) -> None:
    """This holds for any grants and areas, for each optional member of a bulletin."""
    full = msgspec.structs.replace(FULL, areas=areas)
    less = msgspec.structs.replace(full, **{member: OPTIONAL[member]})
    assert permitted(less, rights) <= permitted(full, rights)


@given(RIGHTS, st.lists(AREAS, min_size=1, max_size=4).map(tuple), st.data())
def test_leaving_out_where_a_place_lies_permits_nothing_more(
    rights: tuple[PublishGrant, ...], areas: tuple[Area, ...], data: st.DataObject
) -> None:
    """For each optional member of each area, but the country of the whole Union; and for all areas at once."""
    n = data.draw(st.integers(0, len(areas) - 1))
    member = data.draw(st.sampled_from(["code", "system", "name", "country"]))
    less = msgspec.structs.replace(areas[n], **{member: None})
    full = msgspec.structs.replace(FULL, areas=areas)
    if areas[n].scope != "eu" or member != "country":
        changed = msgspec.structs.replace(full, areas=(*areas[:n], less, *areas[n + 1 :]))
        assert permitted(changed, rights) <= permitted(full, rights)
    assert permitted(msgspec.structs.replace(full, areas=()), rights) <= permitted(full, rights)
