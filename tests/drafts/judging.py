"""Judges every draft of a folder as `bulletin check` would, in a registry that has an authority of each kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bus.drafts import Speaker, look
from bus.keys import nkeys
from bus.keys.signatures import FileSigner
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Defaults
from schemas.registry import Audience, AuthorityRecord, PublishGrant
from schemas.vocab import Domain, Pap, Scope, Status, Tlp
from tests.support.world import found, key_record

CORPUS = Path(__file__).parents[2].parent / "shared" / "cases" / "drafts"
NOW = dt.datetime(2026, 11, 28, 6, 30, tzinfo=dt.UTC)
"""The clock of the corpus."""

_OFFICES = """
xa-emb emb electoral XA | xb-emb emb electoral XB | xn-emb emb electoral XN
xa-csirt csirt cyber XA | xb-csirt csirt cyber XB | eu-cert csirt cyber EU
xa-dsc dsc digital XA | xb-dsc dsc digital XB | eu-ec ec-digital digital EU
xa-dpa dpa data XA | xb-dpa dpa data XB | xn-dpa dpa data XN | xm-dpa dpa data XM | eu-edps dpa data EU
xa-mfa foreign-service foreign XA | eu-eeas foreign-service foreign EU | xa-fimi fimi-watchdog foreign XA
xa-prosecutor prosecutor justice XA | xb-prosecutor prosecutor justice XB | xa-police police justice XA
xa-comms government-comms comms XA | xa-media media-regulator digital XA | xa-ads ads-authority digital XA
xa-sanctions sanctions-authority foreign XA | eu-council sanctions-authority foreign EU
eu-ecne ecne electoral EU | int-observers observer electoral INT
xa-flagger trusted-flagger digital XA | xa-platform platform digital XA
"""
_SPEAKS_AS = {
    "foreign": "xa-mfa",
    "justice": "xa-prosecutor",
    "comms": "xa-comms",
    "media-regulator": "xa-media",
    "ads-authority": "xa-ads",
    "fimi-watchdog": "xa-fimi",
    "sanctions-national": "xa-sanctions",
    "eeas": "eu-eeas",
    "edps": "eu-edps",
    "cert-eu": "eu-cert",
    "ec-digital": "eu-ec",
    "ecne": "eu-ecne",
    "observer": "int-observers",
    "trusted-flagger": "xa-flagger",
    "platform": "xa-platform",
    "emb:XN": "xn-emb",
    "dpa:XN": "xn-dpa",
    "dpa:XM": "xm-dpa",
    "police": "xa-police",
}
"""The authority behind a word of the indexes; a word that is not here is an authority's id."""
_GROUPS = (
    "community",
    "society",
    "platforms",
    "eu-emb",
    "eu-csirts",
    "eu-dsc",
    "eu-dpas",
    "eu-fimi",
    "eu-justice",
    "xa-election-network",
)
_SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST, Status.SYSTEM)


class Judged(NamedTuple):
    """One draft: what its index expects, what it got (`accept`, `warn` or `refuse`), and in which words."""

    folder: str
    file: str
    expected: str
    got: str
    why: str

    @property
    def is_right(self) -> bool:
        """A refusal is right, too, where a remark is asked for."""
        return self.got == self.expected or (self.expected == "warn" and self.got == "refuse")


@cache
def registry() -> VerifiedRegistry:
    """Twenty-nine authorities, each of which may say to all of the others what its kind says."""
    offices = [line.split() for line in _OFFICES.replace("\n", "|").split("|") if line.strip()]
    ids = tuple(name for name, *_ in offices)
    signers = {name: FileSigner.generate() for name in ids}
    transport = {name: nkeys.generate() for name in ids}
    records = {
        name: AuthorityRecord(
            name=name,
            kind=kind,
            domain=Domain(domain),
            country=country,
            keys={signers[name].kid: key_record(signers[name], NOW)},
            nkeys=(transport[name][1],),
            publish=(
                PublishGrant(
                    statuses=_SPOKEN, tlps=(Tlp.CLEAR,), audiences=("public",), kinds=("*",), areas=("*",)
                ),
                PublishGrant(
                    statuses=_SPOKEN,
                    tlps=(Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED),
                    audiences=(*_GROUPS, *(other for other in ids if other != name)),
                    kinds=("*",),
                    areas=("*",),
                ),
            ),
        )
        for name, kind, domain, country in offices
    }
    audiences = {"public": Audience(scope=Scope.PUBLIC, members=ids)}
    audiences |= {group: Audience(scope=Scope.UNION, members=ids) for group in _GROUPS}
    return found("panel", records, audiences, signers=signers, transport=transport, now=NOW).registry


def judge(folder: Path) -> Iterator[Judged]:
    """Every draft that the index of a folder names."""
    given = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    for line in (folder / "index.tsv").read_text("utf-8").splitlines()[1:]:
        name, speaker, expected, _ = line.split("\t", 3)
        issuer = registry().issuer(_SPEAKS_AS.get(speaker, speaker))
        as_whom = Speaker(issuer=issuer, given=given, now=NOW, registry=registry())
        found_ = look((folder / name).read_bytes(), as_whom, NOW)
        grades = {each.grade for each in found_.findings}
        got = "refuse" if grades & {"error", "doubt"} else "warn" if grades else "accept"
        why = "; ".join(f"{each.rule} {each.path}: {each.text}" for each in found_.findings)
        yield Judged(folder.name, name, expected, got, why)
