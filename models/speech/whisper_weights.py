"""The weights of whisper: found here or fetched from the hub, and read from OpenAI's format or from transformers'."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from media.errors import InputError, MissingEngineError
from media.settings import Settings
from models.speech.weights import (
    WHISPER_ALIASES,
    WHISPER_SIZES,
    hub_cache,
    whisper_repository,
    whisper_weights,
    whole_weights,
)

if TYPE_CHECKING:
    from torch import Tensor
    from whisper import Whisper
    from whisper.model import ModelDimensions

DEFAULT = "small"
"""What is fetched when whisper is asked for without saying which."""
ENGLISH_ONLY = 51864
"""Tokens of a model that knows English only."""
_DESCRIPTIONS = ("generation_config.json", "config.json")
"""The last one says that the others are there."""
_SIZES = {
    (80, 4, 4, 51864): "tiny.en",
    (80, 4, 4, 51865): "tiny",
    (80, 6, 6, 51864): "base.en",
    (80, 6, 6, 51865): "base",
    (80, 12, 12, 51864): "small.en",
    (80, 12, 12, 51865): "small",
    (80, 24, 24, 51864): "medium.en",
    (80, 24, 24, 51865): "medium",
    (80, 32, 32, 51865): "large-v2",
    (128, 32, 32, 51866): "large-v3",
    (128, 32, 4, 51866): "large-v3-turbo",
}
"""Mel bands, layers of the encoder and of the decoder, tokens, of every published size; large-v1 has those of large-v2."""

_KEYS = (
    (r"^model\.", ""),
    (r"^(encoder|decoder)\.layers\.", r"\1.blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"(blocks\.\d+)\.final_layer_norm\.", r"\1.mlp_ln."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
    (r"\.embed_tokens\.", ".token_embedding."),
)
"""transformers' names, as patterns, and OpenAI's."""


def weights_for(name: str | None, settings: Settings) -> Path:
    """Where the weights are; fetched from the hub where they are not here yet and there is a way to it.

    Args:
        name: a size (`small`, `large-v3`, `turbo`), a hub repository (`openai/whisper-small`), a file or a folder; the
            best that is here when None.

    Returns a `.pt` file, or a folder in transformers' format.

    Raises:
        InputError: there is no such size, file or folder, or the repository has no whisper.
        MissingEngineError: they are not here, and the hub cannot be reached.
    """
    if found := whisper_weights(name, settings):
        return found
    wanted = name or DEFAULT
    if not _on_hub(wanted):
        what = (
            f"no whisper is in {wanted}: a folder holds config.json and model.safetensors, or one .pt file"
            if Path(wanted).expanduser().is_dir()
            else f"there is no whisper '{wanted}'"
        )
        sizes = ", ".join(reversed(WHISPER_SIZES))
        raise InputError(
            f"{what}; name one of {sizes} and turbo, a repository such as openai/whisper-small, or a file."
        )
    return _fetched(wanted, settings)


def how_to_get(settings: Settings, name: str | None = None) -> str:
    """What to do to have the weights, as the end of a sentence."""
    repository = whisper_repository(name if name and _on_hub(name) else DEFAULT)
    folder = repository.rsplit("/", 1)[-1]
    return (
        f"on a machine with internet access run 'hf download {repository} --local-dir {folder}' and put the folder "
        f"{folder} into {settings.models_dir / 'whisper'}"
    )


def knows_english_only(place: Path) -> bool:
    """Told by a file's name, or by a folder's configuration; nothing is loaded."""
    if place.is_file():
        return place.stem.endswith(".en")
    return bool(_described(place).get("vocab_size") == ENGLISH_ONLY)


def load(place: Path, device: str) -> "Whisper":
    """A model with its weights and alignment heads. No code that a file may hold is run.

    Raises:
        MissingEngineError: it is no whisper, or damaged.
    """
    from safetensors import SafetensorError
    from whisper.model import Whisper

    try:
        dims, weights, heads = _openai(place) if place.is_file() else _transformers(place)
        model = Whisper(dims)
        model.load_state_dict(weights)
        _set_heads(model, heads, place)
    except (
        OSError,
        EOFError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
        UnpicklingError,
        SafetensorError,
    ) as error:
        raise MissingEngineError(f"{place}: not a whisper checkpoint; {how_to_get(Settings())}.") from error
    return model.to(device)


def _on_hub(name: str) -> bool:
    return WHISPER_ALIASES.get(name, name) in WHISPER_SIZES or bool(
        re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name) and not name.endswith((".pt", ".safetensors", ".bin"))
    )


def _fetched(name: str, settings: Settings) -> Path:
    """A repository's folder in the hub's cache. What was broken off is gone on with."""
    repository = whisper_repository(name)
    missing = f"The weights of whisper ({name}) are not here"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise MissingEngineError(f"{missing}, and HF_HUB_OFFLINE is set; unset it, or {how_to_get(settings, name)}.")
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    endpoint = os.environ.get("HF_ENDPOINT") or None
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    try:
        about = HfApi(endpoint=endpoint, token=token).model_info(repository, timeout=10)
        files = _needed([one.rfilename for one in about.siblings or ()])
        if not files:
            raise InputError(
                f"the repository {repository} has no whisper, in transformers' format or as one .pt file; name another one."
            )
        place = Path()
        for file in files:
            place = Path(
                hf_hub_download(
                    repository, file, revision=about.sha, cache_dir=hub_cache(), endpoint=endpoint, token=token
                )
            )
    except InputError:
        raise
    except Exception as error:  # the hub's client lets through whatever its network library raises
        status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else 0
        if status in (401, 403, 404):
            raise MissingEngineError(
                f"{missing}, and the hub does not give out {repository}; check its name, or set PORTRAYAL_HF_TOKEN if it "
                "is a private one."
            ) from error
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise MissingEngineError(
            f"{missing}, and the hub cannot be reached ({reason}); {how_to_get(settings, name)}."
        ) from error
    return place if place.suffix == ".pt" else place.parent


def _needed(files: list[str]) -> list[str]:
    """Which of a repository's files are fetched, in order."""
    for ending in (r"\.safetensors", r"\.bin"):
        pattern = rf"(pytorch_)?model(-\d+-of-\d+)?{ending}(\.index\.json)?"
        weights = [one for one in files if re.fullmatch(pattern, one)]
        if weights and "config.json" in files:
            whole = [one for one in weights if not re.search(r"-of-|index", one)]
            return [*(whole[:1] or weights), *(one for one in _DESCRIPTIONS if one in files)]
    checkpoints = [one for one in files if re.fullmatch(r"[^/]+\.pt", one)]
    return checkpoints if len(checkpoints) == 1 else []


def _described(folder: Path, name: str = "config.json") -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads((folder / name).read_text())
    except (OSError, ValueError):
        return {}
    return described if isinstance(described, dict) else {}


def _openai(file: Path) -> tuple["ModelDimensions", dict[str, "Tensor"], None]:
    import torch
    from whisper.model import ModelDimensions

    checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    return ModelDimensions(**checkpoint["dims"]), checkpoint["model_state_dict"], None


def _transformers(folder: Path) -> tuple["ModelDimensions", dict[str, "Tensor"], list[tuple[int, int]] | None]:
    from whisper.model import ModelDimensions

    config = _described(folder)
    if config.get("model_type") != "whisper":
        raise ValueError(f"a model of type {config.get('model_type')}")
    dims = ModelDimensions(
        n_mels=config["num_mel_bins"],
        n_audio_ctx=config["max_source_positions"],
        n_audio_state=config["d_model"],
        n_audio_head=config["encoder_attention_heads"],
        n_audio_layer=config["encoder_layers"],
        n_vocab=config["vocab_size"],
        n_text_ctx=config["max_target_positions"],
        n_text_state=config["d_model"],
        n_text_head=config["decoder_attention_heads"],
        n_text_layer=config["decoder_layers"],
    )
    weights = {_openai_key(key): tensor for key, tensor in _tensors(whole_weights(folder)) if key != "proj_out.weight"}
    heads = _described(folder, "generation_config.json").get("alignment_heads")
    return dims, weights, [(int(layer), int(head)) for layer, head in heads] if heads else None


def _tensors(files: list[Path]) -> Iterator[tuple[str, "Tensor"]]:
    import torch
    from safetensors import safe_open

    for file in files:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118 - it is no mapping
                    yield key, tensors.get_tensor(key)
        else:
            yield from torch.load(file, map_location="cpu", weights_only=True).items()


def _openai_key(key: str) -> str:
    for pattern, replacement in _KEYS:
        key = re.sub(pattern, replacement, key)
    return key


def _set_heads(model: "Whisper", heads: list[tuple[int, int]] | None, place: Path) -> None:
    """Which attention heads follow the sound: without them, word times are poor."""
    import torch
    import whisper

    if heads is not None:
        mask = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
        for layer, head in heads:
            mask[layer, head] = True
        model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    elif (dump := whisper._ALIGNMENT_HEADS.get(size_of(place.stem, model.dims))) is not None:
        model.set_alignment_heads(dump)


def size_of(name: str, dims: "ModelDimensions") -> str | None:
    """Which published size a checkpoint has, fine-tuned or not: by its shape, since its file may have any name."""
    size = _SIZES.get((dims.n_mels, dims.n_audio_layer, dims.n_text_layer, dims.n_vocab))
    return name if (size, name) == ("large-v2", "large-v1") else size
