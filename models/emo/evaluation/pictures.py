"""How the pictures themselves are: next to the drawn truth, across the borders of clips, over time, and once encoded."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter

from models.emo.evaluation.head import Array, Pictures

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of the picture."""


def within(pictures: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The part of pictures (..., S, S, 3) inside a box."""
    side = pictures.shape[-2]
    left, top, right, bottom = (round(v * side) for v in box)
    return pictures[..., top:bottom, left:right, :]


def rms(a: Pictures, b: Pictures) -> float:
    """Root-mean-square difference of two stacks of pictures, 0..1."""
    return float(np.sqrt(np.mean(np.square(a.astype(np.float32) - b.astype(np.float32)))) / 255)


def psnr(a: Pictures, b: Pictures) -> float:
    """Peak signal-to-noise ratio over all frames, dB; at most 60."""
    return float(min(60.0, -20 * np.log10(max(rms(a, b), 1e-9))))


def luminance(pictures: NDArray[np.uint8]) -> Array:
    """(..., H, W, 3) to (..., H, W), 0..255 (BT.709)."""
    return np.asarray(pictures.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32))


def ssim(a: Pictures, b: Pictures) -> float:
    """Structural similarity (Wang et al., 2004) of luminance, Gaussian window of 1.5 pixels, mean over frames."""
    return float(np.mean([_ssim(luminance(x), luminance(y)) for x, y in zip(a, b, strict=True)]))


def _ssim(x: Array, y: Array) -> float:
    def blurred(values: Array) -> Array:
        return np.asarray(gaussian_filter(values, 1.5, truncate=3.5))

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    both = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(ratio.mean())


def grain(pictures: Pictures, truth: Pictures) -> float:
    """Texture that is not in the truth, 0..1: spread of the second differences of (generated - drawn), by the median
    over pixels, so that moved edges do not count and a texture over skin and background does."""
    difference = pictures.astype(np.int16) - truth.astype(np.int16)
    second = difference[:, 2:, 1:-1] + difference[:, :-2, 1:-1] + difference[:, 1:-1, 2:] + difference[:, 1:-1, :-2]
    second = second - 4 * difference[:, 1:-1, 1:-1]
    return float(np.median(np.abs(second)) / 255)


def changes(pictures: Pictures) -> Array:
    """(F - 1,) root-mean-square change of luminance from each frame to the next, grey values."""
    light = luminance(pictures)
    return np.asarray(np.sqrt(np.square(np.diff(light, axis=0)).mean((1, 2))))


def seams(change: Array, clip_frames: int, reach: int = 4) -> tuple[float, float, int]:
    """Change across the borders of clips, and change within clips near them: two sums and how many borders there are.

    Args:
        change: (F - 1,), as `changes`.
        clip_frames: frames from one border to the next.
        reach: so many changes before and after each border stand for change within clips, whatever is being said there.
    """
    borders = [b for b in range(clip_frames - 1, len(change), clip_frames) if b >= reach and b + reach < len(change)]
    across = sum(float(change[b]) for b in borders)
    near = [np.r_[change[b - reach : b], change[b + 1 : b + 1 + reach]].mean() for b in borders]
    return across, float(np.sum(near)), len(borders)


def contrast(pictures: Pictures) -> Array:
    """(F,) spread of luminance over each picture, grey values."""
    return luminance(pictures).std((1, 2))


def sharpness(pictures: Pictures) -> Array:
    """(F,) root-mean-square slope of luminance, grey values a pixel."""
    down, right = np.gradient(luminance(pictures), axis=(1, 2))
    return np.asarray(np.sqrt((np.square(down) + np.square(right)).mean((1, 2))))


def encoded(pictures: Pictures, path: Path, fps: int) -> Pictures:
    """The pictures (F, S, S, 3) as a viewer gets them: written as production writes a clip, and read back."""
    from media.video import read_frames, write_video

    write_video(iter(pictures), path, fps)
    return np.stack(list(read_frames(path)))


def background_noise(pictures: Pictures, where: NDArray[np.bool_]) -> float:
    """Root-mean-square change of luminance from frame to frame, where (S, S) nothing should change; grey values."""
    steps = np.diff(luminance(pictures)[:, where], axis=0)
    return float(np.sqrt(np.square(steps).mean()))


def still_background(truth: Pictures) -> NDArray[np.bool_]:
    """(S, S) where no frame of the drawn truth differs from another."""
    return np.asarray((truth == truth[0]).all((0, 3)))


def far_from_edges(where: NDArray[np.bool_], share: float = 0.06) -> NDArray[np.bool_]:
    """(S, S) without what is nearer to its edge than a share of the side: beyond the reach of what the encoder does there."""
    return np.asarray(binary_erosion(where, iterations=max(1, round(share * len(where)))))
