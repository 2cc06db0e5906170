"""A console behind a proxy with TLS: its public address, whom it takes for the visitor, and its cookies there."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import desk
from bus.console import Reading, app
from bus.console import limits as rates
from bus.console.desks import DeskPeople
from bus.console.errors import BadRequestError
from bus.console.public import public_of, visitor
from bus.errors import ConfigError
from schemas.vocab import Tlp
from tests.support.clocks import Clock
from tests.support.consoles import Speaker, fill, form_of, numbers, shelf
from tests.support.world import NOW

NAME = "console.example"
PASSWORD = "seven lamps over the quiet harbour"
REAL = "203.0.113.5"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://console.example/", "console.example"),
        ("https://console.example", "console.example"),
        ("https://Console.Example:443/", "console.example"),
        ("https://console.example:8443/", "console.example:8443"),
        ("https://localhost:9/", "localhost:9"),
    ],
)
def test_a_public_address_is_a_name_with_tls(url: str, host: str) -> None:
    """As visitors type it; the usual port is not said."""
    assert public_of(url).host == host
    assert public_of(url).address == f"https://{host}/"


@pytest.mark.parametrize(
    "url",
    [
        "http://console.example/", "console.example", "https://", "https:///", "https://console.example/desk", "https://console.example:0/", "https://a@console.example/",
        "https://console.example/?a", "https://console.example/#a", "https://console.example:99999/", "https://console_.example/",
        "https://*/", "https://-a.example/", "https://console.example:/", "https://console.example\n/", f"https://{'a' * 300}/",
    ],
)  # fmt: skip
def test_what_is_no_public_address_is_refused(url: str) -> None:
    """In one sentence with what to say instead."""
    with pytest.raises(ConfigError) as refused:
        public_of(url)
    assert refused.value.reason == "console-url"
    assert "https://NAME/" in str(refused.value.remedy)


HEARD = {
    "nothing": ([], "127.0.0.1"),
    "one hop": ([("x-forwarded-for", REAL)], REAL),
    "what a client has written stands to the left": ([("x-forwarded-for", f"192.0.2.66, {REAL}")], REAL),
    "a line of its own": ([("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", REAL)], REAL),
    "with a port": ([("x-forwarded-for", f"{REAL}:4711")], REAL),
    "version 6": ([("x-forwarded-for", "2001:DB8::1")], "2001:db8::1"),
    "version 6 with a port": ([("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
    "the standard's own": ([("forwarded", f'for=192.0.2.66, for="{REAL}:80";proto=https')], REAL),
    "the standard's own, version 6": ([("forwarded", 'For="[2001:db8::1]"')], "2001:db8::1"),
    "both, alike": ([("forwarded", f"for={REAL}"), ("x-forwarded-for", REAL)], REAL),
    "over TLS": ([("x-forwarded-for", REAL), ("x-forwarded-proto", "https")], REAL),
}


@pytest.mark.parametrize("name", HEARD)
def test_one_hop_is_believed(name: str) -> None:
    """The right-most address alone."""
    headers, expected = HEARD[name]
    assert visitor([(each.encode(), value.encode()) for each, value in headers], "127.0.0.1") == expected


UNCLEAR = {
    "two visitors": ([("forwarded", "for=192.0.2.66"), ("x-forwarded-for", REAL)], "forwarded-unclear"),
    "no address": ([("x-forwarded-for", "unknown")], "forwarded-unclear"),
    "an empty end": ([("x-forwarded-for", f"{REAL},")], "forwarded-unclear"),
    "hidden": ([("forwarded", "for=_hidden")], "forwarded-unclear"),
    "nobody": ([("forwarded", "proto=https")], "forwarded-unclear"),
    "twice": ([("forwarded", f"for=192.0.2.66;for={REAL}")], "forwarded-unclear"),
    "a quote that was closed by others": ([("forwarded", 'for=203.0.113.5;host="x,for=192.0.2.66"')], "forwarded-unclear"),
    "without TLS": ([("x-forwarded-for", REAL), ("x-forwarded-proto", "http")], "tls-needed"),
    "without TLS, by the standard": ([("forwarded", f"for={REAL};proto=http")], "tls-needed"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_unclear_is_refused(name: str) -> None:
    """A request of which nobody knows who asks has no answer."""
    headers, reason = UNCLEAR[name]
    with pytest.raises(BadRequestError) as refused:
        visitor([(each.encode(), value.encode()) for each, value in headers], "127.0.0.1")
    assert refused.value.reason == reason


def test_a_peer_elsewhere_names_nobody() -> None:
    """Only a proxy on this machine is believed."""
    assert visitor([(b"x-forwarded-for", REAL.encode())], "198.51.100.7") == "198.51.100.7"


def appended(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """As nginx does: the lines of a client are joined, and what is heard stands to the right."""
    lines = [each for key, each in headers if key == name]
    return [pair for pair in headers if pair[0] != name] + [(name, b", ".join([*lines, value]))]


def lined(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """As HAProxy does: what is heard is a line of its own, the last."""
    return [*headers, (name, value)]


def written(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """As Caddy does: what a client has written is thrown away."""
    return [*(pair for pair in headers if pair[0] != name), (name, value)]


PIECES = st.sampled_from(
    [
        "192.0.2.66",
        "for=192.0.2.66",
        "::1",
        "for=",
        '"',
        "\\",
        ",",
        ";",
        "=",
        " ",
        "proto=https",
        "host=",
        "[",
        "]",
        ":",
        "a",
        REAL,
    ]
)
WORDS = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=30))
FORGED = st.lists(
    st.tuples(
        st.sampled_from([b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"]),
        WORDS.map(lambda text: text.encode("utf-8", "replace")),
    ),
    max_size=4,
)


@given(
    forged=FORGED,
    real=st.ip_addresses(),
    proxy=st.sampled_from([appended, lined, written]),
    is_standard=st.booleans(),
)
def test_a_forged_header_never_counts(
    forged: list[tuple[bytes, bytes]],
    real: ipaddress.IPv4Address | ipaddress.IPv6Address,
    proxy: Callable[[list[tuple[bytes, bytes]], bytes, bytes], list[tuple[bytes, bytes]]],
    *,
    is_standard: bool,
) -> None:
    """Whatever a client sends through a proxy of whichever kind: the visitor is the address that the proxy heard, or nobody."""
    shown = f'for="[{real}]"' if is_standard and real.version == 6 else f"for={real}"
    name, value = (b"forwarded", shown.encode()) if is_standard else (b"x-forwarded-for", str(real).encode())
    try:
        found = visitor(proxy(forged, name, value), "127.0.0.1")
    except BadRequestError:
        return
    assert ipaddress.ip_address(found) == real


@asynccontextmanager
async def behind(folder: Path, clock: Clock) -> AsyncIterator[tuple[httpx.AsyncClient, desk.Desk]]:
    """A client of a console behind a proxy, which has a person `ann`; and its desk."""
    await fill(folder / "store.db", [Speaker("xa-csirt").say("One", 50)])
    async with (
        desk.Desk.open(folder / "desk.db", numbers(3)) as held,
        Reading.open(folder / "store.db", shelf()) as reading,
    ):
        act = desk.at_command_line(NOW.timestamp())

        def work(db: object) -> str:
            desk.people.add(db, act, "ann", "Ann", [desk.Role.READER], ceiling=Tlp.GREEN)  # type: ignore[arg-type]
            return desk.signing_in.issue_token(db, act, "ann", numbers(4))  # type: ignore[arg-type]

        await held.set_first_password(await held.write(work), PASSWORD, NOW.timestamp(), "-")
        made = app(reading, DeskPeople(held, numbers(5)), clock, numbers(8), hosts={NAME}, is_behind=True)
        transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{NAME}") as c:
            c.headers["x-forwarded-for"] = REAL
            yield c, held


async def tried(c: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    """Sign in by the page; cookies are sent by hand, for the client sees no TLS."""
    page = await c.get("/sign-in")
    cookie = page.headers["set-cookie"].partition(";")[0]
    data = {"form": form_of(page.text), "name": "ann", "password": password}
    return await c.post("/sign-in", data=data, headers={"cookie": cookie, "origin": f"https://{NAME}"})


def test_cookies_and_the_record_behind_a_proxy(tmp_path: Path) -> None:
    """Cookies are of this host over TLS alone, the policy of TLS is sent, and the record names the visitor."""

    async def go() -> None:
        async with behind(tmp_path, Clock(NOW)) as (c, held):
            page = await c.get("/sign-in")
            assert page.headers["strict-transport-security"].startswith("max-age=")
            answer = await tried(c)
            assert answer.status_code == 303
            cookies = [page.headers["set-cookie"], *answer.headers.get_list("set-cookie")]
            assert len(cookies) == 3
            for cookie in cookies:
                assert cookie.startswith(("__Host-tocsin=", "__Host-tocsin-form="))
                parts = {part.strip().lower() for part in cookie.split(";")[1:]}
                assert {"secure", "httponly", "samesite=strict", "path=/"} <= parts
                assert not any(part.startswith("domain") for part in parts)
            act = desk.at_command_line(NOW.timestamp())
            sessions = await held.read(lambda db: desk.sessions.listed(db, act))
            assert [each.address for each in sessions] == [REAL]
            trail = await held.read(lambda db: desk.trail.read(db, act, who="ann"))
            assert {each.address for each in trail if each.what == "signed-in"} == {REAL}

    asyncio.run(go())


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost", "other.example", f"{NAME}.other.example", ""]
)
def test_another_name_is_refused(tmp_path: Path, host: str) -> None:
    """The loopback names too: what is asked for directly is not what visitors use."""

    async def go() -> None:
        async with behind(tmp_path, Clock(NOW)) as (c, _):
            answer = await c.get("/sign-in", headers={"host": host})
            assert answer.status_code == 421
            assert "wrong-host" in answer.text

    asyncio.run(go())


def test_an_unclear_proxy_is_told_so(tmp_path: Path) -> None:
    """A page with a sentence and its code, in place of an answer."""

    async def go() -> None:
        async with behind(tmp_path, Clock(NOW)) as (c, _):
            answer = await c.get("/", headers={"forwarded": "for=192.0.2.66"})
            assert answer.status_code == 400
            assert "forwarded-unclear" in answer.text
            answer = await c.get("/", headers={"x-forwarded-proto": "http"})
            assert answer.status_code == 400
            assert "open it by https" in answer.text

    asyncio.run(go())


def test_one_visitor_uses_up_no_other_ones_rate(tmp_path: Path) -> None:
    """Who asks too fast waits alone; addresses of one household in version 6 count as one."""

    async def go() -> None:
        async with behind(tmp_path, Clock(NOW)) as (c, _):
            codes = []
            for n in range(int(rates.SIGN_IN.burst) + 2):
                c.headers["x-forwarded-for"] = f"2001:db8::{n + 1:x}"
                codes.append((await c.post("/sign-in", data={})).status_code)
            assert codes[-1] == 429
            assert codes[0] != 429
            c.headers["x-forwarded-for"] = "2001:db8:0:1::1"
            assert (await tried(c)).status_code == 303

    asyncio.run(go())
