"""What a renderer is given of a portrait, and what is shown of it: the square that layouts show, of a portrait of any shape.

An illustrated presenter is rendered as that square. Of a photograph the face's square is rendered, and pasted back into it, so
that background and shoulders stay those of the photograph.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from media.face_crop import PasteBack, View, cut_square, face_square, region_in
from media.framing import shown_square
from media.long_sound import Sound
from media.segment import Segment
from media.video import Picture

if TYPE_CHECKING:
    from models.draft import DraftRenderer
    from models.emo.renderer import Renderer
    from models.still import StillRenderer

LEAST_SIDE, MOST_SIDE = 512, 960
"""Pixels of a photograph's clip: the largest square of any layout has 960."""


def framed(
    renderer: "Renderer | StillRenderer | DraftRenderer",
    portrait: Picture,
    samples: Sound,
    segment: Segment,
    frames: int,
    on_frame: Callable[[int], None],
) -> tuple[int, Iterator[Picture]]:
    """Side of a clip's square pictures, and the pictures as they are done.

    Args:
        portrait: (H, W, 3), any shape.
        samples: mono at 16 kHz.
    """
    height, width = portrait.shape[:2]
    shown = shown_square(width, height, segment.face)
    if renderer.info.domain != "photo":
        face = segment.face
        if (shown.width, shown.height) != (width, height):
            face = region_in(shown, width, height, face, margin=0.0)
            portrait = cut_square(portrait, shown, shown.width)
        return renderer.info.size, renderer.render(portrait, samples, face, segment.settings, frames, on_frame)
    square = face_square(width, height, segment.face)
    side = min(MOST_SIDE, max(LEAST_SIDE, shown.width)) // 2 * 2
    pasting = PasteBack(portrait, square, segment.face, View(shown, side, side))
    rendered = renderer.render(
        cut_square(portrait, square, renderer.info.size),
        samples,
        region_in(square, width, height, segment.face),
        segment.settings,
        frames,
        on_frame,
    )
    return side, pasting.frames(rendered)
