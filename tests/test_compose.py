"""docker-compose.yml is valid, and every command in it is one that `manage.py up` runs too."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from kb.running import processes
from kb.running.folder import REPOSITORY
from kb.running.program import Program

FILE = REPOSITORY / "docker-compose.yml"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; compose says which address of the host leads there
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):([-?])([^}]*)\}")


def _load(text: str) -> dict[str, Any]:
    """With each variable's default put in, and `secret` for the required ones."""
    filled = VARIABLE.sub(lambda match: match[3] if match[2] == "-" else "secret", text)
    loaded: dict[str, Any] = yaml.safe_load(filled)
    return loaded


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = _load(FILE.read_text())["services"]
    return services


def _in_a_container(program: Program) -> list[str]:
    return _with_python(program.arguments)


def _with_python(arguments: list[str]) -> list[str]:
    return ["python" if argument == sys.executable else argument for argument in arguments]


def test_it_follows_the_specification() -> None:
    compose_spec.PyCompose.from_json(json.dumps(_load(FILE.read_text())))


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("healthcheck:", "healthchek:", "healthchek"),
        ("driver: nvidia", "drivr: nvidia", "drivr"),
        ("interval: 5s", "interval: five", "five"),
    ],
)
def test_the_specification_is_really_checked(right: str, wrong: str, complaint: str) -> None:
    text = FILE.read_text()
    assert right in text
    with pytest.raises(ValueError, match=complaint):
        compose_spec.PyCompose.from_json(json.dumps(_load(text.replace(right, wrong))))


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("prepare", _with_python(processes.command(*processes.PREPARE))),
        ("static", _with_python(processes.command(*processes.COLLECT_STATIC))),
        ("web", _in_a_container(processes.web(host=EVERYWHERE, port=8000))),
        ("read", _in_a_container(processes.read(workers=4))),
        ("embed", _in_a_container(processes.embed(threads=1))),
        ("embed-cpu", _in_a_container(processes.embed(threads=1))),
        ("beat", _in_a_container(processes.beat(schedule=Path("/data/beat")))),
    ],
)
def test_its_commands_are_those_of_up(services: dict[str, Any], service: str, command: list[str]) -> None:
    assert services[service]["command"] == command


def test_no_service_is_left_out_of_that(services: dict[str, Any]) -> None:
    assert set(services) == {"db", "redis", "prepare", "static", "web", "read", "embed", "embed-cpu", "beat"}


@pytest.mark.parametrize("service", ["web", "read", "beat"])
def test_only_the_encoder_has_more_than_one_thread(services: dict[str, Any], service: str) -> None:
    assert processes.ONE_THREAD.items() <= services[service]["environment"].items()


def test_the_image_runs_the_web_server_by_itself() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", "")
    (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert json.loads(command) == _in_a_container(processes.web(host=EVERYWHERE, port=8000))


def test_the_image_has_the_translations() -> None:
    assert f"python manage.py {' '.join(processes.COMPILE_TRANSLATIONS)}" in (REPOSITORY / "Dockerfile").read_text()


def test_every_volume_is_declared(services: dict[str, Any]) -> None:
    used = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", [])}
    assert used == set(_load(FILE.read_text())["volumes"])


def test_no_secret_has_a_default() -> None:
    secret = [match for match in VARIABLE.finditer(FILE.read_text()) if re.search("PASSWORD|SECRET", match[1])]
    assert secret
    assert all(match[2] == "?" for match in secret)


def test_the_example_names_every_variable() -> None:
    named = set(re.findall(r"^(?:# )?(\w+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    used = {match[1] for match in VARIABLE.finditer(FILE.read_text())}
    assert used - named == {"CONCORDANCE_TAG", "KB_ADMIN_TOKEN"}
