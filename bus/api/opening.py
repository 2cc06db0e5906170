"""Opens what a context names: its registry, its signing key, its place on the bus, its defaults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from bus import keys, transport, trust
from bus.config import Context, demands_tls
from bus.errors import ConfigError
from schemas.bulletin import Defaults
from schemas.vocab import Pap, Posture, Tlp

if TYPE_CHECKING:
    from bus.keys import Signer
    from bus.transport import Endpoint, Tls
    from bus.trust import RegistryStore

V = TypeVar("V", Tlp, Pap, Posture)


def registry_of(context: Context, clock: Callable[[], dt.datetime]) -> RegistryStore:
    """The context's registry, which follows every version that is taken in.

    Raises:
        ConfigError, TrustError: see `RegistryStore`.
    """
    return trust.RegistryStore(
        context.registry, pin=context.pin, domain=context.domain, beacon=context.beacon, clock=clock
    )


def signer_of(context: Context) -> Signer:
    """The context's signing key.

    Raises:
        ConfigError: `no-key`, or the file or its passphrase cannot be read.
    """
    if context.key is None:
        raise ConfigError(
            f"{context.authority} has no signing key in this context",
            remedy="publish as an authority",
            reason="no-key",
        )
    passphrase = keys.read_secret(context.passphrase_file) if context.passphrase_file else None
    signer = keys.open_key(context.key, passphrase)
    if context.certificate is None:
        return signer
    return keys.certified(signer, context.certificate.read_bytes())


def endpoint_of(name: str, context: Context, purpose: str) -> Endpoint:
    """Where and as whom a context connects.

    Args:
        name: the context's name, part of the connection's.
        context: what is connected.
        purpose: the other part.

    Raises:
        ConfigError: `no-server`, `tls-file`.
    """
    if context.server is None or context.nkey is None:
        raise ConfigError("this context names no server or no transport key", reason="no-server")
    tls = tls_of(context)
    if tls is not None:
        tls.context()  # what is wrong with its files is said now, not at each try to connect
    return transport.Endpoint(
        url=context.server,
        authority_id=context.authority,
        nkey_seed=keys.load_nkey(context.nkey),
        name=f"{name} {purpose}",
        tls=tls,
    )


def tls_of(context: Context, *, host: str | None = None) -> Tls | None:
    """With which certificates the context connects; None where it does not demand TLS."""
    if not demands_tls(context):
        return None
    return transport.Tls(ca=context.tls_ca, cert=context.tls_cert, key=context.tls_key, host=host)


def defaults_of(context: Context) -> Defaults:
    """What a draft leaves out and the context fills in.

    Raises:
        ConfigError: `config-malformed`.
    """
    return Defaults(
        tlp=member_of(Tlp, context.tlp, "tlp"),
        pap=member_of(Pap, context.pap, "pap") or Pap.GREEN,
        audience=context.audience,
    )


def member_of(vocabulary: type[V], value: str | None, field: str) -> V | None:
    """The word of a vocabulary that a setting names.

    Raises:
        ConfigError: `config-malformed`, with the words there are.
    """
    if value is None:
        return None
    try:
        return vocabulary(value)
    except ValueError:
        raise ConfigError(
            f"{field} {value!r} is none of: {', '.join(vocabulary)}", reason="config-malformed"
        ) from None
