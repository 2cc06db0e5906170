"""What a forger sends who has every transport key and no signing key. Pure."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

import msgspec

from bus.keys.signatures import FileSigner, sign_entry
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import new_id, stamp
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, format_header, hints
from schemas.subject import subject_for
from tests.support.world import DEFAULTS, Message, draft, within


class Forger:
    """Makes forgeries in the name of one authority."""

    def __init__(
        self,
        registry: VerifiedRegistry,
        victim: str,
        accomplice: FileSigner,
        rng: random.Random,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """Prepare.

        Args:
            registry: what hubs judge by.
            victim: in whose name.
            accomplice: the key of another authority, which turned.
            rng: chooses.
            clock: the present, aware.
        """
        self._registry, self._victim, self._rng, self._clock = registry, victim, rng, clock
        self._keys = {"a key of another": accomplice, "a key of nobody": FileSigner.generate()}
        self.kinds: dict[str, Callable[[], Message]] = {
            **{kind: lambda key=key: self._signed(key) for kind, key in self._keys.items()},  # type: ignore[misc]
            "a signature of another text": self._transplanted,
            "no signature": self._unsigned,
            "cut short": self._cut,
            "rubbish": lambda: self._of(rng.randbytes(300)),
            "deep": lambda: self._of(b"[" * 30_000 + rng.randbytes(4).hex().encode()),
            "not UTF-8": lambda: self._of(b'{"id":"\xff' + rng.randbytes(8) + b'"}'),
        }

    def make(self) -> tuple[str, Message]:
        """One forgery and its kind."""
        kind = self._rng.choice(sorted(self.kinds))
        return kind, self.kinds[kind]()

    def _signed(self, key: FileSigner) -> Message:
        now = self._clock()
        number = self._rng.randrange(1, 1000)
        made = stamp(
            draft(f"The polls of results.example close early, {self._rng.random()}"),
            id=new_id(now, self._rng.randbytes(10)),
            seq=number,
            prev=None if number == 1 else digest(self._rng.randbytes(8)),
            issuer=self._registry.issuer(self._victim),
            issued=now,
            defaults=DEFAULTS,
        )
        payload = encode(made)
        found = digest(payload)
        signature = format_header((sign_entry(key, payload, within(domain=self._registry.domain)),))
        headers = {SIG_HEADER: signature, **hints(found)}
        return Message(
            subject=subject_for(made),
            headers=tuple(headers.items()),
            payload=payload,
            bulletin=made,
            digest=found,
        )

    def _transplanted(self) -> Message:
        one, other = (self._signed(self._keys["a key of another"]) for _ in range(2))
        return msgspec.structs.replace(one, headers=other.headers)

    def _unsigned(self) -> Message:
        return msgspec.structs.replace(self._signed(self._keys["a key of another"]), headers=())

    def _cut(self) -> Message:
        whole = self._signed(self._keys["a key of another"])
        return self._with(whole, whole.payload[: len(whole.payload) // 2])

    def _of(self, payload: bytes) -> Message:
        return self._with(self._signed(self._keys["a key of another"]), payload)

    @staticmethod
    def _with(message: Message, payload: bytes) -> Message:
        return msgspec.structs.replace(message, payload=payload, digest=digest(payload))
