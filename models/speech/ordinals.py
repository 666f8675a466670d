"""Days, years and ordinals in words: `am 3. März` as `am dritten März`, `1re` as `première`.

Synthesizers read the digits of most of these as plain numbers, and some read no digits at all. A rule is here only where
the written form is sure: the name of a month, a mark (`2nd`, `3º`), or, in German and Polish, whose mark is the full stop
of a sentence too, an article or a noun that is known. Everything else is left as it is, to be read as a plain number.

The words are those of the Unicode CLDR's rules of spelling (unicode-rbnf), which lack Polish ordinals: these are written
out below. German and Polish ordinals are declined as adjectives are.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import regex

from media.languages import base_language

Match: TypeAlias = "regex.Match[str]"

_ALONE = r"(?<![\p{L}\p{N}\p{Sc}.,:/-])"
_END = r"(?![\p{L}\p{N}]|[.,:/-]\d)"
_YEAR = r"(?P<year>1[1-9]\d\d|20\d\d)"
_GAP = r"[ \u00a0\u202f]"


def ordinal_pattern(language: str) -> str:
    """What is an ordinal, a day or a year in `language` (BCP 47), as an expression of `regex`; empty without rules."""
    return _pattern(base_language(language) or "")


def ordinal_in_words(match: Match, language: str, before: str | None = None) -> str:
    """What `ordinal_pattern` found, in words; as it is written where it turns out to be something else.

    Numbers that are plain ones all the same (`3 de marzo`) stay digits.

    Args:
        before: the text before it, where that is not in the match's own string.
    """
    said = _SAY[base_language(language) or ""]
    return said(match, match.string[: match.start()] if before is None else before, language) or match.group()


@lru_cache(maxsize=32)
def months_of(language: str) -> tuple[str, ...]:
    """CLDR's names of the months, January first, in the form that they have in a date."""
    from babel import Locale

    names = Locale.parse(language).months["format"]["wide"]
    return tuple(names[number] for number in range(1, 13))


@lru_cache(maxsize=32)
def _pattern(language: str) -> str:
    if language not in _PATTERNS:
        return ""
    names = [*months_of(language), *_SHORT_MONTHS.get(language, {})]
    months = "|".join(regex.escape(name) for name in sorted(names, key=len, reverse=True))
    return _PATTERNS[language].replace("MONTH", f"(?P<month>{months})(?!\\p{{L}})").replace("NAMES", months)


@lru_cache(maxsize=4096)
def _ordinal(language: str, number: int, form: str = "") -> str | None:
    """In CLDR's words; None beyond what it has names for."""
    from unicode_rbnf import RbnfEngine
    from unicode_rbnf.engine import NoRuleForNumberError

    rules = f"spellout-ordinal-{form}" if form else "spellout-ordinal"
    try:
        return RbnfEngine.for_language(language).format_number(number, ruleset_names=[rules]).text.replace("\u00ad", "")
    except NoRuleForNumberError:
        return None


def _year(language: str, written: str) -> str:
    """Nineteen ninety-nine; as it is written where years are said as other numbers are."""
    from unicode_rbnf import RbnfEngine

    number = int(written)
    if language not in ("en", "de", "nl", "sv") and not (language in ("da", "no") and number < 2000):
        return written
    engine = RbnfEngine.for_language(language)
    return engine.format_number(number, ruleset_names=["spellout-numbering-year"]).text.replace("\u00ad", "")


def _group(match: Match, name: str) -> str:
    """A group's text; empty where it matched nothing, or where this language's expression has no such group."""
    return str(match.groupdict().get(name) or "")


def _day(match: Match, name: str = "day") -> int | None:
    """The day of a month, 1 to 31; None where there is none or it is none."""
    written = _group(match, name)
    return int(written) if written and 1 <= int(written) <= 31 else None


# English


_ENGLISH_GO_ON = (
    "at", "from", "to", "through", "until", "till", "and", "or", "but", "is", "was", "were", "are", "will", "would",
    "in", "on", "the", "this", "that", "we", "i", "he", "she", "they", "it", "you", "a", "an", "for", "with", "when",
    "where", "after", "before", "as", "by", "there", "here", "if", "so", "then", "which", "who",
)  # fmt: skip


def _english(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        number = int(written.replace(",", ""))
        right = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return _ordinal("en", number) if right == _group(match, "mark").lower() else None
    if decade := _group(match, "decade"):
        said = _year("en", decade) if len(decade) == 4 else _tens(int(decade))
        return said.removesuffix("y") + "ies" if said.endswith("y") else said + "s"
    month = _SHORT_MONTHS["en"].get(_group(match, "month"), _group(match, "month"))
    year = _year("en", _group(match, "year")) if _group(match, "year") else ""
    if alone := _group(match, "alone"):
        return f"{_SHORT_MONTHS['en'].get(alone, alone)} {year}"
    day, until = _day(match), _day(match, "until")
    if day is None or (_group(match, "until") and until is None):
        return None
    if match.start("day") < match.start("month"):  # 3 March
        said = "" if regex.search(r"\bthe\s+$", before, regex.IGNORECASE) else "the "
        said += f"{_ordinal('en', day)} " + (f"to the {_ordinal('en', until)} " if until else "")
        return f"{said}of {month}" + (f" {year}" if year else "")
    follows = regex.match(r"\s+(\p{L}+)", match.string[match.end() :])
    marked = year or until or _group(match, "mark")
    if follows and not marked and follows[1].lower() not in _ENGLISH_GO_ON:
        return None  # `In May 20 people came`
    said = f"{month} {_ordinal('en', day)}" + (f" to {_ordinal('en', until)}" if until else "")
    return f"{said}, {year}" if year else said


def _tens(number: int) -> str:
    from unicode_rbnf import RbnfEngine

    return str(RbnfEngine.for_language("en").format_number(number).text)


# German


_GERMAN_NOUNS = {
    "r": "Platz Preis Tag Teil Akt Stock Rang Versuch Weltkrieg Advent Band Schritt Punkt Satz Sieger Geburtstag FC Gang "
    "Spieltag Bezirk Stern Verein Vorsitzende Monat Abschnitt Durchgang Anlauf Lauf Grad Kreis Hochzeitstag Artikel Absatz",
    "e": "Runde Klasse Liga Etage Auflage Folge Staffel Woche Halbzeit Phase Stufe Generation Lektion Reihe Szene Frage "
    "Stunde Bundesliga Minute Ausgabe Episode Hälfte Wahl Welle Strophe Person Dimension Instanz Potenz Saison Hilfe",
    "s": "Kapitel Mal Jahr Jahrhundert Jahrtausend Quartal Semester Halbjahr Buch Viertel Drittel Spiel Tor Rennen Obergeschoss "
    "Untergeschoss Kind Lebensjahr Schuljahr Gebot Stockwerk Gesetz Treffen Zeichen",
}  # fmt: skip
_GERMAN_GENDER = {noun: gender for gender, nouns in _GERMAN_NOUNS.items() for noun in nouns.split()}
_GERMAN_WEEKDAY = (
    r"(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonnabend|Sonntag|Mo|Di|Mi|Do|Fr|Sa|So)\.?,?\s+"
)
_GERMAN_AND = r"(?:,|\s*[–—-]|\s+(?:und|oder|bis|sowie)(?:\s+(?:zum|zur|der|die|das|dem|den))?)\s*"
_GERMAN_BEFORE = regex.compile(
    rf"(?:(?P<farther>\p{{L}}+)\s+)?(?P<near>(?!{_GERMAN_WEEKDAY})\p{{L}}+),?\s+(?:{_GERMAN_WEEKDAY})?"
    rf"(?:\d{{1,4}}\.(?:\d{{1,2}}\.)?(?:\s+\p{{Lu}}\p{{L}}+)?{_GERMAN_AND})*$"
)
"""The words before the first of several ordinals: `am 3., 4. und `."""
_GERMAN_AFTER = regex.compile(rf"(?P<more>(?:{_GERMAN_AND}\d{{1,4}}\.)*)\s*(?P<noun>\p{{L}}*)")
_GERMAN_STEM = r"(?:dies|jed|jen|welch|kein|mein|dein|sein|ihr|unser|euer|eur|ein|unsr)"
_GERMAN_DATIVE = (
    "in", "an", "auf", "bei", "mit", "nach", "seit", "von", "vor", "zu", "aus", "während", "ab", "unter", "über",
    "wegen", "trotz", "neben", "zwischen", "hinter", "gegenüber",
)  # fmt: skip
_GERMAN_ACCUSATIVE = ("für", "gegen", "durch", "um", "ohne", "bis")


def _german(match: Match, before: str, language: str) -> str | None:
    if alone := _group(match, "alone"):
        return f"{_SHORT_MONTHS['de'].get(alone, alone)} {_year('de', _group(match, 'year'))}"
    month = _SHORT_MONTHS["de"].get(_group(match, "month"), _group(match, "month"))
    after = match.string[match.end() :]
    if numeric := _group(match, "numeric"):
        if not 1 <= int(numeric) <= 12:
            return None
        month = months_of("de")[int(numeric) - 1]
    if month:
        day, first = _day(match), _group(match, "from")
        if day is None:
            return None
        ending = _german_ending(before, "r", is_day=True) or "r"
        said = f"{_ordinal_de(int(first), ending)} bis " if first else ""
        said += f"{_ordinal_de(day, ending)} {month}"
        if year := _group(match, "year"):
            return f"{said} {_year('de', year)}"
        return said + ("." if numeric and regex.match(r"\s*$|\s+\p{Lu}", after) else "")
    number, first = int(_group(match, "nth")), _group(match, "from")
    follows = _GERMAN_AFTER.match(after)
    noun = follows["noun"] if follows else ""
    if noun in months_of("de"):
        ending = _german_ending(before, "r", is_day=True) or "r"
    else:
        ending = _german_ending(before, _GERMAN_GENDER.get(noun, ""), is_day=False) or ""
    if not ending:
        return None
    said = f"{_ordinal_de(int(first), ending)} bis " if first else ""
    said += f"{_ordinal_de(number, ending)}"
    return said if noun or after.lstrip()[:1] == "," else f"{said}."


def _ordinal_de(number: int, ending: str) -> str | None:
    return _ordinal("de", number, "" if ending == "e" else ending)


def _german_ending(before: str, gender: str, is_day: bool) -> str | None:
    """`e`, `n`, `r`, `s` or `m`: what `dritt-` takes after the words before it; None where it may be no ordinal.

    Args:
        gender: `r`, `e` or `s` of the noun, as in `der`, `die`, `das`; empty where it is not known.
    """
    found = _GERMAN_BEFORE.search(before[-120:])
    near = found["near"].lower() if found else ""
    farther = (found["farther"] or "").lower() if found else ""
    if near in ("am", "im", "zum", "zur", "vom", "beim", "den", "dem", "des"):
        return "n"
    if near in ("die", "das", "ans", "ins", "fürs", "ums"):
        return "e"
    if regex.fullmatch(rf"{_GERMAN_STEM}e|(?:dies|jed|jen|welch)es", near):
        return "e"
    if regex.fullmatch(r"der|(?:dies|jed|jen|welch)er", near):
        oblique = gender in ("e", "s") or (not gender and farther in _GERMAN_DATIVE)
        return "n" if oblique else "e"
    if regex.fullmatch(rf"{_GERMAN_STEM}(?:em|en|er|es)", near) and near != "unser":
        return "n"
    if is_day:
        return "n" if near in (*_GERMAN_DATIVE, *_GERMAN_ACCUSATIVE) else None
    if near in _GERMAN_DATIVE:
        return {"e": "r", "r": "m", "s": "m"}.get(gender)
    if near in _GERMAN_ACCUSATIVE:
        return {"r": "n"}.get(gender, gender)
    return gender or None


# Polish


_POLISH = (
    "zerowy", "pierwszy", "drugi", "trzeci", "czwarty", "piąty", "szósty", "siódmy", "ósmy", "dziewiąty", "dziesiąty",
    "jedenasty", "dwunasty", "trzynasty", "czternasty", "piętnasty", "szesnasty", "siedemnasty", "osiemnasty",
    "dziewiętnasty",
)  # fmt: skip
_POLISH_TENS = (
    "dwudziesty", "trzydziesty", "czterdziesty", "pięćdziesiąty", "sześćdziesiąty", "siedemdziesiąty",
    "osiemdziesiąty", "dziewięćdziesiąty",
)  # fmt: skip
_POLISH_HUNDREDS = (
    "setny", "dwusetny", "trzechsetny", "czterechsetny", "pięćsetny", "sześćsetny", "siedemsetny", "osiemsetny",
    "dziewięćsetny",
)  # fmt: skip
_POLISH_ENDINGS = {
    "m": ("y", "i", "i"), "genitive": ("ego", "iego", "iego"), "locative": ("ym", "im", "im"),
    "f": ("a", "a", "ia"), "f oblique": ("ej", "iej", "iej"), "n": ("e", "ie", "ie"),
}  # fmt: skip
_POLISH_NOUNS = {
    "m": "rozdział dzień raz etap akt tydzień sezon odcinek krok punkt tom poziom kwartał stopień",
    "f": "klasa runda edycja część osoba liga połowa grupa seria strona wojna nagroda rocznica kolejka zmiana godzina",
    "n": "miejsce piętro pytanie półrocze zadanie",
    "locative": "miejscu piętrze rozdziale dniu etapie akcie tygodniu sezonie odcinku",
    "f oblique": "klasie klasy rundzie rundy edycji części osoby lidze ligi połowie połowy grupie grupy serii strony stronie "
    "wojny wojnie rocznicy kolejce kolejki godzinie godziny",
    "genitive": "miejsca piętra rozdziału dnia etapu aktu tygodnia sezonu odcinka",
}  # fmt: skip
_POLISH_FORM = {noun: form for form, nouns in _POLISH_NOUNS.items() for noun in nouns.split()}


def _polish(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        return _polish_ordinal(int(written), _POLISH_FORM[_group(match, "noun").lower()]) + f" {_group(match, 'noun')}"
    year = _group(match, "year")
    if not _group(match, "month"):
        in_it = regex.search(r"\bw\s+$", before, regex.IGNORECASE)
        return f"{_polish_ordinal(int(year), 'locative' if in_it else 'genitive')} roku"
    day = _day(match)
    if day is None:
        return None
    said = _polish_ordinal(day, "genitive")
    if _group(match, "from"):
        first = _day(match, "from")
        if first is None:
            return None
        said = f"{_polish_ordinal(first, 'genitive')} do {said}"
    said += f" {_group(match, 'month')}"
    if year:
        said += f" {_polish_ordinal(int(year), 'genitive')}" + (" roku" if _group(match, "of") else "")
    return said


def _polish_ordinal(number: int, form: str) -> str:
    """Only tens and ones are ordinals: `dwa tysiące dwudziestego szóstego`."""
    from unicode_rbnf import RbnfEngine

    whole, rest = number - number % 100, number % 100
    words = []
    if rest == 0 and number == 2000:
        return _polish_form("dwutysięczny", form)
    if rest == 0 and number % 1000:
        whole -= number % 1000
        words = [_POLISH_HUNDREDS[number % 1000 // 100 - 1]]
    elif rest == 0:
        whole, words = 0, ["tysięczny"] if number else [_POLISH[0]]
    elif rest < 20:
        words = [_POLISH[rest]]
    else:
        words = [_POLISH_TENS[rest // 10 - 2], *([_POLISH[rest % 10]] if rest % 10 else [])]
    before = [str(RbnfEngine.for_language("pl").format_number(whole).text)] if whole else []
    return " ".join([*before, *(_polish_form(word, form) for word in words)])


def _polish_form(word: str, form: str) -> str:
    endings = _POLISH_ENDINGS[form]
    return word[:-1] + endings[1 if word.endswith("gi") else 2 if word.endswith("ci") else 0]


# Languages that mark ordinals with letters, and days that are plain numbers but for the first


def _french(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        number, mark = int(written), _group(match, "mark").lower()
        plural = "s" if mark.endswith("s") else ""
        mark = mark.removesuffix("s")
        if mark in ("nd", "nde", "de"):
            said = ("second" if mark == "nd" else "seconde") if number == 2 else None
        elif mark in ("er", "re", "ère"):
            said = ("premier" if mark == "er" else "première") if number == 1 else None
        else:
            said = _ordinal("fr", number, "masculine") if number > 1 else None
        return said + plural if said else None
    return _first_day(match, "premier")


def _spanish(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        mark, number = _group(match, "mark").lower(), int(written)
        if mark == "er":
            return _ordinal("es", number, "masculine-adjective") if number % 10 in (1, 3) else None
        if mark not in ("º", "ª") and mark[0] != {1: "r", 3: "r", 2: "d", 7: "m", 8: "v", 9: "n", 0: "m"}.get(
            number % 10, "t"
        ):
            return None
        said = _ordinal("es", number, "feminine" if mark[-1] in "ªa" else "masculine")
        return said + "s" if said and mark.endswith("s") else said
    # RAE, *Diccionario panhispánico de dudas*, `fecha`: the first is `primero` in America, `uno` in Spain.
    american = language.partition("-")[2] not in ("", "ES") or _group(match, "mark")
    return _first_day(match, "primero") if american else None


def _italian(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        return _ordinal("it", int(written), "feminine" if _group(match, "mark") == "ª" else "masculine")
    return _first_day(match, "primo")


def _portuguese(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        return _ordinal("pt", int(written), "feminine" if _group(match, "mark") == "ª" else "masculine")
    return _first_day(match, "primeiro")


def _first_day(match: Match, first: str) -> str | None:
    """`first` in the place of the 1; other days are plain numbers."""
    if _day(match) != 1:
        return None
    return first + match.group()[match.end("given") - match.start() :]


def _dutch(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        return _ordinal("nl", int(written))
    return f"{_group(match, 'alone')} {_year('nl', _group(match, 'year'))}"


def _nordic(match: Match, before: str, language: str) -> str | None:
    base = {"nb": "no"}.get(base_language(language) or "", base_language(language) or "")
    form = {"da": "common", "no": "masculine", "sv": "feminine", "fi": ""}[base]
    if written := _group(match, "nth"):
        return _ordinal(base, int(written), form)
    day, year = _day(match), _group(match, "year")
    if day is None:
        return None
    return f"{_ordinal(base, day, form)} {_group(match, 'month')}" + (f" {_year(base, year)}" if year else "")


_RUSSIAN_FORMS = {
    "й": "masculine", "я": "feminine", "е": "neuter", "го": "masculine-genitive", "му": "masculine-dative",
    "м": "masculine-locative", "х": "plural-genitive", "ю": "feminine-accusative",
}  # fmt: skip


def _russian(match: Match, before: str, language: str) -> str | None:
    if written := _group(match, "nth"):
        form = _RUSSIAN_FORMS[_group(match, "mark").lower()]
        decade = form == "neuter" and regex.match(r"\s+г", match.string[match.end() :])
        return _ordinal("ru", int(written), "plural" if decade else form)
    day, year = _day(match), _group(match, "year")
    if day is None:
        return None
    said = f"{_ordinal('ru', day, 'masculine-genitive')} {_group(match, 'month')}"
    if year:
        spoken = str(_ordinal("ru", int(year), "masculine-genitive")).removeprefix("одна ")
        said += f" {spoken}" + (" года" if _group(match, "of") else "")
    return said


_SAY: dict[str, Callable[[Match, str, str], str | None]] = {
    "en": _english, "de": _german, "pl": _polish, "fr": _french, "es": _spanish, "it": _italian, "pt": _portuguese,
    "nl": _dutch, "da": _nordic, "nb": _nordic, "sv": _nordic, "fi": _nordic, "ru": _russian,
}  # fmt: skip
_SHORT_MONTHS = {
    "en": {
        f"{name[:length]}{dot}": name
        for name in ("January", "February", "March", "April", "August", "September", "October", "November", "December")
        for length in ((3, 4) if name == "September" else (3,))
        for dot in ("", ".")
    },
    "de": {
        "Jan.": "Januar", "Feb.": "Februar", "Apr.": "April", "Aug.": "August", "Sept.": "September", "Sep.": "September",
        "Okt.": "Oktober", "Nov.": "November", "Dez.": "Dezember",
    },
}  # fmt: skip
_NEXT_YEAR = rf"(?:{_GAP}{_YEAR})?"
_PATTERNS = {
    "en": (
        rf"{_ALONE}(?P<nth>\d{{1,3}}(?:,\d{{3}})*|\d{{1,6}})(?P<mark>(?i:st|nd|rd|th))(?!{_GAP}+(?-i:MONTH)){_END}"
        rf"|(?<![\p{{L}}\p{{N}}\p{{Sc}}.,:/-])['’]?(?P<decade>1[1-9]\d0|20\d0|[2-9]0)['’]?s(?![\p{{L}}\p{{N}}])"
        rf"|{_ALONE}(?P<day>\d{{1,2}})(?P<mark>st|nd|rd|th)?(?:{_GAP}?[-–]{_GAP}?(?P<until>\d{{1,2}})(?:st|nd|rd|th)?)?"
        rf"{_GAP}(?:of{_GAP})?MONTH(?:,?{_GAP}{_YEAR})?{_END}"
        rf"|(?<!\p{{L}})MONTH{_GAP}(?P<day>\d{{1,2}})(?P<mark>st|nd|rd|th)?"
        rf"(?:{_GAP}?[-–]{_GAP}?(?P<until>\d{{1,2}})(?:st|nd|rd|th)?)?(?:,?{_GAP}{_YEAR})?{_END}(?!\s?%)"
        rf"|(?<!\p{{L}})(?P<alone>(?i:year|in|since|before|until)(?={_GAP}\d{{4}}(?:[,;:.!?)]|$))|year|summer|winter|spring|autumn|fall|NAMES),?"
        rf"{_GAP}{_YEAR}{_END}"
    ),
    "de": (
        rf"{_ALONE}(?:(?P<from>\d{{1,2}})\.?{_GAP}?[–—-]{_GAP}?)?(?P<day>\d{{1,2}})\.?{_GAP}MONTH{_NEXT_YEAR}{_END}"
        rf"|(?<=\b(?i:am|vom|bis|zum|ab|seit|der|den|dem|und){_GAP})(?P<day>\d{{1,2}})\.(?P<numeric>\d{{1,2}})\.(?!\d)"
        rf"|{_ALONE}(?:(?P<from>\d{{1,4}})\.{_GAP}?[–—-]{_GAP}?)?(?P<nth>\d{{1,4}})\.(?={_GAP}\p{{L}}|,{_GAP}\d{{1,4}}\.|[\p{{P}}\s]*$)"
        rf"|(?<!\p{{L}})(?P<alone>Jahre?s?|Sommer|Winter|Herbst|Frühling|Frühjahr|NAMES){_GAP}{_YEAR}{_END}"
    ),
    "pl": (
        rf"{_ALONE}(?:(?P<from>\d{{1,2}})(?:{_GAP}?[–—-]{_GAP}?|{_GAP}do{_GAP}))?(?P<day>\d{{1,2}}){_GAP}(?i:MONTH)"
        rf"(?:{_GAP}{_YEAR}(?:{_GAP}?(?P<of>r\.|roku(?!\p{{L}})))?)?{_END}"
        rf"|{_ALONE}{_YEAR}{_GAP}?(?:r\.|roku(?!\p{{L}}))"
        rf"|{_ALONE}(?P<nth>\d{{1,3}})\.{_GAP}(?P<noun>(?i:{'|'.join(sorted(_POLISH_FORM, key=len, reverse=True))}))(?!\p{{L}})"
    ),
    "fr": (
        rf"{_ALONE}(?P<given>(?P<day>1)(?:er)?){_GAP}(?i:MONTH)"
        rf"|{_ALONE}(?P<nth>\d{{1,4}})(?P<mark>(?i:ers?|res?|ères?|i?[eè]mes?|es?|nde?s?|des?))(?![\p{{L}}\p{{N}}])"
    ),
    "es": (
        rf"{_ALONE}(?P<given>(?P<day>1)(?:\.?(?P<mark>[º°]|er))?)(?={_GAP}de{_GAP}(?i:MONTH))"
        rf"|{_ALONE}(?P<nth>\d{{1,4}})\.?(?P<mark>[ºª]|(?i:er|[rdtmvn][oa]s?))(?![\p{{L}}\p{{N}}])"
    ),
    "it": (
        rf"{_ALONE}(?P<given>(?P<day>1)[º°]?){_GAP}(?i:MONTH)|{_ALONE}(?P<nth>\d{{1,4}})\.?(?P<mark>[ºª])(?![\p{{L}}\p{{N}}])"
    ),
    "pt": (
        rf"{_ALONE}(?P<given>(?P<day>1)\.?[º°]?)(?={_GAP}de{_GAP}(?i:MONTH))"
        rf"|{_ALONE}(?P<nth>\d{{1,4}})\.?(?P<mark>[ºª])(?![\p{{L}}\p{{N}}])"
    ),
    "nl": (
        rf"{_ALONE}(?P<nth>\d{{1,4}})(?:e|ste|de)(?![\p{{L}}\p{{N}}])"
        rf"|(?<!\p{{L}})(?P<alone>(?i:jaar|zomer|winter|herfst|lente|NAMES)){_GAP}{_YEAR}{_END}"
    ),
    "da": rf"{_ALONE}(?P<day>\d{{1,2}})\.?{_GAP}(?i:MONTH){_NEXT_YEAR}{_END}",
    "nb": rf"{_ALONE}(?P<day>\d{{1,2}})\.?{_GAP}(?i:MONTH){_NEXT_YEAR}{_END}",
    "sv": rf"{_ALONE}(?P<day>\d{{1,2}}){_GAP}(?i:MONTH){_NEXT_YEAR}{_END}|{_ALONE}(?P<nth>\d{{1,4}}):[ae](?!\p{{L}})",
    "fi": rf"{_ALONE}(?P<day>\d{{1,2}})\.?{_GAP}(?i:MONTH){_NEXT_YEAR}{_END}",
    "ru": (
        rf"{_ALONE}(?P<day>\d{{1,2}}){_GAP}(?i:MONTH)(?:{_GAP}{_YEAR}(?:{_GAP}?(?P<of>г\.|года(?!\p{{L}})))?)?{_END}"
        rf"|{_ALONE}(?P<nth>\d{{1,4}})[-‑](?P<mark>(?i:й|я|е|го|му|м|х|ю))(?!\p{{L}})"
    ),
}  # fmt: skip
"""MONTH stands for a name of a month as the group `month`, NAMES for one alone. Groups of the same name share what they match."""
