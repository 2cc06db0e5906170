"""`tocsin preview`: before signing, exactly who would be able to read a draft, and by which grant."""

from __future__ import annotations

import click

from bus.cli.frame import TLPS, App, audience_option, command, tlp_option, with_marking


@command()
@click.argument("file", metavar="FILE")
@audience_option
@tlp_option(*TLPS)
def preview(app: App, file: str, *, audience: str | None, tlp: str | None) -> None:
    """Who will be able to read the draft FILE, computed by the code that enforces it.

    Exits 5 when this authority may not say it there at all.
    """
    from bus.cli.frame import defaults, open_registry, read_draft, stamped
    from bus.sealing import current_key, must_seal, sections
    from schemas.rules import check, with_section
    from schemas.subject import channel_of, subject_for

    context = app.identity
    now = app.now()
    registry = open_registry(app, now)
    draft = with_marking(read_draft(file), audience, tlp)
    bulletin = stamped(draft, registry.issuer(context.authority), defaults(context), now)
    check(bulletin)
    registry.permit(bulletin)
    sections.judge_section(bulletin, draft.sections, registry)
    channel = channel_of(bulletin)
    sealed = must_seal(bulletin, registry)
    audience_record = registry.document.audiences.get(bulletin.audience)
    members = audience_record.members if audience_record else (bulletin.audience,)

    def has_seal_key(reader: str) -> bool:
        return current_key(registry.seal_keys(reader), now) is not None

    readers = []
    for reader in registry.readers(channel):
        record = registry.authority(reader)
        readers.append(
            {
                "authority": reader,
                "name": record.name,
                "country": record.country,
                "kind": record.kind,
                "member": reader in members,
                "seal_key": has_seal_key(reader),
            }
        )
    parts = [
        {
            "label": section.label,
            "channel": channel_of(with_section(bulletin, section)).name,
            "readers": (names := sections.readers(bulletin, section, registry)),
            "without_seal_key": [name for name in names if not has_seal_key(name)],
        }
        for section in draft.sections
    ]
    if app.json:
        app.data(
            {
                "subject": subject_for(bulletin),
                "channel": str(channel),
                "public": bulletin.tlp == "clear",
                "sealed": sealed,
                "readers": readers,
                "sections": parts,
            }
        )
        return
    app.line(f"TLP:{bulletin.tlp.upper()} to {bulletin.audience}, as {channel}")
    if bulletin.tlp == "clear":
        app.line("TLP:CLEAR: every recipient may give it to the world")
    app.table(
        ("reader", "name", "country", "kind", "by"),
        [(r["authority"], r["name"], r["country"], r["kind"], f"read grant {channel.name}") for r in readers],
    )
    for part in parts:
        app.line(
            f"section {part['label']}, sealed, by read grant {part['channel']}: {', '.join(part['readers']) or 'nobody'}"
        )
        if part["without_seal_key"]:
            app.note(
                f"section {part['label']}: without a seal key, so not able to open it: {', '.join(part['without_seal_key'])}"
            )
    if sealed:
        without = [str(r["authority"]) for r in readers if not r["seal_key"]]
        app.note(
            f"{len(readers)} readers; sealed by the audience's policy, so the broker's operator cannot read it"
            + (f"; without a seal key: {', '.join(without)}" if without else "")
        )
        return
    app.note(f"{len(readers)} readers; besides them only the broker's operator, who sees what passes")
