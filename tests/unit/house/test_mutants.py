"""How surviving mutants are known again, and that the list of the accepted ones fits the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutants import ACCEPTED, ROOT, Change, change_of, function_of, read_accepted, read_results

NAMES = {
    "bus.admission.chain.x_judge_link__mutmut_15": "bus.admission.chain.judge_link",
    "bus.admission.contradiction.x__side__mutmut_5": "bus.admission.contradiction._side",
    "bus.trust.registry.x\u01c1VerifiedRegistry\u01c1open__mutmut_1": "bus.trust.registry.VerifiedRegistry.open",
    "bus.trust.registry.x\u01c1VerifiedRegistry\u01c1__init____mutmut_2": "bus.trust.registry.VerifiedRegistry.__init__",
}


@pytest.mark.parametrize("mutant", NAMES)
def test_a_mutant_is_of_a_function_by_its_own_name(mutant: str) -> None:
    """Mutmut's prefix and number are gone; private and special names keep their underscores."""
    assert function_of(mutant) == NAMES[mutant]


DIFF = """# bus.admission.chain.x_judge_link__mutmut_15: survived
--- bus/admission/chain.py
+++ bus/admission/chain.py
@@ -20,3 +20,3 @@
     if held.head_seq is None:
-    if link.seq < held.head_seq:
+    if link.seq <= held.head_seq:
         return Outcome.FILLS
"""


def test_a_mutant_is_known_by_the_lines_it_changes() -> None:
    """Not by its number, which moves when something is written above it."""
    lines = ("- if link.seq < held.head_seq:", "+ if link.seq <= held.head_seq:")
    for number in (15, 16):
        name = f"bus.admission.chain.x_judge_link__mutmut_{number}"
        assert change_of(name, DIFF) == Change("bus.admission.chain.judge_link", lines)


def test_what_is_printed_can_be_listed() -> None:
    """A survivor as it is printed, with a reason below, reads back as the same change."""
    change = change_of("bus.admission.chain.x_judge_link__mutmut_15", DIFF)
    assert read_accepted(f"# a heading\n\n{change}\n# equal\n# in effect\n") == {change: "equal in effect"}


def test_a_survivor_without_a_reason_is_not_accepted() -> None:
    """The list says why, or it says nothing."""
    with pytest.raises(ValueError, match="no reason"):
        read_accepted("bus.admission.chain.judge_link\n- a\n+ b\n")


def test_results_are_gathered_from_every_file(tmp_path: Path) -> None:
    """One mutant each, with the exit code of its tests; None where they did not run."""
    for name, codes in (("a", {"m.x_f__mutmut_1": 1}), ("b/c", {"m.x_g__mutmut_1": None})):
        path = tmp_path / f"{name}.py.meta"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"exit_code_by_key": codes}))
    assert read_results(tmp_path) == {"m.x_f__mutmut_1": 1, "m.x_g__mutmut_1": None}


def test_every_accepted_mutation_is_of_a_line_that_stands() -> None:
    """So that nothing is accepted in advance: what a mutation takes away is in the file of its function."""
    for change in read_accepted(ACCEPTED.read_text("utf-8")):
        path = next(
            path
            for length in range(change.function.count("."), 0, -1)
            if (path := ROOT.joinpath(*change.function.split(".")[:length]).with_suffix(".py")).is_file()
        )
        source = {line.strip() for line in path.read_text("utf-8").splitlines()}
        taken = [line[2:] for line in change.lines if line.startswith("- ")]
        assert taken
        assert set(taken) <= source, change
