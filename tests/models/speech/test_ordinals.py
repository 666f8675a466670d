"""Days, years and ordinals as they are said, where it is certain that they are ones; and counted things in Japanese."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.speech.espeak import EspeakSynthesizer
from models.speech.japanese_numbers import number_in_kana
from models.speech.ordinals import months_of
from models.speech.spoken_form import spoken_form

SAID = {
    "de": {
        "am 3. März": "am dritten März",
        "Der 3. März war schön.": "Der dritte März war schön.",
        "Montag, 3. März": "Montag, dritter März",
        "am Dienstag, 3. März 1999": "am Dienstag, dritten März neunzehnhundertneunundneunzig",
        "am 3.3.2026": "am dritten März zweitausendsechsundzwanzig",
        "Er kommt am 3.3.": "Er kommt am dritten März.",
        "vom 3. bis 5. Mai, am 6. und 7. Mai": "vom dritten bis fünften Mai, am sechsten und siebten Mai",
        "vom 3.–5. Mai": "vom dritten bis fünften Mai",
        "1. Platz, 2. Runde, 3. Kapitel": "erster Platz, zweite Runde, drittes Kapitel",
        "der 2. Weltkrieg, in der 2. Runde, im 2. Stock": "der zweite Weltkrieg, in der zweiten Runde, im zweiten Stock",
        "ein 2. Mal, jedes 3. Mal, ihr 1. Kind": "ein zweites Mal, jedes dritte Mal, ihr erstes Kind",
        "der 3. große Erfolg": "der dritte große Erfolg",
        "Es waren 3. Dann kamen wir.": "Es waren drei. Dann kamen wir.",
        "1. Öffnen Sie die Tür.": "eins. Öffnen Sie die Tür.",
        "Version 1.2.3": "Version eins Punkt zwei Punkt drei",
    },
    "en": {
        "March 3, 2026": "March third, twenty twenty-six",
        "on the 3rd of March, on Jan 5": "on the third of March, on January fifth",
        "from 3-5 June 1999": "from the third to the fifth of June nineteen ninety-nine",
        "In May 20 people came": "In May twenty people came",
        "the 21st of 1,001": "the twenty-first of one thousand one",
        "the 1990s, in 1999.": "the nineteen nineties, in nineteen ninety-nine.",
        "In 1999 cases": "In one thousand nine hundred ninety-nine cases",
        "11st, 3D": "eleven st, three D",
    },
    "fr": {
        "le 1er mars, le 1 mai, le 3 mai": "le premier mars, le premier mai, le trois mai",
        "la 1re, la 1ère, la 2e, le 21ème, la 2nde": "la première, la première, la deuxième, le vingt-et-unième, la seconde",
    },
    "es": {
        "el 1 de marzo, el 1º de mayo": "el uno de marzo, el primero de mayo",
        "2ª, 1.º, 3er piso, 5to": "segunda, primero, tercer piso, quinto",
    },
    "es-MX": {"el 1/3/2026": "el primero de marzo de dos mil veintiséis"},
    "it": {
        "1º maggio, 1° marzo, l'8 marzo": "primo maggio, primo marzo, l'otto marzo",
        "2ª, 20 °C": "seconda, venti gradi Celsius",
    },
    "pt": {"1 de março, 3 de maio": "primeiro de março, três de maio", "1.º, 2ª": "primeiro, segunda"},
    "nl": {"1e, 2de, 8ste": "eerste, tweede, achtste", "3-3-1999": "drie maart negentiennegenennegentig"},
    "pl": {
        "3 marca 2026 r.": "trzeciego marca dwa tysiące dwudziestego szóstego roku",
        "od 3 do 5 maja, w 1900 roku": "od trzeciego do piątego maja, w tysiąc dziewięćsetnym roku",
        "w 2000 r., 31.12.1905": "w dwutysięcznym roku, trzydziestego pierwszego grudnia tysiąc dziewięćset piątego",
        "1. miejsce, na 2. piętrze, 3. klasa": "pierwsze miejsce, na drugim piętrze, trzecia klasa",
        "Było ich 3. Potem 3,14.": "Było ich trzy. Potem trzy przecinek jeden cztery.",
    },
    "da": {"3. marts": "tredje marts"},
    "nb": {"17. mai 1814": "syttende mai attenhundre og fjorten"},
    "sv": {"3 mars, 1:a": "tredje mars, första"},
    "fi": {"3. maaliskuuta": "kolmas maaliskuuta"},
    "ru": {
        "9 мая 1945 года": "девятого мая тысяча девятьсот сорок пятого года",
        "2-й, 1-я, 90-е годы": "второй, первая, девяностые годы",
    },
    "cs": {"25.11.2026": "dvacet pět listopadu dva tisíce dvacet šest"},
    "zh": {
        "2026年3月5日20:05": "二〇二六年三月五日二十点零五分",
        "2个人，2点，第2个，2年级": "两个人，两点，第二个，二年级",
    },
    "zh-TW": {"2個": "兩個"},
}  # fmt: skip


@pytest.mark.parametrize("language", SAID)
def test_days_years_and_ordinals_are_said_as_such(language: str) -> None:
    assert {text: spoken_form(text, language, reads_digits=False) for text in SAID[language]} == SAID[language]


def test_espeak_gets_ordinals_in_words_and_reads_other_numbers_itself() -> None:
    assert spoken_form("Am 3. März 20 Gäste.", "de") == "Am dritten März 20 Gäste."
    assert spoken_form("2026年3月5日", "zh") == "二〇二六年3月5日"
    engine = EspeakSynthesizer()
    voice = engine.voices("de", 1)[0]

    def heard(text: str) -> str:
        return "".join(one.ipa for one in engine.speak(text, "de", voice).phonemes).replace("ˈ", "")

    assert "tɾɪtən" not in heard("am 3. März") and "dɾaɪ" in heard("am 3. März")  # three March
    assert "dɾɪtən" in heard(spoken_form("am 3. März", "de"))


COUNTED = {
    "3月1日、2日、20日、24日": "サンガツ ツイタチ、 フツカ、 ハツカ、 ニジュウヨッカ",
    "4月9日に、7月8日": "シガツ ココノカニ、 シチガツ ヨオカ",
    "1日3回、2日間": "イチニチ サンカイ、 フツカカン",
    "1人、2人、4人、14人で": "ヒトリ、 フタリ、 ヨニン、 ジュウヨニンデ",
    "1本、2本、3本、6本、10本、100本": "イッポン、 ニホン、 サンボン、 ロッポン、 ジュッポン、 ヒャッポン",
    "1分、3分、4分、8分、20分": "イップン、 サンプン、 ヨンプン、 ハップン、 ニジュップン",
    "4時、7時半、9時間、14:30": "ヨジ、 シチジハン、 クジカン、 ジュウヨジ サンジュップン",
    "4年、2024年、1年生": "ヨネン、 ニセンニジュウヨネン、 イチネンセイ",
    "1歳、8歳、20歳": "イッサイ、 ハッサイ、 ハタチ",
    "1回、6回、10個、3階": "イッカイ、 ロッカイ、 ジュッコ、 サンガイ",
    "4円、1,300円、3万2000円": "ヨエン、 センサンビャクエン、 サンマンニセンエン",
    "50%、2.5倍、-5度": "ゴジュッパアセント、 ニイテンゴバイ、 マイナス ゴド",
    "1つ、9つ、1か月、10ヶ月": "ヒトツ、 ココノツ、 イッカゲツ、 ジュッカゲツ",
    "五月五日、二人で三本、二〇二六年、十分です": "ゴガツ イツカ、 フタリデ サンボン、 ニセンニジュウロクネン、 ジュウブンデス",
}  # fmt: skip


@pytest.mark.parametrize("text", COUNTED)
def test_japanese_counts_days_people_and_things_each_in_its_way(text: str) -> None:
    assert spoken_form(text, "ja", reads_kanji=False) == COUNTED[text]


def test_an_engine_that_reads_kanji_gets_japanese_dates_in_kanji() -> None:
    assert spoken_form("3月5日14:30", "ja", reads_digits=False) == "三月五日十四時三十分"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**21), st.integers(0, 9999))
def test_japanese_numbers_are_read_in_groups_of_four_digits(number: int, below: int) -> None:
    assert number_in_kana(below * 10**8).removesuffix("オク") == number_in_kana(below) or below == 0
    assert set(number_in_kana(number)) <= set("イチニサンヨゴロクナハキュージッヒャビピセゼマオケョ")


LANGUAGES = (
    "de", "en", "fr", "es", "es-MX", "it", "pt-BR", "nl", "pl", "da", "nb", "sv", "fi", "ru", "cs", "ko", "zh", "tr", "ar", "hi",
    "el", "he", "sw",
)  # fmt: skip


@st.composite
def sentences_with_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """Numbers in many guises, between words, marks, months and signs; and a language."""
    language = draw(st.sampled_from(LANGUAGES))
    base = {"es-MX": "es", "pt-BR": "pt"}.get(language, language)
    number = st.integers(0, 3000).map(str) | st.sampled_from(
        ["1", "2", "3", "31", "1999", "3.3", "1.2.3", "1.234,5", "３"]
    )
    mark = st.sampled_from(
        [".", "", "", "st", "th", "er", "º", "ª", "e", "s", "-й", ":a", "%", " €", "年", "日", "D", "–5.", "."]
    )
    word = st.sampled_from(
        ["der", "am", "in", "de", "May", "Platz", "w", "roku", "r.", "\n", ",", "und", "iPhone", "2", "do"]
    )
    piece = st.tuples(st.sampled_from(["", "v", "B-", "-", "$"]), number, mark).map("".join)
    month = st.sampled_from(months_of(base))
    return language, " ".join(draw(st.lists(piece | word | month, min_size=1, max_size=7)))


@settings(max_examples=400, deadline=None)
@given(sentences_with_numbers())
def test_no_digit_is_left_however_a_number_is_written(case: tuple[str, str]) -> None:
    language, text = case
    said = spoken_form(text, language, reads_digits=False)
    assert not any(character.isdecimal() for character in said)
    assert spoken_form(said, language, reads_digits=False) == said


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.integers(0, 10**9).map(str)
        | st.sampled_from(
            ["日", "月", "人", "%", "間", "は", "3.5", "14:30", ",", "万", "iPhone", "三", "十", "年", "目", "-", "３"]
        ),
        max_size=8,
    ).map("".join)
)
@example("3.53.5")
def test_no_digit_is_left_in_kana(text: str) -> None:
    said = spoken_form(text, "ja", reads_kanji=False)
    assert not any(character.isdecimal() for character in said)
