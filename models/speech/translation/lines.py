"""Lines through any engine: terms are protected, what comes back is checked, and a damaged line is tried in parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import regex

from media.dialogue import Glossary, is_speakable
from media.phrases import unbroken
from models.speech.protocols import Line, Translator
from models.speech.translation.terms import MARK, pieces, protect, restore

_SENTENCE = regex.compile(
    r"""(?:[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+["'”’»」』）]*|[।॥؟۔]+(?=\s|$))\s*""",
    regex.VERSION1,
)
_INITIAL = regex.compile(r"(?:^|\s)(?:\p{Lu}|Dr|Mr|Mrs|Ms|Prof|St|No|vs|bzw|z\.\s?B|d\.\s?h|Sr|Sra|Nr)\.\s*$")

_Ask = Callable[[Sequence[Line]], Sequence[str | None]]


def sentences(text: str) -> list[str]:
    """The sentences of a text, without the white space between them. Initials and common short forms end none."""
    found: list[str] = []
    begin = 0
    for end in _SENTENCE.finditer(text):
        if not _INITIAL.search(text, begin, end.end()):
            found.append(text[begin : end.end()].strip())
            begin = end.end()
    found.append(text[begin:].strip())
    return [sentence for sentence in found if sentence]


def translate_lines(
    engine: Translator, lines: Sequence[Line], source: str, target: str, glossary: Glossary
) -> tuple[str | None, ...]:
    """One translation a line, with every protected term in its place; None where the engine cannot do it.

    A line that comes back empty or without its marks is asked for sentence by sentence, and a sentence that still does,
    piece by piece between its marks.

    Raises:
        TranslationError: the engine does not answer.
    """

    def ask(asked: Sequence[Line]) -> Sequence[str | None]:
        return engine.translate(asked, source, target)

    protected = [protect(line.text, glossary, target) for line in lines]
    marked = [replace(line, text=one.text, marks=one.marks) for line, one in zip(lines, protected, strict=True)]
    found = _checked(ask, marked)
    return tuple(
        text if text is not None else _by_sentences(ask, line) for text, line in zip(found, marked, strict=True)
    )


def _checked(ask: _Ask, lines: Sequence[Line]) -> list[str | None]:
    """What the engine says, without whatever was lost on the way. A line with nothing but marks needs no engine."""
    found: list[str | None] = [_nothing_else(line) for line in lines]
    wanted = [index for index, text in enumerate(found) if text is None]
    for index, answer in zip(wanted, ask([lines[index] for index in wanted]) if wanted else (), strict=True):
        text = None if answer is None else restore(" ".join(answer.split()), lines[index].marks)
        found[index] = text if text is not None and is_speakable(text) else None
    return found


def _nothing_else(line: Line) -> str | None:
    return None if is_speakable(MARK.sub("", line.text)) else restore(line.text, line.marks)


def _by_sentences(ask: _Ask, line: Line) -> str | None:
    parts = [replace(line, text=text, marks=_marks_in(text, line)) for text in sentences(line.text)]
    found = _checked(ask, parts) if len(parts) > 1 else [None] * len(parts)
    whole = [text if text is not None else _by_pieces(ask, part) for text, part in zip(found, parts, strict=True)]
    return unbroken([text for text in whole if text]) if whole and None not in whole else None


def _by_pieces(ask: _Ask, line: Line) -> str | None:
    if not line.marks:
        return None
    cut = list(pieces(line.text))
    asked = [index for index, text in enumerate(cut) if is_speakable(text) and not MARK.fullmatch(text)]
    answers = _checked(ask, [replace(line, text=cut[index].strip(), marks=()) for index in asked])
    for index, answer in zip(asked, answers, strict=True):
        if answer is None:
            return None
        lead, trail = (" " if cut[index][at].isspace() else "" for at in (0, -1))
        cut[index] = f"{lead}{answer}{trail}"
    return restore("".join(cut), line.marks)


def _marks_in(text: str, line: Line) -> tuple[tuple[str, str], ...]:
    found = set(MARK.findall(text))
    return tuple(mark for mark in line.marks if mark[0] in found)
