"""Overlapping windows over time, in the way of AnimateDiff and EchoMimic: every window is denoised alone, and where two
overlap their predictions are averaged."""


def overlapping_windows(frames: int, size: int, overlap: int, shift: int) -> list[list[int]]:
    """Windows over a closed loop of `frames` frames: behind the last one comes the first.

    Args:
        frames: length of the loop; a loop that is not longer than a window is one window.
        size: frames of a window.
        overlap: frames that two neighbours share, less than `size`.
        shift: where the first window begins; another one at every denoising step moves the borders about.

    Returns:
        Frame numbers of every window, each in [0, frames).
    """
    if frames <= size:
        starts, size = range(1), frames
    else:
        starts = range(0, frames, size - overlap)
    return [[(start + step + shift) % frames for step in range(size)] for start in starts]
