"""The desks of the demonstration's people: a publisher over an outbox of its own, with receipts and heartbeats."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from bus.delivery import TABLES, DeliveryTracker
from bus.demo.countries import Member
from bus.demo.founding import DUTY
from bus.demo.keyring import Folder
from bus.hub import phase_in
from bus.keys import FileSigner, nkeys
from bus.policy import deadlines
from bus.publishing import Heartbeat, Intervals, Outbox, Publisher, Watchkeeping
from bus.sealing import Sealer
from bus.subscribing import Inbox
from bus.transport import Endpoint
from bus.trust import RegistryStore
from schemas.bulletin import Defaults
from schemas.vocab import Pap, Tlp

DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")


class Desks(msgspec.Struct, frozen=True, kw_only=True):
    """What the desks of one demonstration share.

    Attributes:
        folder: with outboxes and transport keys.
        registry: the registry of this demonstration.
        clock: the present, aware.
        url: the address of the broker.
        trackers: what follows the receipts of each, by its id.
    """

    folder: Folder
    registry: RegistryStore
    clock: Callable[[], dt.datetime]
    url: str
    trackers: dict[str, DeliveryTracker] = msgspec.field(default_factory=dict)

    def endpoint(self, member: Member, url: str = "") -> Endpoint:
        """An identity's endpoint at the broker, or at another one."""
        seed = nkeys.load_nkey(self.folder.transport_key(member.id))
        return Endpoint(url=url or self.url, authority_id=member.id, nkey_seed=seed, name=f"{member.id} demo")

    @asynccontextmanager
    async def opened(self, member: Member, signer: FileSigner, *, url: str = "") -> AsyncIterator[Publisher]:
        """A publisher of an identity, which follows the receipts for its bulletins.

        Args:
            member: the identity.
            signer: its key.
            url: another broker than the usual one; no receipts come there.

        Raises:
            PermitError: `not-your-key`.
            StoreError: its outbox cannot be opened.
        """
        async with AsyncExitStack() as stack:
            outbox = await stack.enter_async_context(
                Outbox.open(self.folder.state(member.id) / "outbox.db", tables=TABLES)
            )
            publisher = await stack.enter_async_context(
                Publisher.open(
                    authority_id=member.id,
                    outbox=outbox,
                    registry=self.registry,
                    signers=(signer,),
                    endpoint=self.endpoint(member, url),
                    defaults=DEFAULTS,
                    clock=self.clock,
                    rng=secrets.token_bytes,
                    seal=Sealer((signer,), secrets.token_bytes),
                )
            )
            if not url:
                self.trackers[member.id] = await stack.enter_async_context(
                    DeliveryTracker.open(publisher, deadlines.DEFAULTS)
                )
            yield publisher


def beats(publisher: Publisher, member: Member, store: Inbox) -> Heartbeat:
    """The heartbeats of an office, at the pace of its country's elections; `store` is that of its country's hub."""
    phase = phase_in(store, member.country)
    return Heartbeat(publisher, pace=Intervals(), phase=phase, keeping=Watchkeeping(duty=DUTY))
