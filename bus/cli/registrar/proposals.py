"""Files and arguments that the commands of the registry ceremony share."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import trust
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, NotFoundError, check_shape, hint, read_file, write_whole, written
from bus.errors import ConfigError, TrustError
from schemas.codec import digest
from schemas.envelope import read_claims
from schemas.errors import SchemaError
from schemas.registry import MAX_REGISTRY_BYTES, KeyRecord
from schemas.scalars import Country
from schemas.vocab import Tlp

if TYPE_CHECKING:
    from bus.audit import Fact
    from bus.trust import VerifiedRegistry
    from schemas.registry import PublishGrant, ReadGrant, Registry

KEY_LIFETIME_DAYS = 365
REGISTRY_LIFETIME_DAYS = 90

out_option = click.option("--out", type=FILE, help="write the proposal here instead of over FILE")


def proposal(app: App, file: Path) -> tuple[Registry, str]:
    """The document to edit, and a note: a proposal as it is, or the next version of a standing registry.

    Keys that statements have revoked, accepted beside FILE or by the context, are revoked in the document too, and
    the note says so. A reader that starts with the next version does not read the statements.
    """
    raw, now = read_file(file), app.now()
    standing = standing_registry(file, raw)
    if standing is None:
        document, note = trust.ceremony.document_of(raw), ""
        before = previous_of(file, document)
    else:
        lifetime = dt.timedelta(days=REGISTRY_LIFETIME_DAYS)
        document = trust.ceremony.next_version(standing.document, standing.digest, now, lifetime)
        note, before = f" (after version {standing.version})", standing
    if before is None:
        return document, note
    remembering, told = _remembering(app, file, before, document)
    return remembering, told + note


def _remembering(app: App, file: Path, before: VerifiedRegistry, document: Registry) -> tuple[Registry, str]:
    """The document with the keys revoked that statements have revoked; and a note that names these keys."""
    heard = trust.heard_beside(file, before, app.now())
    with contextlib.suppress(ConfigError):
        if app.identity.domain == before.domain:
            heard = trust.heard_beside(app.identity.registry, heard, app.now())
    remembering = trust.ceremony.remembering(document, heard.revocations)
    was = trust.ever_revoked(document)
    new = [
        f"{kid} since {since:%Y-%m-%dT%H:%M:%SZ}"
        for kid, since in trust.ever_revoked(remembering).items()
        if kid not in was
    ]
    if not new:
        return document, ""
    return remembering, (
        f"; also revoked in it, because statements revoke them: {', '.join(new)} (ask their authority whether the time is "
        "right; tocsin registry revoke --kid KID --since TIME sets another)"
    )


def standing_registry(file: Path, raw: bytes) -> trust.VerifiedRegistry | None:
    """The registry in a file, when enough roots have signed it; None while it is a proposal.

    If the version before is kept beside it, the roots of both count.
    """
    if not trust.ceremony.signatures(raw):
        return None
    try:
        registry = trust.VerifiedRegistry.open(raw)
        before = previous_of(file, registry.document)
        return registry if before is None else before.update(raw, registry.document.issued)
    except TrustError as exc:
        if exc.reason != "threshold":
            raise
        return None


def previous_of(file: Path, document: Registry) -> trust.VerifiedRegistry | None:
    """The version before a document, when a proposal has kept it beside FILE."""
    kept = trust.version_file(file, document.version - 1)
    if not kept.is_file():
        return None
    try:
        registry = trust.VerifiedRegistry.open(read_file(kept))
    except TrustError:
        return None
    return registry if registry.digest == document.prev else None


def propose(
    app: App, file: Path, out: Path | None, document: Registry, text: str, *, shown: bool = False
) -> Answer:
    """Write a proposal that can stand, keep the standing version that it would overwrite, and say what to do next.

    Args:
        app: this invocation.
        file: the file that was changed.
        out: the file of the proposal, if not `file`.
        document: the proposal.
        text: a sentence about the change.
        shown: whether to show the differences to `file`, line by line, and with `--json` as `changes`.

    Raises:
        TrustError: no signatures could make it stand; nothing is written.
    """
    before = read_file(file)
    trust.must_stand(document, standing_registry(file, before) or previous_of(file, document), app.now())
    target = out or file
    if target.exists() and (standing := standing_registry(target, read_file(target))) is not None:
        kept = trust.version_file(target, standing.version)
        write_whole(kept, standing.raw)
        app.note(f"version {standing.version} is kept as {kept}")
    raw = trust.ceremony.unsigned(document)
    write_whole(target, raw)
    record_registry(app, "registry-proposed", raw, target)
    told = f"{text}; it needs new signatures: tocsin registry sign {target}"
    if shown:
        return _changes(target, told, trust.ceremony.document_of(before), document)
    return written(target, told)


def _changes(target: Path, text: str, before: Registry, after: Registry) -> Answer:
    """The differences, a line for each value removed or added, and a line on what was done."""
    found = trust.differences(before, after)
    lines = [
        f"{sign} {change.place} {value}"
        for change in found
        for sign, value in (("-", change.gone), ("+", change.new))
        if value is not None
    ]
    return Answer({"file": str(target), "text": text, "changes": found}, lines=lines, notes=[text])


def record_registry(app: App, event: str, raw: bytes, file: Path, **facts: Fact) -> None:
    """Record an event about a version of a registry, identified by the digest of the signed bytes."""
    document = trust.ceremony.document_of(raw)
    payload = read_claims(raw, max_bytes=MAX_REGISTRY_BYTES, unsigned=True).payload
    frame.record(
        app,
        event,
        domain=document.domain,
        version=document.version,
        digest=digest(payload),
        file=str(file),
        **facts,
    )


def parse_grant(text: str, parts: int) -> tuple[Tlp, str, str]:
    """(TLP, audience, kinds) of `TLP:AUDIENCE[:KINDS]`; kinds is empty if not given."""
    tlp, *rest = text.split(":", parts - 1)
    if not rest or tlp not in set(Tlp):
        raise click.UsageError(f"{text!r} is not TLP:AUDIENCE; TLP is one of {', '.join(Tlp)}")
    return Tlp(tlp), rest[0], rest[1] if len(rest) > 1 else ""


def check_country(code: str) -> None:
    """Refuse a text that is not a country code."""
    check_shape(code, Country, f"{code!r} is not a country in two capital letters, EU or INT")


def check_audiences(document: Registry, grants: Iterable[PublishGrant | ReadGrant]) -> None:
    """Refuse grants for an audience that the registry does not list. An authority's id is an audience too."""
    known = {*document.audiences, *document.authorities}
    for one in grants:
        for name in one.audiences:
            if name not in known:
                raise click.UsageError(
                    f"there is no audience {name!r}{hint(name, sorted(known))}; "
                    "make a new one: tocsin registry audience FILE NAME --scope SCOPE"
                )


def must_be_audience(document: Registry, name: str) -> None:
    """Refuse an audience that the registry does not list.

    Raises:
        click.UsageError: names the nearest audience.
    """
    if name not in document.audiences:
        raise click.UsageError(
            f"there is no audience {name!r}{hint(name, sorted(document.audiences))}; "
            f"make a new one: tocsin registry audience FILE {name} --scope SCOPE"
        )


def must_be_in(document: Registry, authority: str) -> None:
    """Refuse an authority that the registry does not list.

    Raises:
        NotFoundError: `unknown-authority`.
    """
    if authority not in document.authorities:
        raise NotFoundError(
            f"{authority} is not in this registry{hint(authority, document.authorities)}",
            reason="unknown-authority",
        )


def key_record(path: Path, now: dt.datetime) -> KeyRecord:
    """A registry record for the public key in a JWK file, valid from now."""
    try:
        jwk = msgspec.json.decode(read_file(path), type=dict[str, str])
    except msgspec.MsgspecError as exc:
        raise SchemaError(
            f"{path} is not a JWK file ({exc}); make one: tocsin key export", reason="schema"
        ) from None
    alg = jwk.pop("alg", "Ed25519") if jwk.get("kty") != "AKP" else jwk["alg"]
    kept = {name: jwk[name] for name in ("kty", "crv", "x", "y", "alg", "pub") if name in jwk}
    begin = now.replace(microsecond=0)
    fields: dict[str, object] = {
        "alg": alg,
        "jwk": kept,
        "not_before": begin,
        "not_after": begin + dt.timedelta(days=KEY_LIFETIME_DAYS),
    }
    try:
        return msgspec.convert(fields, KeyRecord)
    except msgspec.ValidationError as exc:
        raise SchemaError(
            f"{path} holds no usable public key ({exc}); make one: tocsin key export",
            reason="schema",
        ) from None
