"""Completes the drafts of a format: declares personal data, limits the size, adds the provenance, and checks all by decoding it once."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from adapters.translation.markings import marks_in_words
from adapters.translation.persons import Persons
from adapters.translation.reading import FormatError, Losses, ReadContext, identifier, sha256_hex, version_of
from adapters.translation.withheld import digested, unlinked
from bus.plugin import PUBLIC
from schemas.bulletin import Draft
from schemas.codec import MAX_PAYLOAD_BYTES, decode_draft, encode
from schemas.errors import SchemaError
from schemas.links import Link, Thing
from schemas.parts import Attribution, Observable, PersonalData, Provenance
from schemas.vocab import PERSONAL_RANK, TLP_RANK, PersonalFlag, Tlp

__all__ = ["Tied", "finished", "instant", "integer", "origin_of", "personal_data"]

Tied = Callable[[Draft], tuple[tuple[Thing, ...], tuple[Link, ...]]]
"""A function that gives the things and links of a draft."""

# Bytes that a stamp adds to a draft: spec, id, seq, prev, issuer, issued, expires, and the defaults of a manifest.
STAMP_BYTES: Final = 8_192
MAX_DRAFT_BYTES: Final = MAX_PAYLOAD_BYTES - STAMP_BYTES
# Public authorities act in the public interest (GDPR article 6(1)(e)).
LAWFUL_BASIS: Final = "celex:32016R0679#6.1.e"
# Values for matching, detection rules, and links: not prose.
_NO_PROSE: Final = frozenset({"detection", "original_id", "value", "web"})
# Links and foreign numbers must stay exact.
_WHOLE: Final = frozenset({"puid", "web"})
_WORD_OF_OURS: Final = re.compile(r"[a-z0-9][a-z0-9+._-]*")
_PURPOSE: Final = "detect, stop and warn of threats to elections and to the networks they depend on"
_RETENTION_DAYS: Final = {
    PersonalFlag.PSEUDONYMOUS: 365,
    PersonalFlag.PERSONAL: 180,
    PersonalFlag.SPECIAL_CATEGORY: 90,
    PersonalFlag.CRIMINAL_OFFENCE: 90,
}
_CATEGORY_OF: Final = {
    "email-addr": "contact",
    "email-message": "contact",
    "phone-number": "contact",
    "bank-account": "financial",
    "crypto-wallet": "financial",
}


def origin_of(
    form: str,
    data: bytes,
    context: ReadContext,
    *,
    version: str | None = None,
    original_id: str | None = None,
) -> Provenance:
    """The provenance of a draft; `finished` adds the losses.

    Args:
        form: The id of the format.
        data: The document.
        context: When and by which adapter it was received.
        version: The version of the format named in the document; left out if malformed.
        original_id: The document's own id; given as its digest unless it is a single word.
    """
    return Provenance(
        format=form,
        adapter=context.adapter,
        original_sha256=sha256_hex(data),
        format_version=version_of(version or ""),
        original_id=identifier(original_id or ""),
        received=context.received,
    )


def finished(
    draft: Draft,
    *,
    context: ReadContext,
    losses: Losses,
    origin: Provenance,
    persons: Persons | None = None,
    tied: Tied | None = None,
) -> Draft:
    """Completes a draft so that it can be stamped unchanged.

    Limits on sharing in its texts narrow its marking. Names of persons are removed from every text, link, label and
    id. A withheld source gets no link.

    Args:
        draft: The result of the format; its observables are in order of importance, the last are dropped first.
        context: When and by which adapter the document was received.
        losses: Records observables that do not fit; its paths go into the provenance.
        origin: The document; its `lost` is filled in here.
        persons: The names to remove.
        tied: Gives the things and links of a draft with final observables.

    Raises:
        FormatError: ``too-large`` if it does not fit even without observables, ``unrepresentable`` if a value has a
            form that no bulletin allows.
    """
    if persons:
        draft, origin = _without(draft, persons, losses), _unnamed(origin, persons)
    draft = _narrowed(draft, losses)
    if draft.handling.anonymise_source:
        draft, origin = unlinked(draft, losses), digested(origin)
    shaped = _shaped(_tied(draft, tied), context.received, losses, origin)
    while (size := len(_encoded(shaped))) > MAX_DRAFT_BYTES:
        held = len(shaped.observables)
        if not held:
            raise FormatError(f"{size} bytes without any observable", reason="too-large")
        keep = min(held - 1, held * MAX_DRAFT_BYTES // size)
        losses.add(
            "observables", f"{held - keep} of {held} values: a bulletin holds {MAX_PAYLOAD_BYTES} bytes"
        )
        shorter = msgspec.structs.replace(draft, observables=shaped.observables[:keep])
        shaped = _shaped(_tied(shorter, tied), context.received, losses, origin)
    try:
        return decode_draft(_encoded(shaped))
    except SchemaError as error:
        # The message of the error may quote the value; its path is ours.
        raise FormatError(
            f"{error.path or 'the draft'}: a value that is not allowed in a bulletin",
            reason="unrepresentable",
        ) from error


def _tied(draft: Draft, tied: Tied | None) -> Draft:
    """The draft with its links, whose ends are places in it."""
    if tied is None:
        return draft
    things, links = tied(draft)
    return msgspec.structs.replace(draft, things=things, links=links)


def personal_data(observables: tuple[Observable, ...], received: dt.datetime) -> PersonalData | None:
    """The declaration of personal data for the observables (rule R6): the strictest flag and its retention; or None."""
    flagged = [item for item in observables if item.personal is not PersonalFlag.NONE]
    if not flagged:
        return None
    worst = max((item.personal for item in flagged), key=PERSONAL_RANK.__getitem__)
    return PersonalData(
        flag=worst,
        lawful_basis=LAWFUL_BASIS,
        purpose=_PURPOSE,
        retention_until=(received + dt.timedelta(days=_RETENTION_DAYS[worst])).date(),
        categories=tuple(sorted({_CATEGORY_OF.get(item.type, "online-identifier") for item in flagged})),
        subjects=("account-holders",),
    )


def instant(text: object) -> dt.datetime | None:
    """Parse a source's time into an aware UTC time; None if malformed.

    Read: RFC 3339 with any offset and any number of fractional digits; seconds since 1970 as a number or as digits. A
    time without zone gives None. So does zero seconds, the usual spelling of "never".
    """
    if isinstance(text, bool) or not isinstance(text, int | str):
        return None
    try:
        if isinstance(text, int) or (text.isascii() and text.isdigit()):
            return dt.datetime.fromtimestamp(int(text), dt.UTC) if 0 < int(text) < 1 << 34 else None
        moment = dt.datetime.fromisoformat(text.strip())
        return moment.astimezone(dt.UTC) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def integer(value: object) -> int | None:
    """A whole number written as a number or as digits, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) < 20 and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    return None


def _shaped(draft: Draft, received: dt.datetime, losses: Losses, origin: Provenance) -> Draft:
    paths = ("".join(c if c.isprintable() else "?" for c in loss.path[:80]) for loss in losses.found)
    lost = tuple(dict.fromkeys(path for path in paths if path))[:64]
    return msgspec.structs.replace(
        draft,
        personal_data=personal_data(draft.observables, received),
        attribution=draft.attribution if _says_something(draft.attribution) else None,
        provenance=(msgspec.structs.replace(origin, lost=lost),),
    )


def _narrowed(draft: Draft, losses: Losses) -> Draft:
    """The draft, with a marking no wider than its own texts allow."""
    found = marks_in_words("text", *dict.fromkeys(_texts(msgspec.to_builtins(draft))))
    if not found:
        return draft
    # A draft narrowed by its text is no wider than an unmarked one.
    levels = [mark.tlp for mark in found if mark.tlp]
    held = draft.tlp or (
        Tlp.AMBER_STRICT if max(map(TLP_RANK.__getitem__, levels)) >= TLP_RANK[Tlp.AMBER] else None
    )
    if held is None:
        return draft
    tlp = max((held, *levels), key=TLP_RANK.__getitem__)
    if tlp is draft.tlp:
        return draft
    losses.add("text", f"its text limits sharing: read as TLP:{tlp.upper()}")
    return msgspec.structs.replace(
        draft, tlp=tlp, audience=None if draft.audience == PUBLIC else draft.audience
    )


def _texts(value: object) -> Iterator[str]:
    """Every text with a blank in it, in any field: prose."""
    if isinstance(value, str):
        if " " in value:
            yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _NO_PROSE:
                yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _without(draft: Draft, persons: Persons, losses: Losses) -> Draft:
    """The draft without the names of persons."""
    kept: list[Observable] = []
    for item in draft.observables:
        names_one = item.personal is PersonalFlag.NONE and persons.are_in(unquote(item.value or ""))
        if names_one and draft.tlp is Tlp.CLEAR:
            losses.add("observables", "a value that names a person: none may travel at TLP:CLEAR (rule R7)")
        elif names_one:
            kept.append(msgspec.structs.replace(item, personal=PersonalFlag.PERSONAL))
        else:
            kept.append(item)
    labels = tuple(label for label in draft.labels if not persons.are_in(label))
    if len(labels) < len(draft.labels):
        losses.add("labels", "labels that name a person")
    draft = msgspec.structs.replace(draft, observables=tuple(kept), labels=labels)
    plain = msgspec.to_builtins(draft, builtin_types=(dt.datetime, dt.date))
    clean = _cleaned(plain, persons)
    if draft.tlp in (Tlp.AMBER_STRICT, Tlp.RED) and "attribution" in plain:
        # An actor of the source may be named here (rule R14), even if a hidden person has the same surname.
        clean["attribution"] = plain["attribution"]
    if clean == plain:
        return draft
    losses.add("text", "names of persons removed")
    try:
        return msgspec.convert(clean, Draft)
    except msgspec.ValidationError as error:
        raise FormatError("a text that consists of a person's name", reason="unrepresentable") from error


def _cleaned(value: Any, persons: Persons) -> Any:
    if isinstance(value, str):
        return value if _WORD_OF_OURS.fullmatch(value) else persons.taken_out(value)
    if isinstance(value, dict):
        return {
            name: each if name in _NO_PROSE or name in _WHOLE else _cleaned(each, persons)
            for name, each in value.items()
            if not (name in _WHOLE and isinstance(each, str) and persons.are_in(unquote(each)))
        }
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(each, persons) for each in value)
    return value


def _unnamed(origin: Provenance, persons: Persons) -> Provenance:
    """The provenance, with the digest in place of an id that names a person."""
    named = origin.original_id
    return origin if named is None or not persons.are_in(named) else digested(origin)


def _says_something(attribution: Attribution | None) -> bool:
    return attribution is not None and bool(attribution.actors or attribution.statement)


def _encoded(draft: Draft) -> bytes:
    try:
        return encode(draft)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FormatError(f"the draft cannot be written: {error}", reason="unrepresentable") from error
