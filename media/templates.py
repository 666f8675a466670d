"""Scripts with blanks: `{first_name}` in a title or a turn, filled in from a row of a campaign.

Blanks are filled after the script was parsed, and only once, so a value can neither add a turn nor hold blanks itself.
`{{` and `}}` are braces that are meant as such.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from media.dialogue import Script
from media.errors import InputError

_BLANK = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")


def blanks(script: Script) -> tuple[str, ...]:
    """Names of the variables that a script asks for, in the order in which they are first asked for."""
    return tuple(dict.fromkeys(name for text in _texts(script) for name in _BLANK.findall(text) if name))


def is_template(script: Script) -> bool:
    """Whether filling in would change anything."""
    return any(_BLANK.search(text) for text in _texts(script))


def fill(script: Script, values: Mapping[str, str], name: str) -> Script:
    """The script with its blanks filled in, in every language. Values that it does not ask for are ignored.

    Args:
        name: what the error calls the script.

    Raises:
        InputError: a value is missing.
    """
    missing = [one for one in blanks(script) if one not in values]
    if missing:
        listed = ", ".join("{" + one + "}" for one in missing)
        given = f" (it gives {', '.join(values)})" if values else ""
        raise InputError(
            f"{name} asks for {listed}, which the row does not give{given}; add it, or write {{{{...}}}} for braces."
        )

    def filled(text: str) -> str:
        return _BLANK.sub(lambda found: values[found[1]] if found[1] else found[0][0], text)

    dialogues = {
        tag: dialogue.with_turns(replace(turn, text=filled(turn.text)) for turn in dialogue.turns)
        for tag, dialogue in script.dialogues.items()
    }
    return replace(script, title=filled(script.title), dialogues=dialogues)


def _texts(script: Script) -> list[str]:
    return [script.title, *(turn.text for one in script.dialogues.values() for turn in one.turns)]
