"""A signature holds for one purpose in one federation: at every place where a bulletin's is verified."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator

import pytest

from bus.admission.contradiction import judge_proof
from bus.admission.steps import admit, verify_file, verify_inside
from bus.admission.verdict import Judged, Message, decide
from bus.errors import AdmissionError
from bus.hub.exchange.requests import handed
from bus.keys import hpke, signatures
from bus.keys.signatures import sign_entry
from schemas import envelope, jwe
from schemas.envelope import (
    SIG_HEADER,
    TYP_BATCH,
    TYP_BULLETIN,
    TYP_SEALED_BULLETIN,
    TYPES,
    Entry,
    format_header,
    write_contradiction,
    write_signed,
)
from tests.support.batches import in_a_batch
from tests.support.places import ROOT
from tests.support.world import DOMAIN, NOW, bulletin, draft, shared_world, sign, within

WORLD = shared_world()
REGISTRY = WORLD.registry
MINE, THEIRS = WORLD.signers["xa-csirt"], WORLD.signers["xb-csirt"]
GOOD = sign(WORLD, bulletin(WORLD))
OTHER = sign(WORLD, bulletin(WORLD, say=draft("the opposite")))


def _message(entries: tuple[Entry, ...]) -> None:
    admit(GOOD.subject, [(SIG_HEADER, format_header(entries))], GOOD.payload, registry=REGISTRY, now=NOW)


def _decided(entries: tuple[Entry, ...]) -> None:
    found = decide(
        Message(
            subject=GOOD.subject,
            headers=((SIG_HEADER, format_header(entries)),),
            payload=GOOD.payload,
            stream="BUNDLE",
            stream_seq=1,
            digest=GOOD.digest,
        ),
        REGISTRY,
        NOW,
    )
    if not isinstance(found, Judged):
        raise AdmissionError(found.detail, reason=found.reason)


def _file(entries: tuple[Entry, ...]) -> None:
    verify_file(write_signed(GOOD.payload, entries), registry=REGISTRY, now=NOW)


def _continued(entries: tuple[Entry, ...]) -> None:
    verify_file(write_signed(GOOD.payload, entries), registry=REGISTRY, now=NOW, continued=True)


def _proof(entries: tuple[Entry, ...]) -> None:
    other = write_signed(OTHER.payload, (sign_entry(MINE, OTHER.payload, within()),))
    judge_proof(write_contradiction(write_signed(GOOD.payload, entries), other), registry=REGISTRY, now=NOW)


def _proof_behind(entries: tuple[Entry, ...]) -> None:
    other = write_signed(OTHER.payload, (sign_entry(MINE, OTHER.payload, within()),))
    judge_proof(write_contradiction(other, write_signed(GOOD.payload, entries)), registry=REGISTRY, now=NOW)


def _copy(entries: tuple[Entry, ...]) -> None:
    handed(write_signed(GOOD.payload, entries).decode(), registry=REGISTRY, now=NOW)


PLACES: dict[str, Callable[[tuple[Entry, ...]], None]] = {
    "a message": _message,
    "a message or a line of a bundle, decided": _decided,
    "a file": _file,
    "a file that is continued": _continued,
    "a proof": _proof,
    "the other half of a proof": _proof_behind,
    "a copy": _copy,
}


def foreign() -> Iterator[tuple[tuple[Entry, ...], str]]:
    """Good signatures by the issuer over the good bytes, for anything else; and the reason."""
    for typ in sorted(TYPES - {TYP_BULLETIN}):
        yield (sign_entry(MINE, GOOD.payload, within(typ)),), "unknown-type"
    for typ in sorted(TYPES - {TYP_BATCH}):
        yield in_a_batch(GOOD.payload, MINE, typ=typ), "unknown-type"
    for domain in ("elsewhere", f"{DOMAIN}.example", DOMAIN[:-1]):
        yield (sign_entry(MINE, GOOD.payload, within(domain=domain)),), "wrong-domain"
        yield in_a_batch(GOOD.payload, MINE, domain=domain), "wrong-domain"
    beside = sign_entry(THEIRS, GOOD.payload, within(domain="elsewhere"))
    yield (sign_entry(MINE, GOOD.payload, within()), beside), "wrong-domain"


@pytest.mark.parametrize("place", PLACES)
def test_a_signature_for_anything_else_is_refused(place: str) -> None:
    """It is refused by its type or its domain, regardless of the key."""
    for entries, reason in foreign():
        with pytest.raises(AdmissionError) as refused:
            PLACES[place](entries)
        assert refused.value.reason == reason


@pytest.mark.parametrize("place", PLACES)
def test_alone_and_in_a_batch_come_to_the_same(place: str) -> None:
    """A signature of a batch is accepted in the same cases as one of a single bulletin."""
    PLACES[place]((sign_entry(MINE, GOOD.payload, within()),))
    for size, index in ((2, 0), (5, 4), (64, 63)):
        PLACES[place](in_a_batch(GOOD.payload, MINE, size=size, index=index))


def test_what_is_inside_a_seal_is_signed_for_that_alone() -> None:
    """Its verifier takes nothing else, and in no batch."""
    inside = (sign_entry(MINE, GOOD.payload, within(TYP_SEALED_BULLETIN)),)
    raw = write_signed(GOOD.payload, inside)
    assert verify_inside(raw, registry=REGISTRY, now=NOW).digest == GOOD.digest
    for typ in sorted(TYPES):
        made = [in_a_batch(GOOD.payload, MINE, typ=typ)]
        if typ != TYP_SEALED_BULLETIN:
            made.append((sign_entry(MINE, GOOD.payload, within(typ)),))
        for entries in made:
            with pytest.raises(AdmissionError) as refused:
                verify_inside(write_signed(GOOD.payload, entries), registry=REGISTRY, now=NOW)
            assert refused.value.reason == "unknown-type"
    abroad = (sign_entry(MINE, GOOD.payload, within(TYP_SEALED_BULLETIN, "elsewhere")),)
    with pytest.raises(AdmissionError) as refused:
        verify_inside(write_signed(GOOD.payload, abroad), registry=REGISTRY, now=NOW)
    assert refused.value.reason == "wrong-domain"


def test_the_context_is_asked_before_any_key() -> None:
    """A signature of another federation by an unknown key is refused for its domain."""
    from bus.keys.signatures import FileSigner

    stranger = sign_entry(FileSigner.generate(), GOOD.payload, within(domain="elsewhere"))
    with pytest.raises(AdmissionError) as refused:
        _message((stranger,))
    assert refused.value.reason == "wrong-domain"


def test_what_is_admitted_of_a_batch_keeps_its_header() -> None:
    """The header kept with it is the one that came, so that it can be verified again and handed on."""
    entries = in_a_batch(GOOD.payload, MINE)
    pairs = [(SIG_HEADER, format_header(entries))]
    admitted = admit(GOOD.subject, pairs, GOOD.payload, registry=REGISTRY, now=NOW)
    assert admitted.signature == pairs[0][1]
    assert admitted.signer_kids == (MINE.kid,)


@pytest.mark.parametrize(
    "asked",
    [
        *(
            getattr(envelope, name)
            for name in ("parse_header", "read_signed", "check_context", "misplaced", "protected_for")
        ),
        *(getattr(signatures, name) for name in ("check_entries", "sign_entry", "sign_bulletin")),
        *(getattr(hpke, name) for name in ("seal", "read_seal", "open_sealed")),
        jwe.read_jwe,
        jwe.seal_header,
    ],
    ids=lambda each: each.__name__,
)
def test_nobody_verifies_or_signs_without_stating_the_context(asked: Callable[..., object]) -> None:
    """Purpose and federation are an argument, and it has no default."""
    context = inspect.signature(asked).parameters["context"]
    assert context.default is inspect.Parameter.empty
    assert context.annotation in ("Context", "SealContext")
    for type_ in (envelope.Context, jwe.SealContext):
        fields = inspect.signature(type_).parameters
        assert fields["domain"].default is inspect.Parameter.empty


def test_keys_are_asked_in_one_place() -> None:
    """Outside the room of keys nothing checks a raw signature but the bench, which measures it: all others state a context."""
    rooms = ROOT / "bus"
    asking = {
        path.relative_to(rooms).as_posix()
        for path in rooms.rglob("*.py")
        if ".verify(" in path.read_text("utf-8") and path.parent.name != "keys"
    }
    assert asking == {"cli/developer/bench.py"}


def test_a_file_of_a_batch_says_where_its_payload_stands() -> None:
    """The unprotected header has head, index and path, and goes back to the wire as it came."""
    entries = in_a_batch(GOOD.payload, MINE)
    (signature,) = json.loads(write_signed(GOOD.payload, entries))["signatures"]
    assert signature["header"].keys() == {"batch", "index", "path"}
    assert signature["header"]["index"] == 1
    (again,) = envelope.parse_header(format_header(entries), within())
    assert (again,) == entries
