"""The settings of a single sign-on: `oidc.toml`, read within bounds. The secret is a file of its own, for its owner alone."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bus import keys, toml
from bus.errors import ConfigError, KeyFileError

PACKAGE = "joserfc"
MOST_BYTES, MOST_NETWORKS, MOST_URL = 16_384, 32, 300
_WORD = re.compile(r"[\x21-\x7e]{1,200}")
_HERE = ("localhost", "127.0.0.1", "::1")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, as it is written."""

    issuer: str
    client: str
    secret_file: str
    name: str = ""
    networks: list[str] = []
    ca_file: str = ""


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A single sign-on.

    Attributes:
        issuer: its address, exactly as it calls itself.
        client: what it calls this console.
        secret_file: the file with the secret of this client.
        name: as the sign-in page calls it.
        networks: own networks in which it may be.
        ca_file: certificates of those who sign its certificate; None for those of this machine.
    """

    issuer: str
    client: str
    secret_file: Path
    name: str
    networks: tuple[Network, ...] = ()
    ca_file: Path | None = None

    def secret(self) -> str:
        """The secret of this client, read anew, so that it can be changed while the console runs.

        Raises:
            ConfigError: `oidc-settings`.
        """
        try:
            return keys.read_line(self.secret_file).decode("ascii")
        except (KeyFileError, UnicodeDecodeError) as exc:
            raise _wrong(f"the secret of the client cannot be read: {exc}") from None


def read_oidc(path: Path) -> OidcSettings:
    """The settings in a file; files that it names are beside it.

    Raises:
        ConfigError: `oidc-settings`, with what is wrong; `oidc-package`, the extra is not installed.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise _wrong(f"{path} cannot be read: {exc.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise _wrong(f"{path} is longer than {MOST_BYTES} bytes")
    try:
        told = msgspec.convert(toml.loads(raw), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise _wrong(f"{path}: {exc}") from None
    host = _host(told.issuer)
    for name, text in (("client", told.client), ("secret_file", told.secret_file)):
        if not _WORD.fullmatch(text):
            raise _wrong(f"{path}: {name} is 1 to 200 printable characters without blanks")
    if len(told.name) > 60 or not told.name.isprintable():
        raise _wrong(f"{path}: name is at most 60 characters that can be seen")
    settings = OidcSettings(
        issuer=told.issuer,
        client=told.client,
        secret_file=(path.parent / told.secret_file).absolute(),
        name=told.name.strip() or host,
        networks=_networks(told.networks),
        ca_file=(path.parent / told.ca_file).absolute() if told.ca_file else None,
    )
    settings.secret()
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise _wrong(f"{settings.ca_file} is not there")
    if importlib.util.find_spec(PACKAGE) is None:
        raise ConfigError(
            "the single sign-on needs a package that is not installed",
            remedy="pip install 'tocsin[oidc]'",
            reason="oidc-package",
        )
    return settings


def is_safe(url: str) -> bool:
    """Whether an address is one with TLS, or one of this machine."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it is read, which refuses one that is none)
    except ValueError:
        return False
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    if not parts.hostname or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)


def _host(issuer: str) -> str:
    if not is_safe(issuer) or "?" in issuer:
        raise _wrong(
            f"the issuer {issuer!r} is no address: write https://NAME/, exactly as the issuer calls itself"
        )
    return urlsplit(issuer).hostname or ""


def _networks(texts: list[str]) -> tuple[Network, ...]:
    if len(texts) > MOST_NETWORKS:
        raise _wrong(f"networks has at most {MOST_NETWORKS} entries")
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as exc:
        raise _wrong(f'networks: {exc}; write networks like "10.1.0.0/16"') from None


def _wrong(detail: str) -> ConfigError:
    return ConfigError(
        detail,
        remedy="mend oidc.toml (docs/console.md shows one), then start the hub again",
        reason="oidc-settings",
    )
