"""Contact sheets: stills of a video, evenly spaced, with their times, in one picture."""

from pathlib import Path

import numpy as np

from media.atomic import whole_file
from media.errors import InputError
from media.lettering import plate
from media.video import Converter, Picture, decoded, probe_video

_TILE = 320  # pixels, the longer side of a still
_GAP = 6


def contact_sheet(video: Path, out: Path, columns: int = 6, rows: int = 4) -> None:
    """Write `columns` x `rows` stills of `video`, from its first to its last frame, to a PNG.

    Raises:
        InputError: the video cannot be read, or `out` cannot be written.
    """
    from PIL import Image

    info = probe_video(video)
    if not info.frames:
        raise InputError(f"{video} holds no frame; make it again.")
    scale = _TILE / max(info.width, info.height)
    width, height = round(info.width * scale), round(info.height * scale)
    wanted = [int(number) for number in np.linspace(0, info.frames - 1, columns * rows).round()]
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 24, np.uint8)
    place = 0
    converter = Converter()
    with decoded(video) as (_, frames):
        for number, frame in enumerate(frames):
            while place < len(wanted) and wanted[place] == number:
                still = converter.to_rgb(frame, (width, height))
                _stamp(still, number / info.fps)
                top = _GAP + (place // columns) * (height + _GAP)
                left = _GAP + (place % columns) * (width + _GAP)
                sheet[top : top + height, left : left + width] = still
                place += 1
    with whole_file(out) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)


def _stamp(still: Picture, seconds: float) -> None:
    minutes, rest = divmod(seconds, 60)
    label = plate([f"{int(minutes)}:{rest:04.1f}"], 11)
    height, width = label.shape[:2]
    corner = still[4 : 4 + height, -4 - width : -4]
    corner[:] = label[..., :3] + (corner.astype(np.uint16) * (255 - label[..., 3:].astype(np.uint16)) // 255)
