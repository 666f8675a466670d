"""Pictures to look at: held-out presenters who speak, next to the drawn truth, and one head at every speed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.atomic import whole_file
from media.lettering import plate
from media.segment import RenderSettings
from models.emo.corpus import Scene, drawn, held_out_scenes, held_out_sentence
from models.emo.evaluation.expression import speed_read, spoken
from models.emo.evaluation.faces import look, portrait_of
from models.emo.evaluation.head import Pictures
from models.emo.evaluation.measures import SPEED_SECONDS, SPEEDS, fitted_instruments
from models.emo.evaluation.takes import Renders, generated, renderer_of

Canvas = NDArray[np.uint8]

SPEAKERS = 6
FRAMES = 12
SECONDS = 4.0
_HEAD = 0.76
"""Side of the part that is shown, of the picture's side."""
_TILE = 168
_SMALL_TILE = 128
_GAP = 4
_LETTER = 15.0
_PAPER, _INK = (248, 247, 244), (36, 38, 44, 255)


def write_sheets(
    checkpoint: str,
    folder: Path,
    steps: int | None = None,
    models_dir: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Path]:
    """Write `speaking-1.png` to `speaking-6.png` and `head-speed.png`; returns their paths.

    Raises:
        MissingEngineError, InputError: there is no such checkpoint, or the folder cannot be written to.
    """
    renderer = renderer_of(checkpoint, models_dir)
    count = steps or renderer.info.steps
    by = f"{renderer.info.name}, {count} denoising step{'' if count == 1 else 's'}, {renderer.info.size} px"
    scenes = held_out_scenes(SPEAKERS)
    written = []

    def keep(name: str, picture: Canvas) -> None:
        path = folder / name
        with whole_file(path) as draft:
            Image.fromarray(picture).save(draft, "PNG", optimize=True)
        written.append(path)
        if progress is not None:
            progress(len(written) / (SPEAKERS + 2))

    for index, scene in enumerate(scenes):
        keep(f"speaking-{index + 1}.png", speaking_sheet(renderer, scene, *held_out_sentence(index), by, steps))
    keep("head-speed.png", speed_sheet(renderer, scenes[0], by, steps))
    return written


def speaking_sheet(
    renderer: Renders, scene: Scene, language: str, text: str, by: str, steps: int | None = None
) -> Canvas:
    """(H, W, 3): twelve moments of a scene, above as drawn, below as generated from the portrait and the sound."""
    size, fps = renderer.info.size, renderer.info.fps
    frames = min(len(scene.poses), int(SECONDS * fps))
    settings = RenderSettings(steps=steps, head_speed=scene.speed)
    made = generated(renderer, scene, frames, settings, scene.idle[:frames])
    # From where the voice begins: twelve evenly spaced moments, none of them chosen.
    first = int(np.argmax(spoken(scene, frames)))
    chosen = np.linspace(first, frames - 1, FRAMES).round().astype(int)
    truth = drawn(scene.presenter, scene.poses[chosen], size)
    return _stacked(
        [
            _caption(f"A presenter, a voice and a sentence that training did not use ({language}): “{text}”"),
            _caption("Above: drawn for this sound (the truth). Below: generated from portrait and sound by " + by),
            _row(around(truth, scene.face), _TILE),
            _row(around(made[chosen], scene.face), _TILE),
            _times(chosen / fps, _TILE),
        ]
    )


def speed_sheet(renderer: Renders, scene: Scene, by: str, steps: int | None = None) -> Canvas:
    """(H, W, 3): the same sound at every head speed, twelve moments in each row, with the speed that was measured."""
    size, fps = renderer.info.size, renderer.info.fps
    frames = min(len(scene.poses), int(SPEED_SECONDS * fps))
    reader = fitted_instruments(size, people=60).reader
    chosen = np.linspace(0, frames - 1, FRAMES).round().astype(int)
    rows = [_caption(f"The same sound at every head speed, by {by}")]
    for speed in SPEEDS:
        made = generated(renderer, scene, frames, RenderSettings(steps, speed))
        measured = speed_read(reader.read(look(made, portrait_of(scene, size))), spoken(scene, frames), fps)
        rows.append(_caption(f"asked for {speed:g} degrees a second, measured {measured:.1f} while speaking"))
        rows.append(_row(around(made[chosen], scene.face), _SMALL_TILE))
    return _stacked([*rows, _times(chosen / fps, _SMALL_TILE)])


def around(pictures: Pictures, face: tuple[float, float, float, float]) -> Pictures:
    """The head in pictures (F, S, S, 3), with room to move: three quarters of the side, square, around the face."""
    side = pictures.shape[1]
    length = round(side * _HEAD)
    left, top, right, bottom = face
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    x, y = (int(np.clip(round(m * side - length / 2), 0, side - length)) for m in (middle_x, middle_y))
    return pictures[:, y : y + length, x : x + length]


def _row(pictures: Pictures, tile: int) -> Canvas:
    """(tile + gap, F * (tile + gap), 3)."""
    row = np.full((tile + _GAP, len(pictures) * (tile + _GAP), 3), _PAPER, np.uint8)
    for k, picture in enumerate(pictures):
        left = k * (tile + _GAP) + _GAP // 2
        resized = Image.fromarray(np.ascontiguousarray(picture)).resize((tile, tile), Image.Resampling.LANCZOS)
        row[_GAP // 2 : _GAP // 2 + tile, left : left + tile] = np.asarray(resized)
    return row


def _caption(text: str) -> Canvas:
    """One line of text on paper."""
    label = plate([text], _LETTER, colour=_INK, background=(0, 0, 0, 0), padding=(0.3, 0.2))
    line = np.full((*label.shape[:2], 3), _PAPER, np.uint8)
    _lay(line, label, 0, 0)
    return line


def _times(seconds: NDArray[np.float64], tile: int) -> Canvas:
    """The time of each column, below it."""
    labels = [plate([f"{s:.2f} s"], _LETTER * 0.8, colour=_INK, background=(0, 0, 0, 0)) for s in seconds]
    line = np.full((labels[0].shape[0], len(labels) * (tile + _GAP), 3), _PAPER, np.uint8)
    for k, label in enumerate(labels):
        _lay(line, label, 0, k * (tile + _GAP) + (tile + _GAP - label.shape[1]) // 2)
    return line


def _lay(canvas: Canvas, label: NDArray[np.uint8], top: int, left: int) -> None:
    place = canvas[top : top + label.shape[0], left : left + label.shape[1]]
    place[:] = label[..., :3] + (place.astype(np.uint16) * (255 - label[..., 3:].astype(np.uint16)) // 255)


def _stacked(rows: Sequence[Canvas]) -> Canvas:
    width = max(row.shape[1] for row in rows) + 2 * _GAP
    sheet = np.full((sum(row.shape[0] for row in rows) + 2 * _GAP, width, 3), _PAPER, np.uint8)
    top = _GAP
    for row in rows:
        sheet[top : top + row.shape[0], _GAP : _GAP + row.shape[1]] = row
        top += row.shape[0]
    return sheet
