"""Steps 1 to 4 for a whole group, each step over all drafts: half the cost of draft by draft, with the same result.

The passes only accept. They number each draft as if the whole group passes, encode it once, and judge the bytes that
are signed. If one draft does not clearly pass, the passes return None, and `stamping` handles all one by one; only that
refuses. Tests compare both ways.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bus.publishing.drafted import Asked, Drawn
from bus.publishing.outbox_rows import ChainHead
from bus.publishing.own_keys import check_keys
from bus.sealing import Sealer, must_seal
from schemas import rules
from schemas.bulletin import Bulletin, Defaults, new_id, stamp
from schemas.codec import as_written, digest_text, encode
from schemas.subject import channel_of

ID_NOISE_BYTES = 10


class Passes(msgspec.Struct, frozen=True, kw_only=True):
    """Draws up groups for one authority; the attributes are those of `stamping.Stamping`, `kids` has the ids of its keys."""

    authority_id: str
    kids: Sequence[str]
    defaults: Defaults
    rng: Callable[[int], bytes]
    seal: Sealer | None

    def drawn(self, group: Sequence[Asked], head_of: Callable[[str], ChainHead | None]) -> list[Drawn] | None:
        """The bulletins of a group, in its order, none sealed; None unless all clearly pass.

        Args:
            group: drafts whose `once` keys and origins were looked up.
            head_of: the last bulletin of a channel, by its name; it may refuse.
        """
        try:
            self._check_keys(group)
            numbered = _numbered(self._stamped(group), head_of)
            # Constructors check nothing, so the bytes are decoded as received ones are.
            read = [as_written(each.payload) for each in numbered]
            return self._judged(numbered, read, group)
        except (sqlite3.Error, MemoryError):
            raise  # the error is not about these drafts
        except Exception:  # noqa: BLE001 (the long way finds the error and its draft)
            return None

    def _check_keys(self, group: Iterable[Asked]) -> None:
        """The window of a key has no gaps: a key valid at the first and the last moment is valid between them."""
        several_of: dict[int, list[Asked]] = {}
        for asked in group:
            several_of.setdefault(id(asked.registry), []).append(asked)
        for several in several_of.values():
            at = [asked.moment for asked in several]
            for moment in {min(at), max(at)}:
                check_keys(several[0].registry, self.authority_id, self.kids, moment)

    def _stamped(self, group: Sequence[Asked]) -> list[Bulletin]:
        """Step 1, without the numbers."""
        noise = self.rng(ID_NOISE_BYTES * len(group))
        return [
            stamp(
                asked.draft,
                id=new_id(asked.moment, noise[place : place + ID_NOISE_BYTES]),
                seq=1,
                prev=None,
                issuer=asked.registry.issuer(self.authority_id),
                issued=asked.moment,
                defaults=asked.defaults or self.defaults,
            )
            for place, asked in zip(range(0, len(noise), ID_NOISE_BYTES), group, strict=True)
        ]

    def _judged(
        self, numbered: Iterable[_Numbered], read: Iterable[Bulletin | None], group: Iterable[Asked]
    ) -> list[Drawn] | None:
        """Steps 3 and 4: the decoded bulletins; None unless each clearly passes."""
        found = []
        sealed: dict[tuple[object, ...], bool] = {}  # all inputs of `must_seal`, and its result
        for each, bulletin, asked in zip(numbered, read, group, strict=True):
            if bulletin is None:
                return None
            registry = asked.registry
            way = registry.permitted(bulletin)
            if asked.draft.sections or way is None or not rules.holds(bulletin, way[1]):
                return None
            policy = (id(registry), each.channel, type(bulletin.body), bulletin.issuer.country)
            if (is_sealed := sealed.get(policy)) is None:
                is_sealed = sealed[policy] = must_seal(bulletin, registry)
            if is_sealed or self._seals(bulletin, each.payload, asked):
                return None
            found.append(
                Drawn(
                    bulletin,
                    each.payload,
                    each.hashed,
                    each.digest,
                    each.channel,
                    way[1],
                    asked.moment,
                    asked.once,
                    asked.origin,
                )
            )
        return found

    def _seals(self, bulletin: Bulletin, payload: bytes, asked: Asked) -> bool:
        """Whether the sealer has settings of its own; what it would refuse, it refuses again later."""
        if self.seal is None:
            return False
        return self.seal(bulletin, payload, asked.registry, asked.moment, rehearsal=True)[0] is not bulletin


class _Numbered(msgspec.Struct, frozen=True, gc=False):
    """The bytes of a numbered bulletin, their SHA-256, and the name of its channel."""

    payload: bytes
    hashed: bytes
    digest: str
    channel: str


def _numbered(stamped: Iterable[Bulletin], head_of: Callable[[str], ChainHead | None]) -> list[_Numbered]:
    """Step 2 and the encoding: each channel's chain continues from its head."""
    names: dict[tuple[str, str, str], str] = {}
    heads: dict[str, tuple[int, str]] = {}
    found = []
    for each in stamped:
        bulletin, way = each, (each.status, each.tlp, each.audience)
        if (name := names.get(way)) is None:
            name = names[way] = channel_of(bulletin).name
            if (head := head_of(name)) is not None:
                heads[name] = (head.seq, head.digest)
        if (before := heads.get(name)) is not None:
            bulletin = msgspec.structs.replace(bulletin, seq=before[0] + 1, prev=before[1])
        payload = encode(bulletin)
        hashed = hashlib.sha256(payload).digest()
        digest = digest_text(hashed)
        heads[name] = (bulletin.seq, digest)
        found.append(_Numbered(payload, hashed, digest, name))
    return found
