"""YAML read as plain strings, lists and mappings with line numbers.

Nothing is ever guessed (`no` stays the text `no`, the tag of Norwegian), nothing is constructed, and what can make a
small file huge (aliases, depth) is refused, so that a file from anybody is safe to read.
"""

from dataclasses import dataclass

import yaml

from media.errors import InputError
from media.textfile import check_text

MAX_DEPTH = 8
_Parser = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line on which it begins. A mapping's keys are strings, in the order of the file."""

    line: int
    value: "str | list[Node] | dict[str, Node]"


def read_plain_yaml(text: str, name: str) -> Node:
    """The one document in `text`; an empty file is the empty string.

    Raises:
        InputError: it is not YAML, has several documents, aliases, a key twice, or is nested deeper than 8 levels.
    """
    check_text(text, name)
    root: Node | None = None
    open_nodes: list[tuple[Node, str | None]] = []  # each with the key that waits for its value
    try:
        for event in yaml.parse(text, Loader=_Parser):
            line = event.start_mark.line + 1 if event.start_mark else 1
            where = f"{name}:{line}"
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f"{where}: aliases (*{event.anchor}) are not read; write the value out.")
            if isinstance(event, yaml.CollectionEndEvent):
                open_nodes.pop()
                continue
            if isinstance(event, yaml.ScalarEvent):
                node = Node(line, event.value)
            elif isinstance(event, yaml.CollectionStartEvent):
                node = Node(line, [] if isinstance(event, yaml.SequenceStartEvent) else {})
            else:
                continue
            if not open_nodes:
                if root is not None:
                    raise InputError(f"{where}: the file holds several YAML documents; keep one a file.")
                root = node
            else:
                open_nodes[-1] = _placed(node, *open_nodes[-1], where)
            if not isinstance(node.value, str):
                if len(open_nodes) == MAX_DEPTH:
                    raise InputError(f"{where}: this is nested too deeply; see the format's description.")
                open_nodes.append((node, None))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.line + 1 if mark else 1
        what = error.problem or error.context or "it cannot be parsed"
        raise InputError(f"{name}:{at}: this is not YAML ({what}); correct the line.") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        raise InputError(f"{name}:{line}: a character is not allowed in YAML; remove it.") from None
    return root or Node(1, "")


def _placed(node: Node, parent: Node, key: str | None, where: str) -> tuple[Node, str | None]:
    """Adds `node` to its parent; returns the parent and the key that now waits for a value."""
    if isinstance(parent.value, list):
        parent.value.append(node)
        return parent, None
    assert isinstance(parent.value, dict)
    if key is not None:
        parent.value[key] = node
        return parent, None
    if not isinstance(node.value, str):
        raise InputError(f"{where}: a key must be a plain word; correct the line.")
    if node.value in parent.value:
        raise InputError(f"{where}: '{node.value[:60]}' is there twice; keep one of them.")
    return parent, node.value
