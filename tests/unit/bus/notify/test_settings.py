"""notify.toml: what may stand there, and every fault at once with its line."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest

from bus.keys import write_secret
from bus.notify.settings import MAX_BYTES, MOST_RULES, NotifyError, read_settings
from bus.notify.shape import Settings, Span
from schemas.vocab import Tlp

WHOLE = """\
zone = "Europe/Tallinn"
console = "https://hub.xa.example"
own = ["xa-emb", "xa-hub"]
networks = ["10.1.0.0/16"]

[channel.hook]
kind = "webhook"
address = "https://hooks.xa.example/in"
secret_file = "key"
tlp = "clear"

[channel.room]
kind = "matrix"
address = "https://matrix.xa.example"
token_file = "token"
room = "!abc:xa.example"

[channel.mail]
kind = "smtp"
address = "smtp://mail.xa.example:587"
from = "tocsin@xa.example"
to = ["duty@xa.example"]
user = "tocsin"
password_file = "token"

[[rule]]
name = "duty"
channel = ["hook", "mail"]
escalate_after = "10m"
hours = ["08:00"]

[[rule]]
name = "breaches"
filter = "kind:data-breach country:XA"
when = "all"
channel = "room"
quiet = ["22:00-06:00"]
tlp = "red"
audiences = ["community"]
exercises = false
"""
RULE = '[[rule]]\nname = "a"\nchannel = "hook"\n'
HOOK = '[channel.hook]\nkind = "webhook"\naddress = "https://x.example"\nsecret_file = "key"\n'
WRONG: dict[str, tuple[str, int | None, str]] = {
    "no TOML": ("zone = \n" + HOOK + RULE, 1, "value"),
    "nothing": ("", None, "empty"),
    "JSON": ('{"rule": []}', None, "write TOML"),
    "no rule": (HOOK, None, "[[rule]]"),
    "no channel": (RULE, None, "[channel.NAME]"),
    "an unknown setting": ("zon = 1\n" + HOOK + RULE, 1, "no such setting"),
    "an unknown zone": ('zone = "Mars/Base"\n' + HOOK + RULE, 1, "Europe/Tallinn"),
    "a network that is none": ('networks = ["10.0.0.1/8"]\n' + HOOK + RULE, 1, "10.1.0.0/16"),
    "an unknown kind": (HOOK.replace("webhook", "pigeon") + RULE, 2, "webhook, smtp, matrix, mattermost"),
    "a secret that stands there": (HOOK + 'secret = "x"\n' + RULE, 5, "secret_file"),
    "a password in the address": (HOOK.replace("//x", "//u:p@x") + RULE, 3, "no name or password"),
    "another scheme": (HOOK.replace("https", "ftp") + RULE, 3, "https://HOST"),
    "an address with a line end": (HOOK.replace("x.example", "x.example\\r\\nX: y") + RULE, 3, "https://HOST"),
    "an unknown marking": (HOOK + 'tlp = "pink"\n' + RULE, 5, "red, amber+strict, amber, green, clear"),
    "a filter that is none": (HOOK + RULE + 'filter = "knd:x"\n', 8, "kind"),
    "a channel that is not there": (HOOK + RULE.replace('"hook"', '"hok"'), 7, "[channel.hok]"),
    "a digest without hours": (HOOK + RULE + 'when = "digest"\n', None, 'hours = ["08:00"]'),
    "an hour that is none": (HOOK + RULE + 'hours = ["25:00"]\n', 8, '["08:00", "16:00"]'),
    "a span that is none": (HOOK + RULE + 'quiet = ["22-6"]\n', 8, '["22:00-06:00"]'),
    "all with a digest": (HOOK + RULE + 'when = "all"\nhours = ["08:00"]\n', 9, "no digest"),
    "minutes that are none": (HOOK + RULE + 'escalate_after = "0m"\n', 8, '"15m"'),
    "a name twice": (HOOK + RULE + RULE, 9, "a name of its own"),
    "too many rules": (HOOK + "".join(RULE.replace('"a"', f'"a{n}"') for n in range(MOST_RULES + 1)), None, "at most 50"),
    "a setting of another kind": (HOOK + 'room = "!a:b"\n' + RULE, 5, "no such setting"),
    "a mail to nobody": ('[channel.hook]\nkind = "smtp"\naddress = "smtp://x.example"\nfrom = "a@xa.example"\n' + RULE, None, "to = "),
    "a mail with another header": (
        '[channel.hook]\nkind = "smtp"\naddress = "smtp://x.example"\nfrom = "a@xa.example"\nto = ["a@xa.example\\nBcc: b@xa.example"]\n' + RULE,
        5,
        "addresses",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the secrets."""
    write_secret(tmp_path / "key", base64.b64encode(b"x" * 32))
    write_secret(tmp_path / "token", b"syt_abc")
    return tmp_path


def read(folder: Path, text: str) -> Settings:
    """Settings from a text."""
    file = folder / "notify.toml"
    file.write_text(text)
    return read_settings(file)


def test_all_of_it(folder: Path) -> None:
    """Files are relative to it; what is left out has its default."""
    found = read(folder, WHOLE)
    duty, breaches = found.rules.values()
    assert (duty.channels, duty.escalate_s, duty.when, duty.hours) == (
        ("hook", "mail"),
        600,
        "interrupts",
        (dt.time(8),),
    )
    assert (breaches.ceiling, breaches.quiet) == (Tlp.RED, (Span(dt.time(22), dt.time(6)),))
    assert (breaches.exercises, duty.exercises, duty.ceiling) == (False, True, Tlp.AMBER)
    assert (found.channels["hook"].tlp, found.channels["room"].tlp) == (Tlp.CLEAR, Tlp.GREEN)
    assert found.channels["hook"].secret == folder / "key"
    assert str(found.zone) == "Europe/Tallinn"


@pytest.mark.parametrize(("text", "line", "word"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_with_its_line(folder: Path, text: str, line: int | None, word: str) -> None:
    """And what to write instead."""
    with pytest.raises(NotifyError) as refused:
        read(folder, text)
    assert refused.value.reason == "notify-malformed"
    assert word in str(refused.value)
    assert line is None or line in [each.line for each in refused.value.findings]
    assert refused.value.told


def test_every_fault_is_told_at_once(folder: Path) -> None:
    """In the order of the lines."""
    text = (
        'zone = "Mars/Base"\n'
        + HOOK.replace("https", "ftp")
        + 'tlp = "pink"\n'
        + RULE
        + 'hours = ["25:00"]\n'
    )
    with pytest.raises(NotifyError) as refused:
        read(folder, text)
    assert [each.line for each in refused.value.findings] == [1, 4, 6, 10]


@pytest.mark.parametrize("spoil", ["missing", "open", "linked", "long", "short"])
def test_a_secret_is_a_private_file_of_one_line(folder: Path, spoil: str) -> None:
    """For its owner alone."""
    key = folder / "key"
    if spoil == "open":
        key.chmod(0o640)
    elif spoil == "long":
        key.write_text("a\nb\n")
    elif spoil == "short":
        key.write_bytes(base64.b64encode(b"x"))
    else:
        key.unlink()
        if spoil == "linked":
            key.symlink_to(folder / "token")
    with pytest.raises(NotifyError) as refused:
        read(folder, HOOK + RULE)
    assert [each.line for each in refused.value.findings] == [4]


def test_no_file_and_one_that_is_too_large(folder: Path) -> None:
    """Are refused before they are read."""
    with pytest.raises(NotifyError) as refused:
        read_settings(folder / "notify.toml")
    assert refused.value.reason == "notify-missing"
    with pytest.raises(NotifyError):
        read(folder, "#" * (MAX_BYTES + 1))
