"""Disclosure and provenance: the tags of a finished video, and the record of how it was made.

The machine-readable sign that a video is AI-generated is IPTC's digital source type, in an XMP packet inside the MP4
(where image and video platforms look for it); what people read is in the ordinary `title` and `comment` tags.
"""

import json
import struct
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import langcodes

from media import results
from media.errors import InputError

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC: media created by a trained algorithm. https://cv.iptc.org/newscodes/digitalsourcetype/"""

DISCLOSURE = "AI-generated: the people in this video are animated by Portrayal from portraits and speech."

# The tags that MP4 players know; everything else goes into the XMP packet.
_PLAYERS_TAGS = ("title", "comment", "description", "copyright")
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # ISO 16684-3
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OURS = "urn:portrayal:xmp:1"


def video_metadata(
    title: str, language: str, production: str, *, comment: str = DISCLOSURE, **further: str
) -> dict[str, str]:
    """The tags of one finished video.

    Args:
        title: what the video is called.
        language: BCP 47 tag of what is spoken.
        production: id of the production, to find its record again.
        comment: the disclosure in words; it must begin with "AI-generated".
        further: more tags, as they are.
    """
    if not comment.startswith("AI-generated"):
        raise ValueError("the comment of a video must begin with 'AI-generated'")
    return {
        **further,
        "title": title,
        "language": language,
        "comment": comment,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "software": f"portrayal {version('portrayal')}",
        "production": production,
    }


def file_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """The part of the tags that an MP4 container holds itself; the language as ISO 639-2."""
    tags = {name: metadata[name] for name in _PLAYERS_TAGS if metadata.get(name)}
    if language := metadata.get("language"):
        try:
            tags["language"] = langcodes.get(language).to_alpha3(variant="B")
        except (LookupError, ValueError):
            tags["language"] = "und"
    return tags


def embed(path: Path, metadata: Mapping[str, str]) -> None:
    """Append all tags to an MP4 file as an XMP packet; players skip what they do not know.

    Raises:
        ValueError: a tag's name is not one word of ASCII letters, digits and underscores.
    """
    if odd := [name for name in metadata if not name.isidentifier() or not name.isascii()]:
        raise ValueError(f"names of tags are letters, digits and underscores, not {odd[0]!r}")
    attributes = " ".join(
        f"p:{name}={_attribute(value)}" for name, value in sorted(metadata.items()) if name != "digital_source_type"
    )
    source_type = metadata.get("digital_source_type")
    if source_type:
        attributes += f" e:DigitalSourceType={_attribute(source_type)}"
    packet = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<r:RDF xmlns:r="{_RDF}"><r:Description r:about="" xmlns:e="{_IPTC}" xmlns:p="{_OURS}" {attributes}/>'
        '</r:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()
    with path.open("ab") as file:
        file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", _XMP_BOX) + packet)


def read_metadata(path: Path) -> dict[str, str]:
    """The tags of a finished video, from its XMP packet; empty if it has none.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            at = 0
            while at + 24 <= end:
                file.seek(at)
                size, kind = struct.unpack(">I4s", file.read(8))
                header = 8
                if size == 1:
                    size, header = struct.unpack(">Q", file.read(8))[0], 16
                if kind == b"uuid" and file.read(16) == _XMP_BOX:
                    return _parsed(file.read(size - header - 16))
                at += size if size >= header else end
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    return {}


def _attribute(value: str) -> str:
    # XML has no control characters, and turns line ends in attributes into spaces.
    return quoteattr("".join(c if c.isprintable() or ord(c) > 0x9F else " " for c in value))


def _parsed(packet: bytes) -> dict[str, str]:
    begin, end = packet.find(b"<x:xmpmeta"), packet.find(b"</x:xmpmeta>")
    description = ElementTree.fromstring(packet[begin : end + 12]).find(f".//{{{_RDF}}}Description")
    if description is None:
        return {}
    tags = {name.removeprefix(f"{{{_OURS}}}"): value for name, value in description.items() if _OURS in name}
    if source_type := description.get(f"{{{_IPTC}}}DigitalSourceType"):
        tags["digital_source_type"] = source_type
    return tags


def write_record(out: str, name: str, record: Mapping[str, Any]) -> None:
    """Write a record into a result folder as readable JSON, whole or not at all.

    Raises:
        InputError: the file cannot be written.
        StorageError: the folder is full, or does not answer.
    """
    text = json.dumps(record, ensure_ascii=False, indent=2, default=str)
    with results.writing(out, name) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def production_record(
    *,
    production: str,
    source: str,
    portraits: list[dict[str, Any]],
    engines: Mapping[str, str],
    renditions: list[dict[str, Any]],
    **further: Any,
) -> dict[str, Any]:
    """How a production was made: what it used, with which rights, and what came out of it.

    Args:
        production: its id.
        source: the script or recording.
        portraits: per speaker: slug, why it was cast, licence, consent.
        engines: kind of work -> engine and version.
        renditions: per language: files, segments with keys and figures.
        further: more entries, as they are; they come last.
    """
    return {
        "production": production,
        "source": source,
        "disclosure": {"text": DISCLOSURE, "digital_source_type": DIGITAL_SOURCE_TYPE},
        "software": {"portrayal": version("portrayal")},
        "engines": dict(engines),
        "portraits": portraits,
        "renditions": renditions,
        **further,
    }
