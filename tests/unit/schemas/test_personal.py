"""The detector of personal data: what is certain, what is for a person to judge, and what is neither."""

from __future__ import annotations

import pytest

from schemas import personal

CERTAIN = {
    "an IBAN": "GB82WEST12345698765432",
    "an IBAN in groups": "DE89 3704 0044 0532 0130 00",
    "a Swedish number": "811228-9874",
    "a Danish number": "070761-4285",
    "a Finnish number": "131052-308T",
    "a Polish number": "44051401359",
    "an Estonian number": "37605030299",
    "a Belgian number": "85.07.30-033.28",
    "a Spanish number": "12345678Z",
    "an Italian code": "RSSMRA85T10A562S",
    "a person's mailbox": "maria.ejemplo@mail.example",
    "a mailbox at a free provider": "mexemplo77@gmail.com",
}
NOT_CERTAIN = {
    "an IBAN with another digit": "GB82WEST12345698765433",
    "a number of a place": "0117-2",
    "a date": "2027-05-23",
    "a thousand": "1 250 000 ISK",
    "a case": "7 Js 88/26",
    "a digest": "4b2277a9f3d0185e6c79b04d1e8f23a5",
    "an office's mailbox": "press.office@elections.example",
    "a newsletter's mailbox": "noreply@support-desk.example",
    "an officer by role": "dpo@municipality.example",
}
LIKELY = {
    "a telephone number": "Call her at +99 555 123 4567.",
    "a plate": "a grey car, plate XA-BX 4471",
    "a name with an address": "printed by Maria Ejemplo, Lime Street 14, Lower Village",
    "health": "she was treated for depression in May",
    "belief": "Maria Ejemplo, donor and member of the Garden Party",
}
NOT_LIKELY = {
    "a hotline": "free of charge by telephone 0800 000 000",
    "a school": "Voting is in the Maria Ejemplo School, Lime Street 14.",
    "a candidate": "Number 5 on the list of the Garden Party, Ms Ilse Beispiel",
    "a sum": "1 250 000 ISK; 310 000 views",
}


@pytest.mark.parametrize("text", CERTAIN.values(), ids=CERTAIN)
def test_what_is_certain_is_found_within_a_sentence(text: str) -> None:
    """Check digits, or the spelling of a mailbox, tell."""
    assert [found.text for found in personal.certain(f"It is {text}, they say.")]


@pytest.mark.parametrize("text", NOT_CERTAIN.values(), ids=NOT_CERTAIN)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    """No false alarm at readers."""
    assert not list(personal.certain(f"It is {text}, they say."))


@pytest.mark.parametrize("text", LIKELY.values(), ids=LIKELY)
def test_what_is_likely_is_for_a_person_to_judge(text: str) -> None:
    """It stops at publishing."""
    assert list(personal.likely(text))


@pytest.mark.parametrize("text", NOT_LIKELY.values(), ids=NOT_LIKELY)
def test_what_is_public_is_not_stopped(text: str) -> None:
    """Role lines, places named after persons, candidates, figures."""
    assert not list(personal.likely(text))
