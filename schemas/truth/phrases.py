"""Phrases with the meaning of a field, or its opposite, in a few languages. Only for doubts."""

from __future__ import annotations

import re


def any_of(phrases: str) -> re.Pattern[str]:
    """A pattern that matches phrases at the beginning of words. Phrases are separated by white space; _ is a space inside one."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases.split()).replace('_', ' ')})", re.IGNORECASE)


NEGATED = any_of(
    r"""
    not?\b never\b none\b without\b nobody\b no_longer\b isn['’]t\b was_?n['’]t\b nicht\b kein\w* ohne\b pas\b
    aucun\w* sans\b ne\b n['’] non\b nessun\w* senza\b sin\b ning[uú]n\w* niet\b geen\b nie\b bez\b inte\b ingen\b
    ikke\b false(?:ly)?\b rumou?r\w* alleged\w* claim\w* wrong\w* fake\b hoax\b acquit\w* lifted\b withdrawn?\b
    withdraws?\b revoked?\b instead\b correct(?:ion|ed|s)\b appeals?\b nothing\b genuine\b authentic\b request\w* former\w*
    """
)
"""Words that negate the text beside them, or mark it as the words of others."""
NO_EXERCISE = any_of(
    r"""
    (?:this_is_|is_|and_|it_is_)?not_(?:an?_|just_an?_|part_of_an?_)?(?:exercise|drill|simulation|test)\b
    (?:this_is_)?no_(?:exercise|drill)\b this_is_(?:real|no_joke|in_earnest)\b
    (?:dies_ist_|das_ist_)?(?:keine|nicht_eine)_Übung\b (?:ceci_n['’]est|ce_n['’]est)_pas_un_exercice\b
    (?:esto_)?no_es_un_(?:ejercicio|simulacro)\b (?:questa_)?non_è_un['’]?_?esercitazione\b
    to_nie_(?:są_|jest_)?ćwiczeni\w+ dit_is_geen_oefening\b
    """
)
OFF = any_of(
    r"""
    call(?:ed|s|ing)?_off\b cancel\w* postpon\w* put_off\b not_(?:be_)?(?:held|take_place)\b no_vot(?:e|ing)\b
    annul\w* suspend\w* does_not_take_place\b will_not\b delayed\b moved\b repeat\w* re-?run\b
    struck_(?:out|down)\b withdrawn?\b stopped\b void\b new_(?:date|day)\b later\b invalid\w* quash\w* dropped\b
    no_longer\b abgesagt\w* findet_nicht finden_nicht entfällt\b verschoben\w* verlegt\b wiederhol\w*
    aufgehoben\w* ungültig\w* neuer?_(?:termin|tag|wahl\w*) report[ée]e?s?\b annulée?s?\b reportad\w*
    n['’]aura_pas_lieu aplaz\w* suspend\w* no_se_celebra\w* anulad\w* rinvi\w* annullat\w* uitgesteld\w*
    afgelast\w* gaat_niet_door gaan_niet_door odwołan\w* przełożon\w* unieważnion\w* nie_odbęd\w* powtórzon\w*
    αναβ\w* αναβάλ\w* μαται\w* ακυρ\w* δεν_(?:θα_)?\w+ επαναλ\w* inställ\w* uppskjut\w* aflys\w* udskudt\w*
    avlyst\w* utsatt\w* peru\w* siirre\w* zrušen\w* odložen\w* elhalaszt\w* elmarad\w* törölt\w* anulat\w*
    amânat\w* отмен\w* отлож\w* odgođen\w* poništen\w* cancelad\w* adiad\w* fällt_aus tühista\w* atcel\w*
    atšauk\w*
    """
)
"""Phrases for a vote that is not held, or on another day, in the languages of the Union."""
CALENDAR_OFF = any_of(
    r"""
    (?:election|vote|voting|polling|referendum|ballot|poll)s?(?:_of_[^.]{0,40})?_(?:(?:is|are|was|were|ha(?:s|ve)_been)_)?(?:called_off|cancel\w*|postponed|put_off|annulled)
    (?:wahl(?:en)?|abstimmung)_(?:\w+_){0,4}(?:abgesagt|verschoben)
    (?:élections?|scrutin|référendum)_(?:\w+_){0,4}(?:annulée?s?|reportée?s?)
    """
)
LISTED = any_of(
    r"""
    (?:is_|are_|was_|were_|newly_)?listed\b added_to_the_list\b sanctioned\b freeze_at_once\b gelistet\b
    inscrits?\b
    """
)
OUT = any_of(
    r"""
    delist\w* removed_from_the_(?:sanctions_)?list\b taken_off_the_list\b annul\w* struck_off\b
    """
)
GUILTY = any_of(
    r"""
    convicted\b found_guilty\b is_guilty\b sentenced\b condamnée?s?\b verurteilt\w* jailed\b
    """
)
FREE = any_of(
    r"""
    acquitted\b found_innocent\b freigesprochen\w* acquittée?s?\b relaxée?s?\b
    """
)
UPDATE = any_of(
    r"""
    install\b update_to\b upgrade\b patch_(?:now|at_once|today|immediately)\b apply_the_(?:patch|update)\b
    change_the_(?:\w+_)?password\b switch_(?:it_)?off\b
    """
)
BROKEN = any_of(
    r"""
    anybody_may\b anyone_(?:may|can)\b vulnerable\b lets_(?:strangers|anybody|attackers)\b under_attack\b
    exploited\b
    """
)
USED = any_of(
    r"""
    (?:being_|is_|actively_|was_|already_)?exploited\b in_the_wild\b under_active_attack\b wird_ausgenutzt\b
    used_by_attackers\b
    """
)
UNUSED = any_of(
    r"""
    not_(?:yet_|known_to_be_)?(?:being_)?exploited\b no_(?:known_)?exploitation\b
    nobody_(?:has_)?(?:used|exploited)\b never_exploited\b
    """
)
UNFIXED = any_of(
    r"""
    no_(?:fix|patch|update|remedy)\b unpatched\b (?:fix|patch|update)_is_(?:still_)?(?:awaited|missing|expected)\b
    """
)
FINED = any_of(
    r"""
    (?:is_|was_)?fined\b fine_of\b Geldbuße\b amende_de\b
    """
)
CLEARED = any_of(
    r"""
    no_infringement\b nothing_found\b (?:closed|ended|ends)_without\b in_order\b(?!_(?:to|that))
    """
)
INFRINGED = any_of(
    r"""
    infring\w* without_(?:a_|an_|any_)?(?:label|transparency_notice|notice)\b broke\b breach(?:ed|es)\b
    unlawful\w* verstoß\w* illegal\w*
    """
)
LONGER = any_of(
    r"""
    (?:polls?|polling(?:_hours)?|voting(?:_hours)?|vote)_(?:(?:is|are|was|were)_)?(?:prolonged|extended|postponed|stopped|suspended|closed_early|delayed|interrupted)\b
    verlängert\b unterbrochen\b prolongée?\b
    """
)
SEEN_NOT = any_of(
    r"""
    no_(?:hit|sighting|match|trace)s?\b nothing_(?:was_)?(?:seen|found)\b not_seen\b
    kein(?:e)?_(?:Treffer|Sichtung)\w*
    """
)
SEEN = any_of(
    r"""
    seen\b (?:[1-9]\d*|one|two|three|several|many)_(?:hit|sighting|match)e?s?\b sighted\b observed\b gesehen\b vues?\b
    """
)
HIGH = any_of(
    r"""
    high_risk\b hohe[sm]?_Risiko\b risque_élevé\b
    """
)
MADE = any_of(
    r"""
    deep-?fakes?\b cloned_voices?\b synthetic_(?:voice|video|image|audio)s?\b AI[-_]generated\b voice_clone\w*
    """
)
WEIGHTY = any_of(
    r"""
    significant_incident\b erheblicher_(?:Sicherheits)?vorfall\b incident_important\b
    """
)
STANDS = any_of(
    r"""
    must_(?:be_)?(?:remove|removed|taken_down)\b (?:is|are)_to_be_(?:removed|blocked)\b orders_the\b ordered_to\b
    """
)
UNDONE = any_of(
    r"""
    nothing_(?:was_|has_been_)?done\b (?:we_)?did_nothing\b no_action\b not_acted\b nichts_(?:getan|unternommen)\b
    """
)
QUIET = any_of(
    r"""
    nothing_happened\b all_(?:is_)?quiet\b no_threat_at_all\b no_danger\b harmless\b nothing_to_report\b
    no_incidents?_at_all\b alles_ruhig\b rien_à_signaler\b
    """
)
