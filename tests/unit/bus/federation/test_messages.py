"""A carrier makes copies only of the proven parts of a message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from bus.federation.messages import Item, Proven, sort_out
from bus.keys.signatures import FileSigner, sign_entry
from bus.transport.pull_consumer import Received
from bus.transport.raw import block_of
from bus.trust.registry import VerifiedRegistry
from schemas.envelope import SIG_HEADER, Entry, format_header
from schemas.subject import PREFIX
from tests.support.world import Message, bulletin, shared_world, sign, within

WORLD = shared_world()
PATTERNS = (f"{PREFIX}.actual.green.>",)
GOOD = sign(WORLD, bulletin(WORLD, co_issuers=(WORLD.registry.issuer("xb-csirt"),)))
TRUE = dict(GOOD.headers)
STRANGER = FileSigner.generate()


def entry(by: str | FileSigner, payload: bytes = GOOD.payload) -> Entry:
    """A signature over a payload."""
    signer = WORLD.signers[by] if isinstance(by, str) else by
    return sign_entry(signer, payload, within(domain=WORLD.registry.domain))


def signed(*entries: Entry) -> dict[str, str]:
    """The headers with other signatures."""
    return {**TRUE, SIG_HEADER: format_header(entries)}


def received(
    message: Message, headers: Mapping[str, str] | Sequence[tuple[str, str]], stored_ns: int = 1
) -> Received:
    """A message with some headers as it comes from a source."""
    return Received(
        subject=message.subject,
        block=block_of(headers.items() if isinstance(headers, Mapping) else headers),
        payload=message.payload,
        stream_seq=1,
        consumer_seq=1,
        stored_ns=stored_ns,
        pending=0,
    )


def sorted_out(
    each: Received, registry: VerifiedRegistry = WORLD.registry, now: dt.datetime = WORLD.now
) -> tuple[list[Proven], list[str], bool]:
    """(proven messages, skipped ones by reason, whether another version may allow more)."""
    proven, left, awaits = sort_out([Item.of(each, "xb")], "XA-CSIRT_ACTUAL", PATTERNS, registry, now)
    return proven, list(left.elements()), awaits


BESIDE: dict[str, Sequence[tuple[str, str]]] = {
    "nothing": (*TRUE.items(),),
    "the signature in lower case": [(name.lower(), value) for name, value in TRUE.items()],
    "the signature in capitals": [(name.upper(), value) for name, value in TRUE.items()],
    "a hint that is padding": (*TRUE.items(), ("ce-pad", "y" * 50_000)),
    "a hint with a name beyond ASCII": (*TRUE.items(), ("ce-é", "x")),
    "a hint with a space in its name": (*TRUE.items(), ("ce-a b", "x")),
    "a hint with a line end": (*TRUE.items(), ("ce-a\r\nX", "x"), ("ce-b", "x\ny")),
    "a hint twice": (*TRUE.items(), ("ce-x", "1"), ("ce-x", "2")),
    "lone surrogates": (*TRUE.items(), ("ce-\udcff", "\udcff")),
    "what a stream put there": (*TRUE.items(), ("Nats-Stream-Source", "XA 1"), ("Nats-TTL", "1s")),
    "a batch": (*TRUE.items(), ("Nats-Batch-Id", "x"), ("Nats-Expected-Last-Sequence", "9")),
    "no hints": ((SIG_HEADER, TRUE[SIG_HEADER]),),
    "a stranger's signature": (*signed(entry("xa-csirt"), entry(STRANGER)).items(),),
    "a co-signature that does not fit": (*signed(entry("xa-csirt"), entry("xb-csirt", b"{}")).items(),),
}


@pytest.mark.parametrize("headers", BESIDE.values(), ids=BESIDE)
def test_a_copy_has_what_is_proven_and_nothing_else(headers: Sequence[tuple[str, str]]) -> None:
    """With any added headers the first copy is the bulletin as its issuer sends it."""
    (found,), _, _ = sorted_out(received(GOOD, headers))
    made = found.copy(first=True)
    assert (made.subject, made.payload, made.headers) == (GOOD.subject, GOOD.payload, TRUE)


def test_a_further_copy_has_no_message_id() -> None:
    """By its id the far stream would take it for the first one."""
    (found,), _, _ = sorted_out(received(GOOD, GOOD.headers))
    assert found.copy(first=False).headers == {k: v for k, v in TRUE.items() if k != "Nats-Msg-Id"}


def test_signatures_that_hold_go_the_issuers_first() -> None:
    """Then those of the co-issuers who are named, then others."""
    mine, named, other = entry("xa-csirt"), entry("xb-csirt"), entry("xb-hub")
    (found,), _, _ = sorted_out(received(GOOD, signed(other, named, mine)))
    assert found.copy(first=True).headers[SIG_HEADER] == format_header([mine, named, other])
    assert found.proof.voices == (mine.header.kid, named.header.kid)


FAR = bulletin(WORLD, issued=WORLD.now + dt.timedelta(hours=1), co_issuers=GOOD.bulletin.co_issuers)
SHUT = bulletin(WORLD, audience="eu-dsc", co_issuers=GOOD.bulletin.co_issuers)


@pytest.mark.parametrize("made", [FAR, SHUT], ids=["from the future", "not permitted"])
def test_what_is_refused_but_proven_has_its_voices(made: object) -> None:
    """A co-signature of what waits or is not permitted is told from none."""
    assert isinstance(made, type(FAR))
    message = sign(WORLD, made)
    both = [entry(name, message.payload) for name in ("xa-csirt", "xb-csirt")]
    (found,), _, _ = sorted_out(received(message, {**dict(message.headers), SIG_HEADER: format_header(both)}))
    assert found.proof.voices == tuple(each.header.kid for each in both)
    assert found.copy(first=True).headers[SIG_HEADER] == format_header(both)


def test_what_is_proven_is_carried_on_its_own_subject_alone() -> None:
    """A bulletin that is refused before its address is looked at gets no other place either."""
    message = sign(WORLD, SHUT)
    elsewhere = msgspec.structs.replace(message, subject=GOOD.subject)
    assert sorted_out(received(elsewhere, message.headers))[1] == ["misaddressed"]


LEFT = {
    "two signature headers": (
        [*TRUE.items(), (SIG_HEADER.lower(), TRUE[SIG_HEADER])],
        "malformed-envelope",
        False,
    ),
    "a signature that goes on": (
        {**TRUE, SIG_HEADER: TRUE[SIG_HEADER] + "\nX: y"},
        "malformed-envelope",
        False,
    ),
    "a signature beyond ASCII": ({**TRUE, SIG_HEADER: "é"}, "malformed-envelope", False),
    "a hint of something else": ({**TRUE, "CE-Id": "x"}, "hint-mismatch", False),
    "another text's signature": (signed(entry("xa-csirt", b"{}")), "bad-signature", False),
    "the same, and a stranger's": (signed(entry("xa-csirt", b"{}"), entry(STRANGER)), "bad-signature", True),
    "a stranger's": (signed(entry(STRANGER)), "unknown-key", True),
    "a co-issuer's": (signed(entry("xb-csirt")), "wrong-issuer", True),
    "a co-issuer's and a stranger's": (signed(entry("xb-csirt"), entry(STRANGER)), "unknown-key", True),
}


@pytest.mark.parametrize(("headers", "reason", "awaits"), LEFT.values(), ids=LEFT)
def test_what_nobody_is_proven_to_have_said_stays(
    headers: Mapping[str, str] | Sequence[tuple[str, str]], reason: str, *, awaits: bool
) -> None:
    """It stays with its reason, and the result says whether the next version of the registry may allow it."""
    assert sorted_out(received(GOOD, headers)) == ([], [reason], awaits)


def test_what_goes_without_a_signature_is_read_again() -> None:
    """Its key may be to come: it is not known by its signatures, and the next version is awaited."""
    each = received(GOOD, signed(entry("xa-csirt"), entry(STRANGER)))
    (found,), left, awaits = sorted_out(each)
    assert (left, awaits) == ([], True)
    assert not Item.of(each, "xb").is_known(found.names)
    (whole,), _, awaits = sorted_out(received(GOOD, GOOD.headers))
    assert not awaits
    assert whole.item.is_known(whole.names)


def test_what_is_not_released_stays() -> None:
    """The route's subjects, and no others."""
    message = sign(WORLD, bulletin(WORLD, "xb-csirt", status="test"))
    assert sorted_out(received(message, message.headers))[1] == ["not-permitted"]


def test_what_is_sent_again_is_known_by_its_record_and_all_else_by_its_bytes() -> None:
    """So each resend of an author is carried once, and a second reading of the same record carries nothing."""
    bare = {SIG_HEADER: TRUE[SIG_HEADER]}
    first, second = (received(GOOD, GOOD.headers, at) for at in (1, 2))
    again, later, anew = (received(GOOD, bare, at) for at in (3, 4, 4))
    assert Item.of(first, "xb").names == Item.of(second, "xb").names
    assert Item.of(later, "xb").names == Item.of(anew, "xb").names
    assert Item.of(later, "xb").names != Item.of(later, "west").names
    assert len({Item.of(each, "xb").names for each in (first, again, later)}) == 3
