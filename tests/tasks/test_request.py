"""What is asked for, as a command says it, as a form says it, and as a record keeps it."""

import pytest
from pydantic import ValidationError

from media.errors import InputError
from tasks.request import ProductionRequest, checked_request


def test_a_form_and_a_command_ask_for_the_same() -> None:
    form = ProductionRequest.model_validate(
        {
            "source": "talk.txt",
            "cast": [{"speaker": "Ann", "portrait": "olga"}],
            "voices": [{"speaker": "Ann", "voice": "f4:70"}],
            "voice_consents": [{"speaker": "Ann", "consent": "Ann Lee, 2026-11-02"}],
            "engines": {"render": "still", "synthesis": "worker:say", "translation": None},
        }
    )
    command = checked_request(
        source="talk.txt",
        cast={"Ann": "olga"},
        voices={"Ann": "f4:70"},
        voice_consents={"Ann": "Ann Lee, 2026-11-02"},
        engines={"render": "still", "synthesis": "worker:say"},
    )
    assert form == command
    assert ProductionRequest.model_validate_json(form.model_dump_json()) == form


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cast": [{"speaker": "Ann", "portrait": "a"}, {"speaker": "Ann", "portrait": "b"}]}, "Ann is there twice"),
        ({"voices": [{"speaker": "Ann", "voice": "f3"}, {"speaker": "Bob"}]}, "number 2: voice: Field required"),
        ({"engines": {"speech": "espeak"}}, "there is no kind of engine 'speech'"),
        ({"priority": "soon"}, "'urgent', 'normal' or 'batch'"),
    ],
)
def test_what_is_wrong_in_a_form_is_named(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        checked_request(source="talk.txt", **wrong)
    with pytest.raises(ValidationError):
        ProductionRequest.model_validate({"source": "talk.txt"} | wrong)
