"""Where messages may be sent: every address of a name is looked at, in every form that an address has."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.notify.addresses import SendError, checked, is_allowed

OWN = tuple(map(ipaddress.ip_network, ("10.1.0.0/16", "127.0.0.0/8", "fd00::/8", "169.254.0.0/16")))
OPEN = ("8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2001:4860:4860::8888")
CLOSED = {
    "loopback": "127.0.0.1",
    "all of this machine": "0.0.0.0",  # noqa: S104 (nothing listens there)
    "another loopback": "127.8.8.8",
    "loopback in version 6": "::1",
    "nowhere in version 6": "::",
    "private, 10": "10.2.0.1",
    "private, 172": "172.16.0.1",
    "private, 192": "192.168.1.1",
    "of a carrier": "100.64.0.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "metadata of another cloud": "100.100.100.200",
    "metadata of a third cloud": "168.63.129.16",
    "metadata in version 6": "fd00:ec2::254",
    "multicast": "224.0.0.1",
    "multicast that anybody may route": "233.1.1.1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "for documents": "192.0.2.1",
    "for measurements": "198.18.0.1",
    "private in version 6": "fd12::1",
    "link-local in version 6": "fe80::1",
    "site-local": "fec0::1",
    "multicast in version 6": "ff02::1",
    "multicast of all in version 6": "ff0e::1",
    "documents in version 6": "2001:db8::1",
    "loopback, mapped": "::ffff:127.0.0.1",
    "anybody's, mapped": "::ffff:8.8.8.8",
    "metadata, mapped": "::ffff:169.254.169.254",
    "loopback, compatible": "::127.0.0.1",
    "loopback by 6to4": "2002:7f00:1::",
    "private by 6to4": "2002:a01:1::",
    "loopback by NAT64": "64:ff9b::7f00:1",
    "metadata by NAT64": "64:ff9b::a9fe:a9fe",
    "loopback by Teredo": "2001:0:7f00:1::",
}


@pytest.mark.parametrize("text", OPEN)
def test_what_anybody_reaches_is_allowed(text: str) -> None:
    """Of both versions."""
    assert is_allowed(ipaddress.ip_address(text), ())


@pytest.mark.parametrize("text", CLOSED.values(), ids=CLOSED.keys())
def test_what_only_this_house_reaches_is_refused(text: str) -> None:
    """With the reason that tells people of `networks`."""
    with pytest.raises(SendError) as refused:
        checked("hooks.example", 443, (), lambda *_: [text])
    assert refused.value.reason == "notify-address-refused"


@pytest.mark.parametrize(
    ("text", "is_listed"),
    [
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("127.0.0.1", True),
        ("fd12::1", True),
        ("::ffff:10.1.2.3", False),
        ("::ffff:127.0.0.1", False),
        ("2002:a01:203::", False),
        ("64:ff9b::a01:203", False),
        ("169.254.1.1", True),
        ("169.254.169.254", False),
    ],
)
def test_own_networks_are_allowed_and_nothing_that_stands_for_them(text: str, is_listed: bool) -> None:
    """Nor where clouds tell their secrets, unless that one address is listed alone."""
    assert is_allowed(ipaddress.ip_address(text), OWN) is is_listed


def test_metadata_is_allowed_where_it_is_listed_alone() -> None:
    """Whoever writes that means it."""
    assert is_allowed(ipaddress.ip_address("169.254.169.254"), [ipaddress.ip_network("169.254.169.254/32")])


@pytest.mark.parametrize(
    "addresses", [("8.8.8.8", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("2606:4700:4700::1111", "::1")]
)
def test_one_bad_address_of_a_name_spoils_all(addresses: Sequence[str]) -> None:
    """In whichever order they come."""
    with pytest.raises(SendError):
        checked("hooks.example", 443, (), lambda *_: addresses)


def test_a_name_is_resolved_once() -> None:
    """What is connected to is what was looked at."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    assert [str(each) for each in checked("hooks.example", 443, (), lambda *_: next(answers))] == ["8.8.8.8"]
    assert next(answers) == ["127.0.0.1"]


@pytest.mark.parametrize("answer", [[], ["fe80::1%eth0"], ["nonsense"], [f"8.8.8.{n}" for n in range(17)]])
def test_what_a_resolver_may_say(answer: list[str]) -> None:
    """Nothing, an address of one interface, no address, too many: all are refused."""
    with pytest.raises(SendError):
        checked("hooks.example", 443, (), lambda *_: answer)


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost", "[::1]", "①②⑦.0.0.1"]
)
def test_other_spellings_of_this_machine(host: str) -> None:
    """As the resolver of this machine reads them: refused, or no address at all."""
    with pytest.raises(SendError):
        checked(host, 443, ())


@given(st.integers(0, 2**32 - 1))
def test_an_address_in_another_is_no_better_than_itself(number: int) -> None:
    """Mapped, by 6to4, by NAT64: what is refused stays refused."""
    inner = ipaddress.IPv4Address(number)
    forms = [0xFFFF << 32 | number, 0x2002 << 112 | number << 80, 0x64FF9B << 96 | number]
    if not is_allowed(inner, ()):
        assert not any(is_allowed(ipaddress.IPv6Address(each), ()) for each in forms)
