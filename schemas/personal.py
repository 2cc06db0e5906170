"""Personal data that is visible in its spelling: identifiers with checksums and mailboxes are certain, a person must judge the rest.

Without dependencies, so that rules, the check before publishing and adapters can share it. Sources: ISO 13616 and ISO 7064 (IBAN);
the national laws on identification numbers as described by the European Commission's list of tax identification numbers;
Regulation (EU) 2016/679, Articles 4(1), 9 and 87.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from schemas.vocab import word_set


class Find(NamedTuple):
    """Personal data found in a text: its sort, and the words."""

    what: str
    text: str


# -- certain ------------------------------------------------------------------------------------------------------

_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b")
_DIGITS = re.compile(
    r"(?<![\w.,/:-])[0-9](?:[0-9 .\-/+]{4,19})[0-9][A-Z]?(?![\w/-])|"
    r"(?<![\w.,/:-])[XYZ]?[0-9]{6,9}[A-Z]\b|"
    r"\b[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]\b|"
    r"(?<![\w.,/:-])[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]\b"
)
_MAILBOX = re.compile(r"(?<![\w.+@-])([\w.+'-]{1,64})@((?:[\w-]{1,63}\.)+[^\W\d_]{2,24})(?![\w@])")


_FREE_MAIL = word_set(
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com icloud.com me.com "
    "mac.com aol.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de mail.ru yandex.ru bk.ru "
    "list.ru proton.me protonmail.com pm.me tutanota.com tuta.io tuta.com laposte.net orange.fr free.fr "
    "wanadoo.fr sfr.fr libero.it virgilio.it alice.it wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz "
    "azet.sk abv.bg ukr.net telenet.be skynet.be ziggo.nl kpnmail.nl telia.com freemail.hu citromail.hu "
    "inbox.lv inbox.lt mail.ee walla.co.il"
)
_ROLE = word_set(
    "abuse account accounts admin administration administrator advice agency alert alerts answer answers "
    "applications archive audit ballot ballots billing board breach breaches broadcast bureau campaign "
    "candidate candidates cert chair channel child citizen citizens commission committee communication "
    "communications communities compliance complaint complaints contact contacts control coordination "
    "coordinator council count counting court crisis csirt customer cyber data democracy department desk "
    "digital director district dpo dsc duty editor editorial education election elections electoral email "
    "emergency enforcement enquiries enquiry europe event events fact facts federal feedback finance fimi "
    "foreign forms fraud general government hello help helpdesk helpline home hostmaster hotline house human "
    "incident incidents info information inquiries integrity intelligence international invoice invoices it "
    "jobs justice lab law legal letters library list local mail mailbox mailer manager media member members "
    "message ministry monitor monitoring municipal national network news newsdesk newsletter newsroom no "
    "north not notice notices notification notifications notify observation observer observers office officer "
    "official online open operations ops order orders parliament participation party payment payments "
    "personnel phishing place places platform point police policy poll polling polls portal post postal "
    "postmaster press president privacy project protection public publications questions quick rapid react "
    "records recruitment referral referrals reg region regional register registrar registration registry "
    "relations reply report reporting reports request requests research response results review rights roll "
    "safety sales secretariat secretary section security service services silence single site situation south "
    "east west soc social staff state statistics subscribe summary support survey system systems tax team "
    "tech technical test the tip tips training transparency trust unit update updates user verification "
    "verify victim victims vote voter voters voting vulnerability watch web webmaster welcome whistle wire "
    "work do reply noreply auskunft amt beschwerde buero büro datenschutz dienst gemeinde hilfe kanzlei "
    "kommission kontakt landkreis leitung meldung post poststelle presse rathaus redaktion sekretariat stadt "
    "stelle wahl wahlamt wahlen wahlhilfe wahlleiter wahlleitung accueil aide bureau commission courrier "
    "election elections mairie presse secretariat service vote ayuda consultas contacto electoral elecciones "
    "oficina prensa atencion informacion elezioni informazioni segreteria stampa ufficio biuro kontakt "
    "komisja wybory prasa sekretariat gemeente verkiezingen pers vragen valg val vaalit kirjaamo info "
    "tiedotus"
)
"""Parts of a mailbox name that show an office."""
_NAME_PART = re.compile(r"[^\W\d_][^\W\d_'-]*['-]?[^\W\d_]+")
_FREE_LABEL = re.compile(
    r"(?:^|[.-])(?:free-?mail|web-?mail|my-?mail|g-?mail|hotmail|yahoo|outlook|gmx|proton-?mail|zoho|fastmail|posteo|mailbox|rambler)[.-]"
)
"""Public mailbox providers, by a part of their name."""
_YEAR_OF_BIRTH = range(1910, 2014)


def iban_stands(text: str) -> bool:
    """Whether a text is an IBAN with correct check digits (ISO 7064, MOD 97-10)."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def _luhn(digits: str) -> bool:
    total = 0
    for place, each in enumerate(reversed(digits)):
        value = int(each) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _weighted(digits: str, *weights: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _sweden(d: str) -> bool:
    ten = d[-10:]
    day = int(ten[4:6])
    return len(d) in (10, 12) and _is_day(ten[2:4], str(day - 60 if day > 60 else day)) and _luhn(ten)


def _denmark(d: str) -> bool:
    return len(d) == 10 and _is_day(d[2:4], d[:2]) and _weighted(d, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0


def _norway(d: str) -> bool:
    return (
        len(d) == 11
        and _is_day(d[2:4], d[:2])
        and _weighted(d, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1) % 11 == 0
        and _weighted(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0
    )


def _poland(d: str) -> bool:
    month = int(d[2:4]) % 20 if len(d) == 11 else 0
    return (
        1 <= month <= 12
        and 1 <= int(d[4:6]) <= 31
        and _weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1) % 10 == 0
    )


def _baltic(d: str) -> bool:
    """Estonia and Lithuania."""
    if len(d) != 11 or d[0] not in "123456" or not _is_day(d[3:5], d[5:7]):
        return False
    rest = _weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
    if rest == 10:
        rest = _weighted(d, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
    return rest == int(d[10])


def _belgium(d: str) -> bool:
    if len(d) != 11 or not _is_day(d[2:4], d[4:6]):
        return False
    return any(97 - int(century + d[:9]) % 97 == int(d[9:]) for century in ("", "2"))


def _bulgaria(d: str) -> bool:
    if len(d) != 10 or not (1 <= int(d[2:4]) % 20 <= 12 and 1 <= int(d[4:6]) <= 31):
        return False
    return _weighted(d, 2, 4, 8, 5, 10, 9, 7, 3, 6) % 11 % 10 == int(d[9])


def _romania(d: str) -> bool:
    if len(d) != 13 or d[0] not in "12345678" or not _is_day(d[3:5], d[5:7]):
        return False
    rest = _weighted(d, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
    return (1 if rest == 10 else rest) == int(d[12])


def _czech(d: str) -> bool:
    if len(d) != 10:
        return False
    month = int(d[2:4])
    return 1 <= month % 50 % 20 <= 12 and 1 <= int(d[4:6]) <= 31 and int(d) % 11 == 0


def _france(d: str) -> bool:
    return len(d) == 15 and d[0] in "12" and 1 <= int(d[3:5]) <= 12 and 97 - int(d[:13]) % 97 == int(d[13:])


def _slovenia(d: str) -> bool:
    """Slovenia and the other states with the JMBG."""
    if len(d) != 13 or not _is_day(d[2:4], d[:2]):
        return False
    rest = 11 - _weighted(d, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
    return (0 if rest > 9 else rest) == int(d[12])


_BY_DIGITS = (
    ("-", re.compile(r"(?:[0-9]{2})?[0-9]{6}[-+ ]?[0-9]{4}"), _sweden),
    ("-", re.compile(r"[0-9]{6}[- ]?[0-9]{4}"), _denmark),
    ("", re.compile(r"[0-9]{6} ?[0-9]{5}"), _norway),
    ("", re.compile(r"[0-9]{11}"), _poland),
    ("", re.compile(r"[0-9]{11}"), _baltic),
    ("", re.compile(r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}[.-]?[0-9]{2}"), _belgium),
    ("", re.compile(r"[0-9]{10}"), _bulgaria),
    ("", re.compile(r"[0-9]{13}"), _romania),
    ("/", re.compile(r"[0-9]{6}/[0-9]{4}"), _czech),
    ("", re.compile(r"[0-9]{13}"), _slovenia),
    ("", re.compile(r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"), _france),
)
_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"
_FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)


def _lettered(text: str) -> bool:
    if found := re.fullmatch(r"([XYZ]?)([0-9]{7,8})([A-Z])", text):
        number = int(({"X": "0", "Y": "1", "Z": "2"}.get(found[1], "")) + found[2])
        return len(found[1] + found[2]) == 8 and _SPANISH[number % 23] == found[3]
    if found := re.fullmatch(r"([0-9]{2})([0-9]{2})([0-9]{2})[-+A-FU-Y]([0-9]{3})([0-9A-Y])", text):
        return (
            _is_day(found[2], found[1]) and _FINNISH[int("".join(found.group(1, 2, 3, 4))) % 31] == found[5]
        )
    if re.fullmatch(r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", text):
        total = sum(
            _ODD[each] if place % 2 == 0 else int(each) if each.isdigit() else ord(each) - 65
            for place, each in enumerate(text[:15])
        )
        return chr(65 + total % 26) == text[15]
    return False


def is_national_number(text: str) -> bool:
    """Whether a text is a national identification number with correct check digits."""
    text = text.strip()
    if _lettered(text):
        return True
    digits = "".join(each for each in text if each.isdigit())
    if len(set(digits)) < 4:
        return False
    return any(shape.fullmatch(text) and stands(digits) for _, shape, stands in _BY_DIGITS)


_NAMED_NUMBER = re.compile(
    r"(?:identity|identification|national id|personal id|id card|passport|social security|"
    r"insurance|tax|personal|citizen)"
    r"(?: identification| identity| id| card| security)?[ -]?(?:number|no\.?|nr\.?|code|"
    r"card)s?(?: is| of| was)?[ :#]*"
    r"((?=[A-Z0-9./+-]{0,14}[0-9]{4})[A-Z0-9][A-Z0-9./+-]{5,18}[A-Z0-9])|"
    r"(?:Personalausweis|Ausweis|Reisepass|Sozialversicherungs|Steuer)\w*(?:nummer|-Nr\.?|"
    r"nr\.?)?[ :]*((?=[A-Z0-9./+-]{0,14}[0-9]{4})[A-Z0-9][A-Z0-9./+-]{5,18})|"
    r"(?:PESEL|CNP|EGN|JMBG|DNI|NIE|NIF|BSN|CPR|NINO|SSN|AMKA|personnummer|henkilötunnus|rodné číslo|codice fiscale)"
    r"(?: number| no\.?)?[ :#]*((?=[A-Z0-9./+-]{0,14}[0-9]{4})[A-Z0-9][A-Z0-9./+-]{5,18})",
    re.IGNORECASE,
)
"""A number after words that mark it as a personal number."""


_SHORT_NUMBER = 6


def is_line_of_an_office(number: str) -> bool:
    """Whether a telephone number is a free, premium or short one, which no person has, or a sender name."""
    digits = re.sub(r"\D", "", number)
    return len(digits) <= _SHORT_NUMBER or _HOTLINE.match(number.strip()) is not None


def is_personal_mailbox(address: str) -> bool:
    """Whether a mailbox belongs to a person: a name before the @, or at a free provider any word that is not of an office."""
    found = _MAILBOX.fullmatch(address.strip())
    if found is None:
        return False
    local, domain = found[1].lower().split("+", 1)[0], found[2].lower()
    parts = [part for part in re.split(r"[._-]+", local) if part]
    if not parts or any(part.rstrip("0123456789") in _ROLE for part in parts):
        return False
    if domain in _FREE_MAIL or _FREE_LABEL.search(domain) is not None:
        return True
    named, is_aged = [], False
    for part in parts:
        word = part.rstrip("0123456789")
        digits = part[len(word) :]
        if len(digits) > 2 and not (len(digits) == 4 and int(digits) in _YEAR_OF_BIRTH):
            return False  # a number of a machine or a round
        is_aged = is_aged or len(digits) == 4
        if word:
            named.append(word)
    if len(local) < _SHORT_NUMBER or len(named) not in (2, 3):
        return False
    if "." not in local.strip("."):
        is_apart = "_" in local or "-" in local
        return (
            is_apart
            and (is_aged or named[0] in _FIRST_NAMES)
            and all(_NAME_PART.fullmatch(word) for word in named)
        )
    longest, initials = 0, 0
    for word in named:
        if len(word) == 1 and word.isalpha():
            initials += 1
        elif _NAME_PART.fullmatch(word):
            longest = max(longest, len(word))
        else:
            return False
    return initials == 0 or longest > initials + 2


_CARD = re.compile(r"(?<![\w.-])[3-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![\w-])")
_POINT = re.compile(r"(?<![\w.])-?[0-9]{1,2}\.[0-9]{4,8}\s?[,;]\s?-?[0-9]{1,3}\.[0-9]{4,8}")
_ORIGIN = re.compile(
    r"\b(?:of [A-Z][a-z]+ (?:origin|descent|ethnicity)|ethnic (?:origin|background)|racial origin|(?:Roma|Sinti) (?:man|woman|family))\b"
)


_SHAPE = bytes(
    ord("0") if chr(n) in "0123456789" else ord("A") if chr(n) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" else n
    for n in range(256)
)
"""Every digit as 0, every capital as A: a text with too few of them is not searched."""


def mailboxes(text: str) -> Iterator[Find]:
    """The mailboxes of persons in a text."""
    if "@" in text:
        for found in _MAILBOX.finditer(text):
            if is_personal_mailbox(found[0]):
                yield Find("the mailbox of a person", found[0])


def certain(text: str) -> Iterator[Find]:
    """The certain personal data in a text: IBANs, national identification numbers, mailboxes of persons."""
    yield from mailboxes(text)
    shape = text.encode("ascii", "replace").translate(_SHAPE)
    if b"AA00" in shape:
        for found in _IBAN.finditer(text):
            if iban_stands(found[0]):
                yield Find("an IBAN", found[0])
    digits = shape.count(b"0")
    if digits >= 16:  # the digits of a payment card
        for found in _CARD.finditer(text):
            if _luhn(re.sub(r"\D", "", found[0])):
                yield Find("the number of a payment card", found[0])
    if b"0000" in shape:
        for found in _NAMED_NUMBER.finditer(text):
            yield Find("a personal identification number", found[1] or found[2] or found[3])
    for found in _DIGITS.finditer(text) if digits >= 7 else ():  # the fewest digits of such a number
        if is_national_number(found[0]):
            yield Find("a personal identification number", found[0])


# -- for a person to judge --------------------------------------------------------------------------------------------

_PHONE = re.compile(
    r"(?<![\w./:-])(?:\+|"
    r"00)[1-9][0-9]{0,2}[ ./()-]{0,3}(?:[0-9][ ./()-]{0,2}){6,12}[0-9](?![\w])|"
    r"(?<![\w./:+-])0[1-9][0-9]{1,4}[ /-][0-9][0-9 -]{4,10}[0-9](?!\w)"
)
_HOTLINE = re.compile(
    r"^\(?0?(?:800|80\d|900|116|112)|^(?:\+|00)[1-9][0-9]{0,2}[ -]?\(?0?\)?[ -]?(?:800|900|116)"
)
_OFFICE_LINE = re.compile(
    r"(?:hotline|helpline|help line|toll[- ]free|free of charge|switchboard|duty|desk|press|"
    r"office|commission|information|line|questions?|enquir\w+|call (?:us|cent(?:re|er))|contact (?:us|point)|service|"
    r"Auskunft|Fragen|Hotline|renseignements|informaci[oó]n|informazioni|l[ií]nea|"
    r"kostenlos|Telefonnummer der|Bürgertelefon|numéro vert|centrale|sentralbord|gratis)\b[^.]{0,40}$",
    re.IGNORECASE,
)
_PLATE = re.compile(
    r"(?:plates?|number plate|licen[cs]e plate|registration(?: number| mark)?|registered as|"
    r"Kennzeichen|immatriculée?|plaque|targa|matrícula|rejestracyjn\w+)"
    r"[ :,]*(?:number |no\.? |with )?[\"'“«]?([A-Z]{1,3}[ -]?[A-Z0-9]{1,4}[ -]?[A-Z0-9]{1,5})(?![\w])"
)
_NAME = (
    r"(?<!\w)(?:(?:Mr|Mrs|Ms|Dr|Herr|Frau|M\.|Mme)\.? )?[A-ZÀ-ÖØ-ÞĀ-Ž][\w’'-]{1,40}(?: (?:van|von|de|der|"
    r"den|di|da|la|le|el|[A-Z]\.)){0,3} [A-ZÀ-ÖØ-ÞĀ-Ž][\w’'-]{1,40}"
)
_STREET = (
    r"(?:[A-ZÀ-Ž][\w’'.-]+ (?:Street|St\.?|Road|Rd\.?|Lane|Avenue|Ave\.?|Square|Court|Drive|Way|"
    r"Terrace|Close|Gardens|Row|Hill|Crescent|Place) \d{1,4}[a-z]?"
    r"|\d{1,4}[a-z]?,? (?:[A-ZÀ-Ž][\w’'.-]+ ){1,3}(?:Street|St\.?|Road|Rd\.?|Lane|Avenue|Ave\.?|"
    r"Square|Court|Drive|Way|Terrace|Close|Gardens|Row|Hill|Crescent|Place)\b"
    r"|[A-ZÀ-Ž][\w’'.-]*(?:straße|strasse|gasse|weg|platz|allee|gatan|vägen|gade|vej|katu|tie|"
    r"straat|laan) \d{1,4}[a-z]?"
    r"|(?:rue|avenue|boulevard|place|via|viale|piazza|calle|plaza|rua|ulica|ul\.|str\.|"
    r"strada) [\w’' .-]{2,40}?,? \d{1,4}"
    r"|\d{1,4},? (?:rue|avenue|boulevard|place) [\w’' .-]{2,40})"
)
_NAME_AND_STREET = re.compile(
    rf"({_NAME}),? (?:(?:of|at|from|living at|resident at|who lives (?:at|in)|lives at|wohnhaft|,) )*{_STREET}"
)
_LIVES = re.compile(
    rf"({_NAME})[^.]{{0,40}}\b(?:lives? (?:at|in|on)|home address|resides? (?:at|in)|wohnt (?:in|am)|habite)\b"
)
_OF_PLACE = re.compile(
    r"\b(?:School|Hall|Library|Church|Street|Centre|Center|Gymnasium|University|College|Theatre|"
    r"Museum|Town|City|Hospital|Arena|Stadium|Schule|Rathaus|Lycée|École|Office|Commission|"
    r"Ministry|Court|Authority|Building|House|Polling)\b"
)
_HEALTH = re.compile(
    r"\b(?:(?:treated|hospitali[sz]ed|medicated|operated on|in therapy|in treatment|"
    r"diagnosed)(?: \w+){0,2} (?:for|with|because of)|"
    r"suffers? from|suffering from|diagnosed with|diagnosis of|(?:has|had|having) (?:cancer|"
    r"depression|dementia|epilepsy|diabetes|HIV|AIDS|a stroke|a heart attack)|"
    r"(?:his|her|their|'s|’s) (?:depression|dementia|cancer|illness|disease|diagnosis|pregnancy|"
    r"abortion|addiction|psychiatr\w+|medical (?:record|history|file)s?|mental (?:health|"
    r"illness))|"
    r"is (?:pregnant|HIV[- ]positive|bipolar|schizophrenic|an alcoholic|a drug addict|mentally ill|terminally ill)|"
    r"(?:psychiatric|rehab\w*|oncology|detox) (?:ward|clinic|hospital|patient|unit)|"
    r"leidet an|erkrankt an|in Behandlung wegen|souffre d|atteinte? d['’e])",
    re.IGNORECASE,
)
_BELIEF = re.compile(
    r"\b(?:member|donor|supporter|activist|follower|adherent|sympathi[sz]er|"
    r"voter)s?(?: and \w+)? of (?:the |a )?[A-Z]|"
    r"\b(?:he|she|who|[A-Z][a-z]+ [A-Z][a-z]+) (?:votes?|voted) (?:for|against)\b|"
    r"\b(?:is|as|was) (?:an? )?(?:practising |devout |converted |openly )?(?:Muslim|Jew|Jewish|Catholic|Christian|"
    r"Protestant|Hindu|Buddhist|Orthodox|Sikh|Mormon|Sunni|Shia|Alevi|Baptist|Lutheran|Evangelical|Adventist|"
    r"Scientologist|Jehovah['’]s Witness|atheist|homosexual|gay|lesbian|bisexual|transgender|transsexual|queer|"
    r"Roma|Sinti|Kurd|Kurdish|Sami)\b"
    r"(?! (?i:church|school|parish|community|association|party|holiday|organi[sz]ation|station|media|outlet|channel|calendar|easter)| [A-Z])|"
    r"\b(?:trade union|union) member(?:ship)?\b|\bsexual orientation\b|\breligious (?:belief|affiliation)\b of",
)
_BORN = re.compile(
    rf"({_NAME})[^.]{{0,30}}\b(?:born|geboren|née?|date of birth|DOB|\*)\b[^.]{{0,20}}[0-9]{{4}}"
)
_AGED = re.compile(
    rf"({_NAME})[,(]? ?\(?(?:aged|age|alter|âgée?|edad) ?:? ?\d{{1,3}}\b|({_NAME}),? \(?\d{{1,3}}[- ]years?[- ]old"
    rf"|\b\d{{1,2}}-year-old (?:man|woman|boy|girl|son|daughter|pupil|student|voter|candidate|clerk|driver) ({_NAME})"
)
_PAPER = re.compile(
    r"\b(?:passport|identity card|ID card|driving licen[cs]e|residence permit|Reisepass|Personalausweis|passeport|pasaporte)"
    r"(?: (?:number|no\.?|nr\.?|n°))?[ :#]*((?=(?:[A-Z]*[0-9]){4})[A-Z0-9]{7,12})\b"
)
_SOURCE = (
    r"(?:informants?|whistle-?blowers?|confidential sources?|undercover (?:agent|officer)|protected witness|witness|complainant|"
    r"Hinweisgeber(?:in)?|Zeug(?:e|in)|lanceu(?:r|se) d[’']alerte|informateur|témoin|informator|testigo|testimone)"
)
_TELLER = re.compile(
    rf"(?i:\b{_SOURCE}),? ({_NAME})|({_NAME}),? (?:our|the|an?|unser\w*|notre) (?:\w+ )?(?i:{_SOURCE})\b"
)
_COMPANY = re.compile(
    r"\b(?:Ltd|LLC|LLP|plc|PLC|Inc|Corp|GmbH|AG|KG|SE|SA|SAS|SARL|SpA|Srl|BV|NV|AB|Oy|Oyj|A/S|ApS|AS|s\.r\.o|a\.s|Kft|Zrt|OÜ|UAB|SIA|"
    r"d\.o\.o|e\.V|ry|ehf|Company|Group|Bank|Media|Holding|Union|Party|League|Association|Foundation|Verein|Club|Agency|Trade)\b"
)
_FIRST_NAMES = word_set(
    "adam agnieszka alexander ana andrea andrei andreas andrzej anita anna anne anton antonio barbara bence carlos carmen catarina "
    "charlotte christian christine claudia dagmar daniel david dimitris eduard elena elisabeth emma erik erika eva fatima filip "
    "francesco francois frank georg george georgios giulia giuseppe hanna hannah hans heike helena ilse ines ingrid irena irina ivan "
    "ivana jakub jan jana janez jean jens johan johannes john jonas jose josef joseph juan julia julie kaja karin karl katarina "
    "katarzyna katerina krzysztof kristina lars laszlo laura lena liisa lucia luis luca maja marc marek maria marie mario marko marta "
    "martin matej matti michael michal miguel mihai milan mohamed monika nadia nicolas nikola nikos olga pablo paolo patrick paul "
    "pavel pedro peter petra petr pierre piotr radu robert rosa sandra sara sebastian silvia simon sophie stefan susanne svetlana "
    "sven tatjana thomas tomas ursula vera viktor vladimir wolfgang yannis zofia zoltan zuzana"
)
"""First names that are common in Europe."""


def is_full_name(text: str) -> bool:
    """Whether a text is exactly the first and the family name of a person."""
    parts = text.split()
    if not 2 <= len(parts) <= 3 or _COMPANY.search(text) or _OF_PLACE.search(text):
        return False
    return parts[0].lower() in _FIRST_NAMES and all(
        part[:1].isupper() and part[1:].islower() for part in parts
    )


def is_named_account(handle: str) -> bool:
    """Whether an account name is the first and the family name of a person."""
    parts = [part for part in re.split(r"[._-]+", handle.strip().lstrip("@").lower()) if part]
    if not 2 <= len(parts) <= 3 or any(part in _ROLE for part in parts):
        return False
    return parts[0] in _FIRST_NAMES and all(part.isalpha() and len(part) > 1 for part in parts)


_CONVICTED = re.compile(
    rf"({_NAME})[^.]{{0,40}}\b(?:was convicted|is suspected|is accused|was arrested|"
    rf"has a criminal record|previous convictions?|is charged|stole|is a thief|was caught)\b"
)


def likely(text: str) -> Iterator[Find]:
    """The likely personal data in a text, which a person must check before publishing: telephone numbers, plates, names with addresses, health and belief."""
    for found in _PHONE.finditer(text):
        if _HOTLINE.match(found[0]) or _OFFICE_LINE.search(text[: found.start()]):
            continue
        if len(set(re.sub(r"\D", "", found[0]))) > 2:
            yield Find("a telephone number", found[0])
    for found in _PLATE.finditer(text):
        if any(each.isdigit() for each in found[1]):
            yield Find("a number plate", found[1])
    for pattern, what in (
        (_NAME_AND_STREET, "a name with an address"),
        (_LIVES, "a name with a home"),
        (_BORN, "a name with a date of birth"),
        (_CONVICTED, "a name with an offence"),
        (_AGED, "a name with an age"),
        (_TELLER, "the name of a source"),
    ):
        for found in pattern.finditer(text):
            name = next(each for each in found.groups() if each)
            if not _OF_PLACE.search(name) and not _COMPANY.search(name):
                yield Find(what, found[0])
    for found in _PAPER.finditer(text):
        yield Find("the number of a person's paper", found[1])
    for pattern, what in (
        (_HEALTH, "words about somebody's health"),
        (_BELIEF, "words about somebody's belief"),
        (_ORIGIN, "words about somebody's origin"),
        (_POINT, "a point on the map"),
    ):
        for found in pattern.finditer(text):
            yield Find(what, found[0])
