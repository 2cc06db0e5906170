"""Where a message may be sent: every address of a name is looked at, and the connection is made to one that was.

A name is resolved once for each attempt, so nobody can answer differently between the look and the connection. What lies in a
network that only this machine or this house reaches is refused unless `networks` in notify.toml lists it.
Source of the ranges: the IANA registries of special-purpose addresses, as `ipaddress` has them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence

from bus.errors import BusError
from bus.notify.shape import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""What finds the addresses of a name: name and port in, addresses as text out; it raises OSError."""

MOST = 16
"""So many addresses of a name are looked at; a name that has more is refused."""
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
        ),
    )
)
"""Where clouds tell machines their secrets; no network that is allowed contains them unless it names one alone."""


class SendError(BusError):
    """A message that was not taken.

    Attributes:
        is_final: whether the same message is refused again, however often it is sent.
        after_s: after so many seconds the other side wants to be asked again; None where it does not say.
    """

    reason = "notify-failed"

    def __init__(
        self, detail: str, *, reason: str | None = None, is_final: bool = False, after_s: float | None = None
    ) -> None:
        super().__init__(detail, reason=reason)
        self.is_final = is_final
        self.after_s = after_s


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as this machine finds them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(each[4][0]) for each in found]


def checked(
    host: str, port: int, networks: Sequence[Network], resolve: Resolve = resolved
) -> tuple[Address, ...]:
    """The addresses of a host, each of which may be sent to.

    Args:
        host: a name or an address.
        port: for the resolver.
        networks: own networks that are allowed.
        resolve: finds the addresses; it is asked once.

    Raises:
        SendError: `notify-unresolved`, `notify-address-refused`.
    """
    try:
        texts = list(dict.fromkeys(resolve(host, port)))
    except (OSError, UnicodeError, ValueError):
        raise SendError("the name of the host has no address", reason="notify-unresolved") from None
    if not texts or len(texts) > MOST:
        raise SendError(f"the name of the host has {len(texts)} addresses", reason="notify-unresolved")
    found = []
    for text in texts:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            raise SendError(
                "the resolver answers with what is no address", reason="notify-unresolved"
            ) from None
        if "%" in text or not is_allowed(address, networks):
            raise SendError(
                f"{text} is an address of this machine or of a closed network; if it is one's own, list it in networks",
                reason="notify-address-refused",
            )
        found.append(address)
    return tuple(found)


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address may be sent to, and every address that it stands for."""
    return all(_is_open(each) or _is_listed(each, address, networks) for each in _meant(address))


def is_loopback(address: Address) -> bool:
    """Whether an address is this machine's own, and nothing else."""
    return address.is_loopback


def _meant(address: Address) -> Iterator[Address]:
    """The address, and the one of version 4 in it."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _NAT64) or address in _COMPATIBLE:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_open(address: Address) -> bool:
    """Whether anybody may reach it."""
    if address in _METADATA or not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        tunnelled = address.ipv4_mapped or address.sixtofour or address.teredo
        return not tunnelled and not address.is_site_local and address not in _COMPATIBLE
    return True


def _is_listed(each: Address, whole: Address, networks: Sequence[Network]) -> bool:
    """Whether one's own networks name it: the address itself, not one that stands for it."""
    if each is not whole or each.is_multicast or each.is_unspecified:
        return False
    if isinstance(each, ipaddress.IPv6Address) and each.ipv4_mapped is not None:
        return False
    return any(
        each.version == network.version
        and each in network
        and (each not in _METADATA or network.num_addresses == 1)
        for network in networks
    )
