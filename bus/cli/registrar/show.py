"""`tocsin registry show|verify`: prints a registry, and checks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import trust
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, Table, command, read_file
from bus.cli.registrar.proposals import must_be_in

if TYPE_CHECKING:
    from schemas.registry import PublishGrant, ReadGrant


@command(name="show")
@click.argument("file", type=FILE, required=False)
@click.option("--authority", help="only this one")
def show(app: App, file: Path | None, *, authority: str | None) -> Answer:
    """Print the registry in FILE without verifying it (`verify` does that), or the version in force here."""
    document = trust.ceremony.document_of(read_file(file)) if file else frame.open_registry(app).document
    if authority is not None:
        must_be_in(document, authority)
    answering = trust.feedback_by(document)
    rows = (
        (
            name,
            record.kind,
            record.domain,
            len(record.keys),
            _spell(record.publish),
            _spell(record.read),
            _spelled((str(status), f"{tlp}:{audience}") for status, tlp, audience in answering.get(name, ())),
        )
        for name, record in sorted(document.authorities.items())
        if authority in (None, name)
    )
    root = document.root
    text = (
        f"{document.domain}, version {document.version}, until {document.expires:%Y-%m-%d}; "
        f"{root.threshold} of {len(root.keys)} root keys"
    )
    return Answer(
        document if authority is None else document.authorities[authority],
        table=Table(
            ("authority", "kind", "domain", "keys", "publishes", "reads", "answers"), rows, ("answers",)
        ),
        notes=[text, "readers of a channel may publish feedback there without a grant (answers)"],
    )


def _spell(grants: Sequence[PublishGrant | ReadGrant]) -> str:
    """`STATUS: TLP:AUDIENCE ...` of all grants, each status once; a line of its own with `(KIND ...)` for grants of single kinds."""
    return _spelled(
        (f"{status}{_only(grant)}", f"{tlp}:{name}")
        for grant in grants
        for status in grant.statuses
        for tlp in grant.tlps
        for name in grant.audiences
    )


def _only(grant: PublishGrant | ReadGrant) -> str:
    kinds = getattr(grant, "kinds", ("*",))
    return "" if "*" in kinds else f" ({' '.join(kinds)})"


def _spelled(ways: Iterable[tuple[str, str]]) -> str:
    """`STATUS: TLP:AUDIENCE ...`, each status once."""
    places: dict[str, set[str]] = {}
    for status, place in ways:
        places.setdefault(status, set()).add(place)
    return "; ".join(f"{status}: {' '.join(sorted(names))}" for status, names in sorted(places.items()))


@command(name="verify")
@click.argument("file", type=FILE, required=False)
@click.option(
    "--pin", help="digest that the registry must have (received by another way: print, fax, telephone)"
)
@click.option(
    "--previous", type=FILE, help="the version before: check that FILE continues it under both quorums"
)
def verify(app: App, file: Path | None, *, pin: str | None, previous: Path | None) -> Answer:
    """Check signatures, threshold and every rule of the registry in FILE, or of the context's registry."""
    if file is None and (pin or previous):
        raise click.UsageError("--pin and --previous need FILE; name it")
    if file is None:
        verified = frame.open_registry(app)
    elif previous is not None:
        verified = trust.VerifiedRegistry.open(read_file(previous)).update(read_file(file), app.now())
    else:
        verified = trust.VerifiedRegistry.open(read_file(file), pin=pin)
    facts = {
        "verified": True,
        "domain": verified.domain,
        "version": verified.version,
        "digest": verified.digest,
        "authorities": len(verified.document.authorities),
        "expires": verified.document.expires,
        "pinned": bool(pin or previous or file is None),
    }
    unpinned = "no --pin was given: the file is consistent, but compare its digest with one you received by another way"
    return Answer(
        facts,
        lines=[
            f"verified: {verified.domain} version {verified.version}, {facts['authorities']} authorities",
            f"  digest   {verified.digest}",
            f"  expires  {verified.document.expires:%Y-%m-%d %H:%M} UTC",
        ],
        notes=[] if facts["pinned"] else [unpinned],
    )
