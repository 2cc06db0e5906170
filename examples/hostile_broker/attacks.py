"""A day with a hostile broker administrator, on a real nats-server. Run it: `python attacks.py`.

Each sentence is checked before it is printed. Sentences marked OPEN name attacks that raise no alarm today. The first
false sentence ends the script with exit code 1.
"""

from __future__ import annotations

import datetime as dt
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from machine import Machine, Record
from structlog.testing import capture_logs

from bus.admission import verify_file
from bus.demo import (
    BEACON_LIFETIME,
    PATIENCE_S,
    Hub,
    Stage,
    clock,
    forged,
    load_key,
    played,
    send,
    step,
    until,
    warning,
)
from bus.errors import BrokerError
from bus.keys import FileSigner, OpeningKey
from bus.publishing import Publisher
from bus.sealing import open_bulletin
from bus.subscribing import publish_trust
from bus.transport import js_api, publish
from bus.trust import TrustState, ceremony, proposals
from schemas.codec import digest
from schemas.envelope import file_form
from schemas.registry import Registry, SealKeyRecord
from schemas.subject import PREFIX
from schemas.vocab import SealPolicy, Severity, Tlp

GREEN = "actual.green.community"
WORLD, DRILLS, TRUST = "WORLD_ACTUAL", "WORLD_EXERCISE", "TRUST"
FIRST, SECOND = "xb-hub", "xa-hub"
SPEAKERS = ("xa-csirt", "xa-dsc", "xa-emb", "xb-csirt", "xb-dsc", "xb-emb")
LATE = "xb-dpa"
HOLD_S = 0.5
SECRET = "The passwords of the counting office are for sale"
URGENT = Severity.EXTREME  # such a bulletin has its own subject, ending in p1


class Story:
    """The administrator's attempts, one after the other."""

    def __init__(self, stage: Stage, keys: dict[str, OpeningKey]) -> None:
        self._stage = stage
        self._machine = Machine(stage)
        self._keys = keys
        self._desks: dict[str, Publisher] = {}
        # The bulletins of each authority on its channel to the community, in order.
        self._said: dict[str, list[str]] = {name: [] for name in (*SPEAKERS, LATE)}
        self._alarms: Sequence[Mapping[str, object]] = ()
        self._open = 0

    def _nothing(self, sentence: str, holds: bool) -> None:
        """Print an attack that raises no alarm today."""
        step(f"OPEN   {sentence}", holds)
        self._open += 1

    def _alarmed(self, event: str) -> int:
        """The number of times that a program has logged this error."""
        return sum(each["event"] == event for each in self._alarms)

    async def _say(self, name: str, headline: str, **changes: object) -> str:
        found = (await send(self._desks[name], warning(headline, name, **changes))).digest
        self._said[name].append(found)
        return found

    async def _shows(self, hub: Hub, name: str, *lacking: str) -> bool:
        """Whether a hub shows exactly an authority's bulletins, in order, except the given ones."""
        return await hub.chain(name, GREEN) == [each for each in self._said[name] if each not in lacking]

    async def _shows_all(self, hub: Hub) -> bool:
        return all([await self._shows(hub, name) for name in self._said])

    async def _gap(self, hub: Hub, name: str, size: int) -> bool:
        return (await hub.channel(name, GREEN)).gaps == size

    # -- the attempts -------------------------------------------------------------------------------------------------

    async def honest_morning(self, hub: Hub) -> None:
        """Six authorities publish, and one hub reads them."""
        for n in (1, 2, 3):
            changes = {"severity": URGENT} if n == 2 else {}
            for name in SPEAKERS:
                await self._say(name, f"Polling at station {n} ends at 20:00", **changes)
        await until(
            "08:00  Six authorities have published three bulletins each; the hub of XB shows them.",
            lambda: self._shows_all(hub),
        )

    async def given_keys(self) -> None:
        """The limits of the provisioner's key."""
        stage = self._stage
        refused = []
        async with stage.connected("provisioner", stage.provisioner) as connection:
            config = (await js_api(connection, f"STREAM.INFO.{WORLD}"))["config"]
            calls: dict[str, dict[str, object]] = {
                f"STREAM.MSG.DELETE.{WORLD}": {"seq": 2},
                f"STREAM.PURGE.{WORLD}": {"filter": "tocsin.>"},
                f"STREAM.UPDATE.{WORLD}": {**config, "deny_delete": False},
            }
            for call, body in calls.items():
                try:
                    await js_api(connection, call, body)
                except BrokerError:
                    refused.append(call)
        step(
            "09:00  With the provisioner's key nothing can be deleted, purged, or made deletable: the broker refuses.",
            refused == list(calls),
        )
        await stage.server.reload(self._machine.conf())
        step(
            "09:10  But the administrator adds a user to the configuration with all rights over the streams."
        )

    async def system_account(self, hub: Hub) -> None:
        """The system account sees connections, and can end them."""
        attached = hub.service.subscriber.attached
        heard = await self._machine.cut(hub.name, lambda: self._say("xa-dsc", "The counting has a date"))
        step(
            "09:20  With the system account he cuts the connections of the hub of XB, and sees each that ends, but\n"
            "       not what xa-dsc publishes at that time.",
            any(each.endswith(".DISCONNECT") for each in heard)
            and not any(each.startswith(PREFIX) for each in heard),
        )

        async def back() -> bool:
            return hub.service.subscriber.attached > attached and await self._shows_all(hub)

        await until("       The hub comes back by itself, and shows it.", back)

    async def rewritten(self, hub: Hub, stack: AsyncExitStack) -> Hub:
        """Bulletins altered, re-addressed, forged, replayed, withheld in the middle and at the end. Returns a hub that reads for the first time."""
        said, machine = self._said, self._machine
        records = {digest(each.payload): each for each in await machine.records(WORLD)}
        spoilt, moved, purged, deleted, last = (
            said[name][at]
            for name, at in (("xa-csirt", 1), ("xa-dsc", 1), ("xb-dsc", 1), ("xb-csirt", 1), ("xa-emb", 2))
        )
        old = records[said["xb-emb"][0]]
        lie = records[spoilt].payload.replace(b"20:00", b"12:00")
        made, forgery = forged(
            self._stage.registry.issuer("xa-csirt"), FileSigner.generate(), warning("Stay at home", "xa-csirt"),
            domain=self._stage.registry.domain, seq=4, prev=said["xa-csirt"][2], moment=clock(),
        )  # fmt: skip
        false: dict[str, tuple[Record, str]] = {
            digest(lie): (msgspec.structs.replace(records[spoilt], payload=lie), "bad-signature"),
            moved: (
                msgspec.structs.replace(
                    records[moved], subject=records[moved].subject.replace(".xa.", ".xb.", 1)
                ),
                "misaddressed",
            ),
            forgery: (
                Record(seq=0, subject=made.subject, headers=dict(made.headers), payload=made.payload),
                "unknown-key",
            ),
            said["xb-emb"][0]: (
                msgspec.structs.replace(old, headers={**old.headers, "Nats-Msg-Id": secrets.token_hex(8)}),
                "hint-mismatch",
            ),
        }
        plain = {name: text for name, text in old.headers.items() if name != "Nats-Msg-Id"}
        kept = [each for found, each in records.items() if found not in {spoilt, moved, last}]
        again = msgspec.structs.replace(old, headers=plain)
        await machine.remake(WORLD, [*kept, *(record for record, _ in false.values()), again])
        await machine.remake(DRILLS, [again])
        await machine.deliver(DRILLS, SECOND, ("tocsin.>",))
        async with machine.administrator() as connection:
            now = {digest(each.payload): each for each in await machine.records(WORLD)}
            await js_api(connection, f"STREAM.MSG.DELETE.{WORLD}", {"seq": now[deleted].seq})
            await js_api(connection, f"STREAM.PURGE.{WORLD}", {"filter": now[purged].subject})
        step("09:30  He deletes the stream that hubs read, and makes it again with his changes.")
        newcomer = await stack.enter_async_context(self._stage.hub(SECOND, hold_s=HOLD_S))

        reasons = {found: reason for found, (_, reason) in false.items()}

        async def aside() -> bool:
            return await hub.reasons() == reasons == await newcomer.reasons()

        await until(
            "       One bulletin was altered (bad-signature), one put under another authority's subject\n"
            "       (misaddressed), one forged (unknown-key), an old one sent under another message id (hint-mismatch):\n"
            "       both hubs have all four in quarantine.",
            aside,
        )

        step(
            "       The hub that had read it noticed that it is another stream, and read it again (stream_changed); it\n"
            "       shows what it showed before, in the same order.",
            self._alarmed("stream_changed") > 0 and await self._shows_all(hub),
        )

        async def partly() -> bool:
            lacking = {"xa-csirt": spoilt, "xa-dsc": moved, "xb-dsc": purged, "xb-csirt": deleted}
            return all(
                [await self._shows(newcomer, *each) and await self._gap(newcomer, each[0], 1) for each in lacking.items()]
            )  # fmt: skip

        await until(
            "       One that reads for the first time shows a gap of one in each of four channels: where the altered\n"
            "       and the re-addressed ones were, where one was deleted, where one was purged by its subject.",
            partly,
        )

        async def repeated() -> bool:
            return newcomer.service.subscriber.counts["duplicate"] >= 2 and await self._shows(
                newcomer, "xb-emb"
            )

        await until(
            "       An old bulletin sent again, in this stream and in that of the drills, is shown once, as what it is.",
            repeated,
        )
        row = await newcomer.channel("xa-emb", GREEN)
        self._nothing(
            "The last bulletin of xa-emb was left out. A hub that reads for the first time shows the first two,\n"
            "       no gap, and no sign of a third bulletin: in this story no program sends heartbeats.",
            await self._shows(newcomer, "xa-emb", last)
            and (row.gaps, row.announced, row.refused) == (0, 0, 0),
        )
        return newcomer

    async def truth_again(self, *hubs: Hub) -> None:
        """An honest broker repairs the damage."""
        async with self._machine.administrator() as connection:
            for stream in (WORLD, DRILLS):
                await js_api(connection, f"STREAM.DELETE.{stream}")
        await self._stage.provision()
        for name in SPEAKERS:
            await self._say(name, "Polling goes on")

        async def whole() -> bool:
            return all([await self._shows_all(hub) for hub in hubs]) and all(
                [await self._gap(hub, name, 0) for hub in hubs for name in SPEAKERS]
            )

        await until(
            "10:00  The streams are correct again, and all publish once more: both hubs fill their gaps.",
            whole,
        )

    async def set_back(self, hub: Hub) -> None:
        """The store's folder is replaced by an older copy."""
        name, changes = "xa-csirt", self._alarmed("stream_changed")
        lost = self._alarmed("stream_lost_bulletins")
        await self._machine.copy_store()
        for n in (4, 5):
            await self._say(name, f"A flood at station {n}")
        await until(
            "11:00  xa-csirt has published two more bulletins; the hub of XB shows them.",
            lambda: self._shows(hub, name),
        )
        await self._machine.put_back()
        for n in (4, 5):
            await self._say("xa-emb", f"Station {n} has counted")

        async def noticed() -> bool:
            return self._alarmed("stream_changed") > changes and await self._shows_all(hub)

        await until(
            "11:10  The store is set back to an older copy, and others continue to publish. The hub of XB notices\n"
            "       (stream_changed), and still shows both.",
            noticed,
        )
        async with self._stage.hub(SECOND, store="set-back", hold_s=HOLD_S) as newcomer:
            await until(
                "11:20  xa-csirt finds acknowledged bulletins lost (stream_lost_bulletins), and has sent them again,\n"
                "       the same bytes: a new hub shows everything.",
                lambda: self._shows(newcomer, name),
            )
            step(
                "       xa-csirt has said so in its log, and no number is missing.",
                self._alarmed("stream_lost_bulletins") > lost and await self._gap(newcomer, name, 0),
            )

    async def two_histories(self, hub: Hub, other: Hub) -> None:
        """Each hub gets a different view."""
        machine, name = self._machine, "xb-csirt"
        ordinary, urgent = (f"tocsin.v1.{GREEN}.*.*.*.*.*.*.{priority}" for priority in ("p2", "p1"))
        await machine.deliver(WORLD, hub.name, (ordinary,))
        kept_from = await self._say(name, "Station 6 is on fire", severity=URGENT)
        await self._say(name, "Station 6 is open again")
        await until(
            "14:00  Each hub is given another view. The hub of XA shows a fire;",
            lambda: self._shows(other, name),
        )

        async def gap() -> bool:
            return await self._shows(hub, name, kept_from) and await self._gap(hub, name, 1)

        await until(
            "       the hub that did not receive it shows a gap, as soon as the next one arrives.", gap
        )

        name, signer, domain = "xa-dsc", self._stage.signer("xa-dsc"), self._stage.registry.domain
        issuer, seq, prev = self._stage.registry.issuer(name), len(self._said[name]) + 1, self._said[name][-1]
        (one, here), (two, there) = (
            forged(
                issuer,
                signer,
                warning(text, name, severity=severity),
                domain=domain,
                seq=seq,
                prev=prev,
                moment=clock(),
            )
            for text, severity in (
                ("The count begins at 22:00", URGENT),
                ("The count is put off", Severity.SEVERE),
            )
        )
        follows, after = forged(
            issuer,
            signer,
            warning("The count has begun", name),
            domain=domain,
            seq=seq + 1,
            prev=here,
            moment=clock(),
        )
        await machine.deliver(WORLD, other.name, (urgent,))
        async with machine.administrator() as connection:
            for each in (one, two):
                await publish(connection, each.subject, each.payload, each.headers)

        async def divided() -> bool:
            return (await other.chain(name, GREEN))[seq - 1 :] == [here] and (await hub.chain(name, GREEN))[
                seq - 1 :
            ] == [there]

        await until(
            "14:30  An insider with the key of xa-dsc helps him: two texts at one place of the chain, one for each hub.",
            divided,
        )
        rows = [await each.channel(name, GREEN) for each in (hub, other)]
        self._nothing(
            "Each view is consistent by itself, so neither hub can tell: these two have no keys, and say nothing to each other.",
            all((row.gaps, row.forks, row.refused) == (0, 0, 0) for row in rows),
        )
        await self._stage.provision()
        async with machine.administrator() as connection:
            await publish(connection, follows.subject, follows.payload, follows.headers)

        async def broken() -> bool:
            return (await hub.reasons()).get(after) == "broken-chain" and after in await other.chain(
                name, GREEN
            )

        await until(
            "       The next bulletin fits one of the two: at the other hub it is refused as broken-chain.",
            broken,
        )

    async def old_registry(self, hub: Hub) -> None:
        """The registry's stream is set back."""
        stage, machine = self._stage, self._machine
        beacon_key = load_key(stage.folder.beacon_key)

        def beacon() -> bytes:
            return ceremony.new_beacon(stage.registry, beacon_key, clock(), BEACON_LIFETIME)

        second, old = stage.registry.raw, beacon()
        third = stage.registrar_says(lambda document: document)
        stage.all_take(third)
        new = beacon()
        async with stage.connected("provisioner", stage.provisioner) as connection:
            for raw in (second, old, third, new):
                await publish_trust(connection, raw)

        async def fresh() -> bool:
            return hub.registry().version == 3 and hub.registry().state(clock()) is TrustState.FRESH

        await until(
            "15:00  The registrar's version 3 is on the bus; the hub of XB holds it and is fresh.", fresh
        )
        await machine.remake(TRUST, (await machine.records(TRUST))[:2])
        stage.held[SECOND] = held = stage.hold("set-back")
        async with stage.hub(SECOND, store="old-registry", hold_s=HOLD_S):

            async def deceived() -> bool:
                return held().version == 2 and held().state(clock()) is TrustState.FRESH

            await until(
                "15:10  He serves version 2 and its beacon. A hub that has only version 1 takes them in;",
                deceived,
            )
            later = clock() + BEACON_LIFETIME
            self._nothing(
                "it calls itself fresh until that beacon ends, six hours at the most;", await deceived()
            )
            step("       then it says stale,", held().state(later) is TrustState.STALE)
            held.take(new)
            step(
                "       and, when a newer beacon reaches it by any other way, behind.",
                held().state(clock()) is TrustState.BEHIND,
            )
            step(
                "       The hub of XB stays with version 3: no registry goes back. When its beacon ends it is stale too.",
                hub.registry().version == 3 and hub.registry().state(later) is TrustState.STALE,
            )

    async def poisoned(self, *hubs: Hub) -> None:
        """A message id is used up before the bulletin that it belongs to is sent."""
        stage, machine = self._stage, self._machine
        signer, seed = stage.signer(LATE), stage.transport(LATE)
        async with machine.at_rest(), stage.desk(LATE, signer, seed) as desk:
            kept = await desk.publish(warning("A copy of the register is on the net", LATE))
        rumour = b"{}"
        async with machine.administrator() as connection:
            await publish(connection, kept.subject, rumour, {"Nats-Msg-Id": kept.digest})
        step(
            "12:00  While xb-dpa cannot reach the bus, he uses up the message id that its next bulletin will have."
        )
        async with stage.desk(LATE, signer, seed) as desk:
            step(
                "12:10  xb-dpa is back. The broker calls its bulletin a duplicate; on a first attempt that is an alarm\n"
                "       (duplicate_on_first_attempt), and it goes again without the id:",
                await desk.settled(kept.digest, PATIENCE_S) == "stored"
                and self._alarmed("duplicate_on_first_attempt") == 1,
            )
        self._said[LATE].append(kept.digest)

        async def shown() -> bool:
            return all(
                [
                    await self._shows(hub, LATE)
                    and (await hub.reasons()).get(digest(rumour)) == "malformed-envelope"
                    for hub in hubs
                ]
            )

        await until("       both hubs show it, and his own message is in quarantine.", shown)

    async def sealed(self, *hubs: Hub) -> None:
        """He has every file, and reads what is not sealed."""
        marked = warning(SECRET, "xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
        found = (await send(self._desks["xa-csirt"], marked)).digest

        async def opened(hub: Hub) -> bool:
            rows = [row async for row in hub.store.follow(0, live=False) if row.digest == found]
            if not rows:
                return False
            raw = file_form(rows[0].payload, rows[0].signature)
            outer = verify_file(raw, registry=hub.registry(), now=clock())
            inner = open_bulletin(
                outer.bulletin, [self._keys[hub.name]], registry=hub.registry(), now=clock()
            )
            return inner.bulletin.info[0].headline == SECRET

        async def all_opened() -> bool:
            return all([await opened(hub) for hub in hubs])

        await until("13:00  xa-csirt has sealed a bulletin to both hubs; both open it.", all_opened)
        step(
            "       In the files of the store he finds the bulletin to the community, and no word of that one.",
            self._machine.stored(b"A flood at station 5") and not self._machine.stored(SECRET.encode()),
        )

    async def tell(self) -> None:
        """Tell the whole story."""
        stage = self._stage
        async with AsyncExitStack() as stack:
            self._alarms = stack.enter_context(capture_logs())
            for name in SPEAKERS:
                desk = stage.desk(name, stage.signer(name), stage.transport(name))
                self._desks[name] = await stack.enter_async_context(desk)
            hub = await stack.enter_async_context(stage.hub(FIRST, hold_s=HOLD_S))
            await self.honest_morning(hub)
            await self.given_keys()
            await self.system_account(hub)
            async with AsyncExitStack() as morning:
                newcomer = await self.rewritten(hub, morning)
                await self.truth_again(hub, newcomer)
            await self.set_back(hub)
            async with stage.hub(SECOND, hold_s=HOLD_S) as other:
                await self.poisoned(hub, other)
                await self.sealed(hub, other)
                await self.two_histories(hub, other)
            await self.old_registry(hub)
        step(
            "16:00  Nothing was ever shown that a key of its author had not signed. "
            f"{self._open} things raised no alarm: those marked OPEN."
        )


def with_seals(document: Registry, keys: dict[str, OpeningKey]) -> Registry:
    """The registry with a seal key for both hubs, and a policy that seals bulletins to the CSIRTs' network."""
    begin = clock().replace(microsecond=0) - dt.timedelta(hours=1)
    for name, key in keys.items():
        fields: dict[str, object] = {
            "alg": "HPKE-9-KE",
            "jwk": key.public.jwk,
            "not_before": begin,
            "not_after": begin + dt.timedelta(days=30),
        }
        document = proposals.add_seal_key(document, name, msgspec.convert(fields, SealKeyRecord))
    return proposals.set_seal_policy(document, "eu-csirts", SealPolicy.ALWAYS)


async def attacks(root: Path) -> None:
    """Run the story from the honest morning to the end of the day."""
    async with AsyncExitStack() as stack:
        stage, keys = (
            Stage(root, stack),
            {name: OpeningKey(secrets.token_bytes(32)) for name in (FIRST, SECOND)},
        )
        await stage.begin((FIRST, SECOND, *SPEAKERS, LATE), lambda document: with_seals(document, keys))
        await Story(stage, keys).tell()


if __name__ == "__main__":
    sys.exit(played(attacks))
