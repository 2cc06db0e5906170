"""How the labelled bulletins are written down: a line of Python becomes a stamped, chained, valid bulletin.

Nothing here is drawn at random: ids, digests and keyed hashes are made from the names in the stories, so the same
stories give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from schemas.bodies import coordination, cyber, data, digital, electoral, foreign
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import digest, encode
from schemas.parts import (
    Area,
    Authority,
    Confidence,
    Deadline,
    ElectionRef,
    Evidence,
    Info,
    Observable,
    PersonalData,
    Ref,
    Target,
    Ttp,
)
from schemas.vocab import Domain, ElectionType, PersonalFlag, Phase, RefRel, Status

YEAR = 2027
HMAC_KEY = b"a key that only the readers of a sharing group hold"
KEY_ID = "eu-csirts-2027"

_OFFICES = {
    "csirt": ("csirt", Domain.CYBER),
    "nis": ("nis-authority", Domain.CYBER),
    "telco": ("telecom-regulator", Domain.CYBER),
    "dpa": ("dpa", Domain.DATA),
    "emb": ("emb", Domain.ELECTORAL),
    "obs": ("observer", Domain.ELECTORAL),
    "dsc": ("dsc", Domain.DIGITAL),
    "ads": ("ads-authority", Domain.DIGITAL),
    "platform": ("platform", Domain.DIGITAL),
    "fact": ("fact-checker", Domain.DIGITAL),
    "media": ("media-regulator", Domain.DIGITAL),
    "fimi": ("fimi-watchdog", Domain.FOREIGN),
    "mfa": ("foreign-service", Domain.FOREIGN),
    "police": ("police", Domain.JUSTICE),
    "fiu": ("financial-intelligence-unit", Domain.JUSTICE),
    "comms": ("government-comms", Domain.COMMS),
    "hub": ("hub", Domain.COORD),
    "ecne": ("ecne", Domain.COORD),
    "partner": ("intl-partner", Domain.FOREIGN),
}
_TYPES = {
    "d": "domain-name",
    "u": "url",
    "i": "ipv4-addr",
    "h": "file",
    "m": "email-addr",
    "w": "crypto-wallet",
    "p": "phone-number",
    "s": "sms-sender",
    "a": "analytics-id",
    "v": "voice-hash",
    "ph": "image-phash",
    "x": "x509-certificate",
    "ch": "channel",
    "ua": "user-account",
    "mc": "media-content",
    "t": "text",
    "tag": "hashtag",
    "ad": "advertiser-account",
    "mu": "mutex",
    "b": "bank-account",
}
_PERSONAL = frozenset({"phone-number", "user-account", "bank-account"})
_AUDIENCE = {
    "clear": "public",
    "green": "community",
    "amber": "eu-election",
    "amber+strict": "eu-csirts",
    "red": "xa-hub",
}
_POLLS = {
    "xa": ("xa-parl-2027", ElectionType.PARLIAMENTARY, dt.date(YEAR, 5, 23)),
    "xb": ("xb-pres-2027", ElectionType.PRESIDENTIAL, dt.date(YEAR, 5, 9)),
    "xc": ("xc-parl-2027", ElectionType.PARLIAMENTARY, dt.date(YEAR, 11, 14)),
    "xd": ("xd-mun-2027", ElectionType.MUNICIPAL, dt.date(YEAR, 10, 17)),
    "xe": ("xe-ref-2027", ElectionType.REFERENDUM, dt.date(YEAR, 10, 3)),
    "xf": ("xf-pres-2027", ElectionType.PRESIDENTIAL, dt.date(YEAR, 11, 7)),
    "xg": ("xg-reg-2027", ElectionType.REGIONAL, dt.date(YEAR, 10, 10)),
    "xh": ("xh-parl-2027", ElectionType.PARLIAMENTARY, dt.date(YEAR, 10, 24)),
}

Bodied = Callable[[dt.datetime], Any]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin of a story, before it is stamped."""

    name: str
    issuer: str
    issued: dt.datetime
    incident_id: str | None
    references: tuple[tuple[str, str], ...]
    draft: Draft


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A true incident: what happened, and the bulletins that tell of it. Without a key: bulletins of no one incident."""

    key: str | None
    what: str
    told: tuple[Told, ...]


def story(key: str | None, what: str, *told: Told) -> Story:
    """One incident and what is told of it."""
    return Story(key=key, what=what, told=told)


def moment(text: str) -> dt.datetime:
    """A time of the year of the stories: `0503T0810` is the third of May, ten past eight."""
    return dt.datetime.strptime(f"{YEAR}{text}", "%Y%m%dT%H%M").replace(tzinfo=dt.UTC)


def sha(seed: str) -> str:
    """The SHA-256 that stands for a file of this name."""
    return hashlib.sha256(seed.encode()).hexdigest()


def keyed(value: str) -> str:
    """The keyed hash of a value that may not be disclosed."""
    return hmac.new(HMAC_KEY, value.encode(), hashlib.sha256).hexdigest()


def name_of(told: Told) -> str:
    """The id that a bulletin gets: its time, and bits made from its name."""
    return new_id(told.issued, hashlib.sha256(told.name.encode()).digest()[:10])


def incident_id(key: str) -> str:
    """The id under which some authorities file an incident."""
    return new_id(moment("0401T0000"), hashlib.sha256(f"incident {key}".encode()).digest()[:10])


def observable(text: str) -> Observable:
    """An observable in short: `d:false.example@impersonating-site`, `k:email-addr:box@mail.example`, `h:loader`."""
    short, _, rest = text.partition(":")
    if short == "k":
        type_, _, value = rest.partition(":")
        return Observable(type=type_, personal=PersonalFlag.PERSONAL, value_hmac=keyed(value), key_id=KEY_ID)
    value, has_role, role = rest.rpartition("@") if short != "m" else (rest, "", "")
    if not has_role:
        value, role = rest, "infrastructure"
    if short == "m" and " as " in rest:
        value, _, role = rest.partition(" as ")
    type_ = _TYPES[short]
    flag = PersonalFlag.PSEUDONYMOUS if type_ in _PERSONAL else PersonalFlag.NONE
    return Observable(
        type=type_, personal=flag, value=sha(value) if short in ("h", "v") else value, role=role
    )


def _authority(identity: str) -> Authority:
    country, _, office = identity.partition("-")
    kind, domain = _OFFICES[office.partition("-")[0]]
    return Authority(id=identity, kind=kind, domain=domain, country=country.upper())


def _election(key: str, at: dt.datetime) -> ElectionRef:
    identity, type_, polls = _POLLS[key]
    left = (polls - at.date()).days
    phase = next(
        phase
        for least, phase in (
            (25, Phase.REGISTRATION),
            (2, Phase.CAMPAIGN),
            (1, Phase.SILENCE),
            (0, Phase.POLLING),
            (-2, Phase.COUNTING),
            (-99, Phase.CERTIFICATION),
        )
        if left >= least
    )
    return ElectionRef(id=identity, type=type_, phase=phase, polling_first=polls, polling_last=polls)


def _area(text: str) -> Area:
    country, _, code = text.partition(":")
    if country in ("EU", "INT"):
        return Area(scope={"EU": "eu", "INT": "international"}[country], country=country)
    return Area(scope="region" if code else "country", country=country, code=code or None)


def _target(text: str) -> Target:
    kind, country, name = (*text.split(":", 2), None, None)[:3]
    return Target(kind=str(kind), country=country or None, name=name)


def b(
    name: str,
    issuer: str,
    at: str,
    body: Bodied,
    headline: str,
    summary: str,
    *observables: str,
    lang: str = "en",
    also: Sequence[tuple[str, str, str]] = (),
    tlp: str = "green",
    el: str | None = None,
    inc: str | None = None,
    refs: Sequence[str] = (),
    areas: Sequence[str] = (),
    ttps: Sequence[str] = (),
    targets: Sequence[str] = (),
    evidence: Sequence[str] = (),
    status: str = "actual",
    msg: str = "alert",
    **more: Any,
) -> Told:
    """One bulletin of a story.

    Args:
        name: what the labels call it.
        issuer: the authority; its office tells kind and domain.
        at: when it is issued, see `moment`.
        body: made by one of the functions below.
        headline: of its first language.
        summary: of its first language.
        observables: in short, see `observable`.
        lang: its first language.
        also: further languages, each with headline and summary.
        tlp: its marking, which tells the audience.
        el: the election it concerns, a key of `_POLLS`.
        inc: the incident under whose id its issuer files it.
        refs: `supersedes:name`, earlier bulletins it names.
        areas: `XA` or `XA:XA1`; without, the country of its issuer.
        ttps: `disarm:T0086`.
        targets: `emb:XA:Name of the office`.
        evidence: titles of files, each the seed of its digest.
        status: `actual` or `exercise`.
        msg: the message type.
        more: further fields of the draft.
    """
    issued = moment(at)
    seen = tuple(observable(each) for each in observables)
    flags = {each.personal for each in seen} - {PersonalFlag.NONE}
    if flags and "personal_data" not in more:
        more["personal_data"] = PersonalData(
            flag=max(flags, key=lambda each: each is PersonalFlag.PERSONAL),
            lawful_basis="celex:32016R0679#6.1.e",
            purpose="defence of the election against what is described",
            retention_until=(issued + dt.timedelta(days=60)).date(),
        )
    made = body(issued)
    if isinstance(made, data.DataBreach) and "deadlines" not in more and made.regime in (None, "gdpr"):
        more["deadlines"] = (
            Deadline(clock="gdpr-33", started=made.aware, due=made.aware + dt.timedelta(hours=72)),
        )
    if status == "exercise":
        more.setdefault("exercise_id", "spring-drill")
    draft = Draft(
        info=tuple(
            Info(lang=code, headline=h, summary=s) for code, h, s in ((lang, headline, summary), *also)
        ),
        body=made,
        status=Status(status),
        msg_type=msg,  # type: ignore[arg-type]
        tlp=tlp,  # type: ignore[arg-type]
        pap="clear" if tlp == "clear" else "green" if tlp == "green" else "amber",  # type: ignore[arg-type]
        audience=_AUDIENCE[tlp],
        areas=tuple(_area(each) for each in areas) or None,
        confidence=more.pop("confidence", Confidence(credibility=2)),
        election=_election(el, issued) if el else None,
        ttps=tuple(Ttp(framework=each.partition(":")[0], id=each.partition(":")[2]) for each in ttps),
        targets=tuple(_target(each) for each in targets),
        observables=seen,
        evidence=tuple(
            Evidence(
                title=each, sha256=sha(each), media_type="application/octet-stream", size=len(each) * 1000
            )
            for each in evidence
        ),
        **more,
    )
    return Told(
        name=name,
        issuer=issuer,
        issued=issued,
        incident_id=inc,
        references=tuple((each.partition(":")[0], each.partition(":")[2]) for each in refs),
        draft=draft,
    )


def stamped(stories: Sequence[Story]) -> dict[str, Bulletin]:
    """Every bulletin of the stories by name, in order of time, numbered and chained on its channel."""
    told = sorted((each for tale in stories for each in tale.told), key=lambda each: (each.issued, each.name))
    ids = {each.name: name_of(each) for each in told}
    if len(ids) != len(told):
        raise ValueError("two bulletins have one name")
    by_name = {each.name: each for each in told}
    heads: dict[tuple[str, str, str], tuple[int, str | None]] = {}
    out: dict[str, Bulletin] = {}
    for each in told:
        draft = each.draft
        changes: dict[str, Any] = {
            "references": tuple(
                Ref(id=ids[other], rel=RefRel(rel), issuer=by_name[other].issuer)
                for rel, other in each.references
            )
        }
        if each.incident_id:
            changes["incident_id"] = incident_id(each.incident_id)
        channel = (each.issuer, str(draft.status), str(draft.audience))
        seq, prev = heads.get(channel, (0, None))
        made = stamp(
            msgspec.structs.replace(draft, **changes),
            id=ids[each.name],
            seq=seq + 1,
            prev=prev,
            issuer=_authority(each.issuer),
            issued=each.issued,
            defaults=Defaults(),
        )
        payload = msgspec.json.encode(made)
        made = msgspec.json.decode(payload, type=Bulletin)
        heads[channel] = (seq + 1, digest(encode(made)))
        out[each.name] = made
    return out


def _times(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        key: moment(value) if isinstance(value, str) and key in _MOMENTS else value
        for key, value in fields.items()
    }


_MOMENTS = frozenset(
    {"detected", "aware", "started", "ended", "early_warning_at", "notified_at", "patch_at", "until"}
)


def ci(cls: str, stage: str = "early-warning", **fields: Any) -> Bodied:
    """A cyber incident; detected two hours before it is told unless `detected` says otherwise."""

    def made(issued: dt.datetime) -> Any:
        given = {
            "detected": issued - dt.timedelta(hours=2),
            "significant": True,
            "suspected_malicious": True,
            **_times(fields),
        }
        if stage not in ("early-warning", "voluntary-report"):
            given.setdefault("impact", "minor")
        return cyber.CyberIncident(stage=stage, classification=cls, **given)  # type: ignore[arg-type]

    return made


def ct(title: str, *malware: str, exploited: tuple[str, ...] = (), description: str | None = None) -> Bodied:
    """A cyber threat."""
    return lambda _: cyber.CyberThreat(
        title=title, malware=malware, exploited=exploited, description=description
    )


def vuln(ids: tuple[str, ...], products: tuple[str, ...], **fields: Any) -> Bodied:
    """A vulnerability."""
    return lambda _: cyber.Vulnerability(ids=ids, products=products, **_times(fields))


def breach(kind: str, cats: str, subjects: str, risk: str = "risk", **fields: Any) -> Bodied:
    """A breach of personal data; lists are words with blanks between."""

    def made(issued: dt.datetime) -> Any:
        given = {"aware": issued - dt.timedelta(hours=20), **_times(fields)}
        return data.DataBreach(
            nature=given.pop("nature", ("confidentiality",)),
            controller_kind=kind,
            data_categories=tuple(cats.split()),
            subject_categories=tuple(subjects.split()),
            risk=risk,  # type: ignore[arg-type]
            **given,
        )

    return made


def ei(category: str, stage: str, **fields: Any) -> Bodied:
    """An election incident."""
    return lambda _: electoral.ElectionIncident(category=category, stage=stage, **_times(fields))  # type: ignore[arg-type]


def fimi(methods: str, *narratives: str, scope: str = "incident", **fields: Any) -> Bodied:
    """Information manipulation; methods are words with blanks between."""
    return lambda _: foreign.Fimi(
        scope=scope,
        methods=tuple(methods.split()),
        narratives=tuple(foreign.Narrative(text=each) for each in narratives),
        **fields,
    )


def notice(platform: str, url: str, why: str, types: str = "video", **fields: Any) -> Bodied:
    """A notice of one item of content."""
    return lambda _: digital.ContentNotice(
        channel=fields.get("channel", "voluntary-cooperation"),
        items=(
            digital.ContentItem(
                url=url,
                platform=platform,
                content_types=tuple(types.split()),
                synthetic=fields.get("synthetic"),
                sha256=sha(fields["file"]) if "file" in fields else None,
            ),
        ),
        category="negative-effects-on-civic-discourse-or-elections",
        explanation=why,
        bona_fide=True,
    )


def ad(publisher: str, refs: str, infringements: str, **fields: Any) -> Bodied:
    """A notice of political advertising."""
    return lambda _: digital.PoliticalAd(
        publisher=publisher,
        ad_refs=tuple(refs.split()),
        infringements=tuple(infringements.split()),
        **fields,
    )


def risk(services: str, risks: str, assessment: str, **fields: Any) -> Bodied:
    """A systemic risk of platforms."""
    return lambda _: digital.SystemicRisk(
        services=tuple(services.split()), risks=tuple(risks.split()), assessment=assessment, **fields
    )


def measure(platform: str, facts: str, count: int = 1, **fields: Any) -> Bodied:
    """What a platform did to content."""
    return lambda _: digital.PlatformMeasure(
        platform=platform,
        source_type="voluntary",
        ground="incompatible-content",
        category="negative-effects-on-civic-discourse-or-elections",
        visibility=("content-removed",),
        facts=facts,
        count=count,
        **fields,
    )


def stratcom(mode: str, *lines: str, **fields: Any) -> Bodied:
    """Lines that may be used."""
    return lambda _: coordination.StratCom(mode=mode, lines=lines, **fields)


def sitrep(start: str, end: str, *dims: tuple[str, int], **fields: Any) -> Bodied:
    """The situation over a period."""
    return lambda _: coordination.SituationReport(
        period_start=moment(start),
        period_end=moment(end),
        posture=fields.pop("posture", "heightened"),
        dimensions=tuple(coordination.DimCount(dimension=d, incidents=n) for d, n in dims),  # type: ignore[arg-type]
        **fields,
    )


def rfi(question: str, *to: str, hours: int = 24) -> Bodied:
    """A request for information, to be answered in so many hours."""
    return lambda issued: coordination.Rfi(
        question=question, respond_by=issued + dt.timedelta(hours=hours), to=to
    )


def fb(verdict: str, text: str, **fields: Any) -> Bodied:
    """An answer."""
    return lambda _: coordination.Feedback(verdict=verdict, text=text, **fields)  # type: ignore[arg-type]


def legal(stage: str, offences: str, competent: str, **fields: Any) -> Bodied:
    """A matter in the hands of justice."""
    return lambda _: foreign.LegalReferral(
        stage=stage,  # type: ignore[arg-type]
        offences=tuple(offences.split()),
        competent=competent,
        judicial_secrecy=False,
        **fields,
    )
