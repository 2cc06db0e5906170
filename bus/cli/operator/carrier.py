"""The federation in `tocsin server`: its options, the place of this broker, and the carrier beside it."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import msgspec

from bus import federation as federations
from bus import health, keys, transport
from bus.cli import frame
from bus.cli.frame import App, gathered
from bus.errors import ConfigError
from bus.tasks import until_first

if TYPE_CHECKING:
    from bus.federation import BrokerRole, Carrier, Federation
    from bus.transport import Tls
    from bus.trust import RegistryStore, VerifiedRegistry

CARRIER_FILE, LEDGER_FILE = "carrier.nk", "carrier.db"
CUT_OFF_S = 15.0
"""Seconds after which a lost connection is more than a brief break."""
MAX_FEDERATION_BYTES = 1024 * 1024
PORT = 4222
MONITOR_ABOVE = 4000  # the monitoring port beside the one for clients


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The broker that the options name.

    Attributes:
        host, port: where it listens for clients. Without a port: the port in the federation's file, or 4222.
        federation, place, node: the file, the country or union in it, and the number of the node in its cluster.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    federation: Path | None
    place: str | None
    node: int


federation_options = (
    click.option(
        "--federation",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="TOML file that says which countries and unions are joined",
    ),
    click.option("--as", "place", metavar="NAME", help="the country or union of that file that it serves"),
    click.option(
        "--node", type=click.IntRange(1, 9), default=1, help="the number of this node in its cluster"
    ),
)
federated = gathered("which", Place, *federation_options)
listening = gathered(
    "which",
    Place,
    click.option("--host", default="127.0.0.1", show_default=True),
    click.option(
        "--port",
        type=click.IntRange(1, 65535 - MONITOR_ABOVE),
        help="for clients  [default: the federation file's, or 4222]",
    ),
    *federation_options,
)


def seat_of(folder: Path, registry: VerifiedRegistry, which: Place) -> federations.BrokerRole | None:
    """The role of this broker in its federation; None without a file.

    Raises:
        ConfigError: `federation-file`: the file, the registry and the folder do not fit together.
    """
    file, place, node = which.federation, which.place, which.node
    if file is None:
        if place is not None:
            raise click.UsageError(f"--as {place} of which federation? add --federation FILE")
        return None

    if place is None:
        raise click.UsageError("which of its brokers is this? add --as NAME, a country or union of the file")
    if file.stat().st_size > MAX_FEDERATION_BYTES:
        raise click.UsageError(f"{file} is larger than a federation's file can be")
    federation = federations.Federation.parse(file.read_bytes())
    nodes = max(1, len(federation.nodes(place)))
    if node > nodes:
        raise click.UsageError(
            f"there is no node {node}: in {file} {place} is {f'{nodes} nodes' if nodes > 1 else 'one server'}"
        )
    seat = federations.BrokerRole(federation=federation, name=place, node=node - 1)
    if seat.country and not federations.served_authorities(registry, seat):
        raise ConfigError(
            f"no authority of {place} is in {registry.domain} version {registry.version}, so this broker would serve nobody",
            remedy="accept a version that has one: tocsin registry accept FILE",
            reason="federation-file",
        )
    if seat.country and node == 1:
        _must_be_its_carrier(folder, federation, file, place)
    return seat


def _must_be_its_carrier(folder: Path, federation: Federation, file: Path, country: str) -> None:
    """Check that the key in the folder is the carrier's key in the federation's file, which all other brokers use."""
    if not (folder / CARRIER_FILE).exists():
        raise ConfigError(
            f"{folder / CARRIER_FILE}, the key of the carrier of {country}, is not there",
            remedy="choose the folder that has it; or "
            f"make a new key (tocsin server carrier-key {folder}) and put it into {file} at every broker",
            reason="federation-file",
        )
    own = key_in(folder, CARRIER_FILE)[1]
    if federation.countries[country].carrier != own:
        raise ConfigError(
            f"the carrier of {country} in {file} has another key than {folder}, whose key is {own}; "
            "put the right key into the file at every broker",
            reason="federation-file",
        )


def port_of(seat: BrokerRole | None) -> int:
    """The default port for clients: that of the federation's file, where carriers connect."""
    nodes = seat.federation.nodes(seat.name) if seat else ()
    return (urlsplit(nodes[seat.node].url).port or PORT) if seat and nodes else PORT


def name_of(seat: BrokerRole | None) -> str:
    """The server's name; each node of a cluster has its own."""
    return "tocsin" if seat is None else f"{seat.name}-{seat.node + 1}"


class Carrying:
    """The conditions of a country's carrier in a report; none without a carrier.

    Attributes:
        country: its country; empty when no carrier runs here.
        upstreams: the places it must connect to.
        carrier: the running carrier; None while it waits for its ledger.
    """

    def __init__(self) -> None:
        """Begin without a carrier."""
        self.country = ""
        self.upstreams: frozenset[str] = frozenset()
        self.carrier: Carrier | None = None
        self._since: dt.datetime | None = None

    def conditions(self, now: dt.datetime) -> tuple[health.Condition, ...]:
        """Whether the carrier works; bad when it has carried to no place for `CUT_OFF_S` seconds.

        Args:
            now: the present, aware.
        """
        if not self.country:
            return ()
        cut, why = self._cut()
        if not cut:
            self._since = None
            return (health.Condition(name="carrier", level=health.Level.OK, code="ok", detail="it carries"),)
        self._since = self._since or now
        is_long = (now - self._since).total_seconds() >= CUT_OFF_S
        level = health.Level.BAD if is_long and cut >= self.upstreams else health.Level.WARNING
        return (
            health.Condition(
                name="carrier",
                level=level,
                code="not-carrying",
                detail=f"nothing is carried between {self.country} and {', '.join(sorted(cut))}: {why}",
                remedy="check that the brokers there run, and that their federation file has this carrier's key",
                since=self._since,
            ),
        )

    def _cut(self) -> tuple[frozenset[str], str]:
        """The places to which nothing is carried, and the reason."""
        if self.carrier is None:
            return self.upstreams, "the carrier's ledger is not open yet"
        problems = dict(self.carrier.problems)
        cut = frozenset(place for ends in problems for place in ends[:2] if place != self.country)
        return cut, next(iter(problems.values()), "")


async def carry(
    app: App,
    folder: Path,
    url: str,
    held: RegistryStore,
    seat: BrokerRole | None,
    tls: Tls | None,
    carrying: Carrying,
) -> None:
    """Run the country's carrier and the relay of trust documents beside the first node of its broker; on other nodes only wait."""
    if seat is None or seat.country is None or seat.node > 0:
        await asyncio.Event().wait()
        return

    seed = key_in(folder, CARRIER_FILE)[0]
    places = {
        seat.name: transport.Endpoint(
            url=url, authority_id=federations.HOME, nkey_seed=seed, name=federations.HOME, tls=tls
        )
    }
    for place in seat.federation.upstreams(seat.name):
        nodes = seat.federation.nodes(place)
        there = None if tls is None else msgspec.structs.replace(tls, host=None)  # the name in its address
        places[place] = transport.Endpoint(
            url=",".join(node.url for node in nodes),
            authority_id=federations.identity_at(seat.name),
            nkey_seed=seed,
            name=f"carrier of {seat.name}",
            tls=there,
        )
    carrying.country, carrying.upstreams = seat.name, frozenset(seat.federation.upstreams(seat.name))
    async with frame.once_open(app, lambda: federations.Ledger.open(folder / LEDGER_FILE)) as ledger:
        carrying.carrier = carrier = federations.Carrier(
            country=seat.name,
            federation=seat.federation,
            registry=held,
            endpoints=places,
            ledger=ledger,
            clock=app.now,
        )
        relay = federations.RegistryRelay(
            country=seat.name, held=held, endpoints=places, ledger=ledger, clock=app.now
        )
        await until_first(carrier.run(), relay.run())


def key_in(folder: Path, name: str) -> tuple[str, str]:
    """(seed, public key) of a transport key in a broker's folder; makes the key on first use."""
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys.nkeys.save_nkey(path, keys.nkeys.generate()[0])
    seed = keys.nkeys.load_nkey(path)
    return seed, keys.nkeys.public_of(seed)
