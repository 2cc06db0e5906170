"""What happens in each scene of the story, for real; each act ends when the hubs show it."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from functools import partial

from bus.demo import scenes
from bus.demo.cast import PATIENCE_S, Cast, UntrueError
from bus.demo.countries import ELSEWHERE, ROBBED
from bus.demo.hostile import Operator
from bus.demo.keyring import load_key
from bus.demo.stage import forged
from bus.hub.picture import answers
from bus.keys import FileSigner
from bus.publishing import Accepted, Reanchoring
from bus.subscribing import publish_trust
from bus.transport import Connection, publish
from bus.trust import new_statement
from schemas.answering import answer_to
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Draft
from schemas.vocab import FeedbackKind

GREEN = "actual.green.community"
FULL, DECEIVED = "xa-hub", "xb-hub"
"""The hub that gets everything, and the one from which a bulletin is withheld."""
FIRST, OTHER = "xa-media", "xa-region"


class Acts:
    """The acts of one run.

    Attributes:
        facts: what later acts need, by name: ids, digests, and times. They outlive the run.
    """

    def __init__(self, cast: Cast, facts: dict[str, str], clock: Callable[[], dt.datetime]) -> None:
        self.facts = facts
        self._cast = cast
        self._clock = clock

    # -- a false polling date, and a cloned site ------------------------------------------------------------------

    async def false_date(self) -> str:
        """A regional office warns of a false polling date."""
        return await self._publish("false-date", OTHER, scenes.false_date("one region"))

    async def corrected(self) -> str:
        """It corrects the warning; the hubs show the newer version alone."""
        return await self._publish(
            "corrected", OTHER, scenes.false_date("two regions", self._fact("false-date"))
        )

    async def seen_by_one(self) -> str:
        """The first of three authorities sees a cloned site."""
        return await self._seen(FIRST)

    async def seen_by_two(self) -> str:
        """The second sees it."""
        return await self._seen(ROBBED)

    async def seen_by_three(self) -> str:
        """The third sees it."""
        return await self._seen(OTHER)

    async def _seen(self, name: str) -> str:
        return await self._publish(f"seen-by-{name}", name, scenes.SIGHTINGS[name])

    # -- a hostile broker -----------------------------------------------------------------------------------------

    async def forged(self) -> str:
        """The operator adds a bulletin in an office's name, signed by a key of his own."""
        operator, cast = await self._second_broker(), self._cast
        if "elsewhere" not in self.facts:  # so that the channel exists
            await self._publish("elsewhere", ELSEWHERE, scenes.SPOKEN_ELSEWHERE)
        seq, prev = await cast.head(FULL, f"{ELSEWHERE}/{GREEN}")
        message, found = forged(
            cast.registry.issuer(ELSEWHERE),
            FileSigner.generate(),
            scenes.FORGED,
            domain=cast.registry.domain,
            seq=seq + 1,
            prev=prev,
            moment=self._clock(),
        )
        self.facts["forged"] = found
        await operator.add(message)
        await cast.by_both(lambda hub: cast.refused(hub, found, "unknown-key"))
        return found

    async def withheld(self) -> str:
        """The operator gives a bulletin to one hub and not to the other."""
        operator = await self._second_broker()
        await operator.withhold_next(DECEIVED)
        kept = await self._cast.send(ELSEWHERE, scenes.WITHHELD)
        self.facts["withheld"] = kept.digest
        await self._cast.until(partial(self._cast.held, FULL, kept.digest))
        return self._note("withheld-id", kept)

    async def noticed(self) -> str:
        """The next bulletin shows the deceived hub that one is missing, if no heartbeat has shown it yet."""
        kept = await self._cast.send(ELSEWHERE, scenes.NEXT)
        await self._cast.until(self._is_missed)
        return self._note("next", kept)

    async def _is_missed(self) -> bool:
        sql = "SELECT 1 FROM alarms WHERE channel = ? AND reason IN ('gap', 'tail')"
        return bool(await self._cast.stores[DECEIVED].query(sql, f"{ELSEWHERE}/{GREEN}"))

    async def handed_on(self) -> str:
        """The other hub sends it a copy."""
        await self._cast.until(partial(self._cast.held, DECEIVED, self._fact("withheld")))
        return self._fact("withheld-id")

    async def _second_broker(self) -> Operator:
        await self._cast.publisher(ELSEWHERE)
        if self._cast.operator is None:
            raise UntrueError("the second broker does not run")
        return self._cast.operator

    # -- a stolen key ---------------------------------------------------------------------------------------------

    async def stolen(self) -> str:
        """A thief with copies of an office's keys publishes a lie in its name."""
        cast = self._cast
        seq, prev = await cast.head(FULL, f"{ROBBED}/{GREEN}")
        moment = self._clock()
        message, found = forged(
            cast.registry.issuer(ROBBED),
            load_key(cast.folder.signing_key(ROBBED)),
            scenes.LIE,
            domain=cast.registry.domain,
            seq=seq + 1,
            prev=prev,
            moment=moment,
        )
        self.facts |= {"lie": found, "stolen-at": moment.isoformat()}
        async with Connection.open(cast.endpoint(ROBBED)) as thief:
            await thief.until_connected(PATIENCE_S)
            await publish(thief, message.subject, message.payload, message.headers)
        await cast.by_both(lambda hub: cast.held(hub, found))
        return (await cast.bulletin(FULL, found)).id

    async def ended(self) -> str:
        """The office revokes its stolen key with the reserve key; all that the thief said is withdrawn."""
        cast, lie = self._cast, self._fact("lie")
        statement = new_statement(
            domain=cast.registry.domain,
            authority=ROBBED,
            kids=(load_key(cast.folder.signing_key(ROBBED)).kid,),
            since=dt.datetime.fromisoformat(self._fact("stolen-at")),
            reason="key-compromise",
            signer=load_key(cast.folder.reserve_key(ROBBED)),
            now=self._clock(),
        )
        await cast.close(ROBBED)
        async with Connection.open(cast.endpoint(ROBBED)) as connection:
            await connection.until_connected(PATIENCE_S)
            await publish_trust(connection, statement)
        await cast.by_both(lambda hub: cast.refused(hub, lie, "key-revoked"))
        return lie

    async def continued(self) -> str:
        """The office opens with its reserve key, and continues after its own last bulletin."""
        publisher = await self._cast.publisher(ROBBED)
        async with Reanchoring.open(publisher, PATIENCE_S) as reanchoring:
            anchor = await reanchoring.proposal(GREEN)
            kept = await reanchoring.reanchor(
                GREEN, anchor, reason="The signing key was stolen; it is revoked."
            )
        await self._cast.by_both(lambda hub: self._cast.held(hub, kept.digest))
        return self._note("anchor", kept)

    # -- a dispute ------------------------------------------------------------------------------------------------

    async def disputed(self) -> str:
        """The robbed office, with its new key, disputes an address that another has published."""
        original, cast = self._fact(f"seen-by-{FIRST}"), self._cast
        body = Feedback(verdict=FeedbackKind.DISPUTE, text=scenes.WHY_DISPUTED)
        await cast.send(ROBBED, answer_to(await cast.bulletin(DECEIVED, original), body, self._clock()))
        await cast.by_both(lambda hub: self._is_disputed(hub, original))
        return original

    async def settled(self) -> str:
        """The author updates its bulletin, which settles the dispute."""
        original, cast = self._fact(f"seen-by-{FIRST}"), self._cast
        headline = scenes.SIGHTINGS[FIRST].info[0].headline
        changed = await self._publish("settled", FIRST, scenes.clone(headline, original=original))
        await cast.by_both(lambda hub: self._is_settled(hub, original))
        return changed

    async def _is_disputed(self, hub: str, original: str) -> bool:
        moment = self._clock().timestamp()
        disputed = await self._cast.stores[hub].read(
            lambda db: answers.disputed(db, moment, self._cast.registry)
        )
        return original in disputed

    async def _is_settled(self, hub: str, original: str) -> bool:
        def look(db: sqlite3.Connection) -> bool:
            return all(answers.is_settled(db, about) for about in answers.held(db, original))

        return await self._cast.stores[hub].read(look) and not await self._is_disputed(hub, original)

    # -- all ------------------------------------------------------------------------------------------------------

    async def _publish(self, name: str, office: str, draft: Draft) -> str:
        """Publish a draft, wait until both hubs hold the bulletin, and note its id under a name."""
        kept = await self._cast.send(office, draft)
        await self._cast.by_both(lambda hub: self._cast.held(hub, kept.digest))
        return self._note(name, kept)

    def _fact(self, name: str) -> str:
        """What an earlier act has noted.

        Raises:
            UntrueError: that act has failed.
        """
        if name not in self.facts:
            raise UntrueError(f"an earlier scene has not come true, and left no {name}")
        return self.facts[name]

    def _note(self, name: str, kept: Accepted) -> str:
        self.facts[name] = kept.id
        return kept.id
