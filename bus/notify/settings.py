"""Reads `notify.toml`: rules and channels, within bounds; everything that is wrong is told at once, with its line.

Secrets are files of their own, for their owner alone; one that stands in the file itself is refused.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bus import drafts, filters
from bus.errors import ConfigError, FilterError
from bus.notify.shape import Channel, Network, Rule, Settings, Span
from bus.notify.values import MISSING, Values
from schemas.vocab import Tlp

MAX_BYTES = 65_536
MOST_RULES, MOST_CHANNELS, MOST_CONTACTS, MOST_HOURS, MOST_NETWORKS = 50, 16, 5, 24, 32
KINDS = ("webhook", "smtp", "matrix", "mattermost")
WHEN = ("interrupts", "all", "digest")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SPAN = re.compile(rf"({_HOUR.pattern})-({_HOUR.pattern})")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_ROOM = re.compile(r"[!#][\x21-\x7e]{1,250}")
_USER = re.compile(r"[\x20-\x7e]{1,200}")
_SECRETS = {"webhook": "secret", "matrix": "token", "mattermost": "token", "smtp": "password"}
_SCHEMES = {"smtp": ("smtp", "smtps")}
_TOP = ("zone", "console", "own", "networks", "rule", "channel")
_OF_RULE = (
    "name", "filter", "when", "hours", "quiet", "channel", "tlp", "audiences", "escalate_after", "exercises",
)  # fmt: skip
_OF_CHANNEL = {
    "webhook": ("kind", "address", "tlp", "secret_file"),
    "matrix": ("kind", "address", "tlp", "token_file", "room"),
    "mattermost": ("kind", "address", "tlp", "token_file"),
    "smtp": ("kind", "address", "tlp", "password_file", "user", "from", "to"),
}


class NotifyError(ConfigError):
    """Settings of notifications that do not stand, with everything that is wrong with them.

    Attributes:
        findings: what is wrong, by line.
        told: the same in lines for a person.
        brief: what happened, in one sentence.
    """

    reason = "notify-malformed"

    def __init__(
        self,
        detail: str,
        *,
        reason: str | None = None,
        remedy: str | None = None,
        findings: Sequence[drafts.Finding] = (),
        told: Sequence[str] = (),
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.findings = tuple(findings)
        self.told = tuple(told)
        count = "one thing is" if len(findings) == 1 else f"{len(findings)} things are"
        self.brief = f"{count} to be mended" if findings else str(self)


def read_settings(path: Path) -> Settings:
    """The rules and channels in a file.

    Raises:
        NotifyError: `notify-missing`, `notify-unreadable`; `notify-malformed` with all that is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotifyError(
            f"there is no {path}",
            remedy="write one as docs/guides/notify.md shows",
            reason="notify-missing",
        ) from None
    except OSError as exc:
        raise NotifyError(f"cannot read {path}: {exc.strerror}", reason="notify-unreadable") from None
    return settings_in(raw, path)


def settings_in(raw: bytes, path: Path) -> Settings:
    """The same of bytes that were read from a file; files that it names are relative to it.

    Raises:
        NotifyError: `notify-malformed`.
    """
    if len(raw) > MAX_BYTES:
        raise NotifyError(f"{path} is larger than {MAX_BYTES} bytes")
    reader = _Reader(raw, path.parent)
    found = reader.settings() if reader.source.value is not None else None
    wrong = drafts.in_order(reader.findings)
    if wrong or found is None:
        told = [line for each in wrong for line in drafts.told(each, reader.source, str(path))]
        texts = "; ".join(f"line {each.line}: {each.text}" if each.line else each.text for each in wrong)
        raise NotifyError(f"{path}: {texts}", findings=wrong, told=told)
    return found


class _Reader(Values):
    """Reads one file."""

    def settings(self) -> Settings | None:
        """All of it; None where something is wrong that leaves nothing to read."""
        top = dict(self.source.value or {})
        self.only(top, (), _TOP)
        zone = self._zone(top)
        channels = self._channels(top.get("channel", {}))
        rules = self._rules(top.get("rule", []), channels)
        if not channels:
            self.wrong(("channel",), "name at least one channel: [channel.NAME]")
        if not rules:
            self.wrong(("rule",), "write at least one rule: [[rule]]")
        return Settings(
            rules=rules,
            channels=channels,
            zone=zone,
            console=self.url(top, (), "console", ("https", "http"), wanted=False),
            own=frozenset(self.texts(top, (), "own", _NAME, 200, 'ids of authorities: ["xa-emb"]')),
            networks=self._networks(top),
        )

    # -- parts --------------------------------------------------------------------------------------------------

    def _zone(self, top: Mapping[str, Any]) -> dt.tzinfo:
        name = self.text(
            top, (), "zone", re.compile(r"[A-Za-z0-9_+/-]{1,60}"), 'a zone: "Europe/Tallinn"', "UTC"
        )
        try:
            return dt.UTC if name == "UTC" else ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.wrong(
                ("zone",),
                f'this machine knows no zone {name!r}; write one such as "Europe/Tallinn", or "UTC"',
            )
            return dt.UTC

    def _networks(self, top: Mapping[str, Any]) -> tuple[Network, ...]:
        found: list[Network] = []
        for n, text in enumerate(
            self.texts(
                top,
                (),
                "networks",
                re.compile(r"[0-9a-fA-F.:/]{1,60}"),
                MOST_NETWORKS,
                'networks: ["10.1.0.0/16"]',
            )
        ):
            try:
                found.append(ipaddress.ip_network(text))
            except ValueError:
                self.wrong(
                    ("networks", n),
                    f"{text!r} is no network; write its first address and its length: 10.1.0.0/16",
                )
        return tuple(found)

    def _channels(self, raw: object) -> dict[str, Channel]:
        found: dict[str, Channel] = {}
        if not isinstance(raw, dict):
            self.wrong(("channel",), "write channels as tables: [channel.NAME]")
            return found
        if len(raw) > MOST_CHANNELS:
            self.wrong(("channel",), f"there are at most {MOST_CHANNELS} channels")
        for name, body in list(raw.items())[:MOST_CHANNELS]:
            path: tuple[str | int, ...] = ("channel", name)
            if not _NAME.fullmatch(name):
                self.wrong(path, "a name has letters, digits, hyphens, dots, at most 40", on_key=True)
            elif not isinstance(body, dict):
                self.wrong(path, f"write a table: [channel.{name}]")
            else:
                found[name] = self._channel(name, body, path)
        return found

    def _channel(self, name: str, body: Mapping[str, Any], path: tuple[str | int, ...]) -> Channel:
        kind = self.word(body, path, "kind", KINDS, None)
        secret = _SECRETS[kind]
        for plain in ("secret", "token", "password"):
            if plain in body:
                self.wrong(
                    (*path, plain),
                    f'a secret stands in a file of its own: {plain}_file = "FILE", mode 0600',
                    on_key=True,
                )
        self.only(
            {key: value for key, value in body.items() if key not in ("secret", "token", "password")},
            path,
            _OF_CHANNEL[kind],
        )
        is_mail = kind == "smtp"
        file = self.file(body, path, f"{secret}_file", wanted=not is_mail)
        user = self.text(body, path, "user", _USER, "the name at the mail server", "")
        if is_mail and (file is None) != (not user):
            self.wrong((*path, "user"), "user and password_file go together")
        to = self.texts(body, path, "to", _MAIL, 20, 'addresses: ["duty@xa.example"]') if is_mail else ()
        if is_mail and not to:
            self.wrong((*path, "to"), 'say to whom: to = ["duty@xa.example"]')
        sender = (
            self.text(body, path, "from", _MAIL, 'an address: "tocsin@xa.example"', None) if is_mail else ""
        )
        room = (
            self.text(body, path, "room", _ROOM, 'the id of a room: "!abc:xa.example"', None)
            if kind == "matrix"
            else ""
        )
        return Channel(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            address=self.url(body, path, "address", _SCHEMES.get(kind, ("https", "http")), wanted=True),
            secret=file,
            tlp=Tlp(self.word(body, path, "tlp", tuple(map(str, Tlp)), "green")),
            room=room,
            user=user,
            sender=sender,
            to=to,
        )

    def _rules(self, raw: object, channels: Mapping[str, Channel]) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
            self.wrong(("rule",), "write each rule as a table: [[rule]]")
            return found
        if len(raw) > MOST_RULES:
            self.wrong(("rule",), f"there are at most {MOST_RULES} rules")
        for n, body in enumerate(raw[:MOST_RULES]):
            rule = self._rule(body, ("rule", n), channels)
            if rule.name in found:
                self.wrong(
                    ("rule", n, "name"), f"another rule is called {rule.name!r}; give it a name of its own"
                )
            found[rule.name] = rule
        return found

    def _rule(
        self, body: Mapping[str, Any], path: tuple[str | int, ...], channels: Mapping[str, Channel]
    ) -> Rule:
        self.only(body, path, _OF_RULE)
        name = self.text(body, path, "name", _NAME, "a name: letters, digits, hyphens", None)
        when = self.word(body, path, "when", WHEN, "interrupts")
        hours = tuple(
            dt.time.fromisoformat(each)
            for each in self.texts(
                body, path, "hours", _HOUR, MOST_HOURS, 'times of the day: ["08:00", "16:00"]'
            )
        )
        if when == "digest" and not hours:
            self.wrong((*path, "hours"), 'say when the digest is due: hours = ["08:00"]')
        if when == "all" and hours:
            self.wrong(
                (*path, "hours"),
                'a rule of all has no digest; take hours away, or write when = "interrupts"',
                on_key=True,
            )
        quiet = tuple(
            Span(dt.time.fromisoformat(each[:5]), dt.time.fromisoformat(each[6:]))
            for each in self.texts(body, path, "quiet", _SPAN, MOST_HOURS, 'spans: ["22:00-06:00"]')
        )
        given = body.get("channel", MISSING)
        named = (
            self.texts(
                {"channel": [given] if isinstance(given, str) else given},
                path,
                "channel",
                _NAME,
                MOST_CONTACTS,
                'a channel, or contacts in their order: ["duty", "deputy"]',
            )
            if given is not MISSING
            else ()
        )
        if not named and given is MISSING:
            self.wrong((*path, "channel"), f'say where to: channel = "{next(iter(channels), "NAME")}"')
        for each in named:
            if each not in channels:
                self.wrong(
                    (*path, "channel"),
                    f"there is no channel {each!r}; write [channel.{each}], or name another",
                    words=tuple(channels),
                )
        return Rule(
            name=name,
            channels=named,
            selection=self._filter(body, path),
            when=when,  # type: ignore[arg-type]
            hours=hours,
            quiet=quiet,
            ceiling=Tlp(self.word(body, path, "tlp", tuple(map(str, Tlp)), "amber")),
            audiences=frozenset(
                self.texts(
                    body, path, "audiences", re.compile(r"[a-z0-9-]{1,64}"), 100, 'audiences: ["community"]'
                )
            ),
            escalate_s=self.minutes(body, path) * 60,
            exercises=self.yes(body, path, "exercises", default=True),
        )

    def _filter(self, body: Mapping[str, Any], path: tuple[str | int, ...]) -> filters.Selection:
        value = body.get("filter", "")
        if not isinstance(value, str):
            self.wrong((*path, "filter"), 'write a filter as text: "kind:data-breach country:XA"')
            return filters.Selection()
        try:
            return filters.of_text(value)
        except FilterError as exc:
            self.wrong((*path, "filter"), str(exc))
            return filters.Selection()
