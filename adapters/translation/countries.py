"""The code of a country that a source names in words; OpenCTI does so in place of the code that STIX requires.

Source: ISO 3166-1, the English short names and the usual shorter ones.
"""

from typing import Final

from adapters.translation.reading import slug

__all__ = ["country_of"]

_CODES: Final = """
af afghanistan; al albania; dz algeria; ad andorra; ao angola; ag antigua-and-barbuda; ar argentina; am armenia; au australia;
at austria; az azerbaijan; bs bahamas; bh bahrain; bd bangladesh; bb barbados; by belarus; be belgium; bz belize; bj benin;
bt bhutan; bo bolivia; ba bosnia-and-herzegovina; bw botswana; br brazil; bn brunei; bg bulgaria; bf burkina-faso; bi burundi;
cv cabo-verde; cv cape-verde; kh cambodia; cm cameroon; ca canada; cf central-african-republic; td chad; cl chile; cn china;
cn people-s-republic-of-china; co colombia; km comoros; cg congo; cg republic-of-the-congo; cd democratic-republic-of-the-congo;
cr costa-rica; ci cote-d-ivoire; ci ivory-coast; hr croatia; cu cuba; cy cyprus; cz czechia; cz czech-republic; dk denmark;
dj djibouti; dm dominica; do dominican-republic; ec ecuador; eg egypt; sv el-salvador; gq equatorial-guinea; er eritrea;
ee estonia; sz eswatini; et ethiopia; fj fiji; fi finland; fr france; ga gabon; gm gambia; ge georgia; de germany; gh ghana;
gr greece; gl greenland; gd grenada; gt guatemala; gn guinea; gw guinea-bissau; gy guyana; ht haiti; va holy-see; hn honduras;
hk hong-kong; hu hungary; is iceland; in india; id indonesia; ir iran; ir iran-islamic-republic-of; iq iraq; ie ireland; il israel;
it italy; jm jamaica; jp japan; jo jordan; kz kazakhstan; ke kenya; ki kiribati; kw kuwait; kg kyrgyzstan; la laos; lv latvia;
lb lebanon; ls lesotho; lr liberia; ly libya; li liechtenstein; lt lithuania; lu luxembourg; mo macao; mg madagascar; mw malawi;
my malaysia; mv maldives; ml mali; mt malta; mh marshall-islands; mr mauritania; mu mauritius; mx mexico; fm micronesia;
md moldova; md moldova-republic-of; md republic-of-moldova; mc monaco; mn mongolia; me montenegro; ma morocco; mz mozambique;
mm myanmar; na namibia; nr nauru; np nepal; nl netherlands; nl the-netherlands; nc new-caledonia; nz new-zealand; ni nicaragua;
ne niger; ng nigeria; kp north-korea; mk north-macedonia; no norway; om oman; pk pakistan; pw palau; ps palestine;
ps state-of-palestine; pa panama; pg papua-new-guinea; py paraguay; pe peru; ph philippines; pl poland; pt portugal; pr puerto-rico;
qa qatar; ro romania; ru russia; ru russian-federation; rw rwanda; kn saint-kitts-and-nevis; lc saint-lucia;
vc saint-vincent-and-the-grenadines; ws samoa; sm san-marino; st sao-tome-and-principe; sa saudi-arabia; sn senegal; rs serbia;
sc seychelles; sl sierra-leone; sg singapore; sk slovakia; si slovenia; sb solomon-islands; so somalia; za south-africa;
kr south-korea; kr korea-republic-of; kp korea-democratic-people-s-republic-of; ss south-sudan; es spain; lk sri-lanka; sd sudan;
sr suriname; se sweden; ch switzerland; sy syria; sy syrian-arab-republic; tw taiwan; tj tajikistan; tz tanzania; th thailand;
tl timor-leste; tg togo; to tonga; tt trinidad-and-tobago; tn tunisia; tr turkey; tr turkiye; tm turkmenistan; tv tuvalu; ug uganda;
ua ukraine; ae united-arab-emirates; gb united-kingdom; gb great-britain; us united-states; us united-states-of-america; us usa;
uy uruguay; uz uzbekistan; vu vanuatu; va vatican-city; ve venezuela; vn vietnam; vn viet-nam; ye yemen; zm zambia; zw zimbabwe
"""
_BY_NAME: Final = {
    name: code.upper() for code, name in (entry.split() for entry in _CODES.replace("\n", " ").split(";"))
}


def country_of(text: str) -> str | None:
    """The two-letter code that a text is, or of the country that it names; None for other text."""
    word = text.strip()
    if len(word) == 2:
        return word.upper() if word.isascii() and word.isalpha() else None
    return _BY_NAME.get(slug(word)) if word else None
