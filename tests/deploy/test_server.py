"""What a Prefect server of ours remembers: unknown settings would be ignored without a word."""

from pathlib import Path

import pytest
import yaml

from flows.pools import advice_on

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_prefects_servers_know_after_a_restart_which_runs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import Settings

    for name in ("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER"):
        monkeypatch.delenv(name, raising=False)
    assert len(advice_on(Settings().model_dump(mode="json"))) == 2, "Prefect's own do not"
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    manifests = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "portrayal.yaml").read_text(encoding="utf-8")))
    (server,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("Deployment", "prefect")]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    kept = {
        compose["services"]["prefect"]["volumes"][0].split(":")[1]: compose["services"]["prefect"]["environment"],
        container["volumeMounts"][0]["mountPath"]: {one["name"]: one.get("value", "") for one in container["env"]},
    }
    for folder, variables in kept.items():
        assert Path(variables["PREFECT_HOME"]).is_relative_to(folder)
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                if name.startswith(("PREFECT_SERVER_CONCURRENCY_", "PREFECT_SERVER_EVENTS_")):
                    patch.setenv(name, value)
            assert advice_on(Settings().model_dump(mode="json")) == []
