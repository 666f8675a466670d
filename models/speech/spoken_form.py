"""What is written becomes what is said: text for a synthesizer, while captions keep the written form.

Only what engines get wrong is touched (docs/spoken-text.md has the table that decides it): pronunciations of a lexicon,
amounts of money, units, dates and ordinals, addresses of pages and mailboxes, emoji. The words come from the Unicode
CLDR, through Babel. Other digits stay digits, which espeak reads in the language at hand; an engine that cannot gets
them in words.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import langcodes
import regex

from media.languages import base_language, script_of
from media.lexicon import Lexicon, Pronunciation
from models.speech.chinese_numbers import chinese_number_pattern, chinese_number_said
from models.speech.kana import in_kana
from models.speech.ordinals import ordinal_in_words, ordinal_pattern

if TYPE_CHECKING:
    from babel import Locale

_EMOJI = regex.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u20e3\ufe0e\ufe0f\U000e0020-\U000e007f][\u200d]?"
)
"""Emoji, their modifiers, and the joiner after one (Sinhala and Persian need the joiner elsewhere)."""

_SYMBOLS = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS", "₫": "VND", "₴": "UAH",
    "₱": "PHP", "₦": "NGN", "R$": "BRL", "US$": "USD", "CA$": "CAD", "A$": "AUD", "¥": "JPY", "$": "USD",
}  # fmt: skip
_CODES = (
    "USD",
    "EUR",
    "GBP",
    "JPY",
    "INR",
    "KRW",
    "CNY",
    "BRL",
    "CHF",
    "CAD",
    "AUD",
    "MXN",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
)
_DOLLAR_COUNTRIES = {"CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD", "TW": "TWD", "MX": "MXN"}
_DOLLAR_COUNTRIES |= {"AR": "ARS", "CL": "CLP", "CO": "COP"}
_OF_THE_USA = regex.compile(
    r"US[ -]| estadounidenses?| des États-Unis| [Aa]mericanos?| statunitens[ei]| США| أمريكي|यूएस |米(?=ドル)|ABD "
)
"""What CLDR's names of the US dollar say beyond `dollar`; nobody reads it out for a bare `$`."""
_MILLIONS_OF = {"es": "de ", "pt": "de ", "fr": "de ", "it": "di ", "ca": "de ", "ro": "de "}
_POINTS = {"pl": "przecinek", "ru": "запятая"}
"""What stands between a whole number and its decimals, in languages that CLDR's rules for decimals fail in."""
_LONGEST_NUMBER, _LONGEST_AMOUNT = 30, 18
"""Digits up to which numbers have names, and CLDR's forms of money and units hold them."""
_CLOCK = {"zh": ("点", "分", "零"), "yue": ("點", "分", "零"), "ja": ("時", "分", ""), "ko": ("시", "분", "")}
"""What is said after hours and minutes, and before minutes below ten."""
_HOURS = {
    "de": (r"(?P<hh>\d{1,2})[:.](?P<mm>[0-5]\d)[ \u00a0]?Uhr", "Uhr", " ", {1: "ein Uhr"}),
    "fr": (
        r"(?P<hh>\d{1,2})[ \u00a0\u202f]?h(?:[ \u00a0\u202f]?(?P<mm>[0-5]\d))?",
        "heures", " ", {0: "zéro heure", 1: "une heure", 21: "vingt et une heures"},
    ),
    "pt": (
        r"(?P<hh>\d{1,2})[ \u00a0\u202f]?h(?:[ \u00a0\u202f]?(?P<mm>[0-5]\d))?",
        "horas", " e ",
        {0: "zero horas", 1: "uma hora", 2: "duas horas", 21: "vinte e uma horas", 22: "vinte e duas horas"},
    ),
}  # fmt: skip
"""Times that are not said as they are written: how they are, hours, what joins minutes, hours that are said otherwise."""
_POWERS = {"k": "1000", "K": "1000", "m": "1000000", "M": "1000000", "bn": "1000000000", "B": "1000000000"}

_UNITS = {
    "km/h": "speed-kilometer-per-hour", "mph": "speed-mile-per-hour", "m/s": "speed-meter-per-second",
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram", "lb": "mass-pound",
    "oz": "mass-ounce", "°C": "temperature-celsius", "°F": "temperature-fahrenheit", "l": "volume-liter",
    "L": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter", "kB": "digital-kilobyte",
    "MB": "digital-megabyte", "GB": "digital-gigabyte", "TB": "digital-terabyte", "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz", "W": "power-watt",
    "kW": "power-kilowatt", "MW": "power-megawatt", "kWh": "energy-kilowatt-hour", "km²": "area-square-kilometer",
    "m²": "area-square-meter", "m³": "volume-cubic-meter", "%": "concentr-percent", "٪": "concentr-percent",
}  # fmt: skip
_UNITS_LACKING = {("zh", "%"): "百分之{}", ("yue", "%"): "百分之{}", ("ar", "%"): "{} بالمئة", ("ar", "٪"): "{} بالمئة"}
"""Units that CLDR has no words for."""

_SIGNS = {
    "en": {".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore"},
    "es": {".": "punto", "/": "barra", "@": "arroba", "-": "guion", "_": "guion bajo"},
    "de": {".": "Punkt", "/": "Schrägstrich", "@": "ät", "-": "Bindestrich", "_": "Unterstrich"},
    "fr": {".": "point", "/": "barre oblique", "@": "arobase", "-": "tiret", "_": "tiret bas"},
    "it": {".": "punto", "/": "barra", "@": "chiocciola", "-": "trattino", "_": "trattino basso"},
    "pt": {".": "ponto", "/": "barra", "@": "arroba", "-": "hífen", "_": "sublinhado"},
    "nl": {".": "punt", "/": "schuine streep", "@": "apenstaartje", "-": "streepje", "_": "laag streepje"},
    "pl": {".": "kropka", "/": "ukośnik", "@": "małpa", "-": "myślnik", "_": "podkreślenie"},
    "ru": {".": "точка", "/": "слеш", "@": "собака", "-": "дефис", "_": "подчёркивание"},
    "tr": {".": "nokta", "/": "eğik çizgi", "@": "et işareti", "-": "tire", "_": "alt çizgi"},
    "hi": {".": "डॉट", "/": "स्लैश", "@": "ऐट", "-": "डैश", "_": "अंडरस्कोर"},
    "ar": {".": "نقطة", "/": "شرطة مائلة", "@": "آت", "-": "شرطة", "_": "شرطة سفلية"},
    "zh": {".": "点", "/": "斜杠", "@": "艾特", "-": "横杠", "_": "下划线"},
    "ja": {".": "ドット", "/": "スラッシュ", "@": "アットマーク", "-": "ハイフン", "_": "アンダーバー"},
}  # fmt: skip

_NUMBER = r"\d{1,3}(?:[.,\u00a0\u202f '’]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?"
_SIGNED = rf"(?<![\p{{L}}\p{{N}}])[-−](?:{_NUMBER})|{_NUMBER}"
_LETTER = r"[\p{L}--[\p{Han}\p{Hiragana}\p{Katakana}]]"
"""Of scripts in which words are set apart; beside others, a number stands on its own."""
_SPACED = r"[\p{Latin}\p{Cyrillic}\p{Greek}]"
_BEFORE = rf"(?<![{_LETTER}\p{{N}}\p{{Sc}}.,:/-])"
_AFTER = rf"(?![{_LETTER}\p{{N}}]|[.,:/-]\d)"
_ADDRESS = (
    r"(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<page>(?:https?://|www\.)[^\s<>\"'«»()]+"
    r"|(?<![\w@.])(?:[\w-]+\.)+(?:com|org|net|edu|gov|info|dev|app|io|ai|eu|de|es|fr|it|in|co|br|mx|uk|ru|jp|cn)"
    r"\b(?:/[^\s<>\"'«»()]*)?(?!\w))"
)
_ACRONYM = r"(?P<acronym>(?<![\p{L}\p{N}])[BCDFGHJKLMNPQRSTVWXZ]{2,5}(?![\p{L}\p{N}]))"


def spoken_form(
    text: str,
    language: str,
    lexicon: Lexicon | None = None,
    *,
    reads_digits: bool = True,
    reads_ipa: bool = False,
    reads_kanji: bool = True,
) -> str:
    """`text` as it is said in `language` (BCP 47).

    Args:
        reads_digits: whether the engine reads digits and acronyms itself; False has them put in words and letters.
        reads_ipa: whether it takes IPA between `[[` and `]]`. A pronunciation that a lexicon gives in IPA only is not
            used where it does not; `said_in_ipa` finds those.
        reads_kanji: whether it reads Japanese as it is written; False has it put in kana, numbers too.

    Example:
        >>> spoken_form("It costs $20 😀", "en")
        'It costs 20 dollars'
    """
    terms = lexicon.pronunciations(language) if lexicon else {}
    if reads_kanji or base_language(language) != "ja":
        return _Said(language, terms, reads_digits, reads_ipa).form(text)
    return in_kana(_Said(language, terms, reads_digits=True, reads_ipa=reads_ipa).form(text))


def said_in_ipa(lexicon: Lexicon, language: str, texts: list[str]) -> dict[str, Pronunciation]:
    """The terms in `texts` whose pronunciation is given in IPA."""
    terms = {term: one for term, one in lexicon.pronunciations(language).items() if one.ipa}
    if not terms:
        return {}
    pattern = _compiled(_terms(terms))
    found = {match.group().casefold() for text in texts for match in pattern.finditer(text)}
    return {term: one for term, one in terms.items() if term.casefold() in found}


def without_emoji(text: str) -> str:
    """With a space in the place of every emoji."""
    return _EMOJI.sub(" ", text)


class _Said:
    """One text's rules, tried in order at every place of it; what a rule wrote is not looked at again."""

    def __init__(self, language: str, terms: dict[str, Pronunciation], reads_digits: bool, reads_ipa: bool) -> None:
        self.language = language
        self.locale = _locale(language)
        self.terms = {term.casefold(): one for term, one in terms.items() if one.respelling or reads_ipa}
        self.reads_digits, self.reads_ipa = reads_digits, reads_ipa
        self.units = _units(str(self.locale)) if self.locale else {}
        self.words = _magnitudes(str(self.locale)) if self.locale else ()
        self.signs = _SIGNS.get(language.split("-")[0], {})
        self.spell = None if reads_digits else _speller(language)
        self.rules: dict[str, Callable[[regex.Match[str]], str]] = {
            "term": self._term, "mail": self._address, "page": self._address, "iso": self._iso, "date": self._date,
            "before": self._money, "after": self._money, "unit": self._unit, "acronym": self._acronym,
            "ordinal": self._ordinal, "chinese": self._chinese, "time": self._time, "hours": self._hours, "number": self._number,
            "glued": self._glued, "dotted": self._dotted,
        }  # fmt: skip

    def form(self, text: str) -> str:
        if self.reads_ipa:
            text = text.replace("[[", "[ [")
        text = regex.sub(r"\d", lambda digit: digit[0] if digit[0].isdecimal() else " ", without_emoji(text))
        # (`regex` knows digits of a Unicode that Python does not know yet.)
        said = self._pattern().sub(lambda match: self.rules[str(match.lastgroup)](match), text)
        return " ".join(said.split())

    def _pattern(self) -> "regex.Pattern[str]":
        parts = [f"(?P<term>{_terms(self.terms)})"] if self.terms else []
        parts.append(_ADDRESS)
        if self.locale:
            parts.append(rf"{_BEFORE}(?P<iso>(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})){_AFTER}")
            parts.append(
                rf"{_BEFORE}(?P<date>(?P<p>\d{{1,2}})(?P<s>[/.-])(?P<q>\d{{1,2}})(?P=s)(?P<r>\d{{4}})){_AFTER}"
            )
            if ordinals := ordinal_pattern(self.language):
                parts.append(f"(?P<ordinal>{ordinals})")
            if self.locale.language in _HOURS:
                parts.append(rf"{_BEFORE}(?P<hours>{_HOURS[self.locale.language][0]}){_AFTER}")
            if self.locale.language in ("zh", "yue"):
                parts.append(f"(?P<chinese>{chinese_number_pattern()})")
            money = "|".join(map(regex.escape, sorted(_SYMBOLS, key=len, reverse=True))) + "|" + "|".join(_CODES)
            size = "|".join(map(regex.escape, sorted(self.words, key=len, reverse=True))) or "(?!)"
            size = rf"(?:[ \u00a0\u202f](?P<size_N>{size})|(?P<power_N>k|K|m|M|bn|B))?"
            parts.append(
                rf"(?<![{_LETTER}\p{{N}}])(?P<before>(?P<sign_1>{money})[ \u00a0\u202f]?(?P<amount_1>{_NUMBER})"
                rf"{size.replace('_N', '_1')}){_AFTER}"
            )
            parts.append(
                rf"{_BEFORE}(?P<after>(?P<amount_2>{_NUMBER}){size.replace('_N', '_2')}"
                rf"[ \u00a0\u202f]?(?P<sign_2>{money})){_AFTER}"
            )
            symbols = "|".join(map(regex.escape, sorted(self.units, key=len, reverse=True)))
            parts.append(
                rf"{_BEFORE}(?P<unit>(?P<value>[-−]?(?:{_NUMBER}))[ \u00a0\u202f]?(?P<symbol>{symbols}))(?![{_LETTER}\p{{N}}/])"
            )
        if not self.reads_digits:
            parts.append(_ACRONYM)
            parts.append(rf"{_BEFORE}(?P<time>(?P<h>\d{{1,2}}):(?P<min>\d{{2}})){_AFTER}")
            parts.append(rf"(?<![\d.,])(?P<dotted>(?!{_NUMBER}(?!\.?\d))\d+(?:\.\d+){{2,}})(?![\d,])")
            parts.append(rf"(?<![{_LETTER}\p{{N}}])(?P<number>[-−]?(?:{_NUMBER}))(?![{_LETTER}\p{{N}}])")
            parts.append(r"(?P<glued>\d+)")
        return _compiled("|".join(parts))

    def _term(self, match: "regex.Match[str]") -> str:
        said = self.terms[match.group().casefold()]
        return f"[[{said.ipa}]]" if said.ipa and self.reads_ipa else said.respelling

    def _address(self, match: "regex.Match[str]") -> str:
        written = match.group()
        address = written.rstrip(".,;:!?…。，")
        rest = written[len(address) :]
        address = regex.sub(r"^https?://(?:www\.)?|^www\.", "", address, flags=regex.IGNORECASE)
        address = regex.split(r"[?#]", address)[0].rstrip("/")
        said = "".join(f" {self.signs[sign]} " if sign in self.signs else sign for sign in address)
        return self._in_words(" ".join(said.split())) + rest

    def _iso(self, match: "regex.Match[str]") -> str:
        return self._day(match, int(match["y"]), int(match["m"]), int(match["d"]))

    def _date(self, match: "regex.Match[str]") -> str:
        assert self.locale is not None
        first, second = int(match["p"]), int(match["q"])
        month_first = self.locale.date_formats["short"].pattern.lower().startswith("m")
        if (first > 12) != (second > 12):
            month_first = second > 12
        day, month = (second, first) if month_first else (first, second)
        return self._day(match, int(match["r"]), month, day)

    def _day(self, match: "regex.Match[str]", year: int, month: int, day: int) -> str:
        from babel.dates import format_date

        assert self.locale is not None
        try:
            written = format_date(date(year, month, day), "long", locale=self.locale)
        except ValueError:  # no such day
            return self._in_words(match.group())
        before = match.string[: match.start()]
        if ordinals := ordinal_pattern(self.language):
            found = _compiled(ordinals).sub(
                lambda one: ordinal_in_words(one, self.language, before + written[: one.start()]), written
            )
            return self._in_words(found)
        if self.locale.language in ("zh", "yue"):
            written = _compiled(chinese_number_pattern()).sub(
                lambda one: chinese_number_said(one, self.language), written
            )
        if self.reads_digits and f"{day}." in written:  # an ordinal
            return written
        return self._in_words(regex.sub(rf"(?<!\d){day}\.(?=\s)", str(day), written))

    def _ordinal(self, match: "regex.Match[str]") -> str:
        return self._in_words(ordinal_in_words(match, self.language))

    def _chinese(self, match: "regex.Match[str]") -> str:
        return chinese_number_said(match, self.language)

    def _money(self, match: "regex.Match[str]") -> str:
        from babel.numbers import format_currency, format_decimal, get_currency_name

        assert self.locale is not None
        which = "1" if match["sign_1"] else "2"
        sign, amount = match[f"sign_{which}"], self._value(match[f"amount_{which}"])
        if amount.adjusted() > _LONGEST_AMOUNT:
            return self._in_words(match.group())
        currency = self._currency(sign)
        size = match[f"size_{which}"]
        if power := match[f"power_{which}"]:
            size = _magnitude(str(self.locale), _POWERS[power], self.locale.plural_form(amount))
            if size is None:
                return self._in_words(match.group())
        if size:
            number = format_decimal(amount, "0.###", locale=self.locale)
            name = get_currency_name(currency, count=1_000_000, locale=self.locale)
            said = f"{number} {size} {_MILLIONS_OF.get(self.locale.language, '')}{name}"
        else:
            said = format_currency(
                amount,
                currency,
                locale=self.locale,
                format_type="name",
                currency_digits=amount != int(amount),
                group_separator=False,
            )
        return self._in_words(_OF_THE_USA.sub("", said) if sign == "$" and currency == "USD" else said)

    def _currency(self, sign: str) -> str:
        assert self.locale is not None
        if sign == "$":
            return _DOLLAR_COUNTRIES.get(self.locale.territory or "", "USD")
        if sign == "¥" and self.locale.language == "zh":
            return "CNY"
        return _SYMBOLS.get(sign, sign)

    def _unit(self, match: "regex.Match[str]") -> str:
        from babel.units import format_unit

        assert self.locale is not None
        symbol, value = match["symbol"], self._value(match["value"])
        lacking = _UNITS_LACKING.get((self.locale.language, symbol))
        if lacking:
            return self._in_words(lacking.format(match["value"]))
        if value.adjusted() > _LONGEST_AMOUNT:
            return self._in_words(match.group())
        unit = self.units[symbol]
        # Where CLDR has one form only, as for kilometres in Chinese, it is the short one.
        forms = (
            format_unit(value, unit, length, format="0.######", locale=self.locale) for length in ("long", "short")
        )
        written = next((form for form in forms if unit not in form and regex.search(r"\p{L}", form)), match.group())
        return self._in_words(written)

    def _acronym(self, match: "regex.Match[str]") -> str:
        return " ".join(match.group())

    def _hours(self, match: "regex.Match[str]") -> str:
        """`14:30 Uhr` is said as `14 Uhr 30`, `14h30` as `14 heures 30`."""
        assert self.locale is not None
        _, name, joint, otherwise = _HOURS[self.locale.language]
        hours, minutes = int(match["hh"]), int(match["mm"] or 0)
        return self._in_words(otherwise.get(hours, f"{hours} {name}") + (f"{joint}{minutes}" if minutes else ""))

    def _time(self, match: "regex.Match[str]") -> str:
        hours, minutes = int(match["h"]), int(match["min"])
        if self.locale and self.locale.language in _CLOCK:
            hour, minute, below_ten = _CLOCK[self.locale.language]
            if script_of(self.language) == "Hant":
                hour = "點"
            below_ten = below_ten if minutes < 10 else ""
            return self._in_words(f"{hours}{hour}" + (f"{below_ten}{minutes}{minute}" if minutes else ""))
        zero = "oh " if 0 < minutes < 10 and self.language.startswith("en") else ""
        return self._in_words(f"{hours} {zero}{minutes}" if minutes else f"{hours}")

    def _number(self, match: "regex.Match[str]") -> str:
        return self._in_words(match.group())

    def _glued(self, match: "regex.Match[str]") -> str:
        """Beside letters: `iPhone15`."""
        said = self._in_words(match.group())
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        return " " * bool(regex.match(_SPACED, before)) + said + " " * bool(regex.match(_SPACED, after))

    def _dotted(self, match: "regex.Match[str]") -> str:
        """Numbers between points, as of a version: `1.2.3`."""
        point = self.signs.get(".", "")
        return f" {point} ".join(["", *map(self._in_words, match.group().split("."))]).removeprefix(f" {point}")

    def _in_words(self, text: str) -> str:
        """With its numbers spelled out, where the engine reads no digits; apart from letters (`11 st`)."""
        spell = self.spell
        if spell is None:
            return text
        text = regex.sub(rf"(?<={_SPACED})(?=\d)|(?<=\d)(?={_SPACED})", " ", text)
        return regex.sub(_SIGNED, lambda match: spell(self._value(match.group())), text)

    def _value(self, written: str) -> Decimal:
        """The number, by this language's signs where they can mean two things: `1.234` is a thousand in German."""
        digits = regex.sub(r"[\u00a0\u202f '’]", "", written).replace("−", "-")
        signs = [character for character in digits if character in ".,"]
        if not signs:
            return Decimal(digits)
        decimal = self.locale.number_symbols["latn"]["decimal"] if self.locale else "."
        last = digits.rpartition(signs[-1])
        grouping = len(set(signs)) == 1 and (
            len(signs) > 1 or (signs[0] != decimal and len(last[2]) == 3 and len(last[0]) <= 3)
        )
        if grouping:
            return Decimal(regex.sub("[.,]", "", digits))
        return Decimal(regex.sub("[.,]", "", last[0]) + "." + last[2])


def _terms(terms: dict[str, Pronunciation]) -> str:
    """Longer terms first; whole words only, but for scripts that have no spaces between words."""
    written = "|".join(regex.escape(term) for term in sorted(terms, key=len, reverse=True))
    letter = r"[\p{L}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
    return rf"(?<!(?V1:{letter}))(?i:{written})(?!(?V1:{letter}))"


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> "regex.Pattern[str]":
    return regex.compile(pattern, regex.V1)


@lru_cache(maxsize=64)
def _locale(language: str) -> "Locale | None":
    """CLDR's closest locale; None for a language that it does not have."""
    from babel import Locale, UnknownLocaleError

    tag = langcodes.get(language)
    primary = {"cmn": "zh", "nb": "no"}.get(tag.language or "", tag.language or "")
    for parts in (
        (primary, tag.script, tag.territory),
        (primary, None, tag.territory),
        (primary, tag.script),
        (primary,),
    ):
        try:
            return Locale.parse("_".join(part for part in parts if part))
        except (UnknownLocaleError, ValueError):
            continue
    return None


@lru_cache(maxsize=64)
def _units(locale: str) -> dict[str, str]:
    """Symbol -> CLDR's name of the unit: the international symbols, and the language's own (`км/ч`)."""
    from babel.units import UnknownUnitError, format_unit

    symbols = {}
    for unit in _UNITS.values():
        try:
            own = format_unit(0, unit, "short", locale=locale)
        except UnknownUnitError:
            continue
        own = regex.sub(r"[\p{Nd}\s\u200e\u200f]", "", own)
        if own and unit not in own and len(own) > 1:
            symbols[own] = unit
    return symbols | _UNITS


@lru_cache(maxsize=64)
def _magnitudes(locale: str) -> tuple[str, ...]:
    """Words such as `million` and `millions`."""
    from babel import Locale

    forms = Locale.parse(locale).compact_decimal_formats.get("long", {})
    words = {_magnitude(locale, power, form) for form, patterns in forms.items() for power in patterns}
    return tuple(sorted(word for word in words if word))


@lru_cache(maxsize=1024)
def _magnitude(locale: str, power: str, plural: str) -> str | None:
    """The word for a power of ten; None where the language has no word of its own for it (Hindi counts in lakh)."""
    from babel import Locale

    forms = Locale.parse(locale).compact_decimal_formats.get("long", {})
    pattern = forms.get(plural, {}).get(power) or forms.get("other", {}).get(power)
    written = pattern.pattern if pattern else ""
    word = written.replace("0", "").replace("'", "").strip()
    return word if written.count("0") == 1 and len(word) > 1 and word.isalpha() else None


@lru_cache(maxsize=64)
def _speller(language: str) -> "Callable[[Decimal], str] | None":
    """Writes numbers in words; None for a language whose rules CLDR lacks."""
    from unicode_rbnf import RbnfEngine
    from unicode_rbnf.engine import NoRuleForNumberError

    tag = langcodes.get(language).language or ""
    try:
        engine = RbnfEngine.for_language({"cmn": "zh", "nb": "no"}.get(tag, tag))
    except (ValueError, KeyError, FileNotFoundError):
        return None

    def words(number: str) -> str:
        try:
            if len(number) <= _LONGEST_NUMBER:
                return str(engine.format_number(number).text).replace("\u00ad", "")
        except NoRuleForNumberError:
            pass
        # Beyond the names of numbers, people say digits.
        return " ".join(str(engine.format_number(digit).text) for digit in number if digit.isdigit())

    zero, half, five, minus = words("0"), words("0.5"), words("5"), words("-5")
    has_point = half.startswith(zero) and half.endswith(five)
    point = half[len(zero) : -len(five)] if has_point else f" {_POINTS.get(tag, ',')} "
    apart = " " if point.startswith(" ") else ""

    def spell(value: Decimal) -> str:
        sign = minus.removesuffix(five) if value < 0 else ""
        whole, _, fraction = f"{value.copy_abs():f}".partition(".")
        said = sign + words(whole.lstrip("0") or "0")
        return said + point + apart.join(words(digit) for digit in fraction) if fraction.strip("0") else said

    return spell
