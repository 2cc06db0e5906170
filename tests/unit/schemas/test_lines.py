"""Lines of strategic communication in several languages: one spelling each, and every word is looked at."""

from __future__ import annotations

import pytest

from schemas import codec
from schemas.bodies.coordination import Line, StratCom, text_of
from schemas.errors import SchemaError
from schemas.remarks import remarks
from schemas.truth.wording import field_of, words
from tests.support.world import bulletin, draft, shared_world

SAID = StratCom(
    mode="reactive",
    lines=("The date is unchanged.", Line(lang="de", text="Der Tag der Wahl ist nicht geändert.")),
    expected_narratives=(Line(lang="fr", text="Le vote est reporté et les bureaux sont fermés."),),
    do_not_repeat=("the lighthouse story",),
)


def test_a_line_with_its_language_comes_back_as_it_was() -> None:
    """Beside lines without one."""
    made = bulletin(shared_world(), say=draft(body=SAID))
    assert codec.decode(codec.encode(made)).body == SAID
    assert [text_of(line) for line in SAID.lines] == [
        "The date is unchanged.",
        "Der Tag der Wahl ist nicht geändert.",
    ]


def test_a_line_in_no_language_is_a_plain_text() -> None:
    """There is no second way to write it."""
    made = codec.encode(bulletin(shared_world(), say=draft(body=SAID)))
    with pytest.raises(SchemaError):
        codec.decode(made.replace(b'"lang":"de",', b"", 1))


def test_words_of_every_line_are_looked_at() -> None:
    """And are known as those of their list."""
    found = dict(words(bulletin(shared_world(), say=draft(body=SAID))))
    assert found["$.body.lines[0]"] == "The date is unchanged."
    assert found["$.body.lines[1].text"].startswith("Der Tag")
    assert field_of("$.body.lines[1].text") == field_of("$.body.lines[0]") == "lines"


def test_a_line_that_reads_like_another_language_is_remarked() -> None:
    """As the words of `info` are."""
    wrong = StratCom(
        mode="reactive", lines=(Line(lang="de", text="The polls are open and the date is not changed."),)
    )
    assert [each.path for each in remarks(bulletin(shared_world(), say=draft(body=SAID)))] == []
    found = remarks(bulletin(shared_world(), say=draft(body=wrong)))
    assert [(each.rule, each.path) for each in found] == [("language", "$.body.lines[0].lang")]
