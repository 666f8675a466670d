"""Sound on disk behaves as an array does, and leaves nothing behind."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError
from media.long_sound import LongSound

placed = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 200), st.integers(0, 99)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(placed, st.integers(-700, 700), st.integers(-700, 700), st.integers(0, 900))
def test_what_is_mixed_and_cut_is_what_an_array_would_hold(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int, int]], start: int, stop: int, length: int
) -> None:
    expected = np.zeros(0, np.float32)
    with LongSound(tmp_path_factory.getbasetemp()) as sound:
        for at, count, seed in pieces:
            piece = np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)
            if count:
                expected = np.pad(expected, (0, max(at + count - len(expected), 0)))
                expected[at : at + count] += piece
            sound.mix(piece, at) if count else None
        assert len(sound) == len(expected)
        np.testing.assert_array_equal(sound[start:stop], expected[start:stop])
        np.testing.assert_array_equal(np.asarray(sound), expected)
        sound.extend_to(length)
        expected = np.pad(expected, (0, max(length - len(expected), 0)))[:length]
        np.testing.assert_array_equal(sound[:], expected)
        sound.append(np.ones(3, np.float32))
        np.testing.assert_array_equal(sound[length:], np.ones(3))


def test_a_mapped_sound_can_be_forgotten_and_is_read_again(tmp_path: Path) -> None:
    with LongSound(tmp_path) as sound:
        assert len(sound.mapped()) == 0
        sound.append(np.arange(5000, dtype=np.float32))
        whole = sound.mapped()
        for _ in range(2):
            np.testing.assert_array_equal(whole, np.arange(5000))
            sound.forget()


def test_no_file_is_seen_and_none_is_left(tmp_path: Path) -> None:
    with LongSound(tmp_path / "scratch") as sound:
        sound.append(np.ones(1000, np.float32))
        assert list((tmp_path / "scratch").iterdir()) == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        LongSound(tmp_path / "file")
