"""`tocsin registry show`: the version in force, and what each grant is for."""

from __future__ import annotations

from bus.cli.registrar.show import _spell
from schemas.registry import PublishGrant, ReadGrant
from schemas.vocab import Status, Tlp


def _grant(*statuses: Status, audience: str = "community", kinds: tuple[str, ...] = ("*",)) -> PublishGrant:
    return PublishGrant(
        statuses=statuses, tlps=(Tlp.GREEN,), audiences=(audience,), kinds=kinds, areas=("*",)
    )


def test_a_grant_is_shown_with_its_status() -> None:
    """A right to heartbeats is no right to bulletins, and one to a single kind is none to all."""
    grants = (
        _grant(Status.ACTUAL, Status.EXERCISE),
        _grant(Status.ACTUAL, audience="eu-csirts"),
        _grant(Status.ACTUAL, audience="states", kinds=("channel-status",)),
        _grant(Status.SYSTEM, kinds=("heartbeat", "receipt")),
    )
    assert _spell(grants) == (
        "actual: green:community green:eu-csirts; actual (channel-status): green:states; "
        "exercise: green:community; system (heartbeat receipt): green:community"
    )


def test_a_right_to_read_has_no_kinds() -> None:
    """Every kind on its channels."""
    grant = ReadGrant(statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("community",))
    assert _spell((grant,)) == "actual: green:community"
