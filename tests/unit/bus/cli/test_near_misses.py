"""A word that is nearly right is answered with the right one."""

from __future__ import annotations

import pytest

from bus.cli.main import main

NEARLY = {
    "a command": (["publsh"], "did you mean 'publish'?"),
    "a verb": (["registry", "rotat"], "did you mean 'rotate'?"),
    "a kind": (["bulletin", "draft", "cyber-thret"], "did you mean 'cyber-threat'?"),
    "a word like none": (["registry", "qqq"], "there are: "),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


@pytest.mark.parametrize(("arguments", "words"), NEARLY.values(), ids=NEARLY)
def test_the_nearest_word_is_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, with exit code 2."""
    code, said = run(capsys, *arguments)
    assert (code, words in said, "Traceback" in said) == (2, True, False), said


def test_help_lists_the_commands_own_options_first(capsys: pytest.CaptureFixture[str]) -> None:
    """What every command takes comes after what this one is about."""
    code, text = run(capsys, "publish", "--help")
    assert code == 0
    assert text.index("--wait") < text.index("Shared options") < text.index("--context")
