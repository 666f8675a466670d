"""The flow `train-emo`: from a folder of real talking-head videos to a checkpoint, each step resumable where it was killed.

`portrayal models train emo --data DIR` runs it. What is in the run's folder afterwards: `videos.csv` (what was kept and why
the rest was not), `parts` (square pictures, sound and measurements), `codec`, `scenes` (what the networks read), and the
states and logs of training.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, task

from flows.side_by_side import side_by_side
from media.atomic import whole_file
from media.errors import InputError
from tasks.progress import Advance, stage

if TYPE_CHECKING:
    from models.emo.audio import MelAudioEncoder
    from models.emo.autoencoder import AutoencoderCodec
    from models.emo.denoising import Spread
    from models.emo.training.videos.rows import Row
    from models.faces import FaceFinder


@task(name="Prepare videos", persist_result=False)
def prepare_videos(data: Path, run: Path, demands: dict[str, float], processes: int) -> list[Path]:
    """Cut, crop and measure every video; returns the measurements of all parts, in order.

    Raises:
        InputError: nothing that can be used is left.
    """
    from models.emo.training.videos.films import films_in
    from models.emo.training.videos.prepare import parts_in, write_report

    videos = films_in(data)
    names = [video.relative_to(data).as_posix() for video in videos]
    folders = [run / "parts" / name for name in names]
    jobs = [(video, folder, name, demands) for video, folder, name in zip(videos, folders, names, strict=True)]
    with stage("Prepare videos", 1.0) as advance:
        side_by_side(_prepare, jobs, [video.stat().st_size for video in videos], processes, advance)
        write_report(folders, run / "videos.csv")
    parts = parts_in(folders)
    if not parts:
        raise InputError(f"{data}: no video can be used; {run / 'videos.csv'} says why for each of them.")
    return parts


def _prepare(video: Path, folder: Path, name: str, demands: dict[str, float]) -> None:
    from models.emo.training.videos.cuts import Demands
    from models.emo.training.videos.prepare import prepare_video

    folder.parent.mkdir(parents=True, exist_ok=True)
    prepare_video(video, folder, name, Demands(**demands), _finder())  # type: ignore[arg-type]


@task(name="Train the autoencoder", persist_result=False)
def make_codec(parts: list[Path], run: Path, plan: dict[str, int], size: str, autoencoder: Path | None) -> str:
    """Write `codec` in the run's folder: the autoencoder that was given, or one that is trained. Returns its hash.

    Raises:
        InputError: the one that was given cannot be used.
    """
    import torch

    from models.emo import networks
    from models.emo.autoencoder import read_autoencoder
    from models.emo.training.videos.pictures import train_autoencoder, write_pictures

    wanted = networks.VIDEO_SIZES[size]
    if autoencoder is not None:
        codec = read_autoencoder(autoencoder)
    else:
        with stage("Train the autoencoder", 1.0) as advance:
            torch.manual_seed(3)
            write_pictures(run, parts, plan["pictures"])
            untrained = networks.autoencoder(wanted)
            codec = train_autoencoder(run, untrained, plan["codec_steps"], _devices()[0], advance)
    codec.to("cpu").save_pretrained(run / "codec")
    return hashlib.sha256((run / "codec" / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()


@task(name="Encode parts", persist_result=False)
def encode_parts(parts: list[Path], run: Path, codec: str, processes: int) -> int:
    """Write the shards that the networks are trained on; returns how many rows they have."""
    from models.emo.training.plan import SHARD_SCENES
    from models.emo.training.videos.rows import begin_shards, rows_of

    rows = rows_of(parts)
    shards = begin_shards(run / "scenes", rows, codec)
    jobs = [(run, codec, shard, rows[k * SHARD_SCENES : (k + 1) * SHARD_SCENES]) for k, shard in enumerate(shards)]
    devices = _devices()
    with stage("Encode parts", 1.0) as advance:
        side_by_side(
            _encode, jobs, [1] * len(jobs), processes if devices == ["cpu"] else min(processes, len(devices)), advance
        )
    return len(rows)


def _encode(run: Path, codec: str, shard: Path, rows: "list[Row]") -> None:
    from models.emo.training.videos.rows import write_shard
    from models.speech.torch_threads import one_thread

    with one_thread():  # how threads share a sum decides its last digits; processes work side by side instead
        write_shard(shard, rows, _codec(run, codec), _encoder())


@task(name="Train the three stages", persist_result=False)
def train_stages(run: Path, plan: dict[str, int], size: str, codec: str, rows: int, folder: Path, part: Path) -> Path:
    """Train, and write the checkpoint; strips on the way show `part`."""
    from diffusers.utils import logging

    from models.emo import networks
    from models.emo.training.checkpoint import assembled, save_checkpoint
    from models.emo.training.curves import write_curves
    from models.emo.training.plan import Plan
    from models.emo.training.stages import train_stages as train_parts
    from models.emo.training.strips import part_of_a_video, write_strip

    wanted, encoder, device = networks.VIDEO_SIZES[size], _encoder(), _devices()[0]
    shown = part_of_a_video(part)

    def look(stage: str, step: int, parts: dict[str, Any], scale: list[float], spread: "Spread") -> None:
        pipeline = assembled(parts, _codec(run, codec).to(device), encoder, scale, spread, wanted.steps)
        write_strip(pipeline, shown, run / "strips" / f"{stage}-{step:06d}.png")

    with _one_bar_after_another() as report:
        parts, scale, spread = train_parts(
            run, Plan(**plan | {"scenes": rows}), encoder, wanted, report, device=device, look=look
        )
    write_curves(run / "log.csv", run / "curves.png")
    folder.parent.mkdir(parents=True, exist_ok=True)
    logging.set_verbosity_error()  # it warns of half precision, which is what is wanted
    save_checkpoint(
        {name: part.to("cpu") if hasattr(part, "to") else part for name, part in parts.items()},
        _codec(run, codec).to("cpu"),
        encoder,
        scale,
        spread,
        folder,
        wanted.steps,
    )
    return folder


@contextmanager
def _one_bar_after_another() -> Iterator[Callable[[str, float], None]]:
    """Gives a function that is told the name of a training stage and its share done."""
    with ExitStack() as bars:
        advances: dict[str, Advance] = {}

        def report(name: str, share: float) -> None:
            if name not in advances:
                bars.close()
                advances[name] = bars.enter_context(stage(f"Train: {name}", 1.0))
            advances[name](share)

        yield report


@flow(name="train-emo", description="Train an EMO checkpoint on real videos of people who talk.", persist_result=False)
def train_emo(
    data: Path,
    run: Path,
    folder: Path,
    size: str = "emo",
    autoencoder: Path | None = None,
    plan: dict[str, int] | None = None,
    demands: dict[str, float] | None = None,
    processes: int = 2,
) -> Path:
    """Prepare videos, train or take an autoencoder, encode, then EMO's three stages. Run it again after a kill.

    Args:
        data: folder of videos, and of folders of videos.
        run: folder for everything that comes before the checkpoint.
        folder: of the checkpoint.
        size: a name in `models.emo.networks.VIDEO_SIZES`.
        autoencoder: folder of a diffusers `AutoencoderKL`; one is trained if None.
        plan: fields of `models.emo.training.plan.Plan` that differ from `FROM_VIDEOS`.
        demands: fields of `models.emo.training.videos.cuts.Demands` that differ from the default.
        processes: that work side by side on videos and, without a GPU, on encoding.

    Returns:
        `folder`.

    Raises:
        InputError: no video can be used, the autoencoder does not fit, or the run was begun with other options.
        MissingEngineError: the autoencoder is not there.
    """
    from dataclasses import asdict

    from models.emo import networks
    from models.emo.autoencoder import require_autoencoder
    from models.emo.training.plan import FROM_VIDEOS

    built = networks.VIDEO_SIZES[size]
    if autoencoder is not None:
        require_autoencoder(autoencoder, built.stride, built.latent_channels)
    steps = {**asdict(FROM_VIDEOS), **(plan or {})}
    wanted = {"size": built.image, **(demands or {})}
    given = str(autoencoder.resolve()) if autoencoder else None
    _begin(run, {"size": size, "demands": wanted, "autoencoder": given, "checkpoint": str(folder)})
    parts = prepare_videos(data, run, wanted, processes)
    codec = make_codec(parts, run, steps, size, autoencoder)
    rows = encode_parts(parts, run, codec, processes)
    return train_stages(run, steps, size, codec, rows, folder, parts[0])


def _begin(run: Path, options: dict[str, Any]) -> None:
    """Remember what a run was begun with: parts and weights of different options must not be mixed.

    Raises:
        InputError: it was begun with something else.
    """
    path = run / "options.json"
    if not path.exists():
        with whole_file(path) as aside:
            aside.write_text(json.dumps(options, indent=1), encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))
    for name, value in options.items():
        if before.get(name) != value:
            raise InputError(
                f"{run} was begun with {name} {before.get(name)}, not {value}; give the same options, or another --run."
            )


def _devices() -> list[str]:
    """Where networks run: on every GPU there is, or on the processor."""
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"]


@cache
def _finder() -> "FaceFinder":
    from models.faces import FaceFinder

    return FaceFinder()


@cache
def _encoder() -> "MelAudioEncoder":
    from models.emo.audio import MelAudioEncoder
    from models.emo.renderer import SHIPPED

    return MelAudioEncoder.from_pretrained(SHIPPED / "starter" / "audio_encoder").eval()


@cache
def _codec(run: Path, _hash: str) -> "AutoencoderCodec":
    from models.emo.autoencoder import AutoencoderCodec

    devices = _devices()
    return AutoencoderCodec.from_pretrained(run / "codec").eval().to(devices[os.getpid() % len(devices)])
