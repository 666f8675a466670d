"""What a frame of a photograph costs, and what each saving of the pipeline is worth.

    python -m benchmarks.photographs                        small, on the processor: minutes
    python -m benchmarks.photographs --device cuda          full size in bfloat16, with and without torch.compile
    python -m benchmarks.photographs --full-call            one call of the full-size backbone and nothing else, on any device

The models have random weights, which makes no difference to speed. Every saving is compared with doing without it, which is
written here: the product has no such switches. Runs with and without take turns, and medians are shown. Operations are those
that torch counts, matrix products and convolutions, in networks without memory (`meta`), so that they are known at full size
everywhere; the device's peak is the fastest of some square matrix products in the same precision and with as many threads.
Processors are timed in seconds of CPU time, which depends less on what else runs, and GPUs by the clock.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.utils import logging
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import untrained
from media.video import write_video
from models.emo import echomimic
from models.emo.attention import Conditioning, transformer_blocks
from models.emo.pipeline import EMOPipeline
from models.emo.windows import overlapping_windows

FACE = (0.25, 0.25, 0.75, 0.75)
SAME = 1e-4
FIXTURES = Path(__file__).parents[1] / "tests/data/echomimic"
_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Work:
    """A segment to render."""

    portrait: np.ndarray
    samples: np.ndarray
    frames: int
    steps: int

    @classmethod
    def of(cls, size: echomimic.Size, frames: int, steps: int) -> "Work":
        rng = np.random.default_rng(0)
        portrait = rng.integers(0, 255, (size.image, size.image, 3), dtype=np.uint8)
        return cls(portrait, rng.normal(0, 0.1, frames * _RATE // 24).astype(np.float32), frames, steps)


@dataclass(frozen=True, slots=True)
class Saving:
    """Something that the pipeline spares itself, and how to do without."""

    name: str
    without: Callable[[EMOPipeline], AbstractContextManager[None]]
    guided: bool = False
    """It is in the half without conditions, which only the base model has."""


@contextmanager
def _patched(target: Any, name: str, value: Any) -> Iterator[None]:
    """Within the context, an object's own attribute stands before its class's."""
    target.__dict__[name] = value
    try:
        yield
    finally:
        del target.__dict__[name]


def reference_at_every_call(pipeline: EMOPipeline) -> AbstractContextManager[None]:
    """The reference net runs anew for every call of the backbone."""
    backbone = pipeline.backbone
    attend_to, still = backbone.attend_to, {}
    see = pipeline._see

    def seeing(*args: Any) -> Any:
        seen = see(*args)
        still["latents"] = torch.cat([pipeline.codec.still(seen.picture) / seen.scale, seen.appearance], 1)
        return seen

    def attending(conditioning: Conditioning) -> None:
        if conditioning.reference:
            reference = pipeline.reference_net.read(still["latents"])
            conditioning = replace(conditioning, reference=reference, kept=None)
        attend_to(conditioning)

    @contextmanager
    def both() -> Iterator[None]:
        with _patched(pipeline, "_see", seeing), _patched(backbone, "attend_to", attending):
            yield

    return both()


def reference_projected_at_every_call(pipeline: EMOPipeline) -> AbstractContextManager[None]:
    """Keys and values of the reference are computed anew, for every frame alike."""
    backbone = pipeline.backbone
    attend_to = backbone.attend_to

    def attending(conditioning: Conditioning) -> None:
        frames = pipeline.config.clip_frames
        repeated = {name: value.repeat(frames, 1, 1) for name, value in conditioning.reference.items()}
        attend_to(replace(conditioning, reference=repeated, kept=None))

    return _patched(backbone, "attend_to", attending)


def sound_projected_at_every_call(pipeline: EMOPipeline) -> AbstractContextManager[None]:
    """Keys and values of all tokens of a window's frames are computed anew in every window and step."""
    backbone = pipeline.backbone
    attend_to, forward = backbone.attend_to, backbone.forward
    heard: dict[str, Tensor | None] = {}

    def attending(conditioning: Conditioning) -> None:
        heard["places"] = conditioning.places
        attend_to(replace(conditioning, places=None, cache=None))

    def calling(sample: Tensor, timestep: Tensor, tokens: Tensor, *rest: Any) -> Tensor:
        places = heard["places"]
        return forward(sample, timestep, tokens if places is None else tokens[places].flatten(1, -2), *rest)

    @contextmanager
    def both() -> Iterator[None]:
        with _patched(backbone, "attend_to", attending), _patched(backbone, "forward", calling):
            yield

    return both()


class _ReferenceForNothing:
    """Attends to the reference where there is none, and throws it away."""

    def __init__(self, processor: Any):
        self.processor, self.conditioning = processor, Conditioning()
        self.seen = Conditioning()

    def __call__(self, attn: Any, hidden_states: Tensor, **options: object) -> Tensor:
        if self.conditioning.reference:
            self.seen = self.conditioning
        else:
            self.processor.conditioning = self.seen
            self.processor(attn, hidden_states, **options)
        self.processor.conditioning = self.conditioning
        return self.processor(attn, hidden_states, **options)


def whole_unconditional_half(pipeline: EMOPipeline) -> AbstractContextManager[None]:
    """Reference attention is computed without conditions, too, and thrown away; silence is as many tokens as sound."""
    backbone = pipeline.backbone
    forward = backbone.forward
    heard: dict[str, int] = {}

    def calling(sample: Tensor, timestep: Tensor, tokens: Tensor, face: Tensor | None, *rest: Any) -> Tensor:
        if face is None:
            tokens = tokens.repeat(1, heard["tokens"], 1)
        else:
            places = backbone._attentions[0].processor.conditioning.places
            heard["tokens"] = tokens[0].shape[0] * (1 if places is None else places[0].numel())
        return forward(sample, timestep, tokens, face, *rest)

    @contextmanager
    def both() -> Iterator[None]:
        attentions = [block.attn1 for _, block in transformer_blocks(backbone)]
        kept = [attn.processor for attn in attentions]
        for attn in attentions:
            attn.processor = _ReferenceForNothing(attn.processor)
        try:
            with _patched(backbone, "forward", calling):
                yield
        finally:
            for attn, processor in zip(attentions, kept, strict=True):
                attn.processor = processor

    return both()


def frame_by_frame(pipeline: EMOPipeline) -> AbstractContextManager[None]:
    """Latents are decoded one frame at a time."""
    decode = pipeline.codec.decode

    def decoding(latents: Tensor, *rest: Any) -> Tensor:
        return torch.cat([decode(one, *rest) for one in latents.split(1)])

    return _patched(pipeline.codec, "decode", decoding)


SAVINGS = (
    Saving("reference features once a segment", reference_at_every_call),
    Saving("keys and values of the reference once a segment", reference_projected_at_every_call),
    Saving("keys and values of the sound once a loop", sound_projected_at_every_call),
    Saving("no reference attention and one silent token without conditions", whole_unconditional_half, guided=True),
    Saving("frames decoded in batches", frame_by_frame),
)


def savings_of(variant: str) -> list[Saving]:
    return [one for one in SAVINGS if not one.guided or echomimic.VARIANTS[variant]["guidance"] != 1]


@contextmanager
def listening_once(pipeline: EMOPipeline, work: Work) -> Iterator[None]:
    """Whisper hears 30 s at once however short a sound is, which would hide the rest: it has heard it before."""
    hearing = pipeline.audio_encoder.listen(work.samples, work.frames, pipeline.config.fps)
    hearing.tokens(torch.arange(work.frames))
    with _patched(pipeline.audio_encoder, "listen", lambda *_: hearing):
        yield


@torch.no_grad()
def rendered(pipeline: EMOPipeline, work: Work) -> tuple[float, Tensor]:
    """Seconds that a segment took, and its frames in [-1, 1] before they are rounded."""
    decode, decoded = pipeline.codec.decode, []

    def decoding(*args: Any) -> Tensor:
        decoded.append(decode(*args))
        return decoded[-1]

    on_gpu = pipeline.device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    own = pipeline.codec.__dict__.get("decode")
    pipeline.codec.__dict__["decode"] = decoding
    try:
        began = clock()
        for _ in pipeline.stream(work.portrait, work.samples, FACE, work.frames, num_inference_steps=work.steps):
            pass
        if on_gpu:
            torch.cuda.synchronize()
        passed = clock() - began
    finally:
        if own is None:
            del pipeline.codec.__dict__["decode"]
        else:
            pipeline.codec.__dict__["decode"] = own
    return passed, torch.cat(decoded).float().cpu()


def compared(
    pipeline: EMOPipeline, variant: str, work: Work, repeats: int, cast: Any = nullcontext
) -> list[dict[str, Any]]:
    """Each saving against doing without it: time, and how far apart the frames are."""
    savings = savings_of(variant)
    seconds: dict[str, list[float]] = {one.name: [] for one in savings} | {"with all": []}
    apart = dict.fromkeys(seconds, 0.0)
    with listening_once(pipeline, work), cast():
        _, wanted = rendered(pipeline, work)  # warm
        for _ in range(repeats):
            seconds["with all"].append(rendered(pipeline, work)[0])
            for one in savings:
                with one.without(pipeline):
                    passed, frames = rendered(pipeline, work)
                seconds[one.name].append(passed)
                apart[one.name] = max(apart[one.name], float((frames - wanted).abs().max()))
    base = seconds["with all"]
    return [
        {
            "saving": one.name,
            "variant": variant,
            "with": statistics.median(base),
            "without": statistics.median(seconds[one.name]),
            "ratio": statistics.median(off / on for off, on in zip(seconds[one.name], base, strict=True)),
            "apart": apart[one.name],
            "seconds": seconds[one.name],
        }
        for one in savings
    ]


def counted(call: Callable[[], object]) -> int:
    """Floating-point operations of a call: matrix products and convolutions."""
    # The fused kernels of processors are not among those that are counted.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def operations(
    size: str, variant: str, frames: int, steps: int, without: Iterable[Saving] | None = None
) -> dict[str, float]:
    """Operations a frame, without the audio encoder: with all savings (`with all`), and without each, or each of `without`."""
    with torch.device("meta"):
        pipeline = untrained.photographs(size, variant)
        shape = untrained.SIZES[size]
        side, window = shape.image // 8, shape.clip_frames
        portrait = np.zeros((shape.image, shape.image, 3), np.uint8)
        rows = torch.empty(frames * 25 // 12, 5, 384)
        places = torch.empty(window, 10, dtype=torch.long)
        x_t = torch.empty(1, 4, window, side, side)
        timestep = torch.empty((), dtype=torch.long)
    calls = steps * len(overlapping_windows(frames, window, shape.overlap, 0))

    def whole() -> int:
        seen, kept, cache = [], {}, {}
        once = counted(lambda: seen.append(pipeline._see(portrait, FACE, 0.0)))

        def predict() -> None:
            conditioning = Conditioning(seen[0].reference, places=places, kept=kept, cache=cache)
            pipeline._predict(x_t, timestep, seen[0], conditioning, rows, None)

        first, later = counted(predict), counted(predict)
        decode = counted(lambda: pipeline.codec.decode(x_t[0].transpose(0, 1))) / window * frames
        return once + first + later * (calls - 1) + decode

    figures = {"with all": whole() / frames}
    for saving in savings_of(variant) if without is None else without:
        with saving.without(pipeline):
            figures[saving.name] = whole() / frames
    return figures


def peak_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of the fastest square matrix product."""
    sides = (2048, 4096, 8192) if device == "cuda" else (512, 1024)
    best = 0.0
    for side in sides:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        for _ in range(6):
            began = time.perf_counter() if device == "cuda" else time.process_time()
            for _ in range(3):
                a @ b
            if device == "cuda":
                torch.cuda.synchronize()
                passed = time.perf_counter() - began
            else:
                passed = time.process_time() - began
            best = max(best, 3 * 2 * side**3 / passed)
    return best


def cost(
    pipeline: EMOPipeline, size: str, variant: str, work: Work, repeats: int, compiled: bool, cast: Any, peak: float
) -> dict[str, Any]:
    """What a frame costs: seconds, memory, operations, and the share of the device's peak."""
    device = pipeline.device.type
    if compiled:
        pipeline.backbone.compile()
    try:
        with listening_once(pipeline, work), cast():
            rendered(pipeline, work)
            _forget_peak(device)
            seconds = [rendered(pipeline, work)[0] for _ in range(repeats)]
    finally:
        pipeline.backbone._compiled_call_impl = None
    each = statistics.median(seconds) / work.frames
    flops = operations(size, variant, work.frames, work.steps, ())["with all"]
    return {
        "variant": variant,
        "compiled": compiled,
        "steps": work.steps,
        "frames": work.frames,
        "seconds_per_frame": each,
        "frames_per_second": 1 / each,
        "peak_mb": _peak_bytes(device) / 1e6,
        "flops_per_frame": flops,
        "share_of_peak": flops / each / peak,
        "seconds": seconds,
    }


def _forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes(device: str) -> int:
    """The most memory since it was forgotten: of the GPU, or of the process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@torch.no_grad()
def frames_in_memory(pipeline: EMOPipeline, work: Work) -> dict[str, Any]:
    """The most memory in arrays while a segment is written to a video: frame by frame as they come, or all held before."""

    def frames() -> Iterator[np.ndarray]:
        for clip in pipeline.stream(work.portrait, work.samples, FACE, work.frames, num_inference_steps=1):
            yield from map(np.array, clip)  # copies, since what torch holds is not counted

    figures: dict[str, Any] = {"frames": work.frames, "bytes_of_a_frame": work.portrait.nbytes}
    with tempfile.TemporaryDirectory(prefix="portrayal-photographs-") as folder, listening_once(pipeline, work):
        for name, source in (("warm", frames), ("streamed", frames), ("held", lambda: list(frames()))):
            tracemalloc.start()
            write_video(source(), Path(folder) / f"{name}.mp4", 24)
            figures[name] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    return figures


def saturation(pipeline: EMOPipeline, cast: Any) -> list[dict[str, Any]]:
    """Seconds a frame of one call of the backbone and of the decoder, by the number of frames in the call."""
    size, device = pipeline.config, pipeline.device
    side, window = size.image_size // 8, size.clip_frames
    seen = pipeline._see(np.zeros((size.image_size,) * 2 + (3,), np.uint8), FACE, 0.0)
    found = []
    for frames in (1, window // 2, window, 2 * window, 4 * window):
        batch, length = (1, frames) if frames <= window else (frames // window, window)
        sample = torch.randn(batch, 4, length, side, side, device=device)
        tokens = torch.randn(frames, 50, 384, device=device)
        timestep = torch.zeros(1, device=device, dtype=torch.long).expand(batch)

        def call(sample: Tensor = sample, tokens: Tensor = tokens, timestep: Tensor = timestep) -> None:
            pipeline.backbone.attend_to(Conditioning(seen.reference))
            pipeline.backbone(sample, timestep, tokens, seen.located.expand(len(sample), -1, -1, -1))

        def decode(sample: Tensor = sample) -> None:
            pipeline.codec.vae.decode(sample.transpose(1, 2).flatten(0, 1))

        row: dict[str, Any] = {"frames": frames}
        for name, work in (("backbone", call), ("decoder", decode)):
            try:
                with torch.no_grad(), cast():
                    row[name] = _timed(work, device.type) / frames
            except torch.cuda.OutOfMemoryError:
                row[name] = None
        found.append(row)
    return found


def _timed(call: Callable[[], object], device: str, repeats: int = 5) -> float:
    """Median seconds of a call that has been made before."""
    call()
    clock, taken = time.perf_counter if device == "cuda" else time.process_time, []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        began = clock()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - began)
    return statistics.median(taken)


@torch.no_grad()
def bfloat16_error(device: str) -> list[dict[str, Any]]:
    """How far frames in bfloat16 are from those in single precision, in [-1, 1]; weights are those of the tests' recordings."""
    found = []
    for variant, name in (("base", "a2v"), ("acc", "acc")):
        recorded = load_file(FIXTURES / "a2v.safetensors") | load_file(FIXTURES / f"{name}.safetensors")
        pipeline = _recorded_pipeline(variant, recorded).to(device)
        work = Work(recorded["in/image_u8"].numpy(), recorded["in/wav"].numpy(), 8, len(recorded["timesteps"]))
        hearing = pipeline.audio_encoder.listen(work.samples, work.frames, 24)
        hearing._chunks[0] = recorded["whisper_feature"].to(device)
        frames = {}
        for dtype in (torch.float32, torch.bfloat16):
            pipeline.to(dtype=dtype)
            with _patched(pipeline.audio_encoder, "listen", lambda *_, heard=hearing: heard), casting(device, dtype)():
                frames[dtype] = rendered(pipeline, work)[1]
        apart = (frames[torch.bfloat16] - frames[torch.float32]).abs()
        found.append({"variant": variant, "max": float(apart.max()), "mean": float(apart.mean())})
    return found


def _recorded_pipeline(variant: str, recorded: dict[str, Tensor]) -> EMOPipeline:
    from diffusers import AutoencoderKL

    from models.emo.autoencoder import AutoencoderCodec

    size = untrained.TINY

    def filled(network: Any, file: str, rename: Any) -> Any:
        weights = {key: value.float() for key, value in load_file(FIXTURES / f"{file}.safetensors").items()}
        network.load_state_dict(rename(weights, network.state_dict(), file))
        return network

    autoencoder = AutoencoderKL.from_config(AutoencoderKL.load_config(FIXTURES / "vae.json"))
    autoencoder.load_state_dict({k: v.float() for k, v in load_file(FIXTURES / "vae.safetensors").items()})
    return EMOPipeline(
        codec=AutoencoderCodec.around(autoencoder),
        reference_net=filled(echomimic.reference_unet(size), "reference_unet", echomimic.reference_keys),
        backbone=filled(echomimic.denoising_unet(size), "denoising_unet", echomimic.denoising_keys),
        face_locator=filled(echomimic.face_locator(size), "face_locator", echomimic.face_locator_keys),
        audio_encoder=untrained.WhisperAudioEncoder(),
        scheduler=echomimic.scheduler(),
        **echomimic.settings(size, variant),
    )


@torch.no_grad()
def full_call(device: str, dtype: torch.dtype, frames: int = 2) -> dict[str, Any]:
    """One call of the full-size backbone with conditions, on a few frames."""
    size = echomimic.PUBLISHED
    with torch.device("meta"):
        backbone = echomimic.denoising_unet(size)
        reference = echomimic.reference_unet(size).read(torch.empty(1, 4, size.image // 8, size.image // 8))
    backbone = backbone.to_empty(device=device).to(dtype)
    for value in [*backbone.parameters(), *backbone.buffers()]:
        value.uniform_(-0.02, 0.02)
    backbone.follow(3.0, speed=False)
    made = {name: torch.randn(value.shape, device=device, dtype=dtype) for name, value in reference.items()}
    side = size.image // 8
    sample = torch.randn(1, 4, frames, side, side, device=device, dtype=dtype)
    located = torch.randn(1, size.blocks[0], side, side, device=device, dtype=dtype)
    tokens = torch.randn(frames, 50, 384, device=device, dtype=dtype)
    timestep = torch.zeros(1, device=device, dtype=torch.long)

    def call() -> None:
        backbone.attend_to(Conditioning(made))
        backbone(sample, timestep, tokens, located)

    clock = time.perf_counter if device == "cuda" else time.process_time
    _forget_peak(device)
    began = clock()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    passed = clock() - began
    with torch.device("meta"):
        twin = echomimic.denoising_unet(size)
        twin.follow(3.0, speed=False)
        arguments = (torch.empty(sample.shape), torch.empty(1), torch.empty(tokens.shape), torch.empty(located.shape))
        twin.attend_to(Conditioning(reference))
    flops = counted(lambda: twin(*arguments))
    figures = {"frames": frames, "seconds": passed, "flops": flops, "peak_mb": _peak_bytes(device) / 1e6}
    return figures | {"share_of_peak": flops / passed / peak_rate(device, dtype)}


def casting(device: str, dtype: torch.dtype) -> Callable[[], AbstractContextManager[Any]]:
    """Networks in half precision are given what they ask for; what is between them stays as it is."""
    if dtype == torch.float32:
        return nullcontext
    return lambda: torch.autocast(device, dtype=dtype)


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All figures, raw."""
    device, dtype = given.device, getattr(torch, given.dtype)
    size, cast = untrained.SIZES[given.size], casting(device, dtype)
    peak = peak_rate(device, dtype)
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "processor",
        "threads": torch.get_num_threads(),
        "size": given.size,
        "dtype": given.dtype,
        "peak_rate": peak,
        "load_average": os.getloadavg()[0],
        "savings": [],
        "cost": [],
    }
    frames = given.frames or 2 * (size.clip_frames - size.overlap)
    for variant in given.variant or echomimic.VARIANTS:
        pipeline = untrained.photographs(given.size, variant).to(device, dtype)
        own = echomimic.VARIANTS[variant]["steps"]
        work = Work.of(size, frames, given.steps or own)
        figures["savings"] += compared(pipeline, variant, work, given.repeats, cast)
        full = size.clip_frames, (size.clip_frames - size.overlap) * 8
        figures.setdefault("operations", {})[variant] = operations("full", variant, full[1], own)
        for compiled in (False, True) if given.compile else (False,):
            figures["cost"].append(cost(pipeline, given.size, variant, work, given.repeats, compiled, cast, peak))
        if variant == "acc":
            figures["memory"] = frames_in_memory(pipeline.to(torch.float32), replace(work, frames=4 * frames))
            if device == "cuda":
                figures["saturation"] = saturation(pipeline.to(dtype), cast)
        del pipeline
    figures["bfloat16_error"] = bfloat16_error(device)
    figures["load_average_at_the_end"] = os.getloadavg()[0]
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures for people, in Markdown."""
    lines = [
        f"{figures['device']}, {figures['threads']} threads, size `{figures['size']}`, {figures['dtype']}; "
        f"peak {figures['peak_rate'] / 1e9:,.0f} GFLOP/s; load average {figures['load_average']:.1f} before, "
        f"{figures['load_average_at_the_end']:.1f} after.",
        "",
        "| saving | variant | seconds with | without | without / with | frames differ by | "
        "operations at full size, without / with |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in figures["savings"]:
        flops = figures["operations"][row["variant"]]
        lines.append(
            f"| {row['saving']} | {row['variant']} | {row['with']:.2f} | {row['without']:.2f} | {row['ratio']:.3f} | "
            f"{row['apart']:.1e} | {flops[row['saving']] / flops['with all']:.4f} |"
        )
    lines += [
        "",
        "| variant | steps | compiled | seconds a frame | frames a second | peak memory, MB | GFLOP a frame | share of peak |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in figures["cost"]:
        lines.append(
            f"| {row['variant']} | {row['steps']} | {'yes' if row['compiled'] else 'no'} | {row['seconds_per_frame']:.4f} | "
            f"{row['frames_per_second']:.2f} | {row['peak_mb']:,.0f} | {row['flops_per_frame'] / 1e9:,.1f} | "
            f"{row['share_of_peak']:.0%} |"
        )
    lines += ["", "| variant | steps | TFLOP a frame at full size |", "| --- | --- | --- |"]
    for variant, flops in figures["operations"].items():
        lines.append(f"| {variant} | {echomimic.VARIANTS[variant]['steps']} | {flops['with all'] / 1e12:.2f} |")
    if memory := figures.get("memory"):
        lines += [
            "",
            f"Arrays in memory while {memory['frames']} frames of {memory['bytes_of_a_frame'] / 1e6:.2f} MB are written: "
            f"{memory['streamed'] / 1e6:.1f} MB streamed, {memory['held'] / 1e6:.1f} MB held.",
        ]
    for row in figures["bfloat16_error"]:
        lines += [
            "",
            f"bfloat16 against single precision, {row['variant']}: at most {row['max']:.4f}, on average {row['mean']:.5f} "
            "of frames in [-1, 1].",
        ]
    if rows := figures.get("saturation"):
        lines += ["", "| frames in a call | backbone, ms a frame | decoder, ms a frame |", "| --- | --- | --- |"]
        lines += [
            f"| {row['frames']} | " + " | ".join(_milliseconds(row[name]) for name in ("backbone", "decoder")) + " |"
            for row in rows
        ]
    return "\n".join(lines)


def _milliseconds(seconds: float | None) -> str:
    return "out of memory" if seconds is None else f"{1000 * seconds:.2f}"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--size", choices=tuple(untrained.SIZES), help="small on the processor, full on a GPU")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="float32 on the processor, bfloat16 on a GPU")
    parser.add_argument("--variant", choices=tuple(echomimic.VARIANTS), action="append", help="both")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="on a GPU")
    parser.add_argument("--frames", type=int, help="two windows without what they share")
    parser.add_argument("--steps", type=int, help="denoising steps: 2 on the processor, the variant's own on a GPU")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the processor; 0: torch's own choice")
    parser.add_argument("--full-call", action="store_true", help="5 GB and minutes on a processor")
    parser.add_argument("--out", type=Path, help="raw figures, JSON")
    return parser


def main() -> None:
    given = arguments().parse_args()
    on_gpu = given.device == "cuda"
    given.size = given.size or ("full" if on_gpu else "small")
    given.dtype = given.dtype or ("bfloat16" if on_gpu else "float32")
    given.compile = on_gpu if given.compile is None else given.compile
    given.steps = given.steps or (None if on_gpu else 2)
    logging.set_verbosity_error()
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.full_call:
        call = full_call(given.device, getattr(torch, given.dtype))
        print(
            f"One call of the full-size backbone on {call['frames']} frames: {call['seconds']:.1f} s, "
            f"{call['flops'] / 1e12:.2f} TFLOP, {call['share_of_peak']:.0%} of peak, {call['peak_mb']:,.0f} MB."
        )
        return
    figures = measure(given)
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1))
    print(table(figures))
    worst = max((row["apart"] for row in figures["savings"]), default=0.0)
    if given.dtype == "float32" and worst > SAME:
        raise SystemExit(f"Frames differ by {worst:.1e} with and without a saving, more than {SAME:.0e}.")


if __name__ == "__main__":
    main()
