"""MADLAD-400: one large model for some 400 languages (T5, Apache-2.0), through transformers. A GPU is advised."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from media.errors import MissingEngineError
from media.languages import base_language, closest, public_tags
from media.settings import Settings
from models.speech.languages import not_known
from models.speech.protocols import Line
from models.speech.translation.seq2seq import translate_texts
from models.speech.weights import fingerprint, transformers_folder

DEFAULT = "google/madlad400-3b-mt"


class MadladTranslator:
    """MADLAD-400 behind the `Translator` protocol: it finds out itself which language a text is in.

    Args:
        model: its folder, or a hub id; `google/madlad400-3b-mt` when None.

    Raises:
        MissingEngineError: the weights are not there.
    """

    name = "madlad"

    def __init__(self, model: str | None = None, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self._model = model or DEFAULT
        folder = transformers_folder(self._model, "madlad", settings)
        if folder is None:
            raise MissingEngineError(f"The weights of madlad are not there; {how_to_get(settings, self._model)}.")
        self._folder = folder

    def languages(self, source: str) -> Sequence[str]:
        """The languages in the model's vocabulary, without `source`."""
        codes = _codes(str(self._folder))
        return [tag for tag in public_tags(codes) if base_language(tag) != base_language(source)]

    def version(self, source: str, target: str) -> str:
        """Such as `madlad400-3b-mt 1f0c..., transformers 5.23.0`."""
        self._code(source, target)
        name = self._model.rstrip("/").rsplit("/", 1)[-1]
        return f"{name} {fingerprint(self._folder)}, transformers {version('transformers')}"

    def translate(self, lines: Sequence[Line], source: str, target: str) -> tuple[str | None, ...]:
        """See `Translator.translate`. Every line is translated by itself, sentence by sentence."""
        prefix = f"<2{self._code(source, target)}> "
        return translate_texts(self._folder, [line.text for line in lines], prefix)

    def _code(self, source: str, target: str) -> str:
        codes = _codes(str(self._folder))
        code = closest(target, codes, same_script=True)
        if code is None:
            raise not_known(self.name, "translate into", target, self.languages(source))
        return codes[code]


def how_to_get(settings: Settings, model: str = DEFAULT) -> str:
    """What to do to have the weights, as the end of a sentence."""
    place = settings.models_dir / "madlad" / model.rsplit("/", 1)[-1]
    return f"on a machine with internet access run hf download {model} --local-dir {place}"


@lru_cache(maxsize=4)
def _codes(folder: str) -> dict[str, str]:
    """The target languages: BCP 47 -> the code in the token `<2code>`. Read from the file: loading it takes seconds."""
    for name in ("tokenizer.json", "spiece.model", "sentencepiece.model"):
        path = Path(folder) / name
        if path.is_file():
            codes = {code.decode() for code in re.findall(rb"<2([A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?)>", path.read_bytes())}
            return {code.replace("_", "-"): code for code in sorted(codes) if base_language(code)}
    raise MissingEngineError(f"{folder}: the vocabulary is not there (tokenizer.json); download the model again.")
