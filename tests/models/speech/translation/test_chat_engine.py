"""The chat engine against a real HTTP server that makes the mistakes that such servers make."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from media.dialogue import Glossary
from media.errors import InputError, TranslationError
from media.settings import Settings
from models.speech.protocols import Line
from models.speech.translation.chat import ChatTranslator
from models.speech.translation.lines import translate_lines

Entries = list[dict[str, Any]]
LINES = [Line(text) for text in ("One. Two.", "Three.", "Four.", "Five.", "Six.")]
RIGHT = tuple(f"<{line.text}>" for line in LINES)


@pytest.fixture
def server(translation_server: Any) -> Any:
    return translation_server


@pytest.fixture
def engine(server: Any, bare: Settings) -> ChatTranslator:
    key = SecretStr("sk-secret")
    return ChatTranslator(
        None,
        Settings(home=bare.home, translation_url=server.url, translation_model="polyglot", translation_key=key),
    )


def test_a_right_answer_takes_one_request(engine: ChatTranslator, server: Any) -> None:
    assert engine.translate(LINES, "en", "pt-BR") == RIGHT
    assert server.sizes() == [5] and server.keys == ["Bearer sk-secret"]
    request = server.asked[0]
    assert request["model"] == "polyglot" and request["temperature"] == 0
    assert "Brazil" in request["messages"][0]["content"] and "(pt-BR)" in request["messages"][0]["content"]


def test_what_stands_around_a_line_is_told(engine: ChatTranslator, server: Any) -> None:
    engine.translate([Line("Yes.", "Ann", "cheerfully", "Are you there?", "Good.")], "en", "de")
    (asked,) = json.loads(server.asked[0]["messages"][1]["content"])["lines"]
    assert asked | {"id": ""} == {
        "id": "",
        "text": "Yes.",
        "speaker": "Ann",
        "direction": "cheerfully",
        "said_before": "Are you there?",
        "said_after": "Good.",
    }


@pytest.mark.parametrize(
    "fault",
    [
        lambda entries, turn: entries[::-1],
        lambda entries, turn: f"```json\n{json.dumps({'translations': entries})}\n```",
        lambda entries, turn: json.dumps(entries),
    ],
)
def test_order_and_wrapping_do_not_matter(engine: ChatTranslator, server: Any, fault: Any) -> None:
    server.fault = fault
    assert engine.translate(LINES, "en", "de") == RIGHT
    assert server.sizes() == [5]


@pytest.mark.parametrize(
    "fault",
    [
        lambda entries: entries[1:],
        lambda entries: [*entries, entries[0]],
        lambda entries: [*entries, {"id": "new", "text": "more"}],
        lambda entries: [{"id": str(number), "text": one["text"]} for number, one in enumerate(entries)],
        lambda entries: [entries[0] | {"text": ""}, *entries[1:]],
        lambda entries: [one["text"] for one in entries],
        lambda entries: json.dumps({"translations": entries})[:-9],
        lambda entries: "I am sorry, I cannot do that.",
    ],
    ids=["missing", "doubled", "extra", "renumbered", "empty", "no ids", "broken JSON", "prose"],
)
def test_a_wrong_answer_is_asked_for_again_in_halves(engine: ChatTranslator, server: Any, fault: Any) -> None:
    server.fault = lambda entries, turn: fault(entries) if len(entries) > 2 else entries
    assert engine.translate(LINES, "en", "de") == RIGHT
    assert server.sizes() == [5, 2, 3, 1, 2]


def test_a_line_that_fails_alone_is_tried_by_sentences_and_then_left_out(engine: ChatTranslator, server: Any) -> None:
    def fault(entries: Entries, turn: int) -> Entries:
        wrong = ("<One. Two.>", "<Four.>")
        return [one for one in entries if one["text"] not in wrong]

    server.fault = fault
    told = translate_lines(engine, LINES, "en", "de", Glossary())
    assert told == ("<One.> <Two.>", "<Three.>", None, "<Five.>", "<Six.>")


def test_a_lost_mark_is_found_out_and_its_line_put_together_around_it(engine: ChatTranslator, server: Any) -> None:
    server.fault = lambda entries, turn: [one | {"text": one["text"].replace("[1]", "it")} for one in entries]
    told = translate_lines(engine, [Line("We call {name} now.")], "en", "de", Glossary())
    assert told == ("<We call> {name} <now.>",)
    assert json.loads(server.asked[0]["messages"][1]["content"])["lines"][0]["marks"] == {"[1]": "{name}"}


def test_a_busy_server_is_asked_again(engine: ChatTranslator, server: Any) -> None:
    server.refusals = [(429, {"Retry-After": "0"}, "slow down"), (503, {"Retry-After": "0.01"}, "one moment")]
    assert engine.translate(LINES, "en", "de") == RIGHT
    assert server.sizes() == [5, 5, 5]


def test_a_server_that_stays_busy_is_worth_trying_again_later(engine: ChatTranslator, server: Any) -> None:
    server.refusals = [(500, {"Retry-After": "0"}, "")] * 5
    with pytest.raises(TranslationError, match="500") as raised:
        engine.translate(LINES, "en", "de")
    assert raised.value.exit_code == 2 and len(server.asked) == 5


@pytest.mark.parametrize(("status", "text"), [(401, "invalid key"), (404, "no such model")])
def test_a_refusal_is_not_asked_for_again(engine: ChatTranslator, server: Any, status: int, text: str) -> None:
    server.refusals = [(status, {}, text)]
    with pytest.raises(InputError, match=f"{status}: {text}") as raised:
        engine.translate(LINES, "en", "de")
    assert "sk-secret" not in str(raised.value) and len(server.asked) == 1


def test_a_server_without_json_mode_is_asked_without_it(engine: ChatTranslator, server: Any) -> None:
    server.refusals = [(400, {}, "unknown field response_format")]
    assert engine.translate(LINES, "en", "de") == RIGHT
    assert ["response_format" in one for one in server.asked] == [True, False]


def test_the_key_is_in_no_version_and_the_address_must_be_one(bare: Settings, engine: ChatTranslator) -> None:
    assert engine.version("en", "de").startswith("polyglot at 127.0.0.1:")
    with pytest.raises(InputError, match="PORTRAYAL_TRANSLATION_URL"):
        ChatTranslator("m", Settings(home=bare.home, translation_url="localhost:8000"))
