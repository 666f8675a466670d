"""Text is shaped right in every script, with no fonts on the machine but those of the installation."""

import numpy as np
import pytest

from media.lettering import can_draw, fitting_size, plate, rounded_frame, rounded_mask, text_width

GREETINGS = {
    "en": "Hello, world!",
    "es": "¿Qué tal, señor Núñez?",
    "hi": "नमस्ते दुनिया, क्षितिज की ज्ञान-शक्ति",
    "ar": "مرحبا بالعالم، السلام عليكم",
    "he": "שלום עולם",
    "ru": "Привет, мир",
    "el": "Γειά σου Κόσμε",
    "th": "สวัสดีชาวโลก",
    "ta": "வணக்கம் உலகம்",
    "bn": "ওহে বিশ্ব",
    "zh": "你好，世界",
    "zh-Hant": "您好，世界",
    "ja": "こんにちは世界",
    "ko": "안녕하세요 세계",
    "am": "ሰላም ዓለም",
    "vi": "Xin chào thế giới",
}
UNASSIGNED = "\U00050000"


@pytest.mark.parametrize("language", GREETINGS)
def test_every_common_script_can_be_drawn(language: str) -> None:
    text = GREETINGS[language]
    assert can_draw(text)
    drawn = plate([text], 32, language=language, background=(0, 0, 0, 0))
    assert (drawn[..., 3] > 200).sum() > 100


def test_what_no_font_has_cannot_be_drawn() -> None:
    assert not can_draw(f"Hello {UNASSIGNED}")


def test_emoji_do_not_keep_a_caption_from_being_drawn() -> None:
    assert can_draw("Well done \N{GRINNING FACE}\N{VARIATION SELECTOR-16}\N{ZERO WIDTH JOINER}!")


@pytest.mark.parametrize(
    ("joined", "parts"),
    [
        ("क्ष", ["क्", "ष"]),  # KA + virama + SSA is one ligature
        ("ज्ञ", ["ज्", "ञ"]),  # JA + virama + NYA
        ("سلام", ["س", "ل", "ا", "م"]),  # letters join, and lam + alef is one ligature
    ],
)
def test_conjuncts_and_joined_letters_are_shaped_not_strung_together(joined: str, parts: list[str]) -> None:
    assert text_width(joined, 64) < 0.9 * sum(text_width(part, 64) for part in parts)


def test_the_short_i_of_devanagari_stands_before_its_consonant() -> None:
    alone, with_vowel = (plate([text], 64, background=(0, 0, 0, 0), padding=(0, 0)) for text in ("क", "कि"))
    left_of_vowel = with_vowel[:, : with_vowel.shape[1] - alone.shape[1], 3]
    np.testing.assert_allclose(
        with_vowel[-50:-20, -alone.shape[1] + 2 :, 3].mean(), alone[-50:-20, 2:, 3].mean(), rtol=0.1
    )
    assert left_of_vowel.any()


def test_chinese_and_japanese_forms_of_one_character_differ() -> None:
    chinese, japanese = (plate(["\u9aa8\u76f4"], 64, language=language) for language in ("zh", "ja"))
    assert not np.array_equal(chinese, japanese)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("ar", "مرحبا بالعالم."), ("he", "שלום עולם."), ("fa", "سلام دنیا."), ("ur", "- جی ہاں.")],
)
def test_the_full_stop_of_a_right_to_left_line_stands_at_its_left(language: str, sentence: str) -> None:
    assert sentence.endswith(".")

    def columns_of_ink(text: str) -> np.ndarray:
        drawn = plate([text], 64, language=language, background=(0, 0, 0, 0), padding=(0, 0))
        return drawn[..., 3].max(axis=0) > 128

    stop, others = columns_of_ink("."), columns_of_ink(sentence[:-1])
    drawn = columns_of_ink(sentence)
    assert abs(len(drawn) - len(stop) - len(others)) <= 4
    left = drawn[: len(stop)].mean(), others[: len(stop)].mean()
    right = slice(-len(others) // 2, None)
    assert (drawn[right] == others[right]).mean() > 0.95
    assert left[0] == pytest.approx(stop.mean(), abs=0.25)


def test_direction_marks_take_no_room() -> None:
    assert text_width("مرحبا", 64, "ar") == pytest.approx(text_width("مرحبا", 64), abs=0.01)


def test_captions_are_white_on_a_dark_plate() -> None:
    drawn = plate(["First line", "second"], 33)
    height, width = drawn.shape[:2]
    assert drawn[height // 2, 3, 3] >= 180, "the plate covers what is behind it"
    assert drawn[..., :3].max() == 255
    assert drawn[height // 2, 3, :3].max() < 40
    assert (drawn[..., :3].max(axis=2) <= drawn[..., 3]).all(), "colours are multiplied by alpha"
    assert height < 33 * 3.5
    assert width > text_width("First line", 33)


def test_long_lines_are_set_smaller_until_they_fit() -> None:
    size = fitting_size(["W" * 42], 33, 640)
    assert text_width("W" * 42, size) <= 640.5
    assert fitting_size(["short"], 33, 640) == 33


def test_a_rounded_mask_is_full_in_the_middle_and_empty_in_its_corners() -> None:
    mask = rounded_mask(60, 40, 12)
    assert mask.shape == (40, 60)
    assert mask[20, 30] == 255
    assert mask[0, 0] == 0


def test_a_frame_is_drawn_around_and_not_inside() -> None:
    frame = rounded_frame(80, 60, 12, 6, (255, 196, 61, 255))
    assert tuple(frame[30, 2]) == (255, 196, 61, 255)
    assert not frame[8:-8, 8:-8].any()
    assert (frame[..., :3].max(axis=2) <= frame[..., 3]).all()
