"""Opens what a context names: registry, signing key, endpoint on the bus, defaults."""

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
    """The context's registry, which follows each accepted version.

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
            remedy="choose a context with a signing key: tocsin context ls",
            reason="no-key",
        )
    passphrase = keys.read_secret(context.passphrase_file) if context.passphrase_file else None
    signer = keys.open_key(context.key, passphrase)
    if context.certificate is None:
        return signer
    return keys.certified(signer, context.certificate.read_bytes())


def endpoint_of(name: str, context: Context, purpose: str) -> Endpoint:
    """The server and identity with which a context connects.

    Args:
        name: the context's name, a part of the connection's name.
        context: the context to connect.
        purpose: the other part of the connection's name.

    Raises:
        ConfigError: `no-server`, `tls-file`.
    """
    if context.server is None or context.nkey is None:
        raise ConfigError("this context names no server or no transport key", reason="no-server")
    tls = tls_of(context)
    if tls is not None:
        tls.context()  # a fault in its files is raised now, not at each try to connect
    return transport.Endpoint(
        url=context.server,
        authority_id=context.authority,
        nkey_seed=keys.load_nkey(context.nkey),
        name=f"{name} {purpose}",
        tls=tls,
    )


def tls_of(context: Context, *, host: str | None = None) -> Tls | None:
    """The certificates with which the context connects; None if it does not require TLS."""
    if not demands_tls(context):
        return None
    return transport.Tls(ca=context.tls_ca, cert=context.tls_cert, key=context.tls_key, host=host)


def defaults_of(context: Context) -> Defaults:
    """The context's values for fields that a draft leaves out.

    Raises:
        ConfigError: `config-malformed`.
    """
    return Defaults(
        tlp=member_of(Tlp, context.tlp, "tlp"),
        pap=member_of(Pap, context.pap, "pap") or Pap.GREEN,
        audience=context.audience,
    )


def member_of(vocabulary: type[V], value: str | None, field: str) -> V | None:
    """The member of a vocabulary that a setting names.

    Raises:
        ConfigError: `config-malformed`; lists the words.
    """
    if value is None:
        return None
    try:
        return vocabulary(value)
    except ValueError:
        raise ConfigError(
            f"{field} {value!r} is none of: {', '.join(vocabulary)}", reason="config-malformed"
        ) from None
