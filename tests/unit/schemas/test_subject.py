"""Subjects: derived one way, taken apart the other, and asked for by interest."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.bodies import KINDS
from schemas.errors import SchemaError
from schemas.parts import Area, Authority, ElectionRef
from schemas.subject import (
    MAX_SUBJECT,
    Channel,
    Interest,
    channel_of,
    expand,
    matches,
    parse,
    priority,
    subject_for,
    tlp_token,
)
from schemas.vocab import Certainty, Domain, ElectionType, Phase, Severity, Status, Tlp, Urgency
from tests.support.world import bulletin, shared_world

LONG = f"int-{'a' * 24}-{'b' * 12}"
GOOD = "tocsin.v1.actual.green.community.xa.csirt.cyber.cyber-threat.xa.none.p4"


def test_a_subject_says_where_a_bulletin_belongs() -> None:
    """Derived and taken apart again, it names the same channel."""
    b = bulletin(shared_world())
    assert subject_for(b) == GOOD
    assert parse(GOOD).channel == channel_of(b)
    assert GOOD.startswith(f"{channel_of(b).prefix}.")
    assert Channel.parse(str(channel_of(b))) == channel_of(b)


def test_red_hides_what_it_is_about() -> None:
    """Kind, area and election of TLP:RED are x."""
    b = bulletin(
        shared_world(),
        tlp=Tlp.RED,
        audience="xb-csirt",
        election=ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING),
    )
    assert subject_for(b).split(".")[8:11] == ["x", "x", "x"]
    assert parse(subject_for(b)).kind == "x"


BAD = {
    "too short": "tocsin.v1.actual",
    "too long": f"{GOOD}.more",
    "wildcard": GOOD.replace("cyber-threat", "*"),
    "full wildcard": "tocsin.v1.>",
    "empty token": GOOD.replace("community", ""),
    "newline": f"{GOOD}\n",
    "newline in a token": GOOD.replace("csirt", "csirt\n"),
    "space": GOOD.replace("csirt", "cs irt"),
    "upper case": GOOD.upper(),
    "another version": GOOD.replace("v1", "v2"),
    "unknown status": GOOD.replace("actual", "draft"),
    "unknown marking": GOOD.replace("green", "white"),
    "unknown domain": GOOD.replace(".cyber.", ".cyb3r."),
    "unknown kind": GOOD.replace("cyber-threat", "gossip"),
    "unknown priority": GOOD.replace("p4", "p5"),
    "homoglyph": GOOD.replace("csirt", "сsirt"),
}


@pytest.mark.parametrize("subject", BAD.values(), ids=BAD)
def test_bad_subjects_are_refused(subject: str) -> None:
    """Nothing outside the grammar is taken apart."""
    with pytest.raises(SchemaError) as refused:
        parse(subject)
    assert refused.value.reason == "malformed-subject"


@given(st.text(max_size=120))
def test_any_text_is_a_subject_or_refused(text: str) -> None:
    """Only SchemaError escapes."""
    try:
        parse(text)
    except SchemaError as refused:
        assert refused.reason == "malformed-subject"


@pytest.mark.parametrize(
    ("severity", "urgency", "certainty", "expected"),
    [
        (Severity.EXTREME, Urgency.IMMEDIATE, Certainty.OBSERVED, "p1"),
        (Severity.EXTREME, Urgency.IMMEDIATE, Certainty.POSSIBLE, "p2"),
        (Severity.SEVERE, Urgency.EXPECTED, Certainty.OBSERVED, "p2"),
        (Severity.MODERATE, Urgency.IMMEDIATE, Certainty.OBSERVED, "p3"),
        (Severity.SEVERE, Urgency.PAST, Certainty.OBSERVED, "p4"),
        (Severity.MINOR, Urgency.IMMEDIATE, Certainty.OBSERVED, "p4"),
    ],
)
def test_priority(severity: Severity, urgency: Urgency, certainty: Certainty, expected: str) -> None:
    """The pager token follows severity, urgency and certainty."""
    b = bulletin(shared_world(), severity=severity, urgency=urgency, certainty=certainty)
    assert priority(b) == expected
    assert priority(bulletin(shared_world(), severity=severity, urgency=urgency, status=Status.TEST)) == "p4"


def test_area_tokens() -> None:
    """One country, several, the Union, or none."""
    world = shared_world()
    one, two = Area(scope="country", country="XA"), Area(scope="country", country="XB")
    cases = {
        (one,): "xa",
        (one, two): "multi",
        (Area(scope="eu"), one): "eu",
        (Area(scope="online"),): "intl",
    }
    for areas, expected in cases.items():
        assert parse(subject_for(bulletin(world, areas=areas))).area == expected


@pytest.mark.parametrize(
    ("interest", "pattern"),
    [
        (Interest(areas=("xa",)), "tocsin.v1.actual.*.*.*.*.*.*.xa.>"),
        (Interest(min_priority="p1"), "tocsin.v1.actual.*.*.*.*.*.*.*.*.p1"),
        (Interest(elections=("xa-parl-2027",)), "tocsin.v1.actual.*.*.*.*.*.*.*.xa-parl-2027.>"),
        (Interest(topics=("cyber",)), "tocsin.v1.actual.*.*.*.*.cyber.>"),
        (Interest(topics=("data-breach",)), "tocsin.v1.actual.*.*.*.*.*.data-breach.>"),
        (Interest(countries=("xb",)), "tocsin.v1.actual.*.*.xb.>"),
        (Interest(statuses=(Status.EXERCISE,)), "tocsin.v1.exercise.>"),
        (
            Interest(statuses=(Status.SYSTEM,), topics=("channel-status",)),
            "tocsin.v1.system.*.*.*.*.*.channel-status.>",
        ),
    ],
)
def test_interest_as_patterns(interest: Interest, pattern: str) -> None:
    """What an analyst asks for, as the broker understands it."""
    assert interest.patterns() == (pattern,)


def test_interest_is_expanded_over_grants_and_nothing_else() -> None:
    """A pattern stays within each granted status, marking and audience."""
    grants = [(Status.ACTUAL, Tlp.GREEN, "community"), (Status.TEST, Tlp.GREEN, "community")]
    assert expand(Interest(areas=("xa",)), grants) == ("tocsin.v1.actual.green.community.*.*.*.*.xa.>",)


def test_the_longest_subject_fits() -> None:
    """R22 holds by construction: every token at its longest."""
    longest = msgspec.structs.replace(
        bulletin(shared_world()),
        issuer=Authority(id=LONG, kind="csirt", domain=Domain.ELECTORAL, country="INT"),
        status=Status.EXERCISE,
        tlp=Tlp.AMBER_STRICT,
        audience=LONG,
        areas=(Area(scope="country", country="XA"), Area(scope="country", country="XB")),
        election=ElectionRef(
            id=f"xa-pres-2027-{'a' * 12}", type=ElectionType.PRESIDENTIAL, phase=Phase.POLLING
        ),
    )
    subject = subject_for(codec.decode(codec.encode(longest)))
    room = max(map(len, KINDS)) - len(longest.kind)
    assert parse(subject).issuer == LONG
    assert len(subject) + room <= MAX_SUBJECT


SUBJECTS = st.builds(
    lambda status, tlp, audience, issuer, domain, what, prio: (
        f"tocsin.v1.{status}.{tlp_token(tlp)}.{audience}.{issuer}.{domain}."
        f"{'x.x.x' if tlp is Tlp.RED or status is Status.BEAT else '.'.join(what)}.{prio}"
    ),
    st.sampled_from(Status),
    st.sampled_from(Tlp),
    st.sampled_from(["community", "xb-csirt"]),
    st.sampled_from(["xa.csirt", "xb.dsc"]),
    st.sampled_from([Domain.CYBER, Domain.DIGITAL]),
    st.tuples(
        st.sampled_from(["cyber-threat", "fimi"]),
        st.sampled_from(["xa", "eu"]),
        st.sampled_from(["none", "xa-parl-2027"]),
    ),
    st.sampled_from(["p1", "p2", "p3", "p4"]),
)


def some(*words: str) -> st.SearchStrategy[tuple[str, ...]]:
    """None, some or all of these."""
    return st.lists(st.sampled_from(words), unique=True, max_size=2).map(tuple)


INTERESTS = st.builds(
    Interest,
    topics=some("cyber", "digital", "cyber-threat", "fimi"),
    countries=some("xa", "xb"),
    areas=some("xa", "eu"),
    elections=some("none", "xa-parl-2027"),
    statuses=st.lists(st.sampled_from(Status), unique=True, min_size=1).map(tuple),
    min_priority=st.sampled_from(["p1", "p2", "p3", "p4"]),
)


@given(SUBJECTS, INTERESTS)
def test_the_broker_is_asked_for_exactly_what_is_wanted(subject: str, interest: Interest) -> None:
    """Patterns over the grant of a subject cover it if and only if the interest does, hidden tokens included."""
    found = parse(subject)
    patterns = expand(interest, [(found.status, found.tlp, found.audience)])
    assert any(matches(pattern, subject) for pattern in patterns) == interest.matches(found)
    assert not any(
        matches(pattern, subject) for pattern in expand(interest, [(found.status, found.tlp, "others")])
    )


BAD_CHANNELS = {
    "nothing": "",
    "no issuer": "actual.green.community",
    "no name": "xa-csirt",
    "two tokens": "xa-csirt/actual.green",
    "unknown status": "xa-csirt/draft.green.community",
    "unknown marking": "xa-csirt/actual.white.community",
    "a wildcard": "xa-csirt/actual.green.*",
    "a newline": "xa-csirt/actual.green.community\n",
    "an issuer in capitals": "XA-csirt/actual.green.community",
}


@pytest.mark.parametrize("text", BAD_CHANNELS.values(), ids=BAD_CHANNELS)
def test_bad_channels_are_refused(text: str) -> None:
    """A channel is written one way."""
    with pytest.raises(SchemaError) as refused:
        Channel.parse(text)
    assert refused.value.reason == "malformed-subject"


@given(
    st.lists(st.sampled_from(["a", "b", "*", ">"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4),
)
def test_patterns_match_as_the_broker_matches(pattern: list[str], subject: list[str]) -> None:
    """`*` is one token, `>` is the rest and at least one."""

    def model(p: list[str], s: list[str]) -> bool:
        if not p or not s:
            return not p and not s
        if p[0] == ">":
            return len(p) == 1
        return p[0] in ("*", s[0]) and model(p[1:], s[1:])

    assert matches(".".join(pattern), ".".join(subject)) == model(pattern, subject)
