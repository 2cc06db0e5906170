"""The demonstration's folder: registry, keys and contexts, made at the first start and used again later.

Two of three roots sign the registry; the keys are encrypted files. The domain begins with `demo-`; commands for
production refuse it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bus.config import Context, load, save_contexts
from bus.demo.countries import (
    EVERYBODY,
    HUBS,
    MEMBERS,
    REGISTRY_LIFETIME,
    ROBBED,
    Member,
    audiences,
    grants_of,
    key_record,
    mailbox,
    record_of,
    seal_record,
    telephone,
)
from bus.demo.keyring import AT_ONCE, Folder, load_key, new_seal_key, new_signing_key, new_transport_key
from bus.errors import TrustError
from bus.keys import FileSigner
from bus.storage import write_atomically
from bus.trust import VerifiedRegistry, ceremony, proposals
from schemas.registry import Audience, AuthorityRecord, Registry

DOMAIN_PREFIX = "demo-"
DUTY = "staffed-24x7"
BEACON_LIFETIME = dt.timedelta(hours=6)


def prepare(
    root: Path, *, now: dt.datetime, hurry: int = 1, between: Callable[[], None] = lambda: None
) -> VerifiedRegistry:
    """Make the folder's registry, keys and contexts, or use the existing ones.

    Args:
        root: the folder; made if missing.
        now: the present.
        hurry: divisor of lifetimes: of keys and registry in a new folder, and of the beacon.
        between: called before each new key, which takes a moment. An exception from it ends the founding; the next
            call starts again.

    Returns:
        The verified registry with a fresh beacon.

    Raises:
        TrustError: the registry in the folder is not valid here; the reason code says why.
    """
    folder = Folder(root)
    for part in ("registry", "server", "keys", "state", "spool"):
        (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    if not folder.registry.is_file():
        _found(folder, now, hurry, between)
    try:
        registry = VerifiedRegistry.open(folder.registry.read_bytes())
    except TrustError as exc:
        raise TrustError(
            f"the demonstration in {root} was made by another version of tocsin, or is damaged ({exc})",
            remedy="delete that folder, or name another",
            reason=exc.reason,
        ) from None
    return refresh_beacon(folder, registry, now=now, life=BEACON_LIFETIME / hurry)


async def prepared(root: Path, now: dt.datetime, hurry: int) -> VerifiedRegistry:
    """Run `prepare` in a thread; after a cancellation it makes no further key.

    Raises:
        TrustError: as `prepare`.
    """
    is_given_up = threading.Event()

    def between() -> None:
        if is_given_up.is_set():
            raise InterruptedError

    try:
        return await asyncio.to_thread(prepare, root, now=now, hurry=hurry, between=between)
    except asyncio.CancelledError:
        is_given_up.set()
        raise


def refresh_beacon(
    folder: Folder, registry: VerifiedRegistry, *, now: dt.datetime, life: dt.timedelta = BEACON_LIFETIME
) -> VerifiedRegistry:
    """Sign and write a new beacon, and return the registry with it."""
    raw = ceremony.new_beacon(registry, load_key(folder.beacon_key), now, life)
    write_atomically(folder.beacon, raw, mode=0o644)
    return registry.with_beacon(raw, now)


def _found(folder: Folder, now: dt.datetime, hurry: int, between: Callable[[], None]) -> None:
    """The founding ceremony: roots, beacon key, authorities, grants; signed by two of three roots."""

    def new_key(key: Path) -> FileSigner:
        between()
        return new_signing_key(key)

    roots = [new_key(folder.root_key(number)) for number in (1, 2, 3)]
    beacon = new_key(folder.beacon_key)
    new_transport_key(folder.provisioner)
    document = new_registry(
        DOMAIN_PREFIX + secrets.token_hex(4),
        roots=roots,
        beacon=beacon,
        audiences=audiences(),
        records=_records(folder, now, hurry, new_key),
        now=now,
        hurry=hurry,
    )
    raw = signed(document, roots[:2])
    registry = VerifiedRegistry.open(raw)
    save_contexts(folder.root, {m.id: _context(folder, m, registry) for m in (*MEMBERS, *HUBS)})
    write_atomically(folder.contacts, _contacts(now), mode=0o600)
    # The registry is written last: an interrupted founding starts again from the beginning.
    write_atomically(folder.registry, raw, mode=0o644)


def new_registry(
    domain: str,
    *,
    roots: Sequence[FileSigner],
    beacon: FileSigner,
    audiences: Mapping[str, Audience],
    records: Mapping[str, AuthorityRecord],
    now: dt.datetime,
    hurry: int = 1,
) -> Registry:
    """The first version of a registry: signed by two of its roots, with one beacon key."""
    document = ceremony.new_registry(
        domain=domain,
        root_keys=[key_record(root, now, hurry) for root in roots],
        root_threshold=2,
        beacon_keys=[key_record(beacon, now, hurry)],
        beacon_threshold=1,
        audiences=audiences,
        now=now,
        lifetime=REGISTRY_LIFETIME / hurry,
    )
    for authority_id, record in records.items():
        document = proposals.add_authority(document, authority_id, record)
    return document


def signed(document: Registry, roots: Iterable[FileSigner]) -> bytes:
    """The registry's file with the signature of each root."""
    raw = ceremony.unsigned(document)
    for root in roots:
        raw = ceremony.sign_registry(raw, root)
    return raw


def _records(
    folder: Folder, now: dt.datetime, hurry: int, new_key: Callable[[Path], FileSigner]
) -> dict[str, AuthorityRecord]:
    """The records of all members, with new keys; `AT_ONCE` keys are made at the same time."""
    with ThreadPoolExecutor(AT_ONCE, "founding") as pool:
        made = [pool.submit(_record, folder, member, now, hurry, new_key) for member in EVERYBODY]
        try:
            return {member.id: each.result() for member, each in zip(EVERYBODY, made, strict=True)}
        finally:
            pool.shutdown(cancel_futures=True)


def _record(
    folder: Folder, member: Member, now: dt.datetime, hurry: int, new_key: Callable[[Path], FileSigner]
) -> AuthorityRecord:
    folder.keys(member.id).mkdir(parents=True, exist_ok=True, mode=0o700)
    public = new_transport_key(folder.transport_key(member.id))
    key = folder.signing_key(member.id)
    signers = [new_key(key)]
    if member.id == ROBBED:
        signers.append(new_key(folder.reserve_key(member.id)))
    seal = new_seal_key(folder.seal_keys(member.id), key.with_suffix(".pass"), now)
    publish, read = grants_of(member)
    return record_of(
        member,
        {signer.kid: key_record(signer, now, hurry) for signer in signers},
        public,
        publish=publish,
        read=read,
        seal_keys={seal.kid: seal_record(seal.jwk, now, hurry)},
    )


def _contacts(now: dt.datetime) -> bytes:
    """The list of duty desks of each hub, all confirmed on the day of the founding."""
    rows = (
        f'[[contact]]\nauthority = "{member.id}"\nrole = "duty desk"\n'
        f'reach = ["tel:{telephone(member)}", "{mailbox(member)}"]\nconfirmed = {now:%Y-%m-%d}\n'
        for member in EVERYBODY
    )
    return "\n".join(rows).encode()


def _context(folder: Folder, member: Member, registry: VerifiedRegistry) -> Context:
    speaks = member.office is not None
    key = folder.signing_key(member.id)
    return Context(
        authority=member.id,
        domain=registry.domain,
        pin=registry.digest,
        registry=folder.registry,
        beacon=folder.beacon,
        key=key,
        passphrase_file=key.with_suffix(".pass"),
        nkey=folder.transport_key(member.id),
        seal_keys=folder.seal_keys(member.id),
        contacts=folder.contacts,
        duty=DUTY,
        state=folder.state(member.id),
        tlp="green" if speaks else None,
        pap="green" if speaks else None,
        audience="community" if speaks else None,
    )


def point_to_server(root: Path, url: str) -> None:
    """Write the address of the started server into every context of the folder."""
    contexts = load({"TOCSIN_HOME": str(root)}, root).settings.contexts
    save_contexts(
        root,
        {name: msgspec.structs.replace(context, server=url) for name, context in contexts.items()},
    )
