"""Contact sheets: stills of a video, evenly spaced, with their times, in one picture."""

import io
from pathlib import Path

import numpy as np

from media.atomic import whole_file
from media.errors import InputError
from media.lettering import plate
from media.video import Converter, Picture, frames_at, probe_video

_GAP = 6


def contact_sheet(video: Path, out: Path, columns: int = 6, rows: int = 4) -> None:
    """Write `columns` x `rows` stills of `video`, from its first to its last frame, to a PNG.

    Raises:
        InputError: the video cannot be read, or `out` cannot be written.
    """
    from PIL import Image

    sheet = Image.fromarray(_sheet(video, columns, rows, 320))
    with whole_file(out) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def small_sheet(video: Path, columns: int = 4, rows: int = 3, tile: int = 200) -> bytes:
    """The same as a JPEG of some ten kilobytes, to be shown beside a production. A still's longer side is `tile` pixels.

    Raises:
        InputError: the video cannot be read.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(_sheet(video, columns, rows, tile)).save(buffer, format="JPEG", quality=70, optimize=True)
    return buffer.getvalue()


def _sheet(video: Path, columns: int, rows: int, tile: int) -> Picture:
    info = probe_video(video)
    if not info.frames:
        raise InputError(f"{video} holds no frame; make it again.")
    scale = tile / max(info.width, info.height)
    width, height = round(info.width * scale), round(info.height * scale)
    wanted = np.linspace(0, info.frames - 1, columns * rows).round() / info.fps
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 24, np.uint8)
    converter = Converter()
    for place, (moment, frame) in enumerate(zip(wanted, frames_at(video, wanted), strict=True)):
        still = converter.to_rgb(frame, (width, height))
        _stamp(still, moment)
        top = _GAP + (place // columns) * (height + _GAP)
        left = _GAP + (place % columns) * (width + _GAP)
        sheet[top : top + height, left : left + width] = still
    return sheet


def _stamp(still: Picture, seconds: float) -> None:
    minutes, rest = divmod(seconds, 60)
    label = plate([f"{int(minutes)}:{rest:04.1f}"], 11)
    height, width = label.shape[:2]
    corner = still[4 : 4 + height, -4 - width : -4]
    corner[:] = label[..., :3] + (corner.astype(np.uint16) * (255 - label[..., 3:].astype(np.uint16)) // 255)
