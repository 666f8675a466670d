"""XLIFF 2.1 (OASIS), as translation tools read and write it: one file, one unit a turn, one segment a unit.

The length limit is in the size restriction module, speaker and surroundings are notes. Whatever XML cannot hold is
written as `<cp hex="..."/>`, so that every text comes back as it was.
"""

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from media.dialogue import language_tag
from media.errors import InputError
from media.localization import Unit
from media.textfile import check_text

CORE = "urn:oasis:names:tc:xliff:document:2.0"
_SIZES = "urn:oasis:names:tc:xliff:sizerestriction:2.0"
_NOTES = ("speaker", "direction", "before", "after")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_xliff(units: Sequence[Unit], source: str, target: str, original: str) -> str:
    """A document with `units` from language `source` into `target`; `original` is the source file's name."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<xliff xmlns="{CORE}" xmlns:slr="{_SIZES}" version="2.1" srcLang={quoteattr(source)} trgLang={quoteattr(target)}>',
        f'  <file id="f1" original={quoteattr(_NOT_IN_XML.sub("", original))}>',
        '    <slr:profiles generalProfile="xliff:codepoints"/>',
    ]
    for unit in units:
        limit = "" if unit.limit is None else f' slr:sizeRestriction="{unit.limit}"'
        lines.append(f"    <unit id={quoteattr(unit.id)}{limit}>")
        notes = [(category, _NOT_IN_XML.sub("", getattr(unit, category))) for category in _NOTES]
        written = [f'        <note category="{name}">{escape(text)}</note>' for name, text in notes if text]
        if written:
            lines += ["      <notes>", *written, "      </notes>"]
        lines.append(f'      <segment state="{"translated" if unit.target else "initial"}">')
        lines.append(f'        <source xml:space="preserve">{_content(unit.source)}</source>')
        if unit.target:
            lines.append(f'        <target xml:space="preserve">{_content(unit.target)}</target>')
        lines += ["      </segment>", "    </unit>"]
    return "\n".join([*lines, "  </file>", "</xliff>", ""])


def read_xliff(text: str, name: str) -> tuple[str, str, tuple[Unit, ...]]:
    """Source language, target language and units of a document; a unit's segments are joined.

    Inline marks of translation tools are passed over, and their content kept.

    Raises:
        InputError: it is not XLIFF 2, or has a document type; the message names the line where it is known.
    """
    check_text(text, name)
    try:
        root = ElementTree.fromstring(text.encode(), ElementTree.XMLParser(target=_Builder(name)))
    except ElementTree.ParseError as error:
        raise InputError(f"{name}:{error.position[0]}: this is not XML; save the file as XLIFF 2.1.") from None
    if root.tag != f"{{{CORE}}}xliff":
        version = root.get("version", "?")
        raise InputError(
            f"{name}:1: this is {root.tag.rpartition('}')[2][:40]} {version[:8]}; save the file as XLIFF 2.1."
        )
    languages = [language_tag(root.get(key, "").strip(), f"{name}: {key}") for key in ("srcLang", "trgLang")]
    return languages[0], languages[1], tuple(_unit(one) for one in root.iter(f"{{{CORE}}}unit"))


class _Builder(ElementTree.TreeBuilder):
    """Refuses document types: they are in no XLIFF file, and entities can make a small file huge."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise InputError(f"{self._name}: document types are not read; remove '<!DOCTYPE'.")


def _unit(element: ElementTree.Element) -> Unit:
    notes = {one.get("category"): "".join(one.itertext()) for one in element.iter(f"{{{CORE}}}note")}
    source, target = (
        "".join(_text(part) for part in _parts(element, kind)) for kind in (f"{{{CORE}}}source", f"{{{CORE}}}target")
    )
    limit = element.get(f"{{{_SIZES}}}sizeRestriction", "").rpartition(",")[2]
    return Unit(
        id=element.get("id", ""),
        source=source,
        target=target,
        limit=int(limit) if re.fullmatch("[0-9]{1,6}", limit) else None,
        **{key: notes.get(key, "") for key in _NOTES},
    )


def _parts(unit: ElementTree.Element, kind: str) -> Iterator[ElementTree.Element]:
    """Sources or targets of a unit's segments, and of the white space between them, in order."""
    for part in unit:
        if part.tag == f"{{{CORE}}}segment":
            yield from part.findall(kind)
        elif part.tag == f"{{{CORE}}}ignorable":
            # What lies between sentences is in the target only where a tool has changed it.
            yield from part.findall(kind) or part.findall(f"{{{CORE}}}source")


def _text(element: ElementTree.Element) -> str:
    text = element.text or ""
    for part in element:
        if part.tag == f"{{{CORE}}}cp":
            text += _character(part.get("hex", ""))
        else:
            text += _text(part)
        text += part.tail or ""
    return text


def _character(code: str) -> str:
    number = int(code, 16) if re.fullmatch("[0-9A-Fa-f]{1,6}", code) else -1
    return chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else ""


def _content(text: str) -> str:
    written = escape(text, {"\r": "&#13;"})  # a bare one would be read as a line feed
    return _NOT_IN_XML.sub(lambda one: f'<cp hex="{ord(one[0]):04X}"/>', written)
