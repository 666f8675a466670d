"""What a casting director and a lip-sync animator may rely on when espeak speaks."""

import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError
from models.speech import espeak
from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import Samples, Voice
from models.speech.voice_profile import voice_profile

ENGINE = EspeakSynthesizer()
VOICE = Voice("m6", 40)
SENTENCE = "The weather was warm, and we walked along the river until the evening came."


def spoken(text: str, language: str = "en", voice: Voice = VOICE) -> Samples:
    return ENGINE.speak(text, language, voice).samples


def test_speech_is_mono_float_at_22050_hz_with_short_silences_at_both_ends() -> None:
    speech = ENGINE.speak(SENTENCE, "en", VOICE)
    assert speech.sample_rate == 22050
    assert speech.samples.dtype == np.float32
    assert np.abs(speech.samples).max() < 1
    sounding = np.flatnonzero(np.abs(speech.samples) > 0.02)
    assert sounding[0] < 0.1 * 22050
    assert len(speech.samples) - sounding[-1] < 0.15 * 22050


def test_the_pace_is_natural() -> None:
    words_a_minute = len(SENTENCE.split()) / (len(spoken(SENTENCE)) / 22050) * 60
    assert 145 < words_a_minute < 200


def test_a_faster_rate_is_faster_in_proportion() -> None:
    slow, fast = (len(spoken(SENTENCE, voice=Voice("m6", 40, rate))) for rate in (140, 210))
    assert slow / fast == pytest.approx(1.5, abs=0.2)


def test_every_phoneme_has_its_place_in_time() -> None:
    speech = ENGINE.speak("Mama, papa.", "en", VOICE)
    symbols = [phoneme.ipa.strip("ˈˌ") for phoneme in speech.phonemes]
    starts = [phoneme.start for phoneme in speech.phonemes]
    assert symbols[0] == "m" and symbols.count("p") == 2 and "" in symbols
    assert starts == sorted(starts) and 0 <= starts[0] < 0.1
    assert starts[-1] < len(speech.samples) / speech.sample_rate
    # The lips close for every m and p: the sound is weaker there than in the vowel that follows.
    for place, symbol in enumerate(symbols[:-2]):
        if symbol in "mp" and symbol:
            closed, vowel, after = (round(start * 22050) for start in starts[place : place + 3])
            level = [np.sqrt(np.mean(part**2)) for part in np.split(speech.samples[closed:after], [vowel - closed])]
            assert level[0] < level[1]


def test_a_change_of_language_inside_a_sentence_is_no_phoneme() -> None:
    speech = ENGINE.speak("你好 hello 你好", "zh", VOICE)
    assert speech.phonemes and not any("(" in phoneme.ipa for phoneme in speech.phonemes)


def test_equal_requests_sound_equal_whatever_was_said_before() -> None:
    first = spoken(SENTENCE)
    spoken("¿Qué tal?", "es", Voice("f3", 70))
    assert np.array_equal(first, spoken(SENTENCE))


def test_a_breathy_voice_is_the_same_a_second_later() -> None:
    voices = [Voice("f5", 65), Voice("anika", 35)]
    before = [spoken(SENTENCE, voice=voice) for voice in voices]
    time.sleep(1.1)
    assert all(np.array_equal(one, spoken(SENTENCE, voice=voice)) for one, voice in zip(before, voices, strict=True))


def test_threads_do_not_disturb_one_another() -> None:
    voices = ENGINE.voices("en", 4)
    alone = [spoken("One at a time, please.", voice=voice) for voice in voices]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda voice: spoken("One at a time, please.", voice=voice), voices * 3))
    assert all(np.array_equal(alone[place % 4], samples) for place, samples in enumerate(together))


def test_voices_are_the_same_every_time_and_all_different() -> None:
    voices = ENGINE.voices("en", 12)
    assert voices == ENGINE.voices("en", 12)
    assert len(set(voices)) == 12
    assert voices[:3] == ENGINE.voices("en", 3)


def test_voices_follow_the_gender_hints() -> None:
    hints = ["feminine", "masculine", "neutral", "masculine", "feminine"]
    profiles = [
        voice_profile(spoken(SENTENCE, voice=voice), 22050).pitch_class for voice in ENGINE.voices("en", 5, hints)
    ]
    assert profiles == ["high", "low", "mid", "low", "high"]


def test_speakers_without_a_hint_get_both_kinds_of_voice() -> None:
    profiles = [voice_profile(spoken(SENTENCE, voice=voice), 22050).pitch_class for voice in ENGINE.voices("en", 4)]
    assert sorted(str(pitch) for pitch in profiles) == ["high", "high", "low", "low"]


@pytest.mark.parametrize("gender", ["feminine", "masculine"])
def test_voices_of_one_kind_are_told_apart_by_a_speaker_model(gender: str) -> None:
    from models.speech.vad import at_16_khz
    from models.speech.voice_embedding import embed

    vectors = []
    for voice in ENGINE.voices("en", 4, [gender] * 4):
        samples = at_16_khz(spoken(SENTENCE, voice=voice), 22050)
        vectors.append(embed(samples, [(0.0, 1.6), (0.8, 2.4), (1.6, 3.2)]).mean(axis=0))
    vectors = [vector / np.linalg.norm(vector) for vector in vectors]
    assert max(float(one @ other) for one, other in combinations(vectors, 2)) < 0.86


def test_all_voices_are_equally_loud() -> None:
    levels = []
    for voice in ENGINE.voices("en", 6):
        samples = spoken(SENTENCE, voice=voice)
        active = samples[np.abs(samples) > 0.01 * np.abs(samples).max()]
        levels.append(20 * np.log10(np.sqrt(np.mean(active**2))))
    assert max(levels) - min(levels) < 1.0


@pytest.mark.parametrize(
    ("tag", "voice"),
    [
        ("en-GB", "gmw/en"), ("en-AU", "gmw/en"), ("en-US", "gmw/en-US"), ("zh", "sit/cmn"), ("zh-CN", "sit/cmn"),
        ("zh-Hant-TW", "sit/cmn"), ("zh-HK", "sit/yue"), ("no", "gmq/nb"), ("nn", "gmq/nb"), ("es-MX", "roa/es-419"),
        ("es-AR", "roa/es-419"), ("es-ES", "roa/es"), ("fr-FR", "roa/fr"), ("pt-BR", "roa/pt-BR"), ("pt-PT", "roa/pt"),
        ("hi", "inc/hi"), ("sr-Latn", "zls/sr"), ("he", "sem/he"), ("de-AT", "gmw/de"),
    ],
)  # fmt: skip
def test_a_language_tag_finds_the_closest_voice(tag: str, voice: str) -> None:
    assert espeak._identifier(tag) == voice


def test_languages_do_not_sound_alike() -> None:
    text = "Taxi, hotel, radio, animal"
    heard = [spoken(text, language) for language in ("en", "es", "hi", "de")]
    assert not any(np.array_equal(one, other) for one, other in combinations(heard, 2))


def test_every_language_it_lists_is_one_that_it_speaks() -> None:
    languages = ENGINE.languages()
    assert len(languages) > 100 and {"en", "es", "hi", "zh", "ar", "pt-BR"} <= set(languages)
    assert all(espeak._identifier(language) for language in languages)


@pytest.mark.parametrize("tag", ["tlh", "fo", "gsw", "not a tag", ""])
def test_an_unknown_language_is_refused_by_name(tag: str) -> None:
    with pytest.raises(InputError, match=f"'{tag}'.* (es|en)"):
        ENGINE.voices(tag, 1)


def test_an_unknown_voice_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=re.escape("'../../secret'")):
        spoken("Hello", voice=Voice("../../secret"))


def test_emoji_are_not_read_out() -> None:
    assert len(spoken("Hello 👩‍🚀👍🏽 world 🇪🇸")) == pytest.approx(len(spoken("Hello  world")), rel=0.15)


def test_a_turn_of_nothing_but_emoji_is_a_short_silence() -> None:
    speech = ENGINE.speak("😀👍", "en", VOICE)
    assert len(speech.samples) == round(0.4 * 22050) and not speech.samples.any()
    assert [phoneme.ipa for phoneme in speech.phonemes] == [""]


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_spoken_or_silent_but_never_an_error(text: str) -> None:
    speech = ENGINE.speak(text, "en", VOICE)
    assert len(speech.samples) > 0
    assert np.isfinite(speech.samples).all()
    assert speech.phonemes


def test_an_installation_in_a_very_deep_folder_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 20) / ("er" * 50)
    shutil.copytree(espeak._data_path(), deep / "espeak-ng-data", ignore=shutil.ignore_patterns("r*_dict", "c*_dict"))
    expected = spoken(SENTENCE)
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(deep / "espeak-ng-data"))
    espeak._data_path.cache_clear()
    try:
        assert np.array_equal(spoken(SENTENCE), expected)
    finally:
        espeak._data_path.cache_clear()


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", SENTENCE), ("hi", "मौसम गर्म था और हम शाम तक नदी के किनारे टहलते रहे।")]
)
@pytest.mark.parametrize("hints", [["masculine", "feminine"] * 2, ["feminine"] * 4, ["masculine"] * 4])
def test_four_speakers_differ_in_pitch(language: str, sentence: str, hints: list[str]) -> None:
    pitches = [
        float(voice_profile(spoken(sentence, language, voice), 22050).median_hz or 0)
        for voice in ENGINE.voices(language, 4, hints)
    ]
    semitones = [12 * abs(np.log2(one / other)) for one, other in combinations(pitches, 2)]
    assert min(semitones) > (2.5 if len(set(hints)) == 2 else 1.4), pitches


@pytest.mark.parametrize(("ipa", "language", "symbol"), [("ʘa", "en", "ʘ"), ("wɪn", "es", "ɪ"), ("œ̃", "en", "œ̃")])
def test_a_sound_that_a_language_lacks_is_refused_by_name(ipa: str, language: str, symbol: str) -> None:
    with pytest.raises(InputError, match=symbol):
        ENGINE.check_ipa(ipa, language)
