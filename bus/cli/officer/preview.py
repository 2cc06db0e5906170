"""`tocsin preview`: before signing, who exactly could read a draft, and by which grant."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bus import drafts, sealing
from bus.cli import frame
from bus.cli.frame import TLPS, Answer, App, Table, audience_option, command, completing, tlp_option
from schemas.passing_on import sentences
from schemas.rules import with_section
from schemas.subject import channel_of, subject_for


@command()
@click.argument("file", metavar="FILE", shell_complete=completing.files)
@audience_option
@tlp_option(*TLPS)
def preview(app: App, file: str, *, audience: str | None, tlp: str | None) -> Iterator[Answer]:
    """Show who could read the draft FILE, computed by the code that enforces it.

    Exits 5 when this authority may not publish it there.
    """
    context = app.identity
    registry, now = frame.present_registry(app)
    draft = frame.sound_draft(app, file, audience, tlp)
    bulletin = drafts.stamped(draft, registry.issuer(context.authority), frame.defaults(context), now)
    channel = channel_of(bulletin)
    sealed = sealing.must_seal(bulletin, registry)
    audience_record = registry.document.audiences.get(bulletin.audience)
    members = audience_record.members if audience_record else (bulletin.audience,)

    def has_seal_key(reader: str) -> bool:
        return sealing.current_key(registry.seal_keys(reader), now) is not None

    readers = [
        {
            "authority": reader,
            "name": (record := registry.authority(reader)).name,
            "country": record.country,
            "kind": record.kind,
            "member": reader in members,
            "seal_key": has_seal_key(reader),
        }
        for reader in registry.readers(channel)
    ]
    parts = [
        {
            "label": section.label,
            "channel": channel_of(with_section(bulletin, section)).name,
            "readers": (names := sealing.sections.readers(bulletin, section, registry)),
            "without_seal_key": [name for name in names if not has_seal_key(name)],
        }
        for section in draft.sections
    ]
    facts = {
        "subject": subject_for(bulletin),
        "channel": str(channel),
        "public": bulletin.tlp == "clear",
        "sealed": sealed,
        "handling": sentences(bulletin, now),
        "readers": readers,
        "sections": parts,
    }
    lines = [f"TLP:{bulletin.tlp.upper()} to {bulletin.audience}, as {channel}"]
    if facts["public"]:
        lines.append("TLP:CLEAR: every recipient may publish it")
    lines += sentences(bulletin, now)
    by = f"read grant {channel.name}"
    rows = ((r["authority"], r["name"], r["country"], r["kind"], by) for r in readers)
    yield Answer(facts, lines=lines, table=Table(("reader", "name", "country", "kind", "by"), rows))
    for part in parts:
        deaf = ", ".join(part["without_seal_key"])
        heard = ", ".join(part["readers"]) or "nobody"
        label = part["label"]
        yield Answer(
            lines=[f"section {label}, sealed, by read grant {part['channel']}: {heard}"],
            notes=[f"section {label}: cannot open it, for lack of a seal key: {deaf}"] if deaf else [],
        )
    text = "the broker's operator can read it too, because it passes unsealed"
    if sealed:
        without = ", ".join(str(r["authority"]) for r in readers if not r["seal_key"])
        text = "sealed by the audience's policy, so the broker's operator cannot read it"
        text += f"; without a seal key: {without}" if without else ""
    answering = sum(bool(registry.authority(str(r["authority"])).keys) for r in readers)
    heard = f"{context.authority} receives the answers{'' if registry.hears_answers(context.authority, channel) else ' by its id'}"
    yield Answer(
        notes=[
            f"{len(readers)} readers; {text}",
            f"{answering} of them may answer it, to the same readers; {heard}",
        ]
    )
