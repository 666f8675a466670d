"""Where a reader would pause: how bad it is to end a line, or a caption, after each word.

Professional line-break rules: after punctuation; before a conjunction or a preposition; never between an article and its
noun, a number and its unit, a first and a last name. There is no parser behind this but short lists of the commonest
function words of some languages, and, for scripts without spaces, what follows from the letters themselves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import regex

SENTENCE, CLAUSE, BEFORE_PHRASE, WORD, BOUND, NEVER = 0.0, 1.0, 2.0, 3.0, 6.0, 30.0
"""Costs of a break: after a sentence, after a clause, before a conjunction or preposition, between two words, between
words that belong together (a pronoun and its verb, a preposition and its noun), and where no line may ever end."""
WITHIN_WORD = 8.0

_SENTENCE_END = re.compile("[.!?…。！？।॥؟۔][\"'”’»」』）)]*$")
_CLAUSE_END = re.compile("[,;:，、；：،؛—–][\"'”’»」』）)]*$")
_NUMBER = regex.compile(r"^[^\p{L}]*\p{Nd}[\p{Nd}.,:/٫٬\-]*$|^[#№$€£¥₹]$")
_INITIAL = regex.compile(r"^\p{Lu}\.$")
_CAPITALISED = regex.compile(r"^\p{P}*\p{Lu}[\p{Ll}\p{M}]+[\p{L}\p{M}'’\-]*")
_EDGES = regex.compile(r"^[\p{P}\p{S}]+|[\p{P}\p{S}]+$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words(
    "dr mr mrs ms mx prof st sr sra srta dra d dª m mme mlle hr fr sig dott ing lic gen col capt sgt lt rev hon г ул др"
    " проф"
)
"""Abbreviations before a name, and (below) before a number: their full stop ends no sentence."""
_BEFORE_NUMBERS = _words("no nr nº num p pp pág vol fig ca ch art")
_LEADS = _words("e.g i.e z.b p.ej vs")

UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\u30a0-\u30ff\uff00-\uffef]",
    regex.VERSION1,
)
_QUOTES = frozenset("“”‘’«»…—")
_FULL_WIDTH_MARK = regex.compile(r"[\u3000-\u303f\uff00-\uffef&&\p{P}]", regex.VERSION1)
# Kinsoku (JIS X 4051, and the same for Chinese in W3C's clreq): what may not end a line, and what may not begin one.
# The vowels of Thai and Lao that are written before their consonant belong to what follows, too.
OPENING = frozenset("([{“‘«「『（［｛〈《【〔〘〖〝｟¿¡＄￥￡$¥£#＃เแโใไເແໂໃໄ")
CLOSING = frozenset(
    ")]}”’»」』）］｝〉》】〕〙〗〟｠.,!?;:…‥。、，．！？；：・ー—―〜～‐゠–‼⁇⁈⁉"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ々〻ヽヾゝゞ゛゜ๆฯ%％‰℃°"
)


def unbroken(lines: Iterable[str]) -> str:
    """The text of lines that were broken, joined by a space, but not in a script without spaces (nor a line of nothing).

    Example:
        >>> unbroken(["今日は", "晴れです。"]), unbroken(["Hello,", "world"])
        ('今日は晴れです。', 'Hello, world')
    """
    text = ""
    for line in map(str.strip, lines):
        text += line if not text or not line or _joins(text[-1], line[0]) else f" {line}"
    return text


def _joins(last: str, first: str) -> bool:
    """Whether no space stands between two letters of a script without, or a letter of it and a quotation mark or bracket.

    None stands beside the full-width marks of Chinese and Japanese either.
    """
    if _FULL_WIDTH_MARK.search(last + first):
        return True
    letters = (UNSPACED.search(last) is not None) + (UNSPACED.search(first) is not None)
    return letters == 2 or (letters == 1 and (last in _QUOTES or first in _QUOTES))


@dataclass(frozen=True, slots=True)
class Grammar:
    """Function words of one language, in small letters."""

    articles: frozenset[str]
    """Articles and possessives: no line ends with one."""
    openers: frozenset[str]
    """Conjunctions and prepositions: a line had better begin with one than end with it."""
    leaners: frozenset[str]
    """Pronouns, auxiliaries, negations: they belong to what follows."""
    trailers: frozenset[str] = frozenset()
    """Postpositions, auxiliaries behind the verb: they belong to what precedes."""


def _grammar(articles: str, openers: str, leaners: str = "", trailers: str = "") -> Grammar:
    return Grammar(*map(_words, (articles, openers, leaners, trailers)))


_GRAMMARS = {
    "en": _grammar(
        "a an the my your our their its every",
        "and or but nor so yet because although though while if when where whether that which who whose unless since as than"
        " of to in on at by for from with without about into onto over under after before between through during against"
        " among across behind beyond near until upon toward towards within like",
        "i you he she it we they i'm you're he's she's it's we're they're i've you've we've they've i'll you'll we'll"
        " am is are was were be been have has had do does did will would shall should can could may might must not"
        " don't doesn't didn't won't can't his her this these those very too",
    ),
    "es": _grammar(
        "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra al del cada",
        "y e o u pero sino porque aunque cuando donde mientras si que como pues ni a ante bajo con contra de desde durante"
        " en entre hacia hasta para por según sin sobre tras",
        "yo tú él ella nosotros ellos ellas usted ustedes me te se le lo nos les no he ha han había es son era está están"
        " muy más este esta estos estas ese esa",
    ),
    "fr": _grammar(
        "le la les un une des du au aux mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs chaque",
        "et ou mais donc car ni puisque parce quand lorsque où si que qui comme à de dans en sur sous avec sans pour par"
        " chez vers entre contre depuis pendant avant après jusque dès",
        "je tu il elle on nous vous ils elles me te se ne pas y ai as a avons avez ont est sont était suis êtes très plus"
        " ce cet cette ces",
    ),
    "de": _grammar(
        "der die das den dem des ein eine einen einem einer eines mein meine meinen dein deine sein seine ihr ihre unser"
        " unsere kein keine zum zur im am beim vom ins ans jede jeder jedes",
        "und oder aber denn sondern weil obwohl während wenn als dass ob wie wo in an auf aus bei bis durch für gegen mit"
        " nach ohne seit über um unter von vor zu zwischen",
        "ich du er sie es wir ihr man nicht ist sind war bin hat haben habe wird werden kann sehr mehr dieser diese dieses",
    ),
    "it": _grammar(
        "il lo la i gli le un uno una del dello della dei degli delle al allo alla ai agli alle dal dalla nel nella sul sulla"
        " mio mia tuo tua suo sua nostro nostra ogni",
        "e ed o ma perché quando dove mentre se che come né a di da in con su per tra fra senza verso contro dopo prima",
        "io tu lui lei noi voi loro mi ti si ci vi non ho hai ha abbiamo hanno è sono era sta molto più questo questa",
    ),
    "pt": _grammar(
        "o a os as um uma uns umas do da dos das no na nos nas ao à aos às pelo pela meu minha teu tua seu sua nosso nossa"
        " cada",
        "e ou mas porque quando onde enquanto se que como nem de em com por para sem sobre entre até desde contra após",
        "eu tu ele ela nós eles elas você vocês me te lhe não é são era está estão foi tem têm muito mais este esta esse essa",
    ),
    "nl": _grammar(
        "de het een mijn jouw zijn haar ons onze hun elke elk",
        "en of maar want omdat hoewel terwijl als dat die wanneer waar van in op aan bij met zonder voor naar uit over onder"
        " door tegen tussen tot sinds na",
        "ik jij je hij zij ze wij we jullie niet is was ben heeft heb hebben wordt kan zal zeer heel deze dit",
    ),
    "ru": _grammar(
        "мой моя моё мои твой твоя наш наша ваш ваша каждый каждая",
        "и а но или что чтобы потому когда если как где который которая которые в во на с со к ко из у о об от до по для без"
        " за над под при про через между",
        "я ты он она мы вы они не ни очень это эта этот",
        "же ли бы",
    ),
    "hi": _grammar(
        "मेरा मेरी मेरे हमारा हमारी हमारे आपका आपकी आपके उसका उसकी इसका हर एक",
        "और या लेकिन मगर पर कि क्योंकि अगर जब तो जो जैसे इसलिए",
        "मैं हम तुम आप वह यह वे ये नहीं न मत बहुत",
        "ने को से में पर का की के तक है हैं था थी थे हूँ हूं हो भी ही जी वाला वाली वाले",
    ),
    "ur": _grammar(
        "میرا میری میرے ہمارا ہماری آپ کا ہر ایک",
        "اور یا لیکن مگر کہ کیونکہ اگر جب تو جو",
        "میں ہم تم آپ وہ یہ نہیں نہ بہت",
        "نے کو سے میں پر کا کی کے تک ہے ہیں تھا تھی تھے ہوں ہو بھی ہی",
    ),
    "ar": _grammar(
        "كل هذا هذه ذلك تلك",
        "و أو ثم لكن ولكن أن إن لأن لكي كي حتى إذا عندما حيث بينما التي الذي في من إلى على عن مع بعد قبل بين تحت فوق عند"
        " منذ خلال دون",
        "أنا أنت هو هي نحن هم لا لم لن ما قد سوف كان كانت ليس يا",
    ),
    "he": _grammar(
        "כל את",
        "או אבל כי אם ש כאשר בגלל למרות של על עם אל מן בין אחרי לפני בלי תחת מול אצל",
        "אני אתה את הוא היא אנחנו הם לא אין יש מאוד",
    ),
    "fa": _grammar(
        "هر این آن یک",
        "و یا اما ولی که چون اگر وقتی تا از به در با بر برای بین پس",
        "من تو او ما شما آنها نه خیلی نمی می",
        "را ها است هست بود",
    ),
    "ko": _grammar(
        "이 그 저 한 두 세 네 모든 각",
        "그리고 하지만 그러나 그런데 그래서 그러면 또는 혹은 만약 왜냐하면",
        "안 못 더 잘 매우 아주 너무 내 제 우리",
        "수 것 거 때 등 뿐 만큼 있다 있어요 없다 없어요 있습니다 없습니다",
    ),
}
_NO_GRAMMAR = _grammar("", "")


def grammar_of(language: str) -> Grammar:
    """The function words of a BCP 47 language; none where there is no list."""
    return _GRAMMARS.get(re.split("[-_]", language or "")[0].lower(), _NO_GRAMMAR)


def break_costs(pieces: Sequence[tuple[str, bool]], language: str, names: frozenset[str] = frozenset()) -> list[float]:
    """For every piece what it costs to break after it; the last one's is `SENTENCE`.

    Args:
        pieces: words, or graphemes of a script without spaces, in order; each with whether a space precedes it.
        language: BCP 47.
        names: first and last names of people, in small letters, that may not be parted from each other.
    """
    grammar = grammar_of(language)
    costs = [
        _cost(piece, following, next_spaced, grammar, names)
        for (piece, _), (following, next_spaced) in pairwise(pieces)
    ]
    return [*costs, SENTENCE] if pieces else []


def _cost(piece: str, following: str, next_spaced: bool, grammar: Grammar, names: frozenset[str]) -> float:
    if not next_spaced:
        if not UNSPACED.search(piece) and not UNSPACED.search(following):
            return WITHIN_WORD
        return _cost_without_space(piece, following)
    word, after = bare(piece), bare(following)
    if _is_abbreviation(piece, word, following):
        return NEVER
    if _SENTENCE_END.search(piece):
        return SENTENCE
    if _CLAUSE_END.search(piece):
        return CLAUSE
    if word in grammar.articles or (word in names and after in names):
        return NEVER
    if _NUMBER.match(piece) and after not in grammar.openers and after not in grammar.leaners:
        return NEVER  # what is counted, or the unit
    if _CAPITALISED.match(piece) and _CAPITALISED.match(following) and not _known(grammar, word, after):
        return NEVER
    if after in grammar.trailers:
        return NEVER if after not in grammar.openers else BOUND
    if word in grammar.openers or word in grammar.leaners:
        return BOUND
    if after in grammar.openers or word in grammar.trailers:
        return BEFORE_PHRASE
    return WORD


def _is_abbreviation(piece: str, word: str, following: str) -> bool:
    if not piece.endswith("."):
        return False
    if _INITIAL.match(piece) or word in _TITLES:
        return _CAPITALISED.match(following) is not None or _INITIAL.match(following) is not None
    return word in _LEADS or (word in _BEFORE_NUMBERS and _NUMBER.match(following) is not None)


def _known(grammar: Grammar, word: str, after: str) -> bool:
    """Whether one of two words in capitals is a function word at the beginning of a sentence or a title."""
    return any(one in grammar.openers or one in grammar.leaners or one in grammar.articles for one in (word, after))


@lru_cache(maxsize=8192)
def bare(word: str) -> str:
    """`word` in small letters, without the punctuation around it."""
    return _EDGES.sub("", word).casefold().replace("’", "'")


# Scripts without spaces

_HIRAGANA, _KATAKANA = regex.compile(r"\p{Hiragana}"), regex.compile(r"[\p{Katakana}ー]")
_HAN = regex.compile(r"\p{Han}")
_DIGIT = regex.compile(r"\p{Nd}")
_NUMERALS = frozenset("一二三四五六七八九十百千万億亿兆两兩几幾数何这這那每")
_COUNTERS = frozenset(
    "个個只隻位条條本张張件次年月日号號点點分秒岁歲天种種家块塊元円人回枚台匹杯冊歳時间間週周度米里斤层層页頁万億亿百千"
)
_UNITS = _words("公里 公斤 公分 公尺 小时 小時 分钟 分鐘 厘米 毫米 千米 千克 平方 星期 時間 週間 年間 分間 秒間")
_AFTER_THESE = frozenset("的了吗嗎呢吧啊呀嘛を")
_NOT_BEFORE = frozenset("的了着著过過吗嗎呢吧啊呀嘛们們儿地得")
_OPENERS = frozenset("和跟与與或但而因所如虽雖把被在从從对對向给給让讓比将將于於")
_LEANERS = frozenset("不没沒很太最更也都就还還再又要会會能可想这這那每")


def _cost_without_space(piece: str, following: str) -> float:
    """After a unit of a script without spaces; the rules are of Chinese and Japanese, for others any place is alike."""
    last, first = piece[-1], following[0]
    if _SENTENCE_END.search(piece):
        return SENTENCE
    if _CLAUSE_END.search(piece):
        return CLAUSE
    if _DIGIT.match(last) or (last in _NUMERALS and first in _COUNTERS):
        return NEVER
    if last + first in _UNITS:
        return NEVER
    if last in _AFTER_THESE and first not in _NOT_BEFORE:
        return BEFORE_PHRASE
    if _HIRAGANA.match(last):
        return BEFORE_PHRASE if not _HIRAGANA.match(first) else BOUND
    if _HIRAGANA.match(first) or (_KATAKANA.match(last) and _KATAKANA.match(first)):
        return WITHIN_WORD
    if first in _NOT_BEFORE:
        return WITHIN_WORD
    if first in _OPENERS:
        return BEFORE_PHRASE
    if last in _LEANERS or last in _OPENERS:
        return BOUND
    if not _HAN.match(last) and not _KATAKANA.match(last) and not _HAN.match(first):
        return BOUND  # Thai, Lao, Khmer, Myanmar: words cannot be told
    return WORD + 1.0
