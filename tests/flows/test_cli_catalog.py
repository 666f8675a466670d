"""`portrayal catalog import` and `portrayal catalog people`, as they are typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tasks.casting import cast_portraits
from tasks.request import ProductionRequest
from tasks.sources import read_source

TABLE = """\
file;name;face;licence;presentation;languages;consent_subject;consent_kind
red.png;Rosa;0.2 0.1 0.8 0.9;CC0-1.0;feminine;es pt-BR;Rosa Diaz;person
"""


def picture(path: Path, colours: tuple[str, str]) -> None:
    """Stripes, so that two pictures do not look alike."""
    image = Image.new("RGB", (256, 256), colours[0])
    image.paste(colours[1], (0, 0, 90, 256))
    image.save(path)


def test_an_import_names_every_problem_by_row_and_column_or_takes_all(
    portrayal: Callable[..., Any], tmp_path: Path
) -> None:
    picture(tmp_path / "red.png", ("red", "black"))
    table = tmp_path / "portraits.csv"
    table.write_text(TABLE + "none.png;;0.2 0.1 0.8 0.9;CC0-1.0;;;;\nred.png;Ruth;0.9 0 0.1 1;CC0-1.0;tall;xx;;\n")
    answer = portrayal("catalog", "import", table, "--json")
    found = {(one["row"], one["column"]) for one in answer.json["problems"]}
    assert (answer.code, found) == (1, {(3, "file"), (4, "face"), (4, "presentation"), (4, "languages")})
    assert portrayal("catalog", "show", "red").code == 1

    table.write_text(TABLE)
    assert portrayal("catalog", "import", table, "--dry-run").code == 0
    assert portrayal("catalog", "show", "red").code == 1
    assert portrayal("catalog", "import", table).code == 0
    shown = portrayal("catalog", "show", "red", "--json").json
    assert (shown["licence"], shown["presentation"]) == ("CC0-1.0", "feminine")
    again = portrayal("catalog", "import", table, "--json")
    assert (again.code, again.json["added"], again.json["present"]) == (0, [], ["red"])


def test_people_of_a_show_are_listed_confirmed_renamed_and_corrected(
    portrayal: Callable[..., Any], script: Path
) -> None:
    for episode in ("one", "two"):
        request = ProductionRequest(source=str(script), name=episode, show="Small talk")
        source = read_source(request)
        cast_portraits(request, source, source.dialogue)
    production = source.production_id

    def people() -> dict[str, Any]:
        return {one["name"]: one for one in portrayal("catalog", "people", "list", "Small talk", "--json").json}

    assert set(people()) == {"Ann", "Bob"} and len(people()["Ann"]["episodes"]) == 2
    assert portrayal("catalog", "people", "confirm", production, "Ann").code == 0
    confirmed = {one["production"]: one["confirmed"] for one in people()["Ann"]["episodes"]}
    assert confirmed[production] and list(confirmed.values()).count(True) == 1
    assert portrayal("catalog", "people", "rename", "Small talk", "Bob", "Robert").code == 0
    assert portrayal("catalog", "people", "correct", production, "Bob", "--new", "Bill").code == 0
    assert set(people()) == {"Ann", "Robert", "Bill"}
    assert portrayal("catalog", "people", "correct", production, "Bob").code == 1
    assert "Nobody" in portrayal("catalog", "people", "rename", "Small talk", "Nobody", "X").err
