"""Meta's indicator tables, in all their layouts, become one bulletin each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.formats.meta_threat import FORMAT, read_meta_threat
from adapters.translation.reading import FormatError, ReadResult
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.foreign import Fimi
from schemas.vocab import PersonalFlag
from tests.unit.adapters.formats.stamped import DIGITAL, all_stand, reasons, stands_or_is_refused

ASSETS = "0. Acquiring assets,0.9 Acquiring social media accounts"
DOMAINS = "0. Acquiring assets,0.6 Acquiring domains,0.6.2 Acquiring domains to support influence operations"
CHAIN = f"""Tactic ,Technique,Procedure,Indicator
{ASSETS},0.9.1 Acquiring Facebook assets,"1,326 acounts"
{ASSETS},0.9.1 Acquiring Facebook assets,80 Pages
{ASSETS},0.9.1 Acquiring Facebook assets,1 Groups
{ASSETS},0.9.2 Acquiring Instagram accounts,3 Instagram accounts
{ASSETS},0.9.4 Acquiring X / Twitter accounts,https://twitter[.]com/kite_example
{ASSETS},0.9.7 Acquiring Telegram channels,hxxp://t[.]me/kite_example
{DOMAINS},www.paper-kite[.]example
{DOMAINS},https://www.kite[.]example
,,,
3 Coordinating and planning,3.5 Automating activity,3.5.2 Automating website posting,"Automating posts
with an app"
6. Indiscriminate engagement,6.3 Spraying content,6.3.1 Posting hashtags,#kite
7. Targeted engagement,7.1 Running ads,7.1.1 Advertising to promote content,"About $7,000 in spending for ads"
7. Targeted engagement,7.2 Engaging,7.2.2 Acquiring Page followers,"About 49,000 accounts followed one or more of these Pages."
9. Enabling longevity,9.2 Changing platforms,9.2.3 Dispersing content,www[.]news.example/opinion/kite
"""


def read(text: str | bytes) -> ReadResult:
    """Reads a table."""
    return read_meta_threat(text if isinstance(text, bytes) else text.encode(), DIGITAL)


def fimi(text: str | bytes) -> tuple[Fimi, ReadResult]:
    """Reads a table whose one draft stands and is a `fimi`."""
    result = read(text)
    all_stand(result)
    (draft,) = result.drafts
    assert isinstance(draft.body, Fimi)
    return draft.body, result


def with_column(name: str, values: dict[str, str]) -> str:
    """The kill chain table with a fifth column."""
    lines = []
    for number, line in enumerate(CHAIN.replace("posts\nwith", "posts with").splitlines()):
        lines.append(
            f"{line},{name}"
            if not number
            else f"{line},{next((v for k, v in values.items() if k in line), '')}"
        )
    return "\n".join(lines) + "\n"


def test_a_value_with_a_remark_is_a_value() -> None:
    """`spoof.example (what it is)` is an observable with a note, refanged, not a sentence about behaviour."""
    table = f"Tactic,Technique,Procedure,Indicator,Notes\n{DOMAINS},der-kite[.]example (Hosted a spoof of a paper),seen\n"
    body, result = fimi(table)
    (found,) = result.drafts[0].observables
    assert (found.type, found.value, found.role) == ("domain-name", "der-kite.example", "impersonating-site")
    assert found.note == "Hosted a spoof of a paper; seen"
    assert body.abcde is not None
    assert body.abcde.behaviour is None


def test_a_headline_says_how_large_the_network_is() -> None:
    """What was cut away counts, and nothing counts as nothing."""
    many = "".join(f"{DOMAINS},kite-{n}[.]example\n" for n in range(600))
    head = "Tactic,Technique,Procedure,Indicator\n"
    assert fimi(head + many)[1].drafts[0].info[0].headline.endswith(": 500 of 600 observables")
    none = fimi(f"{head}{ASSETS},0.9.1 Acquiring Facebook assets,150 accounts\n")[1]
    assert none.drafts[0].info[0].headline.endswith(": 150 accounts, pages and groups")
    words = fimi(f"{head}7. Engaging,7.3 Posting,7.3.2 Posting into Groups,In 2027 they posed as teachers\n")
    assert words[1].drafts[0].info[0].headline.endswith(": how it works")
    assert words[0].abcde is not None
    assert (words[0].abcde.behaviour, words[0].abcde.degree) == ("In 2027 they posed as teachers", None)


def test_a_kill_chain_table_is_one_network() -> None:
    """Accounts are counted, values become observables with a role, prose becomes behaviour and degree."""
    body, result = fimi(CHAIN)
    draft = result.drafts[0]
    assert body.scope == "network"
    assert body.channel_count == 1326 + 80 + 1 + 3 + 2
    assert body.channels == ("facebook", "instagram", "x", "telegram")
    assert set(body.methods) == {"inauthentic-network", "bot-amplification", "covert-advertising"}
    assert body.funding == ("ad-purchases",)
    assert {(o.value, o.role, o.actionable, o.personal) for o in draft.observables} == {
        ("https://twitter.com/kite_example", "publisher", False, PersonalFlag.PERSONAL),
        ("http://t.me/kite_example", "publisher", False, PersonalFlag.PERSONAL),
        ("www.paper-kite.example", "infrastructure", True, PersonalFlag.NONE),
        ("https://www.kite.example", "infrastructure", True, PersonalFlag.NONE),
        ("#kite", "content", False, PersonalFlag.NONE),
        ("www.news.example/opinion/kite", "content", False, PersonalFlag.NONE),
    }
    assert body.abcde.behaviour == "Automating posts with an app"
    assert body.abcde.degree is not None
    assert "49,000" in body.abcde.degree
    assert "$7,000" in body.abcde.degree


def test_techniques_are_those_of_the_kill_chain() -> None:
    """The number of the procedure is the technique's id, its name follows."""
    _, result = fimi(CHAIN)
    ttps = {(t.framework, t.id): t.name for t in result.drafts[0].ttps}
    assert ttps["meta-kc", "0.9.1"] == "Acquiring Facebook assets"
    assert len(ttps) == 10


@pytest.mark.parametrize(
    "header",
    [
        "Tactic ,Technique,Procedure,Indicator",
        "Tactic,Technique,Procedure,Indicator",
        " TACTIC,technique , Procedure,Indicator",
    ],
)
def test_headers_vary_in_blanks_and_case(header: str) -> None:
    """Blanks around the column names and their case mean nothing."""
    body, _ = fimi(CHAIN.replace("Tactic ,Technique,Procedure,Indicator", header))
    assert body.channel_count == 1412


@pytest.mark.parametrize("name", ["Note", "Notes", "Comments"])
def test_a_fifth_column_becomes_notes(name: str) -> None:
    """Note, Notes and Comments stand beside their value; spoofing makes a role and a method of it."""
    body, result = fimi(with_column(name, {"paper-kite": "Domains spoofing news sites"}))
    (found,) = [o for o in result.drafts[0].observables if o.value == "www.paper-kite.example"]
    assert (found.role, found.note) == ("impersonating-site", "Domains spoofing news sites")
    assert "website-cloning" in body.methods


@pytest.mark.parametrize(
    "raw", [CHAIN.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + CHAIN.encode()], ids=["crlf", "bom"]
)
def test_line_ends_and_marks_mean_nothing(raw: bytes) -> None:
    """CRLF and a byte order mark change nothing."""
    body, _ = fimi(raw)
    assert body.channel_count == 1412


def test_tabs_are_read_whatever_the_file_is_called() -> None:
    """A tab separated table is recognised by its header."""
    text = "Tactic \tTechnique\tProcedure\tIndicator\r\n0. Acquiring assets\t0.6 D\t0.6.2 Domains, own\tkite[.]example\r\n\t\t\t\r\n"
    _, result = fimi(text)
    assert [o.value for o in result.drafts[0].observables] == ["kite.example"]


def test_a_flat_table_of_inauthentic_behaviour_is_a_network() -> None:
    """The older layout becomes a network when its rows say so; the day of publication is a loss."""
    body, result = fimi(
        "indicator_type,indicator_value,comment,ds\ncib_url,https://petition[.]example/a,XB: CIB Petition,2027-05-01\ndomain_name,kite.example,x,\n"
    )
    assert body.methods == ("inauthentic-network",)
    assert {(o.value, o.actionable) for o in result.drafts[0].observables} == {
        ("https://petition.example/a", False),
        ("kite.example", True),
    }
    assert [loss.path for loss in result.losses] == ["ds"]


def test_a_flat_table_of_malware_is_a_cyber_threat() -> None:
    """The older layout about malware says nothing of manipulation, so neither does the bulletin."""
    result = read(
        f"indicator_type,indicator_value,comment,ds\nmd5,{'0' * 32},Heron: malware,2027-05-01\nip,192.0.2.1,,2027-05-01\nodd,two words,,2027-05-01\n"
    )
    all_stand(result)
    assert isinstance(result.drafts[0].body, CyberThreat)
    assert [o.type for o in result.drafts[0].observables] == ["file", "ipv4-addr"]
    assert "neither domain" in reasons(result)


def test_thousands_of_domains_are_cut_to_what_fits() -> None:
    """The first five hundred stay, those with a note before those without; the rest is counted."""
    rows = "".join(f"9. E,9.5 Replacing,9.5.3 Using redirect domains,d{n}[.]example,\n" for n in range(3000))
    text = "Tactic,Technique,Procedure,Indicator,Comments\n" + rows + f"{DOMAINS},noted[.]example,seen\n"
    _, result = fimi(text)
    values = [o.value for o in result.drafts[0].observables]
    assert (len(values), values[0]) == (500, "noted.example")
    assert "2501 of 3001" in reasons(result)


BAD = {
    "empty": (b"", "unknown-layout"),
    "another table": (b"domain name,created on\nkite[.]example,01/02/2027\n", "unknown-layout"),
    "JSON": (b'[{"indicator_type": "md5"}]', "unknown-layout"),
    "the kill chain itself": (b"Tactic,Technique,Procedure\n0. A,0.1 B,0.1.1 C\n", "catalogue-not-a-report"),
    "an unknown fifth column": (b"Tactic,Technique,Procedure,Indicator,Owner\n", "unknown-layout"),
    "header only": (b"Tactic,Technique,Procedure,Indicator\n,,,\n", "empty"),
    "flat header only": (b"indicator_type,indicator_value,comment,ds\n", "empty"),
    "flat without values": (b"indicator_type,indicator_value,comment,ds\nmd5,,,\n", "empty"),
    "row cut off": (CHAIN.encode()[:120] + b"\n0. A,0.1 B", "malformed-row"),
    "cell too many": (CHAIN.encode() + b"0. A,0.1 B,0.1.1 C,x,y\n", "malformed-row"),
    "open quote": (CHAIN.encode() + b'0. A,0.1 B,0.1.1 C,"x', "malformed-row"),
}


@pytest.mark.parametrize(("raw", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_tables_are_refused_with_a_reason(raw: bytes, reason: str) -> None:
    """Other layouts, catalogues and broken rows are refused."""
    with pytest.raises(FormatError) as refused:
        read(raw)
    assert refused.value.reason == reason


@settings(max_examples=150)
@given(at=st.integers(0, len(CHAIN.encode()) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_table_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in a valid draft or in a refusal with a reason."""
    whole = CHAIN.encode()
    raw = whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
    stands_or_is_refused(read_meta_threat, raw, DIGITAL)


@settings(max_examples=100)
@given(cells=st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), min_size=4, max_size=4))
def test_cells_of_any_text_are_carried_or_refused(cells: list[str]) -> None:
    """No text in a cell makes an invalid bulletin."""
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    stands_or_is_refused(read_meta_threat, f"{CHAIN}{quoted}\n".encode(), DIGITAL)


def test_sniff_knows_its_own() -> None:
    """The format recognises both families by their first line."""
    assert FORMAT.sniff(CHAIN.encode())
    assert FORMAT.sniff(b"indicator_type,indicator_value,comment,ds\n")
    assert not FORMAT.sniff(b"uuid,decision_visibility\n")
