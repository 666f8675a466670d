"""Nothing that is written over a portrait touches its mouth, in any layout."""

import itertools
from typing import get_args

import pytest

from media.framing import SIZES, Aspect, Box, Layout, framing

EVERY = [
    (layout, aspect, speakers, captions)
    for layout in get_args(Layout)
    for aspect in get_args(Aspect)
    for speakers in range(1, 17)
    for captions in (True, False)
]


@pytest.mark.parametrize(("layout", "aspect", "speakers", "captions"), EVERY)
def test_captions_and_names_never_cover_a_mouth(layout: Layout, aspect: Aspect, speakers: int, captions: bool) -> None:
    frame = framing(layout, aspect, speakers, captions)
    for panel, other in itertools.product(frame.panels, repeat=2):
        assert not panel.name.overlaps(other.mouth)
        if captions:
            assert not frame.captions.overlaps(other.mouth)
            assert not frame.captions.overlaps(panel.name)


@pytest.mark.parametrize(("layout", "aspect", "speakers", "captions"), EVERY)
def test_everything_lies_in_the_picture(layout: Layout, aspect: Aspect, speakers: int, captions: bool) -> None:
    frame = framing(layout, aspect, speakers, captions)
    picture = Box(0, 0, *SIZES[aspect])
    assert picture.contains(frame.captions)
    for panel in frame.panels:
        assert picture.contains(panel.visible)
        assert panel.visible.contains(panel.name)
        assert panel.visible.contains(panel.mouth), "the sides of a portrait may be cut, its mouth not"
        assert panel.square.width == panel.square.height
    for panel, other in itertools.combinations(frame.panels, 2):
        assert not panel.visible.overlaps(other.visible)


@pytest.mark.parametrize("speakers", [1, 2, 3, 7])
def test_every_speaker_has_a_tile_in_a_gallery_and_one_panel_serves_all_in_a_spotlight(speakers: int) -> None:
    assert len(framing("gallery", "16:9", speakers, True).panels) == speakers
    assert len(framing("spotlight", "16:9", speakers, True).panels) == 1


def test_a_duet_of_three_is_a_gallery() -> None:
    assert framing("duet", "16:9", 2, True).layout == "duet"
    assert framing("duet", "16:9", 3, True) == framing("gallery", "16:9", 3, True)
