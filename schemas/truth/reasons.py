"""Reasons: finds texts without content where the law or a reader needs one."""

from __future__ import annotations

import re

_LONG = 240
_WORDS = r"""
    n\W{0,2}a not_(?:applicable|available|specified|provided) none nil null nothing no yes ok(?:ay)?
    no_(?:reasons?|comments?|explanations?|details?|information|description)(?:_(?:given|available|provided|needed))?
    (?:please_)?(?:see|as|cf\.?|refer_to)(?:_the)?_(?:above|below|attach\w*|annex|headline|title|summary|subject|email|mail|link|url|usual|discussed|agreed|before)
    idem ditto same(?:_as_(?:above|before))? t\.?b\.?[dcas]
    to_be_(?:done|defined|determined|added|completed|written|confirmed|announced) (?:will|to)_follow later todo
    fixme x{2,} y{3,} z{3,} abc(?:def)? asdf\w* qwert\w* foo foo_?bar bar blah?(?:_blah?){0,5}
    test(?:\W{0,3}test){0,5} lorem_ipsum[^.]{0,200} because various obvious(?:ly)? evident(?:ly)?
    self[-_]explanatory illegal(?:_content)? it_is_illegal text string explanation reasons? description question
    siehe_(?:oben|unten|anhang|anlage|betreff|tite[l]) s\.\W?o\.? wie_(?:oben|besprochen|üblich)
    keine?(?:_(?:angaben?|begründung))? k\.\W?a\.? entfällt folgt nichts
    voir_(?:ci[-_]dessus|plus_haut|annexe|titre) néant sans_objet aucune? rien idem véase_(?:arriba|anexo) ninguno
    ninguna nada vedi_(?:sopra|allegato) nessuno nessuna niente zie_(?:boven|bijlage) geen niets n\.?v\.?t\.?
    (?:jak|patrz)_wyżej brak nie_dotyczy se_ovan ingen inga ei_ole viz_výše lásd_fent vezi_mai_sus όπως_παραπάνω
    καμία
"""
"""Texts without content, separated by white space; _ is a space inside one."""
_OF_NOTHING = re.compile(rf"\W*(?:{'|'.join(_WORDS.split()).replace('_', ' ')})\W*", re.IGNORECASE)


def is_of_nothing(text: str) -> bool:
    """Whether a text has no content: `n/a`, `see above`, `test test`. R60 checks blank texts."""
    return len(text) <= _LONG and _OF_NOTHING.fullmatch(text) is not None
