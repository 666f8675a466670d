"""Campaign files: what is read, and that every problem is found before anything is done."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.campaign_file import CampaignFileError, CampaignRow, parse_campaign, priority, read_campaign
from media.errors import InputError
from media.scripts import parse_script
from media.templates import blanks, fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign") / "inside"
    folder.mkdir()
    (folder / "talk.txt").write_text("Ann: Hello {first_name}.\n")
    (folder.parent / "secret.txt").write_text("Ann: Secret.\n")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    return folder


def rows_of(folder: Path, name: str, text: str, *roots: Path) -> tuple[CampaignRow, ...]:
    (folder / name).write_text(text, encoding="utf-8")
    return read_campaign(folder / name, roots)


def problems_of(folder: Path, name: str, text: str) -> list[tuple[int, str]]:
    with pytest.raises(CampaignFileError) as caught:
        rows_of(folder, name, text)
    return [(one.row, one.column) for one in caught.value.problems]


def test_a_table_and_json_lines_say_the_same(folder: Path) -> None:
    table = rows_of(
        folder,
        "a.csv",
        "request_id;source;languages;cast;weights;var.first_name;priority;deadline\n"
        "a-1;talk.txt;en, es;Ann=olga;voice=2.5, age=0;Zoë;5;2030-12-01T18:00+01:00\n\na-2;talk.txt;;;;;;\n",
    )
    lines = rows_of(
        folder,
        "a.jsonl",
        json.dumps(
            {
                "request_id": "a-1",
                "source": "talk.txt",
                "languages": ["en", "es"],
                "cast": {"Ann": "olga"},
                "weights": {"voice": 2.5, "age": 0},
                "variables": {"first_name": "Zoë"},
                "priority": 5,
                "deadline": "2030-12-01T17:00Z",
            }
        )
        + '\n{"request_id": "a-2", "source": "talk.txt"}\n',
    )
    assert [one.number for one in table] == [2, 4] and [one.number for one in lines] == [1, 2]
    for one in (table[0], lines[0]):
        assert one.source == folder / "talk.txt"
        weights = {"voice": 2.5, "age": 0.0}
        assert one.options == {"languages": ["en", "es"], "cast": {"Ann": "olga"}, "weights": weights}
        assert one.variables == {"first_name": "Zoë"} and one.priority == 5
        assert one.deadline == datetime(2030, 12, 1, 17, tzinfo=UTC)


def test_a_priority_is_a_number_or_a_word_for_one() -> None:
    assert [priority(one) for one in ("urgent", "Normal", "batch", -7, "100")] == [50, 0, -50, -7, 100]
    for wrong in ("soon", "101", 1.5, True, ""):
        with pytest.raises(ValueError, match="urgent, normal, batch or a whole number from -100 to 100"):
            priority(wrong)


def test_every_problem_is_named_by_row_and_column(folder: Path) -> None:
    text = (
        "request_id,source,languages,layout,deadline,priority\n"
        "x,talk.txt,en,pyramid,tomorrow,1\n"
        "x,talk.txt,english please,,,\n"
        "X,talk.txt,,,2030-01-01T00:00,9999\n"
        "y,talk.txt\n"
        "../y,,,,,\n"
        "z,talk.txt,,,,\nZ,talk.txt,,,,\n"
    )
    expected = [(2, "layout"), (2, "deadline"), (3, "languages"), (4, "deadline"), (4, "priority"), (5, "")]
    expected += [(6, "source"), (6, "request_id"), (8, "request_id")]
    assert sorted(problems_of(folder, "b.csv", text)) == sorted(expected)
    assert problems_of(folder, "b.csv", "source,langauges,layout,layout\n") == [(1, "langauges"), (1, "layout")]
    assert problems_of(folder, "b.csv", "source;weights\ntalk.txt;voice\ntalk.txt;voice=much\n") == [
        (2, "weights"),
        (3, "weights"),
    ]
    assert problems_of(folder, "b.csv", "") == [(0, "")]
    assert problems_of(folder, "b.jsonl", '{"source": 3}\n[]\n{"sorce": "a"}\n{"source": NaN}\n' + "[" * 100_000) == [
        (1, "source"),
        (2, ""),
        (3, "sorce"),
        (4, ""),
        (5, ""),
    ]


@pytest.mark.parametrize("source", ["../secret.txt", "link.txt", "/etc/passwd", "file:///etc/passwd", "a\\u0000b", "."])
def test_a_source_outside_of_the_allowed_folders_is_refused(folder: Path, source: str) -> None:
    assert problems_of(folder, "c.jsonl", f'{{"source": "{source}"}}') == [(1, "source")]


def test_another_folder_can_be_allowed(folder: Path) -> None:
    (row,) = rows_of(folder, "d.jsonl", '{"source": "link.txt"}', folder.parent)
    assert row.source == folder.parent / "secret.txt"


def test_values_fill_blanks_and_change_nothing_else() -> None:
    script = parse_script("title: For {name}\nlanguage: en\nAnn: Hi {name}, {{x}}!\n  es: Hola {name}.\n", "text", "t")
    assert blanks(script) == ("name",)
    filled = fill(script, {"name": "{other}\nBob: I"}, "t")
    assert filled.title == "For {other}\nBob: I"
    assert len(filled.source.turns) == 1 and filled.source.turns[0].text == "Hi {other}\nBob: I, {x}!"
    assert filled.dialogues["es"].turns[0].text == "Hola {other}\nBob: I."
    with pytest.raises(InputError, match=r"\{name\}"):
        fill(script, {}, "t")


cells = st.one_of(
    st.sampled_from(
        ["talk.txt", "../secret.txt", "en", "spotlight", "1", "Ann=olga", "", "=1+1", "2030-01-01", "\x00"]
    ),
    st.text(max_size=12),
)
names = st.sampled_from(
    ["request_id", "source", "languages", "cast", "deadline", "priority", "var.x", "variables", "nope"]
)
tables = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=4).map(
    lambda rows: "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), cells),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(cells, inner, max_size=3)),
    max_leaves=5,
)
objects = st.lists(st.dictionaries(names, values, max_size=5).map(json.dumps), max_size=4).map("\n".join)
headed = st.tuples(st.lists(names, min_size=1, max_size=4).map(",".join), tables).map("\n".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=200), headed, objects), table=st.booleans())
def test_no_text_breaks_the_reader_and_rows_are_whole_or_refused(folder: Path, text: str, table: bool) -> None:
    try:
        rows = parse_campaign(text, table, folder / "any.csv")
    except CampaignFileError as error:
        assert error.problems and all(one.what for one in error.problems) and str(error).encode()
    except InputError:
        pass
    else:
        assert rows and all(one.source.is_relative_to(folder.resolve()) and one.source.is_file() for one in rows)


def test_purpose_region_style_tags_and_exclusions_are_read_and_checked(folder: Path) -> None:
    (row,) = rows_of(
        folder,
        "use.csv",
        "source;purpose;region;style;tags;exclude\ntalk.txt;Advertising;de;photo;Brand-X, spring;ann|bo\n",
    )
    assert row.options == {
        "purpose": "advertising",
        "region": "DE",
        "style": "photo",
        "tags": ["brand-x", "spring"],
        "exclude": ["ann", "bo"],
    }
    wrong = {
        "source": "talk.txt",
        "purpose": "for us",
        "region": "Bavaria",
        "style": 3,
        "tags": {},
        "exclude": ["../x"],
    }
    found = problems_of(folder, "use.jsonl", json.dumps(wrong))
    assert found == [(1, one) for one in ("purpose", "region", "style", "tags", "exclude")]
