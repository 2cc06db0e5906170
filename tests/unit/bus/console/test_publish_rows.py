"""Rows of a draft in its page, without scripts: added, taken out, made of what was pasted; what is wrong stands beside them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

from bus import drafts
from bus.console.pages import draft_form
from bus.console.pages.draft_facts import facts_of
from schemas.codec import encode
from schemas.parts import Amount
from tests.support.consoles import HOSTILE, form_of
from tests.support.world import NOW
from tests.unit.bus.console.test_publish import office, written

ID = "0198c0de-0000-7000-8000-000000000001"
ROWS = {
    "observables.0.value": "https://evil.example/login", "observables.0.type": "url", "observables.0.personal": "none",
    "observables.1.value": "polls.example", "actions.0.text": "Block it.", "actions.0.kind": "block-indicator", "actions.0.to": "csirt",
    "references.0.id": ID, "references.0.rel": "same-incident", "info.0.lang": "et", "info.0.headline": "Ujutus", "info.0.summary": "Üks.",
}  # fmt: skip


def row(html: str, name: str) -> str:
    """The part of a page that is a row."""
    found = re.search(
        rf'<fieldset class="entry" data-row="{re.escape(name)}">.*?</fieldset>', html, re.DOTALL
    )
    assert found is not None, name
    return found[0]


async def test_rows_are_written_without_scripts(tmp_path: Path) -> None:
    """Each press gives the page with all that was typed; nothing is kept, and one goes on where one was."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        typed = {**written(headline="Half"), **ROWS}
        page = await mara.send("/publish/rows", add="observables", **typed)
        assert 'id="f-observables.2.value"' in page.text
        assert re.search(r'id="f-observables\.2\.value"[^>]* autofocus', page.text)
        assert 'value="https://evil.example/login"' in row(page.text, "observables.0.")
        assert '<option value="domain-name" selected>domain name</option>' not in row(
            page.text, "observables.1."
        )
        page = await mara.send("/publish/rows", remove="observables.0", **typed)
        assert 'data-row="observables.0."' not in page.text
        assert 'value="polls.example"' in row(page.text, "observables.1.")
        assert re.search(r'id="f-observables\.add"[^>]* autofocus', page.text)
        typed["observables.paste"] = "hxxp://a[.]example/x\r\n192[.]0[.]2[.]9"
        page = await mara.send("/publish/rows", paste="1", **typed)
        assert 'value="http://a.example/x"' in row(page.text, "observables.2.")
        assert '<option value="ipv4-addr" selected>IPv4 address</option>' in row(page.text, "observables.3.")
        full = {f"actions.{n}.text": "x" for n in range(30)}
        page = await mara.send("/publish/rows", add="actions", **{**typed, **full})
        assert "There is no room for a further row." in page.text
        assert (await mara.send("/publish/rows", add="facts", **typed)).status_code == 400
        # A thousand rows make a page of 7 MB in seconds, in which the console answers nobody.
        flood = {f"references.{n}.more": "x" for n in range(51)}
        assert (await mara.send("/publish/check", **{**written(), **flood})).status_code == 400
        assert (await mara.page("/publish"))["open"] == []


async def test_findings_stand_beside_their_row_with_and_without_scripts(tmp_path: Path) -> None:
    """The sentence of the rule, its number, and which field; empty rows shift nothing."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        typed = {**written(), **ROWS, "observables.0.value": "", "observables.0.type": "", "observables.0.personal": "",
                 "observables.1.value": "not an address", "observables.1.type": "ipv4-addr"}  # fmt: skip
        page = await mara.send("/publish/check", **typed)
        wrong = row(page.text, "observables.1.")
        assert "is not of type ipv4-addr" in wrong
        assert "R62" in wrong
        assert re.search(r'name="observables\.1\.value"[^>]* aria-invalid="true"', wrong)
        assert "aria-invalid" not in row(page.text, "actions.0.")
        folded = '<details class="panel folded"><summary><h2 id="law">'
        assert folded in page.text
        page = await mara.send("/publish/check", **{**typed, "actions.0.kind": "request-takedown-order"})
        assert folded.replace('folded"', 'folded" open') in page.text
        assert "R11" in page.text.partition('data-found="rights"')[2][:900]
        told = (await mara.send("/publish/check.json", **typed)).json()["said"]["findings"]
        assert ("observables.1.value", "R62") in {(each["field"], each["rule"]) for each in told}
        assert "personal_data" in {each["field"] for each in told}
        pasted = {**written(), "observables.paste": "strange thing"}
        (problem,) = (await mara.send("/publish/check.json", **pasted)).json()["problems"]
        assert problem["field"] == "observables.paste"


async def test_what_rows_say_is_saved_published_and_begun_anew(tmp_path: Path) -> None:
    """The bulletin has them; an update of it has the same rows."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        saved = await mara.send("/publish/save", n="0", base="0", **{**written(), **ROWS})
        n = int(saved.headers["location"].rpartition("/")[2])
        await jonas.approve(await mara.ask(n))
        assert (await mara.publish(n)).status_code == 303
        (said,) = await people.published()
        assert [(each.type, each.value) for each in said.observables] == [
            ("url", "https://evil.example/login"), ("domain-name", "polls.example"),
        ]  # fmt: skip
        assert [(each.kind, each.to) for each in said.actions] == [("block-indicator", ("csirt",))]
        assert [(each.id, each.rel) for each in said.references] == [(ID, "same-incident")]
        assert [info.lang for info in said.info] == ["en", "et"]
        fields = (await mara.page(f"/publish/{n}"))["fields"]
        assert {name: fields[name] for name in ROWS} == {**ROWS}


async def test_words_that_attack_in_rows_are_text(tmp_path: Path) -> None:
    """In each cell of each row and in what was pasted; the page has no script of theirs, and keeps them letter by letter."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        for text in HOSTILE:
            cells = dict.fromkeys(ROWS, text) | {
                "observables.0.note": text,
                "observables.0.more": text,
                "observables.paste": text,
            }
            page = await mara.send("/publish/check", **{**written(), **cells})
            assert page.status_code == 200
            assert "<script>window" not in page.text
            assert "<img src=x" not in page.text
            assert "onload=window.hit=1>" not in page.text.replace("&gt;", "")


async def test_limits_and_examples_are_those_of_the_reader(tmp_path: Path) -> None:
    """The limits on passing on are in the language of the page; the example of a time is tomorrow."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        mara.to.cookies.set("tocsin-language", "de")
        page = await mara.send("/publish/check", **written())
        assert "PAP:GREEN: Handeln und Sperren sind erlaubt" in page.text
        assert "you may act on it" not in page.text
        assert page.text.count("2027-05-24T18:00:00Z") >= 2


async def test_the_form_of_every_kind_has_its_facts(tmp_path: Path) -> None:
    """A field for each value and a button for each list, whatever stands in them; an empty text in TOML."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        form = form_of((await mara.to.get("/system")).text)
        for kind in drafts.DRAFTED:
            facts = facts_of(kind)
            cells = dict.fromkeys(facts.blank, HOSTILE[0])
            begun = [f"{table.name}.0.{table.cells[0].name}" for table in facts.tables]
            typed = {"form": form, "kind": kind, **cells, **dict.fromkeys(begun, HOSTILE[0])}
            page = await mara.to.post("/publish/check", data=typed)
            assert page.status_code == 200
            for name in (*cells, *begun, *(f"{table.name}.add" for table in facts.tables)):
                assert page.text.count(f'id="f-{name}"') == 1, name
            assert "<script>window" not in page.text


async def test_a_cyber_incident_is_written_without_toml_and_without_scripts(tmp_path: Path) -> None:
    """Boxes of one list are sent one by one; what is no number is told beside its field; the bulletin says it all, and so does its update."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        mara.to.headers["accept-language"] = "de"
        typed: dict[str, Any] = {
            **draft_form.begun("cyber-incident", "green/community"), "headline": "Portal down", "summary": "Since 18:40 UTC.",
            "facts.stage": "early-warning", "facts.classification": "availability:ddos", "facts.detected": "2027-05-23T17:40:00Z",
            "facts.significant": "yes", "facts.assets": ["results-portal", "emb-website"], "facts.users_affected": "many",
            "facts.countries": "XA, XB", "facts.loss": "1200 EUR", "n": "0", "base": "0",
            "handling.0.releasable_to": "XA, XB", "handling.0.notify_affected": "no", "ttps.0.framework": "attack-enterprise", "ttps.0.id": "T1498",
            "evidence.0.title": "Log", "evidence.0.sha256": "0" * 64, "evidence.0.media_type": "text/plain", "evidence.0.size": "5",
            "confidence.0.source": "B", "confidence.0.credibility": "2", "attribution.0.level": "confirmed", "attribution.0.by": "xa-csirt",
            "actors.0.name": "Night Owls", "actors.0.kind": "hacktivist", "actors.0.public_role": "1", "targets.0.kind": "results-portal",
            "legal.0.ref": "celex:32022L2555#23.4.a", "legal.0.role": "duty", "deadlines.0.clock": "nis2-early-warning",
            "deadlines.0.started": "2027-05-23T17:40:00Z",
            "observables.0.value": "192.0.2.41", "observables.0.platform": "portal",
            "links.0.from": "actors/0", "links.0.rel": "controls", "links.0.to": "observables/0",
            "places.0.scope": "region", "places.0.code": "XA1", "places.0.country": "XA",
            "co_issuers.0.id": "xa-emb", "labels": "rt:election", "onset": "2027-05-23T17:40:00Z",
            "personal_data.0.purpose": "Stop it", "personal_data.0.lawful_basis": "celex:32016R0679#6.1.e", "personal_data.0.retention_until": "2027-08-01",
        }  # fmt: skip
        page = await mara.send("/publish/save", **typed)
        assert "a whole number in digits" in page.text.partition('id="e-facts.users_affected"')[2][:300]
        typed["facts.users_affected"] = "1200"
        saved = await mara.send("/publish/save", **typed)
        n = int(saved.headers["location"].rpartition("/")[2])
        await jonas.approve(await mara.ask(n))
        assert (await mara.publish(n)).status_code == 303
        (said,) = await people.published()
        assert (said.body.assets, said.body.users_affected, said.body.countries) == (
            ("results-portal", "emb-website"), 1200, ("XA", "XB"),
        )  # fmt: skip
        assert (said.body.significant, said.body.loss) == (True, Amount(value="1200", currency="EUR"))
        assert (said.handling.releasable_to, said.handling.notify_affected) == (("XA", "XB"), False)
        assert [(each.framework, each.id) for each in said.ttps] == [("attack-enterprise", "T1498")]
        assert [(each.title, each.size) for each in said.evidence] == [("Log", 5)]
        assert said.attribution.actors[0].name == "Night Owls"
        assert said.deadlines[0].due == dt.datetime(2027, 5, 24, 17, 40, tzinfo=dt.UTC)
        assert [(each.id, each.kind) for each in said.co_issuers] == [("xa-emb", "emb")]
        assert [(each.from_, each.to) for each in said.links] == [("actors/0", "observables/0")]
        again = draft_form.of_draft(encode(drafts.updated(said, NOW)), "", {})
        assert (again["facts"], again["more"], again["msg_type"]) == ("", typed["more"], "update")
        for name, value in typed.items():
            if "." in name or name in ("labels", "onset"):
                assert again[name] == (", ".join(value) if isinstance(value, list) else value), name
