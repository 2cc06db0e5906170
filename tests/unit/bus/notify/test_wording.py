"""What leaves: no more than the cap, marked, on lines of its own, and harmless."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.notify.mailing import mail_of
from bus.notify.shape import OF_BULLETINS, Item, Message, Sort
from bus.notify.ways import webhook_body
from bus.notify.wording import EXERCISE, escaped, harmless, plain, worded
from schemas.vocab import TLP_RANK, Tlp
from tests.unit.bus.notify.things import NOW, channel, item, rule, settings

TLPS = st.sampled_from(list(Tlp))
SECRETS = ("zqheadline", "zqissuer", "zqkind", "zqabout", "zqincident", "zqthread", "zqaudience", "ZQ")
HOSTILE = {
    "a line of its own": "x\r\nSubject: y",
    "a header": "x\nBcc: all@xa.example",
    "another line end": "x\u2028y\x85z\x0b\x0c",
    "nul and escape": "x\x00\x1b[31my",
    "turned around": "x\u202ey\u2066z",
    "not seen": "x\u200b\u2060\ufeffy\U000e0041z\u3164",
    "a link": "see https://evil.example/a?b",
    "a name of a host": "see evil.example now",
    "everybody": "@all @channel @here @room",
    "markup": "[click](http://evil.example) **x** `y` <script>alert(1)</script> ![i](j)",
    "half a character": "x\udc80y",
    "very long": "x" * 5000,
}


def secret(**changes: Any) -> Item:
    """An item of which each text would be known again."""
    fields: dict[str, Any] = {
        "headline": "zqheadline", "issuer": "zqissuer", "kind": "zqkind", "about": "zqabout", "incident": "zqincident",
        "thread": "zqthread", "audience": "zqaudience", "country": "ZQ", "priority": "p1", "due": NOW, "start": NOW,
    }  # fmt: skip
    return item(**{**fields, **changes})


def message(*items: Item, form: Any = "group", count: int | None = None) -> Message:
    """What is said of some items."""
    return Message(form=form, items=items, count=count or len(items), since=NOW, at=NOW)


def everything(said: Message, cap: Tlp, ceiling: Tlp) -> list[str]:
    """All that leaves, by every kind of channel."""
    way = channel(
        tlp=cap, kind="smtp", address="smtp://mail.example", sender="a@xa.example", to=("b@xa.example",)
    )
    found = worded(said, way, rule(name="zqrule", ceiling=ceiling), settings())
    if found is None:
        return []
    mail = mail_of(way, found.subject, found.text, "ntf_1", "Sun, 23 May 2027 09:00:00 +0000")
    whole = mail.get_content()
    return [
        found.subject,
        found.text,
        escaped(found.lines),
        webhook_body(found, NOW).decode(),
        str(mail["Subject"]),
        whole,
    ]


@given(
    TLPS,
    TLPS,
    TLPS,
    st.sampled_from(list(Sort)),
    st.booleans(),
    st.sampled_from(["group", "digest", "escalation"]),
)
def test_nothing_of_what_is_above_the_cap_leaves(
    tlp: Tlp, cap: Tlp, ceiling: Tlp, sort: Sort, exercise: bool, form: Any
) -> None:
    """For every marking, cap, ceiling, sort and form: what waits is said with its marking alone, above the ceiling nothing."""
    own = sort in (Sort.TRUST, Sort.MISSED)
    marked = Tlp.CLEAR if own else tlp
    texts = everything(message(secret(tlp=marked, sort=sort, is_exercise=exercise), form=form), cap, ceiling)
    if TLP_RANK[marked] > TLP_RANK[ceiling]:
        assert texts == []
        return
    shown = " ".join(texts)
    assert "zqrule" not in shown
    if TLP_RANK[marked] > TLP_RANK[cap]:
        assert not [each for each in SECRETS if each in shown]
        assert f"at TLP:{tlp.upper()} waits for you" in shown
        assert "2027-05-23T09:00:00" not in texts[3].replace('"timestamp":"2027-05-23T09:00:00Z"', "")
    elif sort in OF_BULLETINS:
        assert "zqheadline" in shown
        assert "https://hub.example/b/zqabout" in shown


def test_the_sentence_above_the_cap() -> None:
    """One, and several."""
    way = channel(tlp=Tlp.GREEN)
    found = worded(message(secret(tlp=Tlp.AMBER)), way, rule(), settings())
    assert found is not None
    assert found.lines == ("a bulletin at TLP:AMBER waits for you",)
    found = worded(message(secret(tlp=Tlp.AMBER), count=4), way, rule(), settings())
    assert found is not None
    assert found.lines == ("4 bulletins at TLP:AMBER wait for you",)


@given(st.lists(st.tuples(TLPS, st.sampled_from(list(Sort))), min_size=1, max_size=5), TLPS)
def test_every_line_about_an_exercise_says_so(of: list[tuple[Tlp, Sort]], cap: Tlp) -> None:
    """In a group each line, in a digest of exercises too."""
    items = [
        secret(
            tlp=Tlp.CLEAR if sort in (Sort.TRUST, Sort.MISSED) else tlp,
            sort=sort,
            is_exercise=True,
            about=f"a{n}",
        )
        for n, (tlp, sort) in enumerate(of)
    ]
    digest = worded(
        message(*items, form="digest", count=9), channel(tlp=cap), rule(ceiling=Tlp.RED), settings()
    )
    group = worded(message(items[0], count=3), channel(tlp=cap), rule(ceiling=Tlp.RED), settings())
    for found in (digest, group):
        assert found is not None
        assert all(line.startswith(EXERCISE) for line in (found.subject + " ", *found.lines))


def test_an_issuer_that_may_not_be_named_is_not() -> None:
    """Whoever hands it on does not name it."""
    found = worded(message(secret(is_named=False)), channel(), rule(), settings())
    assert found is not None
    assert "zqissuer" not in found.text + str(found.told)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("field", ["headline", "issuer", "kind", "about"])
@pytest.mark.parametrize("sort", [Sort.BULLETIN, Sort.CHANNEL, Sort.TRUST])
def test_words_of_others_are_harmless(field: str, text: str, sort: Sort) -> None:
    """No line, header, link, name or markup of theirs, in any field of any sort."""
    plainest = worded(message(item(sort=sort)), channel(), rule(), settings(console=""))
    found = worded(message(item(sort=sort, **{field: text})), channel(), rule(), settings(console=""))
    assert plainest is not None
    assert found is not None
    assert len(found.lines) == len(plainest.lines)
    for line in (*found.lines, found.subject):
        assert not [each for each in line if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not any(each in line for each in ("://", "evil.example", "@", "](", "`", "<", "**"))
        assert len(line) < 700
    mail = mail_of(channel(sender="a@xa.example", to=("b@xa.example",)), found.subject, found.text, "i", "d")
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }
    msgspec.json.decode(webhook_body(found, NOW))


@given(st.text(max_size=400))
def test_any_text_becomes_one_line(text: str) -> None:
    """Twice the same as once, short, and of characters that are seen."""
    for made in (plain(text), harmless(text)):
        assert made.isprintable() or any(character in made for character in "\u200c\u200d")
        assert "\n" not in made
    assert len(plain(text)) <= 200
    assert plain(plain(text)) == plain(text)


def test_a_test_says_that_it_is_one() -> None:
    """And nothing else."""
    found = worded(message(form="test"), channel(), None, settings())
    assert found is not None
    assert found.lines == ("tocsin: this is a test of the channel; nothing has happened",)


def test_a_digest_is_bounded() -> None:
    """What has no line of its own is counted."""
    items = [item(about=f"a{n}") for n in range(60)]
    found = worded(message(*items, form="digest", count=9000), channel(), rule(), settings())
    assert found is not None
    assert len(found.lines) <= 22
    assert found.lines[-1] == "8980 more."
