"""Published files of a tiny EchoMimic v1 with random weights, converted, against what its authors' code made of them.

`tests/data/echomimic` has the weights (exact in half precision) and recordings in single precision: the base model with guidance
(`a2v`) and the accelerated one without (`acc`), three steps each, eight frames of 128 pixels in windows of six.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from media.errors import InputError
from models.emo.convert import FILES, convert_echomimic
from models.emo.pipeline import EMOPipeline
from models.emo.whisper_audio import WhisperAudioEncoder
from models.emo.windows import overlapping_windows

DATA = Path(__file__).parents[2] / "data/echomimic"
PARITY = Path(os.environ.get("PORTRAYAL_PARITY", Path(__file__).parents[4] / "shared/parity")) / "echomimic"
VARIANTS = {"base": "a2v", "acc": "acc"}
BAR = 5e-5
FACE = (0.25, 0.25, 0.75, 0.75)


@pytest.fixture(scope="module")
def converted(published: Path, micro: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints by variant."""
    folder = tmp_path_factory.mktemp("converted")
    for variant in VARIANTS:
        convert_echomimic(published, folder / variant, variant, micro)
    return {variant: folder / variant for variant in VARIANTS}


def _recording(variant: str) -> dict[str, Tensor]:
    return load_file(DATA / "a2v.safetensors") | load_file(DATA / f"{VARIANTS[variant]}.safetensors")


def _pipeline(folder: Path) -> EMOPipeline:
    return EMOPipeline.from_pretrained(folder, dtype=torch.float32)


def _apart(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


def _face(mask: Tensor) -> tuple[float, float, float, float]:
    """The face region whose mask is this one."""
    rows, columns = torch.where(mask[0, 0, 0] > 0)
    size = mask.shape[-1]
    return (
        int(columns.min()) / size,
        int(rows.min()) / size,
        (int(columns.max()) + 1) / size,
        (int(rows.max()) + 1) / size,
    )


class Recorded(WhisperAudioEncoder):
    """Hears what was recorded, so that all the rest can be compared where the encoder's weights are not at hand."""

    def forward(self, mel: Tensor) -> Tensor:
        heard = torch.zeros(1, mel.shape[-1] // 2, 5, 384)
        features = load_file(DATA / "a2v.safetensors")["whisper_feature"]
        heard[0, : len(features)] = features
        return heard


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_every_stage_agrees_with_the_recordings(variant: str, converted: dict[str, Path]) -> None:
    wanted, pipeline = _recording(variant), _pipeline(converted[variant])
    pipeline.register_modules(audio_encoder=Recorded())
    portrait = wanted["in/image_u8"].numpy()
    face = _face(wanted["in/face_mask"])
    seen = pipeline._see(portrait, face, 0.0)
    assert _apart(pipeline.codec.still(seen.picture), wanted["ref_image_latents"]) < BAR
    assert len(seen.reference) == 10
    for name, features in seen.reference.items():
        assert _apart(features, wanted[f"ref_bank/{name}"]) < BAR, name
    assert _apart(seen.located, wanted["face_locator_out"][:, :, 0]) < BAR
    steps: list[tuple[Tensor, Tensor]] = []
    made = pipeline(
        portrait,
        wanted["in/wav"].numpy(),
        face,
        8,
        num_inference_steps=len(wanted["timesteps"]),
        latents=wanted["latents_init"],
        callback_on_step_end=lambda step, predicted, latents: steps.append((predicted, latents)),
    )
    assert pipeline.scheduler.timesteps.tolist() == wanted["timesteps"].tolist()
    for number, (predicted, latents) in enumerate(steps):
        assert _apart(predicted, wanted[f"step{number}/noise_pred"]) < BAR
        assert _apart(latents, wanted[f"step{number}/latents"]) < BAR
    assert _apart(steps[-1][1], wanted["final_latents"]) < BAR
    decoded = pipeline.codec.decode(wanted["final_latents"][0, :, [0, 7]].transpose(0, 1))
    assert _apart((decoded / 2 + 0.5).clamp(0, 1).transpose(0, 1)[None], wanted["videos"]) < BAR
    # Pictures are whole numbers, which a difference of 5e-5 may push over to the next.
    shown = (wanted["videos"][0].permute(1, 2, 3, 0) * 255).numpy()
    assert np.abs(made.frames[[0, 7]] - shown).max() <= 0.5 + 255 * BAR


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_one_call_of_the_backbone_agrees(variant: str, converted: dict[str, Path]) -> None:
    from models.emo.attention import Conditioning

    wanted, pipeline = _recording(variant), _pipeline(converted[variant])
    features = Recorded().listen(wanted["in/wav"].numpy(), 8, 24)
    reference = {name[9:]: value for name, value in wanted.items() if name.startswith("ref_bank/")}
    located = wanted["face_locator_out"][:, :, 0]
    for number, window in enumerate(overlapping_windows(8, 6, 2, 0)):
        pipeline.backbone.attend_to(Conditioning(reference=reference))
        tokens = features.tokens(torch.tensor(window))
        sample = wanted[f"unet{number}/sample"][-1:]
        out = pipeline.backbone(sample, wanted["unet0/timestep"], tokens, located)
        assert _apart(out, wanted[f"unet{number}/out"][-1:]) < BAR


def test_whisper_hears_what_was_recorded(converted: dict[str, Path]) -> None:
    if not PARITY.is_dir():
        pytest.skip(f"the recordings' audio encoder (17 MB) is not in {PARITY}; PORTRAYAL_PARITY names another place")
    encoder, wanted = _pipeline(converted["base"]).audio_encoder, _recording("base")
    with torch.no_grad():
        heard = encoder.listen(wanted["in/wav"].numpy(), 8, 24)
        features = heard._chunk(0)[: heard.rows]
        assert _apart(features, wanted["whisper_feature"]) < BAR
        chunks = load_file(PARITY / "echomimic_micro_a2v_bankfp32.safetensors")["whisper_chunks"]
        assert _apart(heard.tokens(torch.arange(10)), chunks) < BAR


def test_whisper_hears_long_sound_in_parts_as_it_does_at_once() -> None:
    from whisper.audio import log_mel_spectrogram

    encoder = WhisperAudioEncoder(n_audio_state=6, n_audio_layer=1)
    for seconds in (0.125, 3.75, 30.0, 30.125, 65.0):  # whole frames; chunks have 30 s
        sound = _noise_as_sound(seconds)
        heard = encoder.listen(sound, round(24 * seconds), 24)
        at_once = log_mel_spectrogram(torch.from_numpy(sound[: round(24 * seconds) * 16_000 // 24]))
        in_chunks = torch.cat([heard._mel(number) for number in range(-(-at_once.shape[1] // 3000))], 1)
        assert in_chunks.shape == at_once.shape
        assert _apart(in_chunks, at_once) < BAR


def _noise_as_sound(seconds: float = 1.0) -> Any:
    return np.random.default_rng(1).normal(0, 0.1, int(16_000 * seconds)).astype(np.float32)


def test_long_sound_goes_on_in_another_loop(converted: dict[str, Path]) -> None:
    pipeline = _pipeline(converted["acc"])
    pipeline.register_to_config(stretch_frames=4)
    portrait, samples = _recording("acc")["in/image_u8"].numpy(), _noise_as_sound()
    done: list[int] = []
    latents: list[Tensor] = []
    options: dict[str, Any] = {"num_inference_steps": 1, "callback_on_clip_end": done.append}
    frames = np.concatenate(
        list(
            pipeline.stream(
                portrait,
                samples,
                FACE,
                7,
                callback_on_step_end=lambda step, predicted, after: latents.append(after),
                **options,
            )
        )
    )
    assert frames.shape == (7, 128, 128, 3) and done == [4, 7]
    # The second loop holds the frames that it goes on from, and makes three more.
    assert [one.shape[2] for one in latents] == [4, 7]


def test_motion_frames_are_another_way_to_go_on(converted: dict[str, Path]) -> None:
    pipeline = _pipeline(converted["acc"])
    pipeline.register_to_config(window_overlap=0)
    portrait = _recording("acc")["in/image_u8"].numpy()
    assert pipeline(portrait, _noise_as_sound(), FACE, 7, num_inference_steps=1).frames.shape == (7, 128, 128, 3)


@pytest.mark.parametrize("name", FILES["base"])
def test_a_missing_or_damaged_file_is_named_and_nothing_is_left(
    published: Path, micro: Any, tmp_path: Path, name: str
) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(published, source)
    (source / name).write_bytes((source / name).read_bytes()[:2000])
    with pytest.raises(InputError, match=Path(name).name):
        convert_echomimic(source, out, "base", micro)
    (source / name).unlink()
    with pytest.raises(InputError, match=Path(name).name):
        convert_echomimic(source, out, "base", micro)
    assert [one.name for one in tmp_path.iterdir()] == ["source"]


def test_weights_that_are_in_two_files_are_refused(published: Path, micro: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(published, source)
    shutil.copy(source / "denoising_unet.pth", source / "motion_module.pth")
    with pytest.raises(InputError, match=r"is in denoising_unet\.pth, too"):
        convert_echomimic(source, tmp_path / "out", "base", micro)


FULL_DISK = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from media.errors import StorageError
from models.emo import echomimic
from models.emo.convert import convert_echomimic
size = echomimic.Size(image=128, blocks=(32,) * 4, layers=1, locator=(8, 16, 24, 32), clip_frames=6, overlap=2)
try:
    convert_echomimic(Path(sys.argv[1]), Path(sys.argv[2]), "base", size)
except StorageError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_said_in_one_sentence_and_nothing_is_left(published: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.1.part").mkdir()  # of a conversion that was killed
    command = [sys.executable, "-c", FULL_DISK, str(published), str(tmp_path / "out")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "the file is larger than this disk or this account allows" in said.stdout, said.stderr
    assert list(tmp_path.iterdir()) == []
