"""Text drawn into pictures: shaped right in every script, with fonts that come with the installation.

Shaping, bidirectional order and the choice of a font for each run are Skia's (HarfBuzz and ICU); the fonts are
Kurinto Sans from the `weblate-fonts` wheel (Latin to Thai, Devanagari to Ethiopic, and Chinese, Japanese, Korean),
because a fresh machine has no fonts at all.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.caption_profiles import embedded, profile_of

Overlay = NDArray[np.uint8]
"""A drawn piece: (height, width, 4), RGBA with the colours multiplied by alpha."""

Colour = tuple[int, int, int, int]
WHITE: Colour = (255, 255, 255, 255)
DARK_PLATE: Colour = (12, 14, 20, 190)

LINE_HEIGHT = 1.3
"""Distance of baselines, in font sizes."""

_EVERYTHING = "Kurinto Sans"
_BY_LANGUAGE = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-TW": "TC", "zh-Hant": "TC", "zh-HK": "TC", "yue": "TC"}
_SYSTEM = "System "


def can_draw(text: str) -> bool:
    """Whether the fonts at hand have every letter of `text`.

    Pictographs (emoji) do not count: where no font has them they are left out of the picture.
    """
    return not any(_is_missing(character) for character in set(text) if not _may_be_left_out(character))


def text_width(text: str, size: float, language: str | None = None) -> float:
    """Width in pixels of one line of `text` at `size` pixels."""
    return float(_paragraph(text, size, WHITE, language).LongestLine)


def fitting_size(lines: Sequence[str], size: float, max_width: float, language: str | None = None) -> float:
    """The font size, at most `size`, at which every line is at most `max_width` pixels wide."""
    widest = max((text_width(line, size, language) for line in lines), default=0.0)
    return size if widest <= max_width else size * max_width / widest


def plate(
    lines: Sequence[str],
    size: float,
    *,
    language: str | None = None,
    colour: Colour = WHITE,
    background: Colour = DARK_PLATE,
    padding: tuple[float, float] = (0.6, 0.35),
    bar: Colour | None = None,
) -> Overlay:
    """`lines` centred on a rounded plate.

    Args:
        lines: one or more lines; they are not broken further.
        size: font size in pixels.
        language: BCP 47; it chooses between Chinese, Japanese and Korean forms of one character, and the direction.
        padding: around the text, horizontally and vertically, in font sizes.
        bar: colour of a narrow bar at the left edge, for name plates.
    """
    import skia

    paragraphs = [_paragraph(line, size, colour, language) for line in lines]
    widths = [paragraph.LongestLine for paragraph in paragraphs]
    width = round(max(widths, default=0) + 2 * padding[0] * size)
    height = round(len(lines) * LINE_HEIGHT * size + 2 * padding[1] * size)
    picture = np.zeros((height, width, 4), np.uint8)
    canvas = _canvas_on(picture)
    outline = skia.RRect.MakeRectXY(skia.Rect.MakeWH(width, height), 0.3 * size, 0.3 * size)
    canvas.clipRRect(outline, doAntiAlias=True)
    canvas.clear(_skia_colour(background))
    if bar is not None:
        canvas.drawRect(skia.Rect.MakeWH(0.2 * size, height), skia.Paint(Color=_skia_colour(bar)))
    for number, (paragraph, line_width) in enumerate(zip(paragraphs, widths, strict=True)):
        # Lines of different scripts have different heights: each is centred in its own slot.
        top = padding[1] * size + number * LINE_HEIGHT * size + (LINE_HEIGHT * size - paragraph.Height) / 2
        paragraph.paint(canvas, (width - line_width) / 2, top)
    return picture


def rounded_frame(width: int, height: int, radius: float, thickness: float, colour: Colour) -> Overlay:
    """The outline of a rounded rectangle, `thickness` pixels wide, inside `width` x `height`."""
    import skia

    picture = np.zeros((height, width, 4), np.uint8)
    canvas = _canvas_on(picture)
    inset = thickness / 2
    rectangle = skia.Rect.MakeLTRB(inset, inset, width - inset, height - inset)
    paint = skia.Paint(
        Color=_skia_colour(colour), AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=thickness
    )
    canvas.drawRRect(skia.RRect.MakeRectXY(rectangle, radius - inset, radius - inset), paint)
    return picture


def rounded_mask(width: int, height: int, radius: float) -> NDArray[np.uint8]:
    """Coverage (0..255), shape (height, width), of a filled rounded rectangle."""
    import skia

    picture = np.zeros((height, width, 4), np.uint8)
    canvas = _canvas_on(picture)
    canvas.drawRRect(
        skia.RRect.MakeRectXY(skia.Rect.MakeWH(width, height), radius, radius),
        skia.Paint(Color=skia.ColorWHITE, AntiAlias=True),
    )
    return picture[..., 3].copy()


def _canvas_on(picture: Overlay) -> Any:
    import skia

    return skia.Surface(picture, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType).getCanvas()


def _skia_colour(colour: Colour) -> int:
    import skia

    red, green, blue, alpha = colour
    return int(skia.ColorSetARGB(alpha, red, green, blue))


@lru_cache(maxsize=64)
def _paragraph(text: str, size: float, colour: Colour, language: str | None) -> Any:
    import skia

    drawn = "".join(c for c in text if not (_may_be_left_out(c) and _is_missing(c)))
    families = [*_families(drawn, language), *(_SYSTEM + c for c in sorted(set(drawn)) if _system_font(c) is not None)]
    style = skia.textlayout.TextStyle()
    style.setFontFamilies(families)
    style.setFontSize(size)
    style.setFontStyle(skia.FontStyle.Bold())
    style.setColor(_skia_colour(colour))
    builder = skia.textlayout.ParagraphBuilder(
        skia.textlayout.ParagraphStyle(), _collection(), skia.Unicodes.ICU.Make()
    )
    builder.pushStyle(style)
    # Skia takes every line to run from left to right, and would put an Arabic full stop at the wrong end.
    builder.addText(embedded(drawn, profile_of(language).right_to_left))
    paragraph = builder.Build()
    paragraph.layout(100_000)
    return paragraph


def _families(text: str, language: str | None) -> list[str]:
    """Font families for `text`, the preferred ones first."""
    variant = next(
        (name for tag, name in sorted(_BY_LANGUAGE.items(), reverse=True) if (language or "").startswith(tag)), None
    )
    if any("\u3040" <= c <= "\u30ff" for c in text):
        variant = "JP"
    elif any("\uac00" <= c <= "\ud7a3" for c in text):
        variant = "KR"
    order = [variant] if variant else []
    order += [name for name in ("", "SC", "JP", "KR", "TC") if name != variant]
    return [f"{_EVERYTHING} {name}".strip() for name in order]


@cache
def _typefaces() -> dict[str, Any]:
    import skia

    folder = files("weblate_fonts") / "static" / "weblate_fonts" / "kurinto" / "ttf"
    # Its kana come in one weight only, which goes with the regular ideographs.
    names = {"": "Bd", "JP": "Rg", "KR": "Bd", "SC": "Bd", "TC": "Bd"}
    faces = {
        f"{_EVERYTHING} {name}".strip(): skia.Typeface.MakeFromFile(str(folder / f"KurintoSans{name}-{weight}.ttf"))
        for name, weight in names.items()
    }
    return {family: face for family, face in faces.items() if face is not None}


@cache
def _provider() -> Any:
    import skia

    provider = skia.textlayout.TypefaceFontProvider()
    for family, face in _typefaces().items():
        provider.registerTypeface(face, family)
    return provider


@cache
def _collection() -> Any:
    import skia

    collection = skia.textlayout.FontCollection()
    collection.setDefaultFontManager(_provider())
    return collection


@cache
def _system_font(character: str) -> Any:
    """A font of this machine for a character that the installed fonts lack; None if there is none, or no need."""
    import skia

    if _is_ours(character):
        return None
    face = skia.FontMgr().matchFamilyStyleCharacter("", skia.FontStyle.Bold(), [], ord(character))
    if face is not None:
        _provider().registerTypeface(face, _SYSTEM + character)
    return face


def _is_missing(character: str) -> bool:
    return not _is_ours(character) and _system_font(character) is None


@lru_cache(maxsize=4096)
def _is_ours(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp"):
        return True  # controls and spaces have no shape of their own
    return any(face.unicharToGlyph(ord(character)) for face in _typefaces().values())


def _may_be_left_out(character: str) -> bool:
    # Symbols, and the joiners and variation selectors that emoji are built with.
    return unicodedata.category(character) in ("So", "Sk") or "\ufe00" <= character <= "\ufe0f" or character == "\u200d"
