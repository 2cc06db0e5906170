"""Bundles over an air gap, a contradiction that they bring to light, and the audit record."""

from __future__ import annotations

from tests.record.desk import Call, Desk
from tests.record.entries import Form

PIPE = (Form.PIPE,)


def play(desk: Desk) -> None:
    """Export, look, import; then read the record that this left."""
    export = ("--out", "bundle-{form}.tocsin", "--to", "eu-csirts", "--yes")
    desk.run(Call(command="bundle export", arguments=export, context="xb-hub"))
    desk.run(Call(command="bundle export", title="its own", arguments=("--out", "own-{form}.tocsin", "--to", "eu-csirts", "--yes")))
    desk.run(Call(command="bundle inspect", arguments=("bundle-pipe.tocsin",)))
    desk.run(Call(command="bundle import", arguments=("bundle-pipe.tocsin",), context="xa-hub"))
    desk.together(
        (
            Call(command="audit show"),
            Call(command="audit show", title="at a hub", context="xb-hub", is_sorted=True),
            Call(command="audit verify"),
            Call(command="audit head"),
        )
    )
