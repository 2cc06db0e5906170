"""The bulletins of the demonstration's offices, in rounds: first samples and the opening, then the day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from bus import plugin
from bus.demo.countries import MEMBERS, Member
from bus.demo.day import DAY, OPENING, ORDER, Step, draft_of
from bus.demo.keyring import Folder
from bus.logs import logger
from bus.publishing import Publisher
from schemas.errors import TocsinError

log = logger()


class Rounds:
    """The rounds of one run."""

    def __init__(self, folder: Folder, publishers: Mapping[str, Publisher], serial: int) -> None:
        """Begin before the first round.

        Args:
            folder: holds the spools of the adapters.
            publishers: publisher of each authority.
            serial: distinguishes the samples of this run from those of others.
        """
        self._folder = folder
        self._publishers = publishers
        self._serial = serial
        self._number = 0
        self._told: dict[tuple[str, str], str] = {}

    async def feed(self, now: dt.datetime) -> int:
        """Run one round: first the sample files of every adapter and the opening of the day, then a step each time. Returns the number of items.

        After the end of the day, only heartbeats are sent.
        """
        number, self._number = self._number, self._number + 1
        if number == 0:
            steps = [(member, name, step) for member in MEMBERS for name, step in OPENING.items()]
            return self._drop_samples(now) + await self._tell(steps, now)
        steps = [
            (member, name, DAY[name])
            for member in MEMBERS
            for name in ORDER[member.country][number - 1 : number]
        ]
        return await self._tell(steps, now)

    def _drop_samples(self, now: dt.datetime) -> int:
        count = 0
        found = adapters()
        for number, member in enumerate(MEMBERS):
            adapter = found.get(member.office.adapter) if member.office else None
            if adapter is None:
                continue
            incoming = self._folder.spool(member.id) / "in"
            incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            for sample in adapter.samples(member.country, now, self._serial * 100 + number):
                partial = incoming / f"{sample.name}.part"
                partial.write_bytes(sample.data)
                partial.rename(incoming / sample.name)
                count += 1
        return count

    async def _tell(self, steps: Iterable[tuple[Member, str, Step]], now: dt.datetime) -> int:
        """Publish the steps whose office is the member's. A refusal is logged, because a user may try another registry here."""
        count = 0
        for member, name, step in steps:
            if member.office is None or step.office != member.office.name:
                continue
            original = self._told.get((member.country, step.updates or ""))
            try:
                kept = await self._publishers[member.id].publish(draft_of(step, member, now, original))
            except TocsinError as exc:
                log.warning(
                    "demo_step_refused", issuer=member.id, step=name, reason=exc.reason, error=str(exc)
                )
                continue
            self._told[member.country, name] = kept.id
            count += 1
        return count


def adapters() -> dict[str, plugin.Adapter | None]:
    """The installed adapters, by name; None for a missing one."""
    return {each.name: each.adapter for each in plugin.discover()}
