"""The rules that are asked at a glance against all of them: the same answers, and few rules asked where few may object."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import re
import types
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.demo import day
from schemas import glance, personal, rules
from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.codec import encode
from schemas.errors import SchemaError, Violation
from schemas.parts import Confidence, Info, Observable
from schemas.subject import subject_for
from schemas.truth import markings, usual, values, wording
from schemas.vocab import Certainty, PersonalFlag
from tests.support.world import bulletin, shared_world
from tests.unit.schemas.glance_cases import MORE
from tests.unit.schemas.shapes import struct
from tests.vectors.rule_cases import cases

CASES = list(cases())
USUAL = bulletin(shared_world())
MEMBERS = json.loads(encode(USUAL))


def changed(*changes: dict[str, object]) -> Bulletin | None:
    """The usual one with some members changed; None when it is no bulletin by its types."""
    try:
        return msgspec.convert(
            {**MEMBERS, **{name: each for one in changes for name, each in one.items()}}, Bulletin
        )
    except msgspec.ValidationError:
        return None


def of_all(b: Bulletin) -> tuple[Violation, ...]:
    """What all rules say, each asked."""
    return tuple(Violation(name, path, text) for name, rule in rules.RULES.items() for path, text in rule(b))


# -- the same answers -----------------------------------------------------------------------------------------------------


def test_it_is_for_something() -> None:
    """About what an officer says on an ordinary day no rule is asked."""
    assert glance.asked(USUAL, subject_for(USUAL)) == 0


def test_it_knows_every_rule() -> None:
    """A rule that it does not know is asked about every bulletin, which costs; so it stands in one of the tables."""
    assert glance.set_of(int(name[1:]) for name in rules.RULES) == glance.KNOWN


def test_it_knows_every_kind() -> None:
    """A body that it does not know has every rule asked."""
    assert set(glance._BY_BODY) == set(KINDS.values())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([change for _, _, change, _ in CASES]), min_size=1, max_size=4))
def test_vectors_have_the_same_answers(changes: list[dict[str, object]]) -> None:
    """Each vector, and several of them in one bulletin."""
    b = changed(*changes)
    assert b is None or rules.violations(b, subject_for(b)) == of_all(b)


@settings(max_examples=60, deadline=None)
@given(struct(Bulletin))
def test_every_bulletin_has_the_same_answers(b: Bulletin) -> None:
    """However strange, as long as its types are right."""
    assert rules.violations(b) == of_all(b)


@pytest.mark.parametrize("seq", [1, 2])
@pytest.mark.parametrize("prev", [None, "p" * 43])
def test_it_holds_where_check_lets_it_pass(seq: int, prev: str | None) -> None:
    """The first of a channel has no predecessor, every other one has."""
    b = msgspec.structs.replace(USUAL, seq=seq, prev=prev)
    try:
        rules.check(b)
    except SchemaError:
        assert not rules.holds(b, subject_for(b))
    else:
        assert rules.holds(b, subject_for(b))


# -- words and values -----------------------------------------------------------------------------------------------------


def test_it_knows_every_field() -> None:
    """Each that may be left out, but for what is sealed."""
    optional = {field.name for field in msgspec.structs.fields(Bulletin) if not field.required}
    assert {name for name, *_ in glance._BY_FIELD} == optional - {"observables", "sections"}


@settings(max_examples=60, deadline=None)
@given(struct(Bulletin))
def test_the_words_that_are_looked_at_are_those_of_the_rules(b: Bulletin) -> None:
    """No field with words is left out."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glance, "is_plain", said.extend)
        glance.asked(b)
    assert sorted(said) == sorted(text for _, text in wording.words(b))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30) | st.text("Aa0 :-/.?Ü\u00ad\n", max_size=20), max_size=4))
def test_what_is_plain_together_is_plain_alone(texts: list[str]) -> None:
    """None of several plain texts is odd by itself."""
    assert not wording.is_plain(texts) or not any(map(wording.is_odd, texts))


HOSTS = (
    "evil.example",
    "google.com",
    "github.io",
    "x.localhost",
    "localhost.localdomain",
    "a..example",
    "1.2.3.4",
)
VALUES = (
    *HOSTS,
    *(f"https://{host}{path}" for host in HOSTS for path in ("", "/", "/gate", "/?q=1")),
    "https://u:p@evil.example/x",
    "https://evil[.]example/x",
    "*.evil.example",
    "any",
    "8.8.8.8",
    "127.0.0.1",
    "10.0.0.1",
    "224.0.0.1",
    "01.2.3.4",
    "1.2.3.4/5",
    "2001:db8::1",
    "2001:db8:1::2:3:4:5",
    "2001:db8:0:0:0:0:0:1",
    "2001:db8:1:2::3:4:5:6",
    "::1",
    "a" * 64,
    "a" * 63,
    *sorted(usual.EMPTY_FILE),
    "anna.muster@gmail.com",
    "AT61 1904 3002 3457 3201",
    "a.example\nurl https://b.example/x",
)
TYPES = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "file", "email-addr", "text", "phone-number")


def seen(type_: str, value: str) -> Bulletin:
    """A bulletin about one value that is fit for matching."""
    each = Observable(type=type_, personal=PersonalFlag.NONE, value=value, actionable=True)
    return msgspec.structs.replace(USUAL, observables=(each,))


def without_glance(b: Bulletin) -> list[tuple[str, str]]:
    """What the rules about values say of every observable, also of the usual ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "unusual", lambda b: tuple(enumerate(b.observables)))
        return [each for rule in (values.r62, values.r63, values.r65, values.r66) for each in rule(b)]


@pytest.mark.parametrize("type_", TYPES)
def test_no_rule_objects_to_a_usual_value(type_: str) -> None:
    """Of any type; and some values are usual."""
    for value in VALUES:
        b = seen(type_, value)
        assert not usual.is_usual(b.observables[0]) or not without_glance(b), value


def test_many_values_are_usual() -> None:
    """Addresses, hosts, links and digests, as they are shared most."""
    found = {each for each in TYPES for value in VALUES if usual.is_usual(seen(each, value).observables[0])}
    assert found == {"ipv4-addr", "ipv6-addr", "domain-name", "url", "file"}


# -- tables that lack a rule ----------------------------------------------------------------------------------------------


def told(**changes: object) -> Bulletin:
    """The usual one, with a field that its constructor does not check."""
    return msgspec.structs.replace(USUAL, **changes)


BROKEN: dict[str, Bulletin] = {
    f"{n}: {comment}": b
    for n, (comment, _, change, _) in enumerate(CASES)
    if (b := changed(change)) is not None and of_all(b)
} | {
    name: b for name, change in MORE.items() if (b := changed(change)) is not None
} | {
    "the last moment there is": told(expires=dt.datetime.max.replace(tzinfo=dt.UTC)),
    "confidence that says nothing": told(confidence=Confidence(source="A")),
    "observed, and hardly believed": told(confidence=Confidence(score=5), certainty=Certainty.OBSERVED),
    "it ends as it begins": told(expires=USUAL.issued),
    "a microsecond too long": told(expires=USUAL.issued + glance.MAX_LIFETIME + dt.timedelta(microseconds=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_seen(name: str) -> None:
    """By the rules that are asked."""
    assert rules.violations(BROKEN[name]) == of_all(BROKEN[name])
    assert not rules.holds(BROKEN[name], subject_for(BROKEN[name]))


ADDED = re.compile(r"( +)found \|= ")
NUMBERS = re.compile(r'( +\((?:"\w+", (?:\(\)|None)|\w+), \(|_OF_\w+ = set_of\(\()([0-9, ]+)(\)\),?.*)')
LINES = inspect.getsource(glance).splitlines()
NEVER_BROKEN = "found |= _R22"
"""No bulletin of the types has so long a subject."""


def lacking() -> Iterator[tuple[str, str]]:
    """Name and source of each wrong twin: the module without one condition, or one number of one table."""
    for n, line in enumerate(LINES):
        if (found := ADDED.match(line)) and line.strip() != NEVER_BROKEN:
            yield f"{n + 1}: {line.strip()}", _with_line(n, f"{found[1]}pass")
        if found := NUMBERS.fullmatch(line):
            numbers = re.findall(r"[0-9]+", found[2])
            for number in numbers:
                rest = "".join(f"{each}, " for each in numbers if each != number)
                yield f"{n + 1}: {found[1].strip()} {number}", _with_line(n, found[1] + rest + found[3])


def _with_line(n: int, line: str) -> str:
    return "\n".join([*LINES[:n], line, *LINES[n + 1 :]])


TWINS = dict(lacking())


def is_caught(asked: Callable[[Bulletin, str], int]) -> bool:
    """Whether some broken bulletin has a rule that is broken and not asked."""
    return any(broken & ~asked(b, subject) for b, subject, broken in ASKED)


ASKED = [
    (b, subject_for(b), glance.set_of(int(each.rule[1:]) for each in of_all(b))) for b in BROKEN.values()
]


def test_there_are_twins() -> None:
    """They were found in the source."""
    assert len(TWINS) > 100


@pytest.mark.parametrize("twin", TWINS)
def test_a_glance_that_lacks_a_rule_is_caught(twin: str) -> None:
    """Some bulletin breaks the rule, and only there it is asked."""
    made = types.ModuleType("a_wrong_glance")
    exec(compile(TWINS[twin], "a_wrong_glance", "exec"), made.__dict__)  # noqa: S102 (our own source)
    assert not is_caught(glance.asked)
    assert is_caught(made.asked)


# -- what it is for -------------------------------------------------------------------------------------------------------


def test_few_rules_are_asked_of_what_offices_say() -> None:
    """Of most that the demonstration has them say: a handful of the rules that there are."""
    counts = []
    for step in (*day.OPENING.values(), *day.DAY.values()):
        info = (Info(lang="en", headline=step.headline, summary=step.summary, public_line=step.public_line),)
        b = msgspec.structs.replace(USUAL, info=info, body=step.body("XA", USUAL.issued))
        counts.append(glance.asked(b, subject_for(b)).bit_count())
    assert sorted(counts)[len(counts) * 3 // 4] <= 6


FOUND_IN_WORDS = [
    personal._NAMED_NUMBER,
    personal._IBAN,
    personal._CARD,
    personal._MAILBOX,
    markings.CLASSIFIED,
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(FOUND_IN_WORDS).flatmap(st.from_regex), st.sampled_from(["", "The ", "\n", "x "]))
def test_what_a_rule_finds_in_words_is_odd(found: str, before: str) -> None:
    """Numbers of persons, mailboxes, classifications: the search that is quick passes over none that the rules would find."""
    text = before + found
    if markings.CLASSIFIED.search(text) or any(personal.certain(text)):
        assert wording.is_odd(text)


CALLED = {
    "a card": "The identity card number AB12345 was shown.",
    "spaces": f"Her tax number{' ' * 300}AB12345",
    "a compound": f"Die Steuer{'identifikations' * 20}nummer: 123456",
    "a dot": "Ausweisnr.: 123456",
    "a hyphen": "Reisepass-Nr. C12345",
    "abroad": "Jeho rodn\u00e9 \u010d\u00edslo: 123456",
    "a dotless i": "the \u0131dentity number AB12345",
    "a long s": "her pas\u017fport number AB12345",
    "the second": "In 2027 the passport no. AB12345 was used.",
}


@pytest.mark.parametrize("text", CALLED.values(), ids=CALLED)
def test_a_number_that_words_call_somebodys_is_odd(text: str) -> None:
    """However far the words are from it, and in whatever letters that count as those of the words."""
    assert any(personal.certain(text))
    assert wording.is_odd(text)


@pytest.mark.parametrize(
    "text",
    [
        "Family 000064 is active.",
        "Passport control, from 2027-05-23 on.",
        "A number of 2027 hosts.",
        "taxi 2027",
    ],
)
def test_a_number_that_no_words_call_somebodys_is_plain(text: str) -> None:
    """A year or a count, where words of persons stand elsewhere."""
    assert not wording.is_odd(text)
