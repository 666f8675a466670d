"""Chinese numbers that are not said as they are counted: years digit by digit, and two of something."""

import regex

from media.languages import script_of

_MEASURES = (
    "个|個|位|只|隻|条|條|张|張|本|台|臺|辆|輛|件|次|天|周|週|岁|歲|元|块|塊|分钟|分鐘|秒|小时|小時|个月|倍|种|種|家|名|杯|瓶"
    r"|封|句|遍|场|場|座|间|間|把|双|雙|对|對|首|部|门|門|颗|顆|棵|匹|头|頭|公里|公斤|公升|米|点(?!\d)|點(?!\d)|万|萬|亿|億|年(?![级級])"
)
_YEAR = r"(?<![\p{N}.,:/-])(?P<zh_year>1[1-9]\d\d|20\d\d)(?=年(?![级級]))"
_TWO = rf"(?<![\p{{N}}.,:/第-])(?P<zh_two>2)(?=[ \u00a0]?(?:{_MEASURES}))"


def chinese_number_pattern() -> str:
    """An expression of `regex` for years before 年, and for 2 before a measure word."""
    return f"{_YEAR}|{_TWO}"


def chinese_number_said(match: "regex.Match[str]", language: str) -> str:
    """二〇二六 for a year; 两 (兩 in traditional script) for two.

    Years are read digit by digit, as GB/T 15835-2011, *General rules for writing numerals in publications*, writes them.
    """
    if year := match["zh_year"]:
        return "".join("〇一二三四五六七八九"[int(digit)] for digit in year)
    return "兩" if script_of(language) == "Hant" else "两"
