"""The Dockerfile, the compose file and the manifests, by the tools that know their formats. Nothing is built here."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_the_dockerfile_has_no_findings() -> None:
    assert run(str(BIN / "hadolint"), "--failure-threshold", "style", "deploy/Dockerfile") == ""


def test_images_are_pinned_and_run_as_nobody_in_particular(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON_IMAGE}", "tools", "base"}
    for target in ("cpu", "gpu"):
        stage = text.split(f"FROM base AS {target}\n")[1].split("\nFROM")[0]
        assert f"--from=packages-{target}" in stage and re.search(r"^USER 10001$", stage, re.M)
    others = [one["image"] for one in compose["services"].values() if not one["image"].startswith("portrayal:")]
    assert all(re.search(r":v?\d+\.\d+", one) for one in others), others


def names(text: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.M))


def test_the_slim_image_gets_the_lock_without_cuda() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    selection = ("deploy/requirements.awk", "deploy/development.txt", "requirements.lock")
    full, slim = run("awk", "-f", *selection), run("awk", "-v", "slim=1", "-f", *selection)
    left_out = names(full) - names(slim)
    assert {"torch", "torchaudio", "torchvision", "triton", "nvidia-cublas"} <= left_out
    assert all(one.startswith(("torch", "triton", "nvidia-", "cuda-")) for one in left_out)
    assert {"prefect", "torchmetrics", "torch-audiomentations", "diffusers"} <= names(slim)
    assert slim.count("--hash=") > len(names(slim))
    blocks = [one for one in re.split(r"^(?=[A-Za-z0-9])", slim, flags=re.M) if one]
    assert all(one in lock and "--hash=sha256:" in one for one in blocks)


def test_images_get_everything_but_the_tools_of_development() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    full = run("awk", "-f", "deploy/requirements.awk", "deploy/development.txt", "requirements.lock")
    there = {canonicalize_name(one.metadata["Name"]): one for one in distributions()}
    development = (names(lock) & set(there)) - asked_for(there, "portrayal")
    assert names(lock) - names(full) == development, "deploy/development.txt is out of date"


def asked_for(there: dict[str, Distribution], *roots: str) -> set[str]:
    """What these packages ask for here, without extras, and what that asks for, and so on."""
    found: set[tuple[str, str]] = set()
    waiting = {(name, "") for name in roots}
    while waiting:
        name, extra = one = waiting.pop()
        found.add(one)
        for text in (there[name].requires or ()) if name in there else ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting |= {(canonicalize_name(wanted.name), each) for each in ("", *wanted.extras)} - found
    return {name for name, _ in found}


def test_what_an_image_needs_is_in_its_context() -> None:
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept >= {"flows", "tasks", "models", "catalog", "media", "examples", "prefect.yaml", "pyproject.toml"}
    assert all((ROOT / one).exists() for one in kept)
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    named = {"requirements.lock", *re.findall(r"\bdeploy/[\w.]+", re.sub(r"^#.*", "", dockerfile, flags=re.M))}
    assert len(named) == 4 and all((ROOT / one).is_file() for one in named) and kept >= named
    # The compose file mounts a folder of scripts and videos there, which is in no image.
    assert "./work}:/productions" in (DEPLOY / "compose.yaml").read_text() and not kept & {"deploy", "deploy/work"}


def test_the_compose_file_keeps_to_the_specification(compose: dict[str, Any]) -> None:
    run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")
    for name, one in compose["services"].items():
        assert one["restart"] in ("unless-stopped", "on-failure:3"), name
        built = one["image"].startswith("portrayal:")
        assert "healthcheck" in one or built, f"{name}: its image brings no health check"
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            known = source in compose["volumes"] or source.startswith("${")
            assert known or (DEPLOY / source).exists(), f"{name}: {source}"
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} is reached from everywhere"
        assert set(one.get("depends_on", ())) <= set(compose["services"])
    (device,) = compose["services"]["gpu-worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"PASSWORD: (?!\$\{POSTGRES_PASSWORD:\?)\S", text), "secrets come from the environment"
    for name in re.findall(r"^\s+(PORTRAYAL_\w+):", text, re.M):
        from media.settings import Settings

        assert name.removeprefix("PORTRAYAL_").lower() in Settings.model_fields


def test_docker_understands_the_compose_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    environment = {"PATH": str(Path(docker).parent), "HOME": str(tmp_path), "POSTGRES_PASSWORD": "secret"}
    command = (docker, "compose", "-f", "deploy/compose.yaml", "--profile", "gpu", "--profile", "watching", "config")
    assert "postgresql+psycopg://portrayal:secret@database/portrayal" in run(*command, env=environment)


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", ["portrayal.yaml", "postgres.yaml"])
def test_kubernetes_manifests_are_valid(file: str) -> None:
    for one in documents(file):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_pods_have_limits_and_no_more_rights_than_they_need() -> None:
    everything = [*documents("portrayal.yaml"), *documents("postgres.yaml")]
    there = {(one["kind"], one["metadata"]["name"]) for one in everything}
    pods = [one["spec"]["template"]["spec"] for one in everything if one["kind"] in ("Deployment", "StatefulSet")]
    assert len(pods) == 4
    for pod in [*pods, job(rendered())]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
        for volume in pod.get("volumes", ()):
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in there
        if account := pod.get("serviceAccountName"):
            assert ("ServiceAccount", account) in there


def test_servers_have_a_place_for_their_pages_that_they_may_write_to(compose: dict[str, Any]) -> None:
    """The user of an image may not write beside the packages, where Prefect's server would put them."""
    name = "PREFECT_SERVER_UI_STATIC_DIRECTORY"
    assert compose["services"]["prefect"]["environment"][name].startswith("/tmp/")
    (server,) = [
        container
        for one in documents("portrayal.yaml")
        if one["kind"] == "Deployment"
        for container in one["spec"]["template"]["spec"]["containers"]
        if container["args"][:3] == ["prefect", "server", "start"]
    ]
    assert {one["name"]: one.get("value", "") for one in server["env"]}[name].startswith("/tmp/")


def rendered(**values: Any) -> dict[str, Any]:
    """The job configuration that Prefect makes of the template with these values of variables."""
    from prefect.utilities.templating import apply_values

    template = json.loads((DEPLOY / "kubernetes" / "gpu-job-template.json").read_text(encoding="utf-8"))
    defaults = {name: one["default"] for name, one in template["variables"]["properties"].items() if "default" in one}
    filled = {"name": "render", **defaults, **values}
    jsonschema.validate(filled, template["variables"], jsonschema.Draft202012Validator)
    return apply_values(template["job_configuration"], filled)


def job(configuration: dict[str, Any]) -> dict[str, Any]:
    return configuration["job_manifest"]["spec"]["template"]["spec"]


def test_the_job_template_is_one_that_prefect_takes() -> None:
    from prefect.server.schemas.actions import WorkPoolCreate
    from prefect.workers.base import BaseJobConfiguration

    template = json.loads((DEPLOY / "kubernetes" / "gpu-job-template.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(template["variables"])
    WorkPoolCreate(
        name="gpu", type="kubernetes", base_job_template=template
    )  # refuses placeholders that are no variables
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"]), "and every variable is used"
    assert set(BaseJobConfiguration.model_fields) <= set(template["job_configuration"])
    # prefect-kubernetes 0.8 asks for these two in the pod, where Kubernetes knows nothing of them and ignores them.
    pod = job(rendered())
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1) and pod["restartPolicy"] == "Never"


def test_a_job_has_a_gpu_limits_a_node_selector_and_the_models() -> None:
    configuration = rendered(gpus=2, node_selector={"gpu": "h100"}, command="prefect flow-run execute")
    manifest = configuration["job_manifest"]
    pod = job(configuration)
    del pod["parallelism"], pod["completions"]
    container = pod["containers"][0]
    # Prefect's worker splits the command and lists the environment before it sends the job.
    container["args"] = container["args"].split()
    container["env"] = [{"name": name, "value": value} for name, value in container["env"].items()]
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2 and container["resources"]["limits"]["memory"]
    assert pod["nodeSelector"] == {"gpu": "h100"}
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert mounts["models"]["mountPath"] == "/var/lib/portrayal/models" and mounts["models"]["readOnly"]
    assert manifest["spec"]["backoffLimit"] == 0, "the flow that asked for it tries again"
