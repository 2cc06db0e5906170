"""`tocsin preview`: before signing, who exactly could read a draft, and by which grant."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bus import drafts
from bus.cli import frame
from bus.cli.frame import TLPS, Answer, App, Table, audience_option, command, completing, tlp_option
from schemas.subject import channel_of


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
    found = drafts.egress(draft, bulletin, registry, now)
    facts = {
        "subject": found.subject,
        "channel": found.channel,
        "public": found.public,
        "sealed": found.sealed,
        "handling": found.handling,
        "readers": found.readers,
        "sections": found.sections,
    }
    channel = channel_of(bulletin)
    lines = [f"TLP:{bulletin.tlp.upper()} to {bulletin.audience}, as {channel}"]
    if found.public:
        lines.append("TLP:CLEAR: every recipient may publish it")
    lines += found.handling
    by = f"read grant {channel.name}"
    rows = ((r.authority, r.name, r.country, r.kind, by) for r in found.readers)
    yield Answer(facts, lines=lines, table=Table(("reader", "name", "country", "kind", "by"), rows))
    for part in found.sections:
        deaf, heard = ", ".join(part.without_seal_key), ", ".join(part.readers) or "nobody"
        yield Answer(
            lines=[f"section {part.label}, sealed, by read grant {part.channel}: {heard}"],
            notes=[f"section {part.label}: cannot open it, for lack of a seal key: {deaf}"] if deaf else [],
        )
    text = "the broker's operator can read it too, because it passes unsealed"
    if found.sealed:
        without = ", ".join(each.authority for each in found.readers if not each.seal_key)
        text = "sealed by the audience's policy, so the broker's operator cannot read it"
        text += f"; without a seal key: {without}" if without else ""
    heard = f"{context.authority} receives the answers{'' if found.hears_answers else ' by its id'}"
    yield Answer(
        notes=[
            f"{len(found.readers)} readers; {text}",
            f"{found.answering} of them may answer it, to the same readers; {heard}",
        ]
    )
