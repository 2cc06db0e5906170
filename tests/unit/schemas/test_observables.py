"""Indicator values are told apart by their spelling, made canonical, and flagged as personal when in doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.observables import (
    classify,
    holds_email,
    personal_flag,
    platform_of,
    refang,
    sighted,
)
from schemas.vocab import PersonalFlag

NONE, PSEUDONYMOUS, PERSONAL = PersonalFlag.NONE, PersonalFlag.PSEUDONYMOUS, PersonalFlag.PERSONAL


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("hxxps://a[.]example/x", "https://a.example/x"),
        ("hXXp[:]//a(.)example", "http://a.example"),
        ("hxxp[://]a[dot]example", "http://a.example"),
        ("ftp://a.example", "ftp://a.example"),
        ("192[.]0[.]2[.]1", "192.0.2.1"),
        ("bob[at]mail[.]example", "bob@mail.example"),
        ("www[.]change[.]example/p/a", "www.change.example/p/a"),
        ("plain text (dot)", "plain text."),
    ],
)
def test_defanged_values_are_refanged(text: str, plain: str) -> None:
    """The usual ways of making a value unclickable are undone."""
    assert refang(text) == plain


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("A.Example.", "domain-name", "a.example"),
        ("müll.example", "domain-name", "xn--mll-hoa.example"),
        ("_dmarc.a.example", None, None),
        ("https://a.example/x?y=1", "url", "https://a.example/x?y=1"),
        ("a.example/x", "url", "a.example/x"),
        ("192.0.2.1/x", "url", "192.0.2.1/x"),
        ("192.0.2.1", "ipv4-addr", "192.0.2.1"),
        ("192.0.2.0/24", "ipv4-addr", "192.0.2.0/24"),
        ("2001:DB8::1", "ipv6-addr", "2001:db8::1"),
        ("Bob.Ray@Mail.Example", "email-addr", "Bob.Ray@mail.example"),
        ("D" * 32, "file", "d" * 32),
        ("e" * 64, "file", "e" * 64),
        ("e" * 63, None, None),
        ("#votefraud", "hashtag", "#votefraud"),
        ("1326 accounts", None, None),
        ("Posing as an activist", None, None),
        ("word", None, None),
        ("", None, None),
        ("x" * 3000 + ".example", None, None),
    ],
)
def test_a_cell_is_classified_by_its_spelling(text: str, kind: str | None, value: str | None) -> None:
    """A whole cell is one value of a known type, or prose."""
    found = classify(text)
    assert (found.type, found.value) == (kind, value) if found else kind is None


@pytest.mark.parametrize(
    ("kind", "value", "flag"),
    [
        ("domain-name", "a.example", NONE),
        ("ipv4-addr", "192.0.2.1", PSEUDONYMOUS),
        ("crypto-wallet", "1abc", PSEUDONYMOUS),
        ("email-addr", "a@b.example", PERSONAL),
        ("user-account", "jdoe", PERSONAL),
        ("channel", "https://t.me/somebody", PERSONAL),
        ("url", "https://a.example/x", NONE),
        ("url", "https://192.0.2.7/x", PSEUDONYMOUS),
        ("url", "https://user:secret@a.example/", PERSONAL),
        ("url", "https://a.example/?mail=a@b.example", PERSONAL),
        ("url", "https://twitter.com/somebody", PERSONAL),
        ("url", "https://www.tiktok.com/@somebody", PERSONAL),
        ("url", "https://www.pinterest.com/pin/123", NONE),
        ("url", "https://youtube.com/watch?v=1", NONE),
        ("file", r"C:\Users\jdoe\a.exe", PERSONAL),
        ("file", r"C:\Users\Public\a.exe", NONE),
        ("file", "/home/jdoe/a", PERSONAL),
        ("process", "run --to a@b.example", PERSONAL),
    ],
)
def test_values_are_flagged_as_personal_when_in_doubt(kind: str, value: str, flag: PersonalFlag) -> None:
    """Accounts, addresses of people and home directories are personal; network addresses pseudonymous; sites of organisations not."""
    assert personal_flag(kind, value) is flag


def test_values_that_are_not_of_their_type_are_none() -> None:
    """A value whose spelling contradicts its label is not passed on under that label."""
    assert sighted("ipv4-addr", "not an address") is None
    assert sighted("email-addr", "nobody") is None
    assert sighted("domain-name", "two words.example") is None
    assert sighted("url", "a sentence, not a URL") is None
    assert sighted("mac-addr", "aa:bb") is None
    assert sighted("file", "   ") is None


def test_platforms_are_known_by_host() -> None:
    """A platform is recognised by its registered domain, not by a look-alike."""
    assert platform_of("https://m.facebook.com/x") == "facebook"
    assert platform_of("https://t.me/x") == "telegram"
    assert platform_of("https://facebook.com.example/x") is None
    assert platform_of("https://[broken/x") is None


@given(st.text(max_size=200))
def test_any_text_is_classified_or_not(text: str) -> None:
    """No text breaks the classifier, and what it finds is stable: a canonical value is its own canonical value."""
    found = classify(text)
    if found is not None:
        again = sighted(found.type, found.value)
        assert again is not None
        assert again.value == found.value
    holds_email(text)
    platform_of(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("straße-wahl.example", "straße-wahl.example"),
        ("STRAßE-WAHL.example", "straße-wahl.example"),
        ("βόλος.example", "βόλος.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("новости.example", "xn--b1amnebsh.example"),
    ],
)
def test_a_name_is_never_turned_into_anothers(name: str, value: str) -> None:
    """Where IDNA 2003 writes one letter as others, the name stays as written."""
    found = sighted("domain-name", name)
    assert found is not None
    assert found.value == value
