"""Small translation models, made here of the real classes and taught a few sentences by heart, in a second or two."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from media.settings import Settings

PHRASES = {
    "de": {
        "Good morning.": "Guten Morgen.",
        "Who is there?": "Wer ist da?",
        "is here.": "ist hier.",
        "Good night!": "Gute Nacht!",
    },
    "es": {
        "Good morning.": "Buenos días.",
        "Who is there?": "¿Quién está ahí?",
        "is here.": "está aquí.",
        "Good night!": "¡Buenas noches!",
    },
}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without weights and without a server."""
    for variable in ("HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for field in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"PORTRAYAL_TRANSLATION_{field}", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def opus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with OPUS-MT models: en -> de, de -> en, and one of several targets (es, pt_br) from English."""
    folder = tmp_path_factory.mktemp("opus")
    german = PHRASES["de"]
    _marian(folder / "opus-mt-en-de", list(german.items()))
    _marian(folder / "opus-mt-de-en", [(said, text) for text, said in german.items()])
    several = [(f">>es<< {text}", said) for text, said in PHRASES["es"].items()]
    several += [(">>pt_br<< Good morning.", "Bom dia."), (">>pt_br<< Good night!", "Boa noite!")]
    _marian(folder / "opus-mt-en-roa", several, ["es", "pt_br"])
    return folder


@pytest.fixture(scope="session")
def madlad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 model that has been told which language to write by `<2xx>`, as MADLAD-400 is."""
    import sentencepiece
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    folder = tmp_path_factory.mktemp("madlad") / "madlad400-tiny-mt"
    folder.mkdir()
    tokens = ["<2de>", "<2es>", "<2pt>", "<2zh>", "<2zh_Hant>", "<2iw>", "<2no>"]
    texts = [text for phrases in PHRASES.values() for pair in phrases.items() for text in pair]
    (folder / "texts").write_text("\n".join(texts), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "texts"), model_prefix=str(folder / "spiece"), vocab_size=90, hard_vocab_limit=False, pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", user_defined_symbols=tokens, minloglevel=2,
    )  # fmt: skip
    (folder / "texts").unlink()
    tokenizer = T5Tokenizer.from_pretrained(str(folder), extra_ids=0)
    tokenizer.save_pretrained(str(folder))
    model = _seeded(
        lambda: T5ForConditionalGeneration(
            T5Config(
                vocab_size=len(tokenizer),
                d_model=48,
                d_kv=24,
                d_ff=96,
                num_layers=1,
                num_heads=2,
                dropout_rate=0.0,
                decoder_start_token_id=0,
                pad_token_id=0,
                eos_token_id=1,
            )
        )
    )
    pairs = [(f"<2{tag}> {text}", said) for tag, phrases in PHRASES.items() for text, said in phrases.items()]
    _taught(model, tokenizer, pairs, rate=1e-2)
    model.save_pretrained(str(folder))
    return folder


def _marian(folder: Path, pairs: Sequence[tuple[str, str]], targets: Sequence[str] = ()) -> None:
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    plain = [text.split("<< ")[-1] for text, _ in pairs], [said for _, said in pairs]
    vocabulary = {"</s>": 0, "<unk>": 1}
    for name, texts in zip(("source", "target"), plain, strict=True):
        (folder / "texts").write_text("\n".join(texts), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "texts"), model_prefix=str(folder / name), vocab_size=70, hard_vocab_limit=False,
            minloglevel=2,
        )  # fmt: skip
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        for line in (folder / f"{name}.vocab").read_text(encoding="utf-8").splitlines():
            vocabulary.setdefault(line.split("\t")[0], len(vocabulary))
        (folder / f"{name}.vocab").unlink()
    (folder / "texts").unlink()
    for token in (*(f">>{tag}<<" for tag in targets), *"[]0123456789", "<pad>"):
        vocabulary.setdefault(token, len(vocabulary))
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=512
    )
    tokenizer.save_pretrained(str(folder))
    pad = vocabulary["<pad>"]
    model = _seeded(
        lambda: MarianMTModel(
            MarianConfig(
                vocab_size=len(vocabulary),
                d_model=48,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=96,
                decoder_ffn_dim=96,
                max_position_embeddings=128,
                dropout=0.0,
                pad_token_id=pad,
                decoder_start_token_id=pad,
                eos_token_id=0,
                forced_eos_token_id=0,
                scale_embedding=True,
            )
        )
    )
    _taught(model, tokenizer, pairs, rate=5e-3)
    model.save_pretrained(str(folder))


def _seeded(make: Callable[[], Any]) -> Any:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def _taught(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], rate: float) -> None:
    """Until it knows every pair by heart."""
    import torch

    inputs = tokenizer([text for text, _ in pairs], return_tensors="pt", padding=True)
    labels = tokenizer(text_target=[said for _, said in pairs], return_tensors="pt", padding=True)["input_ids"]
    labels = labels.masked_fill(labels == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(600):
        loss = model(**inputs, labels=labels).loss
        if loss < 0.01:
            model.eval()
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(f"the model did not learn its phrases (loss {float(loss):.3f})")
