"""How Japanese numbers are pronounced, alone and before what they count: `3月5日` as `サンガツ イツカ`.

Days, months, hours and people have readings of their own; before other counters sounds double (`イップン`) or become voiced
(`サンボン`), which follows from the first sound of the counter. The readings are those of Open JTalk's rules for numbers, but
for some where two are usual: eight before カ and ハ (`ハッカイ`), seven people (`ナナニン`), twenty years of age (`ハタチ`).
"""

import regex

_ONES = ("", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュー")
_HUNDREDS = {1: "ヒャク", 3: "サンビャク", 6: "ロッピャク", 8: "ハッピャク"}
_THOUSANDS = {1: "セン", 3: "サンゼン", 8: "ハッセン"}
_MYRIADS = ("", "マン", "オク", "チョー", "ケイ")

_DAYS = {
    2: "フツカ", 3: "ミッカ", 4: "ヨッカ", 5: "イツカ", 6: "ムイカ", 7: "ナノカ", 8: "ヨーカ", 9: "ココノカ", 10: "トーカ",
    14: "ジューヨッカ", 17: "ジューシチニチ", 19: "ジュークニチ", 20: "ハツカ", 24: "ニジューヨッカ", 27: "ニジューシチニチ",
    29: "ニジュークニチ",
}  # fmt: skip
_THINGS = ("", "ヒトツ", "フタツ", "ミッツ", "ヨッツ", "イツツ", "ムッツ", "ナナツ", "ヤッツ", "ココノツ")
_ENDING_OTHERWISE = {
    "ガツ": {4: "シ", 7: "シチ", 9: "ク"}, "ジ": {4: "ヨ", 7: "シチ", 9: "ク"},
    "ニン": {4: "ヨ"}, "ネン": {4: "ヨ"}, "エン": {4: "ヨ"},
}  # fmt: skip
"""The last digit of the number before a counter that begins so."""

_COUNTERS = {
    "日": "ニチ", "月": "ガツ", "年": "ネン", "時": "ジ", "人": "ニン", "円": "エン", "つ": "ツ",
    "本": "ホン", "匹": "ヒキ", "杯": "ハイ", "分": "フン", "泊": "ハク", "歩": "ホ", "票": "ヒョー",
    "回": "カイ", "個": "コ", "件": "ケン", "階": "カイ", "曲": "キョク", "軒": "ケン", "か月": "カゲツ", "か国": "カコク",
    "か所": "カショ", "キロ": "キロ",
    "歳": "サイ", "才": "サイ", "冊": "サツ", "週": "シュー", "世紀": "セイキ", "世代": "セダイ",
    "センチ": "センチ", "点": "テン", "トン": "トン", "頭": "トー", "着": "チャク", "章": "ショー",
    "台": "ダイ", "枚": "マイ", "番": "バン", "名": "メイ", "秒": "ビョー", "度": "ド", "話": "ワ", "倍": "バイ", "号": "ゴー",
    "位": "イ", "メートル": "メートル", "ドル": "ドル", "%": "パーセント", "％": "パーセント", "パーセント": "パーセント",
    "ページ": "ページ", "ポイント": "ポイント",
}  # fmt: skip
_MORE = {"間": "カン", "目": "メ", "半": "ハン", "前": "マエ", "代": "ダイ", "生": "セイ", "児": "ジ"}
"""What may follow a counter and is read with it: 三日間, 二人目, 七時半, 一人前, 二十年代, 一年生, 五歳児."""
_MORE_AFTER = {
    "日": "間目", "年": "間目代生", "月": "", "時": "間半", "人": "目前", "分": "間", "週": "間目", "か月": "間目", "秒": "間",
    "歳": "児", "つ": "目", "本": "目", "回": "目", "個": "目", "枚": "目", "番": "目", "曲": "目", "台": "目", "話": "目",
}  # fmt: skip
_VOICED_AFTER_N = {"ホン": "ボン", "ヒキ": "ビキ", "ハイ": "バイ", "ヒョー": "ビョー"}
_VOICED_AFTER_THREE = {"階": "ガイ", "軒": "ゲン"}
_NOT_DOUBLED = {
    "パーセント": ("イチ",), "ページ": ("イチ",), "ポイント": ("イチ",), "キロ": ("イチ", "ハチ"), "トン": ("ハチ",),
    "セダイ": ("イチ", "ハチ", "ジュー"),
}  # fmt: skip
_PLOSIVE = dict(zip("ハヒフヘホ", "パピプペポ", strict=True))

_DIGITS = "〇一二三四五六七八九"
_PLACES = {"十": 10, "百": 100, "千": 1000}
_KANJI = rf"(?<![{_DIGITS}十百千万])([{_DIGITS}十百千万]+)"
_KANJI_DATE = regex.compile(rf"{_KANJI}月([{_DIGITS}十]+)日(?!間)")
_KANJI_COUNT = regex.compile(
    rf"{_KANJI}(?=人(?![前称者権])|[本匹冊枚台個回階件歳才年円時つ](?!\p{{Han}})|年[間生代目]|[日時分週]間|[かカヵヶケヶ箇][月国所])"
)
"""Numbers in kanji that are certainly numbers: `十分` is also enough, `一日` also a day."""
_WRITTEN = "|".join(
    counter.replace("か", "[かカヵヶケヶ箇]")
    + (f"(?:[{_MORE_AFTER[counter]}](?!\\p{{Han}}))?" if _MORE_AFTER.get(counter) else "")
    for counter in sorted(_COUNTERS, key=len, reverse=True)
)
_NUMBER = regex.compile(
    rf"(?P<number>\d{{1,3}}(?:[,，]\d{{3}})+|\d+)(?:[.．](?P<fraction>\d+))?(?!\d)(?:\s?(?P<counter>{_WRITTEN}))?"
)
_TIME = regex.compile(r"(?<![\d:.,])([01]?\d|2[0-4])[:：]([0-5]\d)(?![\d:])")
_MINUS = regex.compile(r"(?<![\p{Latin}\p{N}])[-−](?=\d)")
_MYRIAD = regex.compile(r"(?<![\d.,])(?:\d{1,4}[万億兆])+(?:\d{1,4})?(?![\d,.万億兆])")
_OF_A_MONTH = regex.compile(r"(?:\d|[今来先毎翌同])月の?\s*$")


def split_at_numbers(text: str) -> list[tuple[str, bool]]:
    """`text` in parts, of which those with True are numbers in katakana, together with their counters."""
    text = _KANJI_DATE.sub(lambda found: f"{_arabic(found[1])}月{_arabic(found[2])}日", text)
    text = _KANJI_COUNT.sub(lambda found: str(_arabic(found[1])), text)
    text = _TIME.sub(lambda found: f"{found[1]}時" + (f"{int(found[2])}分" if int(found[2]) else ""), text)
    text = _MINUS.sub("マイナス", text)
    text = _MYRIAD.sub(lambda found: str(_in_full(found[0])), text)
    parts, reached = [], 0
    for match in _NUMBER.finditer(text):
        parts += [(text[reached : match.start()], False), (_said(match), True)]
        reached = match.end()
    return [part for part in [*parts, (text[reached:], False)] if part[0]]


def number_in_kana(number: int) -> str:
    """Counted in tens of thousands, `ー` for long vowels; digit by digit from 10^20.

    Example:
        >>> number_in_kana(13_600)
        'イチマンサンゼンロッピャク'
    """
    if number >= 10 ** (4 * len(_MYRIADS)):
        return "".join("ゼロ" if digit == "0" else _ONES[int(digit)] for digit in str(number))
    said = ""
    for power in range(len(_MYRIADS) - 1, -1, -1):
        part = number // 10 ** (4 * power) % 10_000
        thousands, hundreds, tens, ones = (part // 10**place % 10 for place in (3, 2, 1, 0))
        if part:
            said += _THOUSANDS.get(thousands, _ONES[thousands] + "セン" * (thousands > 0))
            said += _HUNDREDS.get(hundreds, _ONES[hundreds] + "ヒャク" * (hundreds > 0))
            said += "ジュー" if tens == 1 else _ONES[tens] + "ジュー" * (tens > 0)
            said += _ONES[ones] + _MYRIADS[power]
    return said or "ゼロ"


def _in_full(written: str) -> int:
    """`3億2000万` as 320000000."""
    return sum(
        int(part) * 10 ** {"万": 4, "億": 8, "兆": 12, "": 0}[unit]
        for part, unit in regex.findall(r"(\d+)(\D?)", written)
    )


def _arabic(kanji: str) -> int:
    """`二千二十六` as 2026."""
    total = below = digit = 0
    for character in kanji:
        if character == "万":
            total, below, digit = total + (below + digit or 1) * 10_000, 0, 0
        elif character in _PLACES:
            below, digit = below + (digit or 1) * _PLACES[character], 0
        else:
            digit = 10 * digit + _DIGITS.index(character)
    return total + below + digit


def _said(match: "regex.Match[str]") -> str:
    number = int(regex.sub("[,，]", "", match["number"]))
    written = regex.sub("[カヵヶケヶ箇](?=[月国所])", "か", match["counter"] or "")
    counter = next((one for one in (written, written[:-1]) if one in _COUNTERS), "")
    more = _MORE.get(written.removeprefix(counter), "")
    if match["fraction"]:
        point = {2: "ニーテン", 5: "ゴーテン", 0: "レーテン"}.get(number) or _counted(number, "点")
        digits = "".join("ゼロ" if digit == "0" else _ONES[int(digit)] for digit in match["fraction"])
        return point + digits + _COUNTERS.get(counter, "") + more
    if not counter:
        return number_in_kana(number)
    if counter == "日" and number == 1 and not more and _OF_A_MONTH.search(match.string[: match.start()]):
        return "ツイタチ"
    if counter == "歳" and number == 20 and not more:
        return "ハタチ"
    return _counted(number, counter, more) + more


def _counted(number: int, counter: str, more: str = "") -> str:
    """The number and its counter, as one says them together."""
    if counter == "日" and number in _DAYS:
        return _DAYS[number]
    if counter == "人" and number in (1, 2) and more != "マエ":
        return ("ヒトリ", "フタリ")[number - 1]
    if counter == "つ" and 0 < number < 10:
        return _THINGS[number]
    said, sound = number_in_kana(number), _COUNTERS[counter]
    last = number % 10
    otherwise = next((ends for begins, ends in _ENDING_OTHERWISE.items() if sound.startswith(begins)), {})
    if number == 0 and counter in ("時", "度"):
        return "レー" + sound
    if last in otherwise:
        return said.removesuffix(_ONES[last]) + otherwise[last] + sound
    if last == 3 and counter in _VOICED_AFTER_THREE:
        return said + _VOICED_AFTER_THREE[counter]
    first = sound[0]
    breathed = first in _PLOSIVE
    if said.endswith("ン") and breathed and last != 4:
        return said + _VOICED_AFTER_N.get(sound, _PLOSIVE[first] + sound[1:])
    if last == 4 and counter in ("分", "泊", "歩"):
        return said + _PLOSIVE[first] + sound[1:]
    doubled = said if said.endswith(_NOT_DOUBLED.get(sound, ())) else _doubled(said, first)
    return doubled + (_PLOSIVE[first] + sound[1:] if breathed and doubled != said else sound)


def _doubled(said: str, first: str) -> str:
    """The number with its last sound doubled before `first`, where it is."""
    endings = {
        "イチ": "カキクケコサシスセソタチツテトハヒフヘホパピプペポ",
        "ロク": "カキクケコハヒフヘホ",
        "ハチ": "カキクケコサシスセソタチツテトハヒフヘホ",
        "ジュー": "カキクケコサシスセソタチツテトハヒフヘホパピプペポ",
        "ヒャク": "カキクケコハヒフヘホ",
        "ビャク": "カキクケコハヒフヘホ",
        "ピャク": "カキクケコハヒフヘホ",
    }
    for ending, before in endings.items():
        if said.endswith(ending) and first in before:
            stem = said.removesuffix(ending)
            return stem + {"ジュー": "ジュッ"}.get(ending, ending[:-1] + "ッ")
    return said
