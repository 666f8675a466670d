"""Terms whose translation is settled, and those that are not translated at all: a YAML file, or part of a script's.

keep: [Portrayal, Maya Okafor]
terms:
  night shift: {de: Nachtschicht, es: turno de noche}
"""

from pathlib import Path

from media.dialogue import Glossary, language_tag, tidy
from media.errors import InputError
from media.plain_yaml import Node, read_plain_yaml
from media.textfile import read_text


def read_glossary(path: Path) -> Glossary:
    """The glossary in a YAML file.

    Raises:
        InputError: it cannot be read as one; the message names file and line.
    """
    return glossary_of(read_plain_yaml(read_text(path), str(path)), str(path))


def glossary_of(node: Node, name: str) -> Glossary:
    """The glossary in a YAML mapping with the keys `keep` and `terms`.

    Raises:
        InputError: it is something else; the message names the line.
    """
    if node.value == "":
        return Glossary()
    if not isinstance(node.value, dict) or not set(node.value) <= {"keep", "terms"}:
        raise InputError(f"{name}:{node.line}: a glossary has the keys 'keep' (a list) and 'terms' (a mapping) only.")
    kept = node.value.get("keep", Node(node.line, []))
    if not isinstance(kept.value, list):
        raise InputError(f"{name}:{kept.line}: 'keep' must be a list of terms, such as '[Portrayal, Maya Okafor]'.")
    terms = node.value.get("terms", Node(node.line, {}))
    if not isinstance(terms.value, dict):
        raise InputError(
            f"{name}:{terms.line}: 'terms' must map terms to translations, such as 'night: {{de: Nacht}}'."
        )
    return Glossary(
        tuple(dict.fromkeys(_term(one.value, one.line, name) for one in kept.value)),
        {_term(term, names.line, name): _names(term, names, name) for term, names in terms.value.items()},
    )


def _names(term: str, node: Node, name: str) -> dict[str, str]:
    if not isinstance(node.value, dict) or not node.value:
        raise InputError(
            f"{name}:{node.line}: '{tidy(term)[:40]}' needs a translation, such as '{{de: Nachtschicht}}'."
        )
    names: dict[str, str] = {}
    for written, translation in node.value.items():
        tag = language_tag(tidy(written), f"{name}:{translation.line}")
        if tag in names:
            raise InputError(f"{name}:{translation.line}: '{tidy(term)[:40]}' is there twice in '{tag}'; keep one.")
        names[tag] = _term(translation.value, translation.line, name)
    return names


def _term(value: object, line: int, name: str) -> str:
    term = tidy(value) if isinstance(value, str) else ""
    if not term or len(term) > 200:
        raise InputError(f"{name}:{line}: a term is a text of 1 to 200 characters; correct the line.")
    return term
