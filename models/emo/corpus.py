"""What the starter is trained on: invented speech, augmented like recordings, and presenters drawn to it.

Everything comes from one seed per utterance and per clip, so that any part can be made again, anywhere, byte by byte.
Training speech is made of invented words; evaluation speaks real sentences (`HELD_OUT_SENTENCES`), with presenters from a
disjoint range of seeds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import butter as butterworth
from scipy.signal import fftconvolve, lfilter, resample_poly, sosfilt

from models.avatars.drawing import Pose, draw, face_region, mouth_region
from models.avatars.motion import head_speed, motion_track, mouth_track, prosody_track
from models.avatars.presenters import STARTER_CAST, Presenter, random_presenter
from models.emo.audio import SAMPLE_RATE
from models.idle import idle_motion
from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import Phoneme, Voice

Array = NDArray[np.float32]

FPS = 25
LANGUAGES = ("en", "es", "fr-FR", "de", "it", "pt-BR", "nl", "hi", "tr", "id", "sw", "ro", "sv", "cs", "fi", "hu")
HELD_OUT_LANGUAGE = "pl"
VOICES = (
    *(
        "m1",
        "m2",
        "m3",
        "m4",
        "m5",
        "m7",
        "m8",
        "f1",
        "f2",
        "f3",
        "f4",
        "f5",
        "Andy",
        "Reed",
        "Alicia",
        "Annie",
        "Alex",
    ),
    *(
        "Denis",
        "Gene",
        "Hugo",
        "Lee",
        "Mario",
        "Michael",
        "Mike",
        "Nguyen",
        "Storm",
        "adam",
        "anika",
        "aunty",
        "belinda",
    ),
    *("boris", "david", "edward", "grandma", "grandpa", "gustave", "iven", "john", "klatt2", "linda", "max", "michel"),
    *("norbert", "paul", "robert", "shelby", "travis", "zac"),
)
"""Variants of espeak-ng: 48 timbres, low and high."""
HELD_OUT_VOICES = ("m6", "Andrea", "victor", "steph", "pablo", "quincy")
HELD_OUT_PRESENTER_SEED = 10_000_000
"""Training presenters have seeds below, evaluation presenters from here on."""

HELD_OUT_SENTENCES = {
    "en": (
        "The morning train was late again, so we walked along the river and talked about the summer.",
        "Please bring both maps to the meeting; Bob may want to compare them before we vote.",
        "My brother built a paper boat for the pond behind the old museum.",
        "Our new office opens in May, and everybody is welcome to have a look around.",
    ),
    "es": (
        "Mañana por la mañana vamos a preparar el pan con mi abuela en el pueblo.",
        "El barco blanco pasó bajo el puente mientras la banda tocaba una pieza muy bonita.",
        "Puedes probar el programa nuevo cuando quieras, no hace falta pagar nada.",
    ),
    "de": (
        "Am Abend saßen wir im Garten und sprachen über den Umbau des alten Bahnhofs.",
        "Meine Mutter packte Brot, Butter und Pflaumen für die lange Wanderung ein.",
    ),
    "pl": (
        "Pociąg przyjechał punktualnie, więc mamy jeszcze pół godziny na spacer po parku.",
        "Babcia upiekła bułki z makiem i zaprosiła wszystkich sąsiadów.",
    ),
    "fr": (
        "Nous avons bu un bon café sur la place avant de reprendre la route vers la montagne.",
        "Ma petite sœur voudrait apprendre à jouer du piano pendant les vacances.",
    ),
    "it": (
        "Domani mattina andiamo al mercato a comprare il pane, le mele e un mazzo di fiori.",
        "Mio nonno raccontava sempre la stessa storia davanti al camino.",
    ),
    "hi": (
        "हम लोग शाम को नदी के किनारे बैठकर पुराने दिनों की बातें करते रहे।",
        "मेरी माँ ने आज सबके लिए बहुत स्वादिष्ट खाना बनाया है।",
    ),
    "tr": (
        "Sabah erkenden pazara gidip ekmek, peynir ve biraz da zeytin aldık.",
        "Babam bahçedeki büyük ağacın altında kitap okumayı çok sever.",
    ),
}
"""Eight languages; `HELD_OUT_LANGUAGE` is one of them."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """`samples` mono at 16 kHz; phoneme times in seconds from its start."""

    samples: Array
    phonemes: tuple[Phoneme, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def frames(self) -> int:
        return int(self.seconds * FPS)


def _invented_words(rng: np.random.Generator, count: int) -> str:
    onsets = [
        "p",
        "b",
        "m",
        "t",
        "d",
        "n",
        "k",
        "g",
        "f",
        "v",
        "s",
        "z",
        "l",
        "r",
        "h",
        "j",
        "w",
        "ch",
        "sh",
        "br",
        "pl",
        "st",
        "tr",
        "mp",
    ]
    vowels = ["a", "e", "i", "o", "u", "a", "e", "o", "ai", "ou", "ea", "ee", "oo"]
    codas = ["", "", "", "n", "m", "r", "s", "l", "t", "p", "b", "k"]
    words = []
    for index in range(count):
        syllables = rng.integers(1, 4)
        word = "".join(rng.choice(onsets) + rng.choice(vowels) for _ in range(syllables)) + rng.choice(codas)
        words.append(word + ("," if index % 6 == 5 and rng.random() < 0.6 else ""))
    return " ".join(words) + "."


def speak(text: str, language: str, voice: Voice, lead: float = 0.3, tail: float = 0.3) -> Utterance:
    """An utterance with silence before and after it (seconds)."""
    speech = EspeakSynthesizer().speak(text, language, voice)
    samples = resample_poly(speech.samples, 320, 441).astype(np.float32)
    before, after = np.zeros(int(lead * SAMPLE_RATE), np.float32), np.zeros(int(tail * SAMPLE_RATE), np.float32)
    end = Phoneme("", lead + len(speech.samples) / speech.sample_rate)
    phonemes = (Phoneme("", 0.0), *(Phoneme(p.ipa, p.start + lead) for p in speech.phonemes), end)
    return Utterance(np.concatenate([before, samples, after]), phonemes)


def training_utterance(seed: int) -> Utterance:
    """Invented words in one of 16 languages, one of 48 voices, at any pitch and pace, sometimes with long pauses.

    Two in three are resampled by up to a fifth, which moves pitch and formants together, as a longer or shorter vocal tract
    would, and the pace with them.
    """
    rng = np.random.default_rng([1, seed])
    voice = Voice(str(rng.choice(VOICES)), int(rng.integers(0, 100)), int(rng.integers(120, 215)))
    text = _invented_words(rng, int(rng.integers(5, 16)))
    lead, tail = rng.uniform(0.1, 0.8, 2) if rng.random() < 0.8 else rng.uniform(1.0, 2.5, 2)
    utterance = speak(text, str(rng.choice(LANGUAGES)), voice, float(lead), float(tail))
    if rng.random() < 0.67:
        utterance = _resampled(utterance, round(100 * float(np.clip(np.exp(rng.normal(0, 0.1)), 0.82, 1.2))))
    return utterance


def _resampled(utterance: Utterance, percent: int) -> Utterance:
    """`percent` of the length, with pitch and formants moved the other way."""
    samples = resample_poly(utterance.samples, percent, 100).astype(np.float32)
    return Utterance(samples, tuple(Phoneme(p.ipa, p.start * percent / 100) for p in utterance.phonemes))


def augmented(samples: Array, rng: np.random.Generator) -> Array:
    """The utterance as another recording: resonances, room, telephone band, noise and level. Times stay as they are."""
    out = samples
    for _ in range(int(rng.integers(0, 4))):  # broad resonances, which stand in for other vocal tracts and microphones
        centre, gain = rng.uniform(150, 6000), 10 ** (rng.uniform(-9, 9) / 20)
        band = butterworth(1, [centre * 0.7, min(centre * 1.4, 7900)], "bandpass", fs=SAMPLE_RATE, output="sos")
        out = out + (gain - 1) * sosfilt(band, out)
    if rng.random() < 0.35:
        length = int(rng.uniform(0.05, 0.35) * SAMPLE_RATE)
        room = rng.standard_normal(length) * np.exp(-6.0 * np.arange(length) / length)
        room[0] = 0
        out = out + rng.uniform(0.1, 0.5) * fftconvolve(out, room / np.linalg.norm(room))[: len(out)]
    if rng.random() < 0.2:
        out = sosfilt(butterworth(4, [300, 3400], "bandpass", fs=SAMPLE_RATE, output="sos"), out)
    if rng.random() < 0.3:
        out = np.tanh(out * rng.uniform(1, 6)) / 2
    level = np.sqrt(np.mean(np.square(out)) + 1e-9)
    if rng.random() < 0.7:
        noise = rng.standard_normal(len(out))
        noise = lfilter([1.0], [1.0, -rng.uniform(0, 0.97)], noise)
        out = out + noise / np.std(noise) * level * 10 ** (-rng.uniform(12, 45) / 20)
    return (out / level * 10 ** (rng.uniform(-32, -14) / 20)).astype(np.float32)


def motion_targets(utterance: Utterance) -> Array:
    """(F, 10): mouth parameters and prosody, what the audio encoder learns to hear."""
    mouth = mouth_track(utterance.phonemes, utterance.seconds, FPS)[: utterance.frames]
    prosody = prosody_track(utterance.samples, SAMPLE_RATE, utterance.frames, FPS)
    return np.concatenate([mouth, prosody], axis=1).astype(np.float32)


def presenter_of(seed: int) -> Presenter:
    """Presenter number `seed`; in training, one in eight is of the starter cast."""
    if seed < HELD_OUT_PRESENTER_SEED and seed % 8 == 0:
        return STARTER_CAST[seed // 8 % len(STARTER_CAST)]
    return random_presenter(np.random.default_rng([2, seed]))


@dataclass(frozen=True, slots=True)
class Scene:
    """A presenter who says something: everything that is needed to draw any of its frames."""

    presenter: Presenter
    utterance: Utterance
    poses: Array
    """(F, 23), fields of `models.avatars.drawing.Pose`."""
    idle: Array
    """(F, 7), as `models.idle.idle_motion`."""
    speed: float
    """Mean head rotation while speaking, degrees a second."""

    @property
    def face(self) -> tuple[float, float, float, float]:
        return face_region(self.presenter)

    @property
    def mouth(self) -> tuple[float, float, float, float]:
        return mouth_region(self.presenter)


def scene_of(presenter: Presenter, utterance: Utterance, seed: int, amplitude: float | None = None) -> Scene:
    rng = np.random.default_rng([3, seed])
    mouth = mouth_track(utterance.phonemes, utterance.seconds, FPS)[: utterance.frames]
    if amplitude is None:
        amplitude = float(rng.uniform(0.0, 1.3))
    idle = idle_motion(len(mouth), FPS, rng)
    poses = motion_track(utterance.samples, SAMPLE_RATE, mouth, FPS, idle, amplitude)
    spoken = maximum_filter1d(mouth[:, 0], 13) > 0.15
    measured = head_speed(poses, FPS)
    speed = float(measured[spoken].mean()) if spoken.any() else float(measured.mean())
    return Scene(presenter, utterance, poses, idle, speed)


def held_out_sentence(index: int) -> tuple[str, str]:
    """Language and text of evaluation scene `index`: eight in a row are in eight languages."""
    languages = list(HELD_OUT_SENTENCES)
    language = languages[index % len(languages)]
    texts = HELD_OUT_SENTENCES[language]
    return language, texts[index // len(languages) % len(texts)]


def training_scene(seed: int) -> Scene:
    """Scene number `seed` of the training data."""
    return scene_of(presenter_of(seed), training_utterance(1_000_000 + seed), seed)


def held_out_scenes(count: int) -> list[Scene]:
    """Scenes whose presenters, voices and sentences are not in the training data; one in eight is in a language that is not
    either."""
    scenes = []
    for index in range(count):
        language, text = held_out_sentence(index)
        seed = HELD_OUT_PRESENTER_SEED + index
        rng = np.random.default_rng([4, seed])
        voice = _held_out_voice(index, rng)
        scenes.append(scene_of(presenter_of(seed), speak(text, language, voice), seed, amplitude=0.5))
    return scenes


def held_out_monologue(seconds: float) -> Scene:
    """One held-out presenter who speaks held-out sentences, one after the other, for at least so long."""
    rng = np.random.default_rng([5, HELD_OUT_PRESENTER_SEED])
    voice = _held_out_voice(0, rng)
    parts: list[Utterance] = []
    while sum(part.seconds for part in parts) < seconds:
        language, text = held_out_sentence(len(parts))
        parts.append(speak(text, language, voice))
    seed = HELD_OUT_PRESENTER_SEED + 500
    return scene_of(presenter_of(seed), _joined(parts), seed, amplitude=0.5)


def _held_out_voice(index: int, rng: np.random.Generator) -> Voice:
    name = HELD_OUT_VOICES[index % len(HELD_OUT_VOICES)]
    return Voice(name, int(rng.integers(20, 80)), int(rng.integers(145, 180)))


def _joined(parts: list[Utterance]) -> Utterance:
    """Utterances one after the other."""
    starts = np.cumsum([0, *(len(part.samples) for part in parts)]) / SAMPLE_RATE
    phonemes = tuple(
        Phoneme(p.ipa, p.start + float(start))
        for part, start in zip(parts, starts[:-1], strict=True)
        for p in part.phonemes
    )
    return Utterance(np.concatenate([part.samples for part in parts]), phonemes)


def drawn(presenter: Presenter, poses: Array, size: int) -> NDArray[np.uint8]:
    """(F, size, size, 3) pictures of a presenter in (F, 23) poses."""
    return np.stack([draw(presenter, Pose.from_array(pose), size) for pose in poses])
