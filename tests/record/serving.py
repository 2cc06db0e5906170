"""The broker of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.record.desk import WITHOUT_TERMINAL, Call, Desk
from tests.record.entries import Form

FOLDER = "broker"


@contextmanager
def broker(desk: Desk, port: int) -> Iterator[None]:
    """Run a broker while the block lasts; its configuration and checks are recorded."""
    at = (FOLDER, "--port", str(port))
    desk.run(Call(command="server carrier-key", arguments=("carrier-{form}",)))
    desk.run(Call(command="server conf", arguments=at))
    desk.run(Call(command="server conf", arguments=(*at, "--stdout"), title="printed", forms=(Form.PIPE,)))
    run = Call(command="server run", arguments=at, stop_at="serving")
    desk.run(Call(command="server run", arguments=at, stop_at="serving", forms=(Form.JSON, Form.TERMINAL)))
    with desk.beside(run, Form.PIPE, "serving"):
        desk.together((Call(command="server check", arguments=(FOLDER,)),))
        wrong = ("nowhere",)
        desk.together(
            (
                Call(
                    command="server check",
                    arguments=wrong,
                    title="no folder of a broker",
                    forms=WITHOUT_TERMINAL,
                ),
            )
        )
        taken = Call(
            command="server run",
            arguments=("other", "--port", str(port)),
            title="the port is taken",
            forms=WITHOUT_TERMINAL,
        )
        desk.run(taken)
        yield
