"""TLS between a client and the broker: 1.3 alone, both ends by certificate, the host's name checked.

The handshake comes before the broker's protocol, so that nobody on the way can make a client skip it. Files are read at
each connect: a certificate renewed on the disk is used from the next connect on.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from bus.errors import ConfigError, KeyFileError

# Numbers of X509_V_ERR_*, by which OpenSSL states why a certificate is refused.
_NOT_YET, _EXPIRED = 9, 10
_UNSIGNED = frozenset((2, 18, 19, 20, 21))
_OTHER_NAME = frozenset((62, 63, 64))


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS settings of a client; an endpoint with TLS is never reached unencrypted.

    Attributes:
        ca: the authority that must have signed the broker's certificate; None for this machine's own authorities.
        cert: this client's certificate, with those between it and its CA.
        key: its private key, unencrypted, mode 0600.
        host: the name in the broker's certificate, if it differs from the address.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    host: str | None = None

    def context(self) -> ssl.SSLContext:
        """The TLS context of one connection.

        Raises:
            ConfigError: `tls-file`, a file is missing, unreadable, or not what it should be.
            KeyFileError: `key-permissions`, others may read the private key.
        """
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate and checks the name
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        if (ca := self.ca) is None:
            made.load_default_certs()
        else:
            _loaded(ca, lambda: made.load_verify_locations(cafile=ca), "no certificate authority")
        if (cert := self.cert) is not None and (key := self.key) is not None:
            _private(key)
            # An encrypted key would ask on the terminal.
            _loaded(
                cert,
                lambda: made.load_cert_chain(cert, key, password=""),
                f"not a certificate with the private key in {key}",
            )
        return made


def _loaded(path: Path, load: Callable[[], None], otherwise: str) -> None:
    try:
        load()
    except FileNotFoundError:
        raise ConfigError(f"{path} or its key file is missing", reason="tls-file") from None
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"{path} is {otherwise}, in PEM", reason="tls-file") from None
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}", reason="tls-file") from None


def _private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}", reason="tls-file") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            f"others may read {path}", remedy=f"run: chmod 600 {path}", reason="key-permissions"
        )


def explain(exc: BaseException, tls: Tls | None) -> tuple[str, bool]:
    """(why the connection failed, in words; whether the broker refused this client).

    Args:
        exc: the error of the connect.
        tls: the settings of the connect.
    """
    said = str(exc) or type(exc).__name__
    if tls is None:
        silent = isinstance(exc, TimeoutError) or "expecting INFO" in said
        return (f"{said}; if it wants TLS, name tls_ca in the context" if silent else said), False
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _of_broker(exc, tls), False
    if not isinstance(exc, ssl.SSLError):
        return said, False
    reason = (exc.reason or said).upper()
    if "CERTIFICATE_REQUIRED" in reason:
        return "it wants a client certificate; name tls_cert and tls_key in the context", True
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"it does not accept the client certificate {tls.cert}; is it expired, or of another CA?", True
    if "PROTOCOL" in reason and ("ALERT" in reason or "UNSUPPORTED" in reason):
        return "it does not offer TLS 1.3", False
    return (
        f"it does not begin with TLS, which this context requires ({reason.lower().replace('_', ' ')})",
        False,
    )


def _of_broker(exc: ssl.SSLCertVerificationError, tls: Tls) -> str:
    if exc.verify_code == _EXPIRED:
        return "its certificate has expired; its operator must renew it"
    if exc.verify_code == _NOT_YET:
        return "its certificate is not valid yet; check the clock of this machine"
    if exc.verify_code in _OTHER_NAME:
        return "its certificate is for another host name; check the server in the context"
    if exc.verify_code in _UNSIGNED:
        return f"its certificate is not signed by {tls.ca or 'an authority that this machine knows'}"
    return f"its certificate is not accepted: {exc.verify_message}"
