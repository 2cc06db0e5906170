"""Opens sealed bulletins and sections for display, as far as the chosen identity may read them.

Opened content is never written to a disk. The audit record holds each opening before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from bus import sealing
from bus.cli.frame.answers import Answer
from bus.cli.frame.app import App
from bus.cli.frame.audit import record
from bus.cli.frame.lines import BulletinLines, recipients_of
from bus.cli.frame.session import open_seal_keys, registry_store
from bus.errors import PermitError
from schemas import review
from schemas.errors import TocsinError
from schemas.passing_on import marks, why_held

if TYPE_CHECKING:
    from bus.sealing import Keys, View
    from bus.subscribing import Stored
    from bus.trust import RegistryStore
    from schemas.bulletin import Bulletin


class Unsealer:
    """Opens for one command; reads registry and keys on first use."""

    def __init__(self, app: App, shown_by: str) -> None:
        """Prepare; `shown_by` is the command, for the audit record."""
        self._app = app
        self._shown_by = shown_by
        self._registry: RegistryStore | None = None
        self._keys: Keys | None = None

    def look(self, outer: Bulletin, digest: str) -> sealing.View:
        """A bulletin of this context, as its identity may see it. Never fails: a bulletin that cannot be opened stays a cover."""
        if not sealing.is_closed(outer):
            return sealing.View(outer=outer)
        app = self._app
        try:
            named = sealing.names(outer, app.identity.authority)
            seen = self._look(outer, self.keys() if named else _none("not-a-recipient"))
        except TocsinError as exc:
            app.note(f"sealed parts stay closed: {exc}")
            return sealing.closed(outer, exc.reason)
        trouble = [reason for reason in seen.reasons if reason not in ("not-a-recipient", "no-seal-key")]
        what = {"id": outer.id, "digest": digest, "issuer": outer.issuer.id, "shown_by": self._shown_by}
        try:  # recorded first, so that nothing is shown without a record
            if seen.opened:
                record(app, "opened", parts=list(seen.opened), **what)
            elif trouble:
                record(app, "not-opened", reason=trouble[0], **what)
        except (TocsinError, OSError) as exc:
            app.note(f"not opened, because the audit record cannot be written: {exc}")
            return self._look(outer, _none("not-recorded"))
        return seen

    def _look(self, outer: Bulletin, keys: Keys) -> View:
        app, context = self._app, self._app.identity
        if self._registry is None:
            self._registry = registry_store(app)
        return sealing.look(outer, keys, reader=context.authority, registry=self._registry(), now=app.now())

    def keys(self) -> sealing.Keys:
        """This identity's seal keys, read once. A failure is reported once, and covers are shown."""
        if self._keys is None:
            if self._app.identity.seal_keys is None:
                self._keys = _none("no-seal-key")
            else:
                try:
                    self._keys = sealing.Keys(keys=tuple(open_seal_keys(self._app)))
                except (TocsinError, click.UsageError) as exc:
                    self._app.note(f"sealed parts stay closed: {exc}")
                    self._keys = _none(getattr(exc, "reason", "passphrase-needed"))
        return self._keys


def _none(problem: str) -> sealing.Keys:
    return sealing.Keys(problem=problem)


def opened_data(seen: View) -> dict[str, object]:
    """The JSON values about the sealed parts of a bulletin; empty if nothing is sealed."""
    data: dict[str, object] = {}
    if seen.inner is not None:
        data["inside"] = {
            "bulletin": msgspec.Raw(seen.inner.payload),
            "digest": seen.inner.digest,
            "labels": sorted(seen.inner.labels),
        }
    elif seen.reason:
        data["inside"] = {"reason": seen.reason}
    if seen.sections:
        data["sections"] = [
            {"label": section.label, "recipients": section.recipients}
            | ({"reason": section.reason} if section.content is None else {"content": section.content})
            for section in seen.sections
        ]
    return data


def readable(payload: bytes) -> list[str]:
    """A bulletin as lines of indented JSON for a person. Sealed bytes are counted, not printed."""
    shown = msgspec.json.decode(payload)
    parts = [part for part in (shown["body"], *shown.get("sections", ())) if "jwe" in part]
    for part in parts:
        part["jwe"] = f"({len(part['jwe'])} characters)"
    return _indented(msgspec.json.encode(shown) if parts else payload)


def inside(seen: View) -> Iterator[Answer]:
    """The opened parts as indented JSON, each under a remark; and the recipients of the rest."""
    if seen.inner is not None:
        who, trust = seen.inner.bulletin.issuer.name, seen.inner.trust
        text = f"opened and verified: signed by {who}, sealed to {recipients_of(seen.outer)}; trust {trust}"
        yield Answer(notes=[text])
        yield Answer(lines=_indented(seen.inner.payload))
    elif seen.reason:
        yield Answer(notes=[f"sealed to {recipients_of(seen.outer)}; not opened [{seen.reason}]"])
    for section in seen.sections:
        to = ", ".join(section.recipients)
        if section.content is None:
            yield Answer(notes=[f"section {section.label}: sealed to {to}; not opened [{section.reason}]"])
        else:
            yield Answer(notes=[f"section {section.label}: opened, sealed to {to}"])
            yield Answer(lines=_indented(msgspec.json.encode(section.content)))


def _indented(raw: bytes) -> list[str]:
    return msgspec.json.format(raw, indent=2).decode().split("\n")


def must_not_be_held(app: App, bulletin: Bulletin) -> None:
    """Refuse to write a bulletin of another authority into a file before its embargo is over.

    Raises:
        PermitError: `embargoed`.
    """
    if bulletin.issuer.id == app.identity.authority:
        return  # its author may give it to anyone
    held = why_held(bulletin, app.now())
    if held is not None and held.reason == "embargoed":
        raise PermitError(
            f"{bulletin.id} {held.text}: it cannot be exported before; without --raw it is shown",
            reason=held.reason,
        )


def shown(
    app: App, row: Stored, unsealer: Unsealer | None = None, remark: str = "", name: str = ""
) -> Answer:
    """One admitted bulletin; with an unsealer, also its parts that are sealed to this identity.

    The remark and `name`, the beginning of its id, stand after the headline; a pipe gets the whole id.
    """
    seen = sealing.View(outer=row.bulletin) if unsealer is None else unsealer.look(row.bulletin, row.digest)
    facts = {
        "bulletin": msgspec.Raw(row.payload),
        "digest": row.digest,
        "subject": row.subject,
        "admitted_at": row.admitted_at,
        "late": "late" in row.labels,
        "trust": row.trust,
        "labels": [*sorted(row.labels), *review.labels(seen.bulletin)],
        "marks": marks(seen.bulletin, app.now()),
        **opened_data(seen),
    }
    labels = {*row.labels, *seen.remarks}
    line = BulletinLines(seen.bulletin, labels, row.trust, remark=remark, id=row.id, name=name)
    return Answer(facts, lines=[line])
