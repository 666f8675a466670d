"""What is written, and what is said for it: in eight languages, for engines that read digits and for those that do not."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.lexicon import Lexicon, Pronunciation
from models.speech.espeak import EspeakSynthesizer
from models.speech.spoken_form import said_in_ipa, spoken_form

SAID = {
    "en": {
        "It costs $20, or €1,234.50.": "It costs 20 dollars, or 1234.50 euros.",
        "$5m, $1 million, US$3": "5 million dollars, 1 million dollars, 3 US dollars",
        "90 km/h at -5 °C, 50%": "90 kilometers per hour at -5 degrees Celsius, 50 percent",
        "On 2026-11-25, or 11/25/2026": (
            "On November twenty-fifth, twenty twenty-six, or November twenty-fifth, twenty twenty-six"
        ),
        "Mail info@example.com. See https://www.example.com/a-b?x=1.": (
            "Mail info at example dot com. See example dot com slash a dash b."
        ),
        "Great 🎉👩‍🚀!": "Great !",
        "Room 101, 14:30, NASA and BBC, 3-4, 10/3, v1.2.3": "Room 101, 14:30, NASA and BBC, 3-4, 10/3, v1.2.3",
    },
    "es": {
        "Cuesta 20 €.": "Cuesta 20 euros.",
        "1.234,50 € o $5 millones": "1234,50 euros o 5 millones de dólares",
        "a 90 km/h, 5 kg": "a 90 kilómetros por hora, 5 kilogramos",
        "el 25/11/2026": "el 25 de noviembre de 2026",
        "info@example.com": "info arroba example punto com",
    },
    "de": {
        "Das kostet 1.234,50 €.": "Das kostet 1234,50 Euro.",
        "20 °C, 90 km/h": "20 Grad Celsius, 90 Kilometer pro Stunde",
        "am 25.11.2026": "am fünfundzwanzigsten November zweitausendsechsundzwanzig",
        "www.example.com": "example Punkt com",
    },
    "fr": {
        "1 234,50 € et 5 millions $": "1234,50 euros et 5 millions de dollars",
        "5 kg à 90 km/h": "5 kilogrammes à 90 kilomètres par heure",
        "le 25/11/2026": "le 25 novembre 2026",
    },
    "pt-BR": {"R$ 20": "20 Reais brasileiros", "25/11/2026": "25 de novembro de 2026", "50 %": "50 por cento"},
    "hi": {"₹500, $20": "500 भारतीय रुपए, 20 डॉलर", "50%": "50 प्रतिशत", "25/11/2026": "25 नवंबर 2026"},
    "ru": {
        "20 €, 5 км, 90 км/ч": "20 евро, 5 километров, 90 километров в час",
        "$1, $2, $5m": "1 доллар, 2 доллара, 5 миллионов долларов",
        "25.11.2026": "двадцать пятого ноября две тысячи двадцать шестого года",
    },
    "zh": {"¥20，50%": "20人民币，百分之50", "2026-11-25": "二〇二六年11月25日", "20.5 km": "20.5公里"},
}


@pytest.mark.parametrize("language", SAID)
def test_what_engines_read_wrong_is_put_in_words(language: str) -> None:
    assert {text: spoken_form(text, language) for text in SAID[language]} == SAID[language]


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("Room 101: $20.50 at 14:30.", "en", "Room one hundred one: twenty point five zero dollars at fourteen thirty."),
        ("BBC, NASA, 15:00", "en", "B B C, NASA, fifteen"),
        ("1.234 und 20,5 km", "de", "eintausendzweihundertvierunddreißig und zwanzig Komma fünf Kilometer"),
        ("1 234 €", "fr", "mille deux cent trente-quatre euros"),
        ("50 %", "es", "cincuenta por ciento"),
        ("1234", "zh", "一千二百三十四"),
        ("At -5 °C, or −0.5: B-52", "en", "At minus five degrees Celsius, or minus zero point five: B-fifty-two"),
        ("٢٠٪", "ar", "عشرون بالمئة"),
        ("14:05 and 9:30 am", "en", "fourteen oh five and nine thirty am"),
        ("Um 9.05 Uhr, 1:00 Uhr", "de", "Um neun Uhr fünf, ein Uhr"),
        ("À 14h30, 21 h, 1h", "fr", "À quatorze heures trente, vingt et une heures, une heure"),
        ("Às 14h30, 2h05", "pt-BR", "Às catorze horas e trinta, duas horas e cinco"),
    ],
)  # fmt: skip
def test_an_engine_that_reads_no_digits_gets_words(text: str, language: str, said: str) -> None:
    assert spoken_form(text, language, reads_digits=False) == said


def test_hours_are_said_before_minutes_where_they_are_written_after_them() -> None:
    assert spoken_form("Um 14:30 Uhr", "de") == "Um 14 Uhr 30"
    assert spoken_form("À 14 h 30", "fr") == "À 14 heures 30"
    assert spoken_form("14h30 km, 99h99", "fr", reads_digits=True).startswith("14 heures 30 km, 99h99")


def test_a_day_is_read_in_the_order_of_the_country() -> None:
    assert spoken_form("3/4/2026", "en-US") == "March fourth, twenty twenty-six"
    assert spoken_form("3/4/2026", "en-GB") == "the third of April twenty twenty-six"
    assert spoken_form("$20", "en-AU") == "20 Australian dollars"


LEXICON = Lexicon(
    {
        "Nguyen": {"*": Pronunciation("win", "ˈwɪn", "a.yaml:1")},
        "Portrayal": {"en": Pronunciation("", "pɔːˈtɹeɪəl", "a.yaml:2")},
        "$20": {"en": Pronunciation("a twenty", "", "a.yaml:3")},
        "北京": {"zh": Pronunciation("背景", "", "a.yaml:4")},
    }
)


def test_a_lexicon_holds_for_whole_words_in_any_case_and_before_everything_else() -> None:
    assert spoken_form("nguyen’s Nguyens $20", "en", LEXICON) == "win’s Nguyens a twenty"
    assert spoken_form("Nguyen, Portrayal", "en", LEXICON, reads_ipa=True) == "[[ˈwɪn]], [[pɔːˈtɹeɪəl]]"
    assert spoken_form("Portrayal", "en", LEXICON) == "Portrayal"
    assert spoken_form("我在北京住", "zh", LEXICON) == "我在背景住"
    assert set(said_in_ipa(LEXICON, "en", ["portrayal of Nguyen"])) == {"Portrayal", "Nguyen"}
    assert not said_in_ipa(LEXICON, "es", ["portrayal of nobody"])


def test_brackets_in_a_script_are_not_taken_for_ipa() -> None:
    assert "[[" not in spoken_form("He said [[sic]].", "en", reads_ipa=True)


def test_ipa_is_heard_as_written() -> None:
    engine = EspeakSynthesizer()
    voice = engine.voices("en", 1)[0]
    for ipa, language in (("ˈwɪn", "en"), ("pɔːˈtɹeɪəl", "en"), ("xwan", "es"), ("ʃɑ̃", "fr")):
        engine.check_ipa(ipa, language)
        heard = "".join(one.ipa for one in engine.speak(f"[[{ipa}]]", language, voice).phonemes)
        assert heard.replace("ˈ", "") == ipa.replace("ˈ", "")


def test_a_currency_is_heard_after_its_amount() -> None:
    engine = EspeakSynthesizer()
    voice = engine.voices("en", 1)[0]

    def heard(text: str) -> str:
        return "".join(one.ipa for one in engine.speak(text, "en", voice).phonemes)

    assert heard("$20").index("d") < heard("$20").index("w")  # what the engine makes of the sign: dollar twenty
    assert heard(spoken_form("$20", "en")) == heard("twenty dollars")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("今日は学校へ行きます。", "キョオワ ガッコオエ イキマス。"),
        ("2026年、21.5度。", "ニセンニジュウロクネン、 ニジュウイッテンゴド。"),
        ("コーヒーは¥500です", "コオヒイワ ゴヒャクエンデス"),
        ("はい。", "ハイ。"),
    ],
)
def test_japanese_is_put_in_kana_for_an_engine_that_reads_no_kanji(text: str, said: str) -> None:
    assert spoken_form(text, "ja", reads_kanji=False, reads_ipa=True) == said


def test_espeak_reads_japanese_instead_of_naming_its_letters() -> None:
    engine = EspeakSynthesizer()
    voice = engine.voices("ja", 1)[0]

    def heard(text: str) -> str:
        return "".join(one.ipa for one in engine.speak(text, "ja", voice).phonemes)

    assert "tʃˈaɪniːz" in heard("今日")  # "Chinese letter"
    assert heard(spoken_form("今日は", "ja", reads_kanji=engine.reads_kanji)).startswith("kʲ")


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("今天是2026年，21.5度", "zh", "今天是二〇二六年，二十一点五度"),
        ("iPhone15を3台", "ja", "iPhone 十五を三台"),
        ("The iPhone15 costs 3.25", "en", "The iPhone fifteen costs three point two five"),
    ],
)
def test_numbers_stand_alone_beside_letters_that_words_are_not_made_of(text: str, language: str, said: str) -> None:
    assert spoken_form(text, language, reads_digits=False) == said


def test_a_number_beyond_the_names_of_numbers_is_said_digit_by_digit() -> None:
    assert spoken_form("1234567890123456789", "en", reads_digits=False).startswith("one two three four")
    assert spoken_form(f"${'1' * 30} {'2' * 30}%", "en").count("1") == 30


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.sampled_from([*SAID, "ar", "tlh", "en-AU"]), st.booleans(), st.booleans())
@example("\U0001ccf0", "en", False, False)
def test_any_text_has_a_spoken_form_and_words_stay(text: str, language: str, digits: bool, ipa: bool) -> None:
    said = spoken_form(text, language, LEXICON, reads_digits=digits, reads_ipa=ipa, reads_kanji=digits)
    assert said == " ".join(said.split())
    assert digits or language == "tlh" or not any(character.isdecimal() for character in said)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(categories=["Ll"]), min_size=1, max_size=9), max_size=8), st.sampled_from(list(SAID))
)
def test_plain_words_are_left_alone(words: list[str], language: str) -> None:
    text = " ".join(words)
    assert spoken_form(text, language) == text


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["en", "es", "de", "fr", "pt-BR", "hi", "ru", "zh"]))
def test_no_digit_is_left_for_an_engine_that_reads_none(number: int, language: str) -> None:
    assert not any(character.isdecimal() for character in spoken_form(f"{number}", language, reads_digits=False))
