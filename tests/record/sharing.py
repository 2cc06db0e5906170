"""Bundles over an air gap, and the audit record."""

from __future__ import annotations

from tests.record.desk import WITHOUT_TERMINAL, Call, Desk

# Two proposals of the same second have the same digest, two of different seconds have not.
_DIGESTS = {r'(digest(?:=|":"))[A-Za-z0-9_-]{43}': r"\1<digest>"}
# Commands that ran at the same time have written their entries in the order in which they came.
_NUMBERS = {r"(?m)^\d+\t": "<n>\t", r'(?m)^{"seq":\d+': '{"seq":<n>'}
CHANNEL = "xa-csirt/actual.green.community"


def play(desk: Desk) -> None:
    """Export, look, import; then read the record that this left."""
    export = ("--out", "bundle-{form}.tocsin", "--to", "xa-hub", "--channel", CHANNEL, "--yes")
    desk.run(Call(command="bundle export", arguments=export, context="xb-hub"))
    own = ("--out", "own-{form}.tocsin", "--channel", "xa-emb/actual.green.community", "--yes")
    desk.run(Call(command="bundle export", title="its own", arguments=own, context="xa-emb"))
    desk.run(Call(command="bundle inspect", arguments=("bundle-pipe.tocsin",)))
    desk.run(Call(command="bundle import", arguments=("bundle-pipe.tocsin",), context="xa-hub"))
    desk.together(
        (
            Call(command="audit show", hidden=_DIGESTS),
            Call(
                command="audit show",
                title="at a hub",
                context="xb-hub",
                forms=WITHOUT_TERMINAL,
                is_sorted=True,
                hidden=_DIGESTS | _NUMBERS,
            ),
            Call(command="audit verify"),
            Call(command="audit head"),
        )
    )
