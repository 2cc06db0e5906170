"""`tocsin registry keep`: renews the beacon in time, and warns of what else expires."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import api, health, keys, server, subscribing, transport, upkeep
from bus.cli import frame
from bus.cli.frame import DONE, FAILURE, FILE, PARTLY, Answer, App, Table, command, health_option, tell
from bus.errors import BusError, ConfigError, UnreachableError
from bus.tasks import in_background, until_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.audit import Fact
    from bus.config import Context
    from bus.health import Condition
    from bus.keys import Signer
    from bus.subscribing import RegistryFeed
    from bus.transport import Endpoint
    from bus.trust import RegistryStore
    from bus.upkeep import Keeper, Term

CONNECT_S = 5.0
LOOK_S = 0.1


@command(name="keep", when_asked=DONE)
@click.option("--key", "key_file", required=True, type=FILE, help="the beacon key (encrypted PEM)")
@click.option("--passphrase-file", type=FILE)
@click.option(
    "--provisioner",
    required=True,
    type=FILE,
    help="transport key of the server's provisioner (FOLDER/provisioner.nk)",
)
@click.option(
    "--hours", type=click.IntRange(1, 48), default=6, show_default=True, help="life of a beacon, in hours"
)
@health_option
@click.option("--once", is_flag=True, help="do what is due now, show what expires when, and end")
async def keep(
    app: App, *, key_file: Path, passphrase_file: Path | None, provisioner: Path, hours: int, once: bool
) -> int:
    """Renew the beacon of this context's registry in time, on the disk and on the bus, until Ctrl-C.

    The beacon is renewed when a third of its life is over, and at once for a new version. A failed write or send is
    reported and tried again. The keeper warns before keys, seal keys, roles, certificates or the registry expire; a
    person must renew those.

    With --once: exits 1 when something has expired, 8 when something expires soon, 7 when the bus does not answer.
    """
    app.logs()
    held = frame.registry_store(app)
    _must_name_a_beacon(app)
    signer = frame.signer_of(app, key_file, passphrase_file)
    upkeep.must_have_role(held(), signer.kid, app.now())
    if not once:
        await _comes(app, provisioner)
    place = _place(app, provisioner)
    life = dt.timedelta(hours=hours)
    feed = subscribing.RegistryFeed(held, place, clock=app.now, on_news=frame.recorder(app))
    keeper = _keeper(app, held, feed, place, signer=signer, life=life, folder=provisioner.parent)
    if once:
        return await _once(app, keeper, feed, place)
    await _run(app, keeper, feed, held)
    return DONE


async def _run(app: App, keeper: Keeper, feed: RegistryFeed, held: RegistryStore) -> None:
    def more() -> tuple[Condition, ...]:
        return upkeep.keeper_conditions(keeper.problems, keeper.found)

    # The keeper's own calls show whether the broker answers.
    async with frame.telling(app, "keeper", registry=held, connected=False, more=more):
        app.note(f"keeping the beacon of {held().domain}; end with Ctrl-C")
        await until_first(keeper.run(), feed.run(), frame.ended())


async def _comes(app: App, provisioner: Path) -> None:
    """Wait for the key that the server makes at its first start; a service manager may start both at once."""
    there = provisioner.exists
    if not there():
        app.note(f"waiting for {provisioner}, which `tocsin server run` makes at its first start")
    while not there():  # noqa: ASYNC110 (a file tells nobody that it has come)
        await asyncio.sleep(LOOK_S)


def _must_name_a_beacon(app: App) -> None:
    """Refuse a context without a beacon file: every start would make a new beacon.

    Raises:
        ConfigError: `no-beacon-file`.
    """
    if app.identity.beacon is None:
        raise ConfigError(
            "this context names no beacon file",
            remedy="name one: tocsin context add ... --beacon FILE",
            reason="no-beacon-file",
        )


def _place(app: App, provisioner: Path) -> Endpoint:
    context = app.identity
    if context.server is None:
        raise click.UsageError("this context names no server; add one: tocsin context add ... --server URL")
    return server.provisioner_endpoint(
        context.server, keys.load_nkey(provisioner), api.opening.tls_of(context)
    )


def _keeper(
    app: App,
    held: RegistryStore,
    feed: RegistryFeed,
    place: Endpoint,
    *,
    signer: Signer,
    life: dt.timedelta,
    folder: Path,
) -> upkeep.Keeper:
    def on_news(event: str, facts: Mapping[str, Fact]) -> None:
        frame.recorder(app)(event, facts)
        app.note(f"beacon for version {facts['version']} ({facts['why']})")

    return upkeep.Keeper(
        held,
        signer,
        place,
        lambda: feed.heard,
        life=life,
        clock=app.now,
        certificates=lambda: _certificates(app.identity, folder / "tls"),
        on_news=on_news,
    )


def _certificates(context: Context, folder: Path) -> list[upkeep.Certificate]:
    """The certificates of the context and of a broker's folder. Unreadable ones are left out; the program that uses them reports them."""
    files = (context.tls_cert, context.tls_ca, context.certificate, *sorted(folder.glob("*.pem")))
    return [
        upkeep.Certificate(name=each.kid, not_before=each.not_before, not_after=each.not_after)
        for each in health.certificate_facts(*files)
        if each.not_before is not None and each.not_after is not None
    ]


async def _once(app: App, keeper: Keeper, feed: RegistryFeed, place: Endpoint) -> int:
    async with transport.Connection.open(place) as connection, in_background(feed.run(), "what the bus says"):
        try:
            async with asyncio.timeout(app.timeout(CONNECT_S)):
                while not keeper.is_done:
                    await keeper.look(connection)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            keeper.problems.setdefault("bus", "it does not answer in time")
    tell(app, told := _told(keeper.terms()))  # also if a part failed
    if problem := keeper.problems.pop("bus", None):
        raise UnreachableError(f"it is not known whether the bus has the beacon: {problem}")
    for problem in keeper.problems.values():
        raise BusError(problem, reason="system")
    return told.code


def _told(found: tuple[Term, ...]) -> Answer:
    rows = (
        (
            "ok" if term.level == "ok" else "soon" if term.level == "warning" else "ENDED",
            term.what,
            term.whose,
            f"{term.ends:%Y-%m-%d %H:%M}" if term.ends else "-",
            term.remedy,
        )
        for term in found
    )
    levels = {term.level for term in found}
    return Answer(
        list(found),
        table=Table(("", "what", "whose", "ends", "do next"), rows),
        code=FAILURE if "bad" in levels else PARTLY if "warning" in levels else DONE,
    )
