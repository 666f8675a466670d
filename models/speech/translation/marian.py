"""OPUS-MT: one small model for every pair of languages, through transformers, on any machine."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from media.errors import InputError, MissingEngineError
from media.languages import base_language, closest, public_tags
from media.settings import Settings
from models.speech.protocols import Line
from models.speech.translation.seq2seq import translate_texts
from models.speech.weights import fingerprint, opus_folders, transformers_folder

_PIVOT = "en"


@dataclass(frozen=True, slots=True)
class _Step:
    """One model's part of the way from one language to another."""

    name: str
    folder: Path
    token: str
    """What a model of several target languages wants before a sentence, such as `>>por<< `; empty for others."""


class MarianTranslator:
    """OPUS-MT behind the `Translator` protocol.

    Where no model translates a pair directly, two do it over English, and the version says so.

    Args:
        model: a model's folder, a folder with several, or a hub id; whatever is there when None.

    Raises:
        MissingEngineError: the model that is named is not there.
    """

    name = "marian"

    def __init__(self, model: str | None = None, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._only: Path | None = None
        self._within: Path | None = None
        if model is not None:
            self._only = transformers_folder(model, "marian", self._settings)
            if self._only is None and Path(model).expanduser().is_dir():
                self._within = Path(model).expanduser()
            if self._only is None and (self._within is None or not opus_folders(self._settings, self._within)):
                raise MissingEngineError(f"The model {model} is not there; {how_to_get(self._settings, model)}.")

    def languages(self, source: str) -> Sequence[str]:
        """What `source` can be translated into with the models that are there, over English as well."""
        direct = self._targets(source)
        over = self._targets(_PIVOT) if closest(_PIVOT, direct) else []
        return [tag for tag in public_tags([*direct, *over]) if base_language(tag) != base_language(source)]

    def version(self, source: str, target: str) -> str:
        """Such as `opus-mt-es-de 1f0c..., transformers 5.23.0`; with two models and `over English` for a detour."""
        steps = self._way(source, target)
        models = " then ".join(f"{one.name} {fingerprint(one.folder)}" for one in steps)
        detour = ", over English" if len(steps) > 1 else ""
        return f"{models}{detour}, transformers {version('transformers')}"

    def translate(self, lines: Sequence[Line], source: str, target: str) -> tuple[str | None, ...]:
        """See `Translator.translate`. Every line is translated by itself, sentence by sentence."""
        found: list[str | None] = [line.text for line in lines]
        for step in self._way(source, target):
            there = [text for text in found if text]
            done = iter(translate_texts(step.folder, there, step.token))
            found = [next(done) if text else None for text in found]
        return tuple(found)

    def _way(self, source: str, target: str) -> list[_Step]:
        if step := self._step(source, target):
            return [step]
        if base_language(source) != _PIVOT and base_language(target) != _PIVOT:
            first, second = self._step(source, _PIVOT), self._step(_PIVOT, target)
            if first and second:
                return [first, second]
        there = self.languages(source)
        has = f"it has {', '.join(there)}" if there else "it has none from that language"
        pair = f"Helsinki-NLP/opus-mt-{base_language(source)}-{base_language(target)}"
        raise MissingEngineError(
            f"marian has no model here that translates '{source}' into '{target}' ({has}); "
            f"{how_to_get(self._settings, pair)}."
        )

    def _step(self, source: str, target: str) -> _Step | None:
        """The model for a pair: rather one for this pair only than one of several languages."""
        several = None
        for name, folder in self._models():
            own_source, own_target = pair_of(name)
            # A model that is named by its path may be called anything.
            if self._only is None and closest(source, [own_source]) is None:
                continue
            tokens = _target_tokens(str(folder))
            code = closest(target, tokens, same_script=True)
            if code and several is None:
                several = _Step(name, folder, f">>{tokens[code]}<< ")
            if not tokens and (closest(target, [own_target], same_script=True) or not base_language(own_target)):
                return _Step(name, folder, "")
        return several

    def _targets(self, source: str) -> list[str]:
        found: list[str] = []
        for name, folder in self._models():
            own_source, own_target = pair_of(name)
            if closest(source, [own_source]) is not None:
                found += list(_target_tokens(str(folder))) or [own_target]
        return found

    def _models(self) -> list[tuple[str, Path]]:
        if self._only is not None:
            cached = self._only.parent.name == "snapshots"
            return [(self._only.parents[1].name.rpartition("--")[2] if cached else self._only.name, self._only)]
        return list(opus_folders(self._settings, self._within).items())


def pair_of(name: str) -> tuple[str, str]:
    """Source and target code in a model's name: `opus-mt-tc-big-en-pt` -> (`en`, `pt`); empty when it has none."""
    parts = re.fullmatch(r"opus-mt.*?[-_]([A-Za-z]+(?:_[A-Z]{2})?)-([A-Za-z]+(?:_[A-Z]{2})?)", name)
    if parts is None:
        return "", ""
    source, target = ("ja" if code == "jap" else code for code in parts.groups())
    return source, target


def how_to_get(settings: Settings, model: str = "Helsinki-NLP/opus-mt-en-de") -> str:
    """What to do to have a model, as the end of a sentence."""
    place = settings.models_dir / "marian" / model.rsplit("/", 1)[-1]
    return f"on a machine with internet access run hf download {model} --local-dir {place}"


@lru_cache(maxsize=256)
def _target_tokens(folder: str) -> dict[str, str]:
    """The languages of a model with several targets: BCP 47 -> the code that it wants, such as `pt-BR` -> `pt_br`."""
    path = Path(folder) / "vocab.json"
    try:
        vocabulary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: not a vocabulary; download the model again.") from None
    codes = (token[2:-2] for token in vocabulary if token.startswith(">>") and token.endswith("<<"))
    return {code.replace("_", "-"): code for code in codes if base_language(code)}
