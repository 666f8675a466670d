"""Real videos become training data: read in step, cut, cropped and measured. What is drawn here is known to the frame."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from media.audio import write_wav
from media.errors import InputError
from media.video import read_frames, write_video
from models.avatars import motion
from models.emo.training.videos import crops, cuts, films, prepare
from models.emo.training.videos.cuts import Demands
from models.emo.training.videos.faces import Faces, read_sidecar, sidecar
from models.faces import FaceFinder
from models.head import head_angles, head_speed

SMALL = Demands(size=96)


@pytest.fixture(scope="module")
def finder(one_torch_thread):
    return FaceFinder()


@pytest.fixture(scope="module")
def one_torch_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, talking_film, finder):
    """A presenter at 30 pictures a second, prepared: the scene, the folder of parts, the film."""
    folder = tmp_path_factory.mktemp("drawn")
    film = folder / "talk.mp4"
    scene = talking_film(film, 13, fps=30, seconds=6)
    prepare.prepare_video(film, folder / "parts", "talk.mp4", SMALL, finder)
    return scene, folder / "parts", film


@pytest.fixture(scope="module")
def photographed(tmp_path_factory, photographed_film, finder):
    folder = tmp_path_factory.mktemp("photographed")
    film = folder / "hopper.mp4"
    photographed_film(film)
    prepare.prepare_video(film, folder / "parts", "hopper.mp4", SMALL, finder)
    return folder / "parts", film


def rows_of(folder: Path) -> list[dict]:
    return json.loads((folder / "report.json").read_text())["rows"]


# --- reading -----------------------------------------------------------------------------------------------------------


def flash_and_beep(path: Path, fps: float, sound: bool = True) -> None:
    """Bright and loud from 1.0 s to 1.5 s of 3 s."""
    bright = [1.0 <= number / fps < 1.5 for number in range(round(3 * fps))]
    pictures = (np.full((48, 64, 3), 220 if on else 20, np.uint8) for on in bright)
    wave = np.zeros(3 * 48_000, np.float32)
    wave[48_000:72_000] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(24_000) / 48_000)
    write_wav(path.with_suffix(".wav"), wave, 48_000)
    write_video(pictures, path, fps, sound=path.with_suffix(".wav") if sound else None)


@pytest.mark.parametrize("fps", [24, 25, 30_000 / 1001, 30, 50, 60])
def test_sound_and_picture_stay_in_step_whatever_the_frame_rate(tmp_path, fps):
    flash_and_beep(tmp_path / "film.mp4", fps)
    film = films.open_film(tmp_path / "film.mp4")
    light = np.array([shown.picture.mean() for shown in films.pictures(film)])
    heard = films.sound(film)
    assert len(light) in (75, 76)
    assert np.argmax(light > 120) / 25 == pytest.approx(1.0, abs=0.5 / fps + 0.5 / 25)
    assert np.argmax(np.abs(heard) > 0.1) / 16_000 == pytest.approx(1.0, abs=0.003)


def test_a_sound_track_that_begins_late_is_put_where_it_belongs(tmp_path):
    flash_and_beep(tmp_path / "film.mp4", 25)
    with av.open(str(tmp_path / "film.mp4")) as source, av.open(str(tmp_path / "late.mkv"), "w") as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            stream = source.streams[packet.stream_index]
            if stream.type == "audio":
                late = int(0.4 / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.stream = streams[packet.stream_index]
            copy.mux(packet)
    film = films.open_film(tmp_path / "late.mkv")
    assert film.late == pytest.approx(0.4, abs=0.03)
    assert np.argmax(np.abs(films.sound(film)) > 0.1) / 16_000 == pytest.approx(1.4, abs=0.03)


def test_a_picture_that_a_telephone_stores_lying_stands_upright(tmp_path):
    top_is_bright = np.zeros((48, 64, 3), np.uint8)
    top_is_bright[:, :20] = 230  # lying: what belongs to the top is at the left
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(-90)
        voice = container.add_stream("aac", rate=48_000, layout="mono")
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(top_is_bright, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        for number in range(50):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 48_000, 1024 * number
            container.mux(voice.encode(silence))
        for each in (stream, voice):
            container.mux(each.encode(None))
    film = films.open_film(tmp_path / "film.mp4")
    picture = next(films.pictures(film)).picture
    assert (film.width, film.height) == (48, 64)
    assert picture.shape == (64, 48, 3)
    assert picture[:16].mean() > 200 > 50 > picture[24:].mean()


def test_a_picture_that_hangs_is_told_from_one_that_moves(tmp_path):
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("aac", rate=48_000, layout="mono")
        for number in [*range(25), *range(50, 75)]:  # nothing comes between 1 s and 2 s
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 3 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 48_000, 0
        container.mux(voice.encode(silence))
        for each in (stream, voice):
            container.mux(each.encode(None))
    stands = [shown.stands for shown in films.pictures(films.open_film(tmp_path / "film.mp4"))]
    assert len(stands) == 75
    assert not any(stands[:24]) and all(stands[25:50]) and not any(stands[50:])


@pytest.mark.parametrize("case", ["silent", "slow", "text"])
def test_a_file_that_cannot_be_used_is_named_in_one_sentence(tmp_path, case):
    path = tmp_path / "film.mp4"
    if case == "text":
        path.write_text("not a film")
    else:
        flash_and_beep(path, 10 if case == "slow" else 25, sound=case != "silent")
    with pytest.raises(InputError) as error:
        list(films.pictures(films.open_film(path)))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_videos_are_found_in_folders_within_and_in_a_fixed_order(tmp_path):
    for name in ("b/2.MP4", "a.webm", "b/1.mov", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in films.films_in(tmp_path)] == ["a.webm", "b/1.mov", "b/2.MP4"]
    with pytest.raises(InputError, match="holds no video"):
        (tmp_path / "empty").mkdir()
        films.films_in(tmp_path / "empty")


# --- faces -------------------------------------------------------------------------------------------------------------


def test_the_face_in_a_photograph_is_found_once_and_followed_to_the_pixel(photographed, finder):
    picture = next(iter(read_frames(photographed[1])))
    found = finder.find(picture)
    assert len(found) == 1 and found[0].score > 0.99
    followed = finder.follow(picture, found[0].box + np.float32(4))
    assert followed.score > 0.9
    width = found[0].box[2] - found[0].box[0]
    assert np.abs(followed.points - found[0].points).max() < 0.04 * width
    assert np.abs(followed.box - found[0].box).max() < 0.1 * width


def test_two_people_in_one_picture_are_two(photographed, finder):
    picture = next(iter(read_frames(photographed[1])))
    assert len(finder.find(np.concatenate([picture, picture], axis=1))) == 2


def test_a_picture_without_a_face_has_none(finder):
    assert finder.find(np.full((120, 160, 3), 90, np.uint8)) == []
    assert finder.find(np.full((20, 20, 3), 90, np.uint8)) == []


def test_faces_that_somebody_else_has_found_are_read_from_a_file_beside_the_video(tmp_path):
    film = films.Film(tmp_path / "talk.mp4", 200, 100, 4.0, 0.0)
    points = [[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.4, 0.6], [0.6, 0.6]]
    entries = [
        {"time": 0.0, "box": [0.2, 0.2, 0.4, 0.6], "points": points},
        {"time": 0.4, "box": [0.4, 0.2, 0.6, 0.6], "points": points},
        {"time": 2.0, "box": [0.4, 0.2, 0.6, 0.6], "points": points},
        {"time": 2.0, "box": [0.7, 0.2, 0.9, 0.6], "points": points},
    ]
    sidecar(film.path).write_text(json.dumps({"faces": entries}))
    faces = read_sidecar(sidecar(film.path), film, 75)
    assert faces.boxes[4] == pytest.approx([0.29 * 200, 20, 0.49 * 200, 60])
    assert faces.counts[4] == 1 and faces.counts[30] == 0 and faces.counts[50] == 2
    assert np.isnan(faces.boxes[30]).all()


@pytest.mark.parametrize("text", ["", "{}", '{"faces": []}', '{"faces": [{"time": 0, "box": [1, 2, 3]}]}'])
def test_a_damaged_file_of_faces_is_named_and_its_form_is_said(tmp_path, text):
    (tmp_path / "talk.faces.json").write_text(text)
    with pytest.raises(InputError, match=r"talk\.faces\.json: write it as"):
        read_sidecar(tmp_path / "talk.faces.json", films.Film(tmp_path / "talk.mp4", 200, 100, 4.0, 0.0), 75)


# --- head speed --------------------------------------------------------------------------------------------------------


def head_points(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Five points of an average head (millimetres), turned and seen from far away."""
    head = np.array([(-31.5, 0, 0), (31.5, 0, 0), (0, 38, 25), (-25, 68, 0), (25, 68, 0)])
    y, p, r = np.radians(yaw), np.radians(pitch), np.radians(roll)
    x = head[:, 0] * np.cos(y)[:, None] + head[:, 2] * np.sin(y)[:, None]
    z = head[:, 2] * np.cos(y)[:, None] - head[:, 0] * np.sin(y)[:, None]
    v = head[:, 1] * np.cos(p)[:, None] - z * np.sin(p)[:, None]
    c, s = np.cos(r)[:, None], np.sin(r)[:, None]
    return np.stack([x * c - v * s, x * s + v * c], -1).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_rotation_of_an_average_head_is_told_in_degrees(axis):
    swing = 12 * np.sin(2 * np.pi * 0.4 * np.arange(150) / 25)
    turns = [np.zeros(150)] * 3
    turns[axis] = swing
    angles = head_angles(head_points(*turns))
    assert np.corrcoef(angles[:, axis], swing)[0, 1] > 0.99
    assert np.polyfit(swing, angles[:, axis], 1)[0] == pytest.approx(1.0, abs=0.25)
    others = np.delete(angles, axis, 1)
    assert np.ptp(others, axis=0).max() < 4
    true = np.abs(np.gradient(swing) * 25).mean()
    assert head_speed(angles).mean() == pytest.approx(true, rel=0.25)


def test_moving_and_coming_nearer_is_not_turning():
    still = head_points(*[np.zeros(50)] * 3)
    moving = still * np.linspace(1, 1.4, 50)[:, None, None] + np.linspace(0, 200, 50)[:, None, None]
    assert head_speed(head_angles(moving)).max() < 0.1


@pytest.mark.slow
def test_speeds_of_drawn_heads_are_told_apart(tmp_path, talking_film, finder):
    """With the points that the drawing knows, and with those that the detector finds."""
    true, known, found = [], [], []
    for seed, amplitude in ((5, 0.1), (6, 1.3), (8, 0.4), (12, 0.7), (13, 1.0)):
        film = tmp_path / f"{seed}.mp4"
        scene = talking_film(film, seed, seconds=3.6, amplitude=amplitude, sidecar=True)
        for kind in (known, found):
            prepare.prepare_video(film, tmp_path / "parts", film.name, SMALL, finder)
            part = prepare.read_part(prepare.parts_in([tmp_path / "parts"])[0])
            kind.append(part.speed)
            sidecar(film).unlink(missing_ok=True)
        moving = motion.head_speed(scene.poses, 25)[round(part.start * 25) :][: len(part)]
        true.append(moving[part.speaking[: len(moving)]].mean())
    assert np.corrcoef(true, known)[0, 1] > 0.95
    assert np.corrcoef(true, found)[0, 1] > 0.8


def test_the_tilt_of_a_photograph_is_told_in_degrees(photographed):
    part = prepare.read_part(prepare.parts_in([photographed[0]])[0])
    true = 6 * np.sin(np.pi * (part.start + (np.arange(len(part)) + 0.5) / 25))
    assert np.corrcoef(part.angles[:, 2], true)[0, 1] > 0.98
    assert np.polyfit(true, part.angles[:, 2], 1)[0] == pytest.approx(1.0, abs=0.1)


# --- cutting -----------------------------------------------------------------------------------------------------------

FILM = films.Film(Path("film.mp4"), 640, 360, 12.0, 0.0)
ALL_SPEECH = [(0.0, 100.0)]


def still_face(count: int = 300, height: float = 150.0) -> Faces:
    points = head_points(*[np.zeros(count)] * 3) * (height / 140) + np.array([320, 150])
    box = np.array([320 - 0.4 * height, 180 - 0.5 * height, 320 + 0.4 * height, 180 + 0.5 * height])
    return Faces(np.tile(box, (count, 1)).astype(np.float32), points.astype(np.float32), np.ones(count, np.int64))


def cut(faces: Faces, speech=ALL_SPEECH, starts=(), stands=None, demands=Demands(size=256)) -> list[tuple]:  # noqa: B008
    stands = np.zeros(len(faces), bool) if stands is None else stands
    found = cuts.stretches(FILM, faces, stands, starts, speech, demands)
    assert [s.start for s in found[1:]] == [s.end for s in found[:-1]]
    assert (found[0].start, found[-1].end) == (0, len(faces))
    return [(s.start, s.end, s.reason) for s in found]


def test_a_long_talk_is_cut_into_parts_of_equal_length():
    assert cut(still_face()) == [(0, 150, None), (150, 300, None)]


def test_no_part_reaches_over_a_change_of_scene():
    assert cut(still_face(), starts=[100]) == [(0, 100, None), (100, 300, None)]


def test_what_is_too_short_after_cutting_is_left_out():
    assert cut(still_face(), starts=[30])[0] == (0, 30, "too short")


def test_long_pauses_are_left_out_and_a_little_silence_is_kept():
    found = cut(still_face(), speech=[(0.0, 4.0), (4.5, 5.0), (8.0, 11.0)])
    assert found == [(0, 133, None), (133, 192, "nobody speaks"), (192, 283, None), (283, 300, "nobody speaks")]


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("no face", lambda f: f.counts.__setitem__(slice(100, 140), 0)),
        ("several faces", lambda f: f.counts.__setitem__(slice(100, 140), 2)),
        ("the face leaves the picture", lambda f: f.boxes.__setitem__((slice(100, 140), 3), 400.0)),
        ("the head is turned away", lambda f: f.points.__setitem__((slice(100, 140), 2, 0), 360.0)),
    ],
)
def test_the_reason_for_leaving_something_out_is_told(reason, change):
    faces = still_face()
    change(faces)
    found = cut(faces)
    assert [row[2] for row in found] == [None, reason, None]
    assert abs(found[1][0] - 100) <= 2 and abs(found[1][1] - 140) <= 2


def test_a_face_that_would_be_enlarged_too_much_is_too_small():
    assert cut(still_face(height=63)) == [(0, 300, "the face is too small")]
    assert cut(still_face(height=65))[0][2] is None


def test_a_face_that_is_lost_for_a_moment_is_still_there():
    faces = still_face()
    faces.counts[100:103] = 0
    faces.boxes[100:103] = np.nan
    faces.points[100:103] = np.nan
    assert cut(faces) == [(0, 150, None), (150, 300, None)]


def test_a_picture_that_stands_still_is_left_out():
    stands = np.zeros(300, bool)
    stands[200:260] = True
    assert (200, 260, "the picture stands still") in cut(still_face(), stands=stands)


def test_changes_of_scene_are_found_between_people_and_within_one_setting(drawn, photographed):
    """The picture changes between two people; within one setting the face jumps."""
    one = list(read_frames(prepare.parts_in([drawn[1]])[0].with_suffix(".mp4")))[:40]
    two = list(read_frames(prepare.parts_in([photographed[0]])[0].with_suffix(".mp4")))[:40]
    changes = cuts.Changes()
    for picture in one + two:
        changes.see(picture)
    faces = still_face(80)
    assert cuts.scene_starts(changes.values, faces).tolist() == [40]
    faces.boxes[60:] += 60
    assert cuts.scene_starts(changes.values, faces).tolist() == [40, 60]


# --- cropping ----------------------------------------------------------------------------------------------------------


def test_the_square_lies_within_the_picture_and_holds_the_face():
    boxes = np.array([[10, 40, 90, 140], [30, 50, 110, 150]], np.float32)
    x, y, side = crops.square_around(boxes, 320, 240, margin=2.0)
    assert side == 200
    assert 0 <= x <= 10 and 0 <= y <= 40 and x + side <= 320 and y + side <= 240
    assert crops.square_around(boxes + np.array([0, 0, 250, 0], np.float32), 400, 240, margin=2.0) is None


def test_one_square_for_the_whole_part(drawn):
    """The background of a drawn presenter does not move, so the crop's corner does not either."""
    pictures = np.stack(list(prepare.part_pictures(prepare.parts_in([drawn[1]])[0]))).astype(float)
    assert pictures.shape[1:] == (96, 96, 3)
    assert pictures[:, :6, :6].std(axis=0).max() < 3


def test_the_mouth_lies_in_the_lower_part_of_the_face(drawn, photographed):
    for folder in (drawn[1], photographed[0]):
        part = prepare.read_part(prepare.parts_in([folder])[0])
        left, top, right, bottom = part.mouth
        face = part.face
        assert face[0] < left < right < face[2]
        assert (face[1] + face[3]) / 2 < (top + bottom) / 2 < face[3] + 0.05


# --- a whole video -----------------------------------------------------------------------------------------------------


def opening_of(scene, part: prepare.Part) -> np.ndarray:
    first = round(part.start * 25)
    poses = scene.poses[first : first + len(part)]
    return poses[:, 0] * (1 - poses[:, 5])


def test_the_detector_finds_drawn_presenters_and_their_talk_is_kept(drawn):
    rows = rows_of(drawn[1])
    kept = sum(row["end"] - row["start"] for row in rows if row["kept"] == "yes")
    assert kept > 0.8 * 6
    assert {row["file"] for row in rows} == {"talk.mp4"}


def test_the_opening_of_the_mouth_follows_the_true_one(drawn):
    for path in prepare.parts_in([drawn[1]]):
        part = prepare.read_part(path)
        true = opening_of(drawn[0], part)
        assert np.corrcoef(true, part.opening[: len(true)])[0, 1] > 0.6


def test_sound_and_mouth_are_in_step_after_resampling_from_30_frames_a_second(drawn):
    """What the audio encoder hears of the mouth, against what is seen of it: best without any shift."""
    import torch

    from models.emo.audio import MelAudioEncoder, log_mel
    from models.emo.renderer import SHIPPED

    encoder = MelAudioEncoder.from_pretrained(SHIPPED / "starter" / "audio_encoder").eval()
    shifts = range(-5, 6)
    scores = []
    for path in prepare.parts_in([drawn[1]]):
        part = prepare.read_part(path)
        mel = log_mel(torch.from_numpy(prepare.part_sound(path)))[:, : 4 * len(part)]
        with torch.no_grad():
            heard = encoder(mel[None].float())[1][0, :, 0].float().numpy()
        seen = part.opening
        scores.append([np.corrcoef(np.roll(seen, -s)[5:-5], heard[5:-5])[0, 1] for s in shifts])
    mean = np.mean(scores, axis=0)
    assert abs(shifts[int(np.argmax(mean))]) <= 1
    assert mean.max() > 0.5


def test_a_video_that_was_prepared_is_left_alone_until_it_changes(drawn, tmp_path, finder):
    shutil.copytree(drawn[1].parent, tmp_path / "copy", copy_function=shutil.copy2)
    folder, film = tmp_path / "copy" / "parts", tmp_path / "copy" / "talk.mp4"
    before = (folder / "report.json").stat().st_mtime_ns
    prepare.prepare_video(film, folder, "talk.mp4", SMALL, finder)
    assert (folder / "report.json").stat().st_mtime_ns == before
    film.write_text("damaged")
    prepare.prepare_video(film, folder, "talk.mp4", SMALL, finder)
    assert rows_of(folder)[0]["kept"] == "no"
    assert prepare.parts_in([folder]) == []


def test_preparing_twice_gives_the_same_parts(photographed, tmp_path, finder):
    """The same to the eye; encoding is not always the same to the byte."""
    prepare.prepare_video(photographed[1], tmp_path / "again", "hopper.mp4", SMALL, finder)
    once = sorted(photographed[0].iterdir())
    assert [path.name for path in once] == [path.name for path in sorted((tmp_path / "again").iterdir())]
    videos = [path for path in once if path.suffix == ".mp4"]
    assert videos
    for path in videos:
        one, two = (np.stack(list(read_frames(part))).astype(float) for part in (path, tmp_path / "again" / path.name))
        assert one.shape == two.shape
        assert np.abs(one - two).mean() < 4, path.name


def test_preparing_that_was_killed_leaves_nothing_to_be_taken_for_parts(photographed, tmp_path, finder):
    class KilledError(Exception):
        pass

    def killed(share: float) -> None:
        if share > 0.3:
            raise KilledError

    with pytest.raises(KilledError):
        prepare.prepare_video(photographed[1], tmp_path / "parts", "hopper.mp4", SMALL, finder, killed)
    assert not (tmp_path / "parts").exists()


def test_the_report_names_every_video_and_says_why(drawn, tmp_path, finder):
    flash_and_beep(tmp_path / "nobody.mp4", 25)
    flash_and_beep(tmp_path / "mute.mp4", 25, sound=False)
    folders = [drawn[1]]
    for name in ("nobody", "mute"):
        prepare.prepare_video(tmp_path / f"{name}.mp4", tmp_path / name, f"{name}.mp4", SMALL, finder)
        folders.append(tmp_path / name)
    prepare.write_report(folders, tmp_path / "videos.csv")
    lines = (tmp_path / "videos.csv").read_text().splitlines()
    assert lines[0] == "file,part,start,end,kept,reason"
    assert "nobody.mp4,,0.0,3.0,no,no face" in lines
    assert any(line.startswith("mute.mp4,,,,no,") and "without sound" in line for line in lines)
