"""The flow `train`: everything from invented speech to a checkpoint, each step resumable where it was killed.

`portrayal models train starter` runs it. The data is drawn and spoken here, from seeds; nothing is downloaded.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, task

from flows.side_by_side import side_by_side

if TYPE_CHECKING:
    from models.emo.audio import MelAudioEncoder
    from models.emo.codec import PortraitCodec
    from models.emo.denoising import Spread

Progress = Callable[[str, float], None]

PARTS = 64
"""Jobs that speaking is cut into: what is done when it is stopped is kept, and the job in hand does not take long."""


@task(name="Begin with a checkpoint", persist_result=False)
def begin_with(run: Path, checkpoint: Path, size: str) -> None:
    from models.emo import networks
    from models.emo.training.checkpoint import begin_with as begin

    begin(run, checkpoint, networks.SIZES[size])


@task(name="Speak and listen", persist_result=False)
def write_speech(run: Path, plan: dict[str, int], processes: int) -> None:
    from models.emo.training.plan import Plan

    jobs = [(run, Plan(**plan).utterances, part, PARTS) for part in range(PARTS)]
    side_by_side(_write_speech, jobs, [1] * PARTS, processes, _report("speech"))


def _write_speech(run: Path, utterances: int, part: int, parts: int) -> None:
    from models.emo.training.hearing import write_speech as write

    write(run, utterances, part, parts)


@task(name="Train the audio encoder", persist_result=False)
def train_audio_encoder(run: Path, plan: dict[str, int]) -> Path:
    from models.emo.training.hearing import train_audio_encoder as train_encoder
    from models.emo.training.plan import Plan

    folder, todo = run / "audio_encoder", Plan(**plan)
    train_encoder(run, todo.utterances, todo.audio_steps, _report("audio encoder")).save_pretrained(folder)
    return folder


@task(name="Train the codec", persist_result=False)
def train_codec(run: Path, plan: dict[str, int], size: str) -> Path:
    from models.emo import networks
    from models.emo.training.codec import train_codec as fit
    from models.emo.training.plan import Plan

    folder = run / "codec"
    fit(run, Plan(**plan), networks.SIZES[size], _report("codec")).save_pretrained(folder)
    return folder


@task(name="Draw and encode scenes", persist_result=False)
def write_scenes(run: Path, plan: dict[str, int], size: str, processes: int) -> None:
    from models.emo.training.plan import SHARD_SCENES, Plan

    shards = -(-Plan(**plan).scenes // SHARD_SCENES)
    jobs = [(run, shard, size) for shard in range(shards)]
    side_by_side(_write_shard, jobs, [1] * shards, processes, _report("scenes"))


def _write_shard(run: Path, shard: int, size: str) -> None:
    from models.emo import networks
    from models.emo.training.scenes import write_shards

    write_shards(run, range(shard, shard + 1), *_codec_and_encoder(run), networks.SIZES[size])


@cache
def _codec_and_encoder(run: Path) -> "tuple[PortraitCodec, MelAudioEncoder]":
    from models.emo.audio import MelAudioEncoder
    from models.emo.codec import PortraitCodec

    codec = PortraitCodec.from_pretrained(run / "codec").eval()
    return codec, MelAudioEncoder.from_pretrained(run / "audio_encoder").eval()


@task(name="Train the three stages", persist_result=False)
def train_stages(run: Path, plan: dict[str, int], size: str) -> Path:
    import torch

    from models.emo import networks
    from models.emo.audio import MelAudioEncoder
    from models.emo.codec import PortraitCodec
    from models.emo.training.checkpoint import assembled, save_checkpoint
    from models.emo.training.curves import write_curves
    from models.emo.training.plan import Plan
    from models.emo.training.stages import train_stages as train_parts
    from models.emo.training.strips import held_out_presenter, write_strip

    codec = PortraitCodec.from_pretrained(run / "codec").eval()
    encoder = MelAudioEncoder.from_pretrained(run / "audio_encoder").eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shown = held_out_presenter(networks.SIZES[size].image)

    def look(stage: str, step: int, parts: dict[str, Any], scale: list[float], spread: "Spread") -> None:
        write_strip(assembled(parts, codec, encoder, scale, spread), shown, run / "strips" / f"{stage}-{step:06d}.png")

    parts, scale, spread = train_parts(
        run, Plan(**plan), encoder, networks.SIZES[size], lambda name, share: _report(name)(share), device, look
    )
    write_curves(run / "log.csv", run / "curves.png")
    folder = run / "checkpoint"
    save_checkpoint(parts, codec, encoder, scale, spread, folder)
    return folder


_listener: Progress | None = None


def _report(stage: str) -> Callable[[float], None]:
    return lambda share: _listener(stage, share) if _listener else None


@flow(
    name="train", description="Train an EMO checkpoint on drawn presenters and invented speech.", persist_result=False
)
def train(
    run: Path,
    plan: dict[str, int] | None = None,
    size: str = "starter",
    processes: int = 2,
    checkpoint: Path | None = None,
) -> Path:
    """Audio encoder, codec, scenes, then EMO's three stages. Run it again after a kill, and it goes on.

    Args:
        run: folder for data, states and `log.csv`; about 3 GB for the starter.
        plan: fields of `models.emo.training.plan.Plan` that differ from the default.
        size: a name in `models.emo.networks.SIZES`.
        processes: that speak and draw side by side.
        checkpoint: a folder whose audio encoder and codec are kept, and with whose networks the three stages begin.

    Returns:
        The folder of the checkpoint.
    """
    plan = plan or {}
    run.mkdir(parents=True, exist_ok=True)
    if checkpoint is not None:
        begin_with(run, checkpoint, size)
    else:
        write_speech(run, plan, processes)
        train_audio_encoder(run, plan)
        train_codec(run, plan, size)
    write_scenes(run, plan, size, processes)
    return train_stages(run, plan, size)


def train_with_progress(
    run: Path,
    listener: Progress,
    plan: dict[str, int] | None = None,
    size: str = "starter",
    processes: int = 2,
    checkpoint: Path | None = None,
) -> Path:
    """`train`, telling `listener` the stage's name and its share done."""
    global _listener
    _listener = listener
    try:
        return train(run, plan, size, processes, checkpoint)
    finally:
        _listener = None
