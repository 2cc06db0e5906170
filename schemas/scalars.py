r"""The scalar types: every string, number and time of a bulletin, with its bounds.

A pattern that guards an identifier ends in `$(?!\n)`: a bare `$` also matches before a final newline in
Python, and `\Z` is not ECMAScript, which the exported JSON Schemas need.
"""

import datetime as dt
from typing import Annotated

from msgspec import Meta, Struct

MAX_INTEGER = 2**53 - 1  # RFC 7493 (I-JSON) section 2.2
MAX_COUNT = 2_000_000_000

# No space and no control character. Python and ECMAScript disagree on U+001C to U+001F, U+0085 and U+FEFF in \s, so
# these are listed.
_VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"


def Form(says: str, like: str) -> Meta:  # noqa: N802 (reads as a type where it stands)
    """Describe a pattern in words for a person, with an example. The description is not part of the wire.

    Args:
        says: the wanted value, beginning with an article.
        like: a value that matches the pattern.
    """
    return Meta(extra={"says": says, "like": like})


Uuid = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$(?!\n)",
        description="UUID version 7, RFC 9562",
    ),
    Form(
        "an id of a bulletin: a UUID of version 7, in small letters", "01a2b3c4-d5e6-7f80-9a1b-2c3d4e5f6071"
    ),
]
Slug = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$(?!\n)"),
    Form("a word of small letters, digits and hyphens, at most 64", "results-portal"),
]
OrgId = Annotated[
    str,
    Meta(
        pattern=r"^(?:[a-z]{2}|int)-[a-z0-9]{2,24}(?:-[a-z0-9]{1,12})?$(?!\n)",
        description="country or int, then the organisation: xa-csirt",
    ),
    Form(
        "an id of an authority: two small letters of its country, or int, then a hyphen and its name",
        "xa-csirt",
    ),
]
AudienceName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$(?!\n)", description="sharing group or organisation id"),
    Form("a name of an audience: small letters, digits and hyphens", "eu-csirts"),
]
Country = Annotated[
    str,
    Meta(pattern=r"^(?:[A-Z]{2}|INT)$(?!\n)", description="ISO 3166-1 alpha-2, EU or INT"),
    Form("a country: two capitals, or EU, or INT", "XA"),
]
Lang = Annotated[
    str,
    Meta(
        pattern=(
            r"^[a-z]{2,3}(?:-[a-z]{3})?(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"
            r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3})){0,3}(?:-[a-wyz](?:-[a-z0-9]{2,8}){1,3})?(?:-x(?:-[a-z0-9]{1,8}){1,3})?$(?!\n)"
        ),
        max_length=35,
        description="BCP 47, as its registry writes it: de, sr-Latn, es-419, ca-valencia",
    ),
    Form("a language by its code in small letters, with script or region where they matter", "de"),
]
Time = Annotated[dt.datetime, Meta(tz=True, description="RFC 3339, Z, at most six fractional digits")]
Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)"), Form("a SHA-256: 64 digits and letters from a to f", "0" * 64)
]
Digest = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)", description="SHA-256, base64url, RFC 7515"),
    Form(
        "a digest of a bulletin: 43 letters, digits, hyphens and underscores, as publish prints it", "A" * 43
    ),
]
Uri = Annotated[
    str,
    Meta(pattern=rf"^[a-z][a-z0-9+.-]{{1,20}}:{_VISIBLE}{{1,2000}}$(?!\n)", max_length=2048),
    Form("an address with its scheme and without spaces", "https://results.example/page"),
]
Text80 = Annotated[str, Meta(min_length=1, max_length=80)]
Text160 = Annotated[str, Meta(min_length=1, max_length=160)]
Text500 = Annotated[str, Meta(min_length=1, max_length=500)]
Text2000 = Annotated[str, Meta(min_length=1, max_length=2000)]
Text8000 = Annotated[str, Meta(min_length=1, max_length=8000)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Whole = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Celex = Annotated[
    str,
    Meta(
        pattern=(
            rf"^(?:celex:[0-9A-Z()/]{{6,20}}(?:-[0-9]{{8}})?|eli:{_VISIBLE}{{3,200}}|national:[A-Z]{{2}}:{_VISIBLE}{{1,120}}|soft:[a-z0-9-]{{3,60}})"
            r"(?:#[0-9A-Za-z().-]{1,24})?$(?!\n)"
        ),
        description="a legal text: celex:32022L2555#23.4.a, celex:02022L2555-20221227#30, eli:..., national:XA:..., soft:...",
    ),
    Form(
        "a legal text: celex: and its number, or eli:, national:XA: or soft:, with # before the article",
        "celex:32022L2555#23.4.a",
    ),
]
ElectionId = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]{2}-(?:ep|pres|parl|sen|reg|mun|ref|byel|oth)-[0-9]{4}(?:-[a-z0-9]{1,12})?$(?!\n)",
        description="country, type, year: xa-parl-2027",
    ),
    Form(
        "an id of an election: two small letters of its country, its type (ep, pres, parl, sen, reg, mun, ref, byel or oth), "
        "its year, with hyphens between them",
        "xa-parl-2027",
    ),
]
Label = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]{1,40}:[A-Za-z0-9_.+-]{1,60}(?:=\"[^\"]{1,120}\")?$(?!\n)",
        description="MISP machine tag",
    ),
    Form("a label: a name space, a colon, a word, and perhaps = with a value in quotes", "rt:election"),
]


def Open(vocabulary: str) -> Meta:  # noqa: N802 (reads as a type where it stands)
    """Mark a slug as a word of an open vocabulary: an unknown word decodes and gives a remark, never a refusal."""
    return Meta(extra={"vocabulary": vocabulary}, extra_json_schema={"x-tocsin-vocabulary": vocabulary})


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of every struct of the wire: immutable, closed, and without defaults in its encoding.

    Subclasses inherit these settings of msgspec, except `kw_only`, which each must repeat.
    """
