"""What OPUS-MT and MADLAD have in common: an encoder-decoder of transformers that translates sentence by sentence."""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from media.errors import MissingEngineError
from media.phrases import unbroken
from models.speech.translation.lines import sentences

_BATCH = 16
_LONGEST = 512
"""Tokens. Both families were trained on sentences, and are unreliable far below this already."""


def translate_texts(folder: Path, texts: Sequence[str], prefix: str = "") -> tuple[str | None, ...]:
    """Each text's translation, sentence by sentence, the same one every time; None where a sentence is too long.

    Args:
        folder: a model with its tokenizer, as `save_pretrained` writes it.
        prefix: what the model wants before every sentence, such as `<2de> `.

    Raises:
        MissingEngineError: the folder does not hold such a model.
    """
    cut = [sentences(text) or [text] for text in texts]
    done = _generated(folder, list(dict.fromkeys(f"{prefix}{one}" for parts in cut for one in parts)))
    found: list[str | None] = []
    for parts in cut:
        said = [done[f"{prefix}{one}"] for one in parts]
        found.append(None if None in said else unbroken([one for one in said if one]))
    return tuple(found)


def _generated(folder: Path, texts: Sequence[str]) -> dict[str, str | None]:
    import torch

    tokenizer, model = _loaded(str(folder))
    lengths = {text: len(tokenizer(text)["input_ids"]) for text in texts}
    done: dict[str, str | None] = dict.fromkeys(texts)
    wanted = sorted((text for text in texts if lengths[text] <= _LONGEST), key=lambda text: lengths[text])
    for begin in range(0, len(wanted), _BATCH):
        batch = wanted[begin : begin + _BATCH]
        inputs = tokenizer(batch, return_tensors="pt", padding=True).to(model.device)
        longest = min(_LONGEST, 3 * inputs["input_ids"].shape[1] + 16)
        with torch.inference_mode():
            answers = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False,
                max_new_tokens=longest, max_length=None,
            )  # fmt: skip
        for text, answer in zip(batch, answers, strict=True):
            # What goes on to the limit is cut off, and mostly repeats itself. (OPUS-MT ends it there, as if it were whole.)
            said = int((answer != tokenizer.pad_token_id).sum())
            done[text] = tokenizer.decode(answer, skip_special_tokens=True).strip() if said < longest else None
    return done


def release_models() -> None:
    """Give back the memory of the models, which is several gigabytes for a large one."""
    _loaded.cache_clear()


@lru_cache(maxsize=4)
def _loaded(folder: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Marian's tokenizer recommends a package that it does well without
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True, dtype="auto")
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingEngineError(f"{folder}: not a whole translation model ({reason}); download it again.") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
