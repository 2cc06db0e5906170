"""Stamping: what a draft leaves out is filled in, and nothing it says is changed."""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas import rules
from schemas.bodies import KINDS
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import decode, decode_as, decode_draft, encode
from schemas.errors import SchemaError
from schemas.parts import Area, Authority, Info
from schemas.sections import SectionDraft
from schemas.vocab import Dimension, Domain, Pap, Tlp
from tests.support.world import draft
from tests.unit.schemas import shapes

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
ISSUER = Authority(id="xa-csirt", kind="csirt", domain=Domain.CYBER, country="XA")
ID = "0196fe2f-9be0-7000-8000-000000000001"
DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")


def stamped(say: Draft, defaults: Defaults = DEFAULTS, issuer: Authority = ISSUER) -> Bulletin:
    """The first bulletin of a channel."""
    return stamp(say, id=ID, seq=1, prev=None, issuer=issuer, issued=NOW, defaults=defaults)


def test_a_small_draft_becomes_a_whole_bulletin() -> None:
    """Area from the issuer, dimension from the kind, life from the defaults; and it stands."""
    made = stamped(draft())
    assert made.areas == (Area(scope="country", country="XA"),)
    assert made.dimensions == (Dimension.CYBERCRIME,)
    assert made.expires == NOW + dt.timedelta(days=30)
    assert (made.tlp, made.pap, made.audience) == (Tlp.GREEN, Pap.GREEN, "community")
    rules.check(decode(encode(made)))


@pytest.mark.parametrize(("country", "scope"), [("XA", "country"), ("EU", "eu"), ("INT", "international")])
def test_the_area_of_an_issuer(country: str, scope: str) -> None:
    """A country, the Union, or the world."""
    made = stamped(draft(), issuer=msgspec.structs.replace(ISSUER, country=country))
    assert made.areas == (Area(scope=scope, country=country),)


def test_what_a_draft_says_wins_over_the_defaults() -> None:
    """Defaults fill in, they never overrule."""
    areas = (Area(scope="country", country="XB"),)
    said = draft(
        tlp=Tlp.AMBER, pap=Pap.RED, audience="eu-csirts", areas=areas, dimensions=(Dimension.HYBRID,)
    )
    other = Defaults(
        tlp=Tlp.CLEAR,
        pap=Pap.CLEAR,
        audience="public",
        areas=(Area(scope="eu"),),
        dimensions=(Dimension.PHYSICAL,),
    )
    made = stamped(said, other)
    assert (made.tlp, made.pap, made.audience) == (Tlp.AMBER, Pap.RED, "eu-csirts")
    assert (made.areas, made.dimensions) == (areas, (Dimension.HYBRID,))
    filled = stamped(draft(), other)
    assert (filled.areas, filled.dimensions) == ((Area(scope="eu"),), (Dimension.PHYSICAL,))


@pytest.mark.parametrize("name", ["tlp", "pap", "audience"])
def test_a_marking_is_never_guessed(name: str) -> None:
    """Without TLP, PAP or audience nothing is stamped, and the missing one is named."""
    with pytest.raises(SchemaError, match=name) as refused:
        stamped(draft(), msgspec.structs.replace(DEFAULTS, **{name: None}))
    assert (refused.value.reason, refused.value.path) == ("schema", f"$.{name}")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=1, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_every_kind_has_a_dimension(kind: str, data: st.DataObject) -> None:
    """No kind is left without one."""
    assert len(stamped(draft(body=data.draw(shapes.struct(KINDS[kind])))).dimensions) == 1


def test_a_draft_has_every_field_of_a_bulletin_but_the_stamp() -> None:
    """A field added to one and forgotten in the other would be lost on the way."""
    stamps = {"spec", "id", "seq", "prev", "issuer", "issued"}
    assert set(Bulletin.__struct_fields__) - set(Draft.__struct_fields__) == stamps
    assert set(Draft.__struct_fields__) < set(Bulletin.__struct_fields__)


def test_every_field_of_a_draft_is_stamped() -> None:
    """Whatever stands in a field of the draft stands in the same field of the bulletin, and a value that is no None stays."""
    said = Draft(**{name: object() for name in Draft.__struct_fields__})  # type: ignore[arg-type]
    made = stamped(said)
    for name in set(Draft.__struct_fields__) - {"sections"}:
        assert getattr(made, name) is getattr(said, name)
    empty = Draft(info=(), body=said.body, audience="", areas=(), dimensions=())
    assert (stamped(empty).audience, stamped(empty).areas, stamped(empty).dimensions) == ("", (), ())


def test_sections_are_not_stamped_in_clear() -> None:
    """They wait for whoever seals them; the bulletin that is stamped has none of them."""
    part = SectionDraft(label="legal", audience="eu-few", info=(Info(lang="en", headline="h", summary="s"),))
    assert stamped(draft(sections=(part,))).sections == ()


def test_a_draft_is_read_as_strictly_as_a_bulletin() -> None:
    """It round-trips; it cannot bring its own stamp."""
    raw = encode(draft())
    assert decode_draft(raw) == decode_as(Draft, raw) == draft()
    with pytest.raises(SchemaError):
        decode_draft(raw[:-1] + b',"seq":1}')
    with pytest.raises(SchemaError):
        decode_draft(b'{"body":{}}')


@given(days=st.integers(-20_000, 100_000), noise=st.binary(min_size=10, max_size=10))
def test_ids_are_uuid_version_7(days: int, noise: bytes) -> None:
    """Version, variant, milliseconds, and all 74 random bits of RFC 9562, section 5.7."""
    moment = NOW + dt.timedelta(days=days, milliseconds=days)
    made = uuid.UUID(new_id(moment, noise))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) - moment.timestamp() * 1000) <= 1
    bits = (made.int >> 64 & 0xFFF) << 62 | made.int & (1 << 62) - 1
    assert bits == int.from_bytes(noise) & (1 << 74) - 1


@given(st.lists(st.binary(min_size=10, max_size=10), min_size=2, max_size=2))
def test_ids_of_later_milliseconds_sort_later(noises: list[bytes]) -> None:
    """Order by id is order by time."""
    first, second = (new_id(NOW + n * dt.timedelta(milliseconds=1), each) for n, each in enumerate(noises))
    assert first < second
