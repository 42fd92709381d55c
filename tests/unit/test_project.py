"""What stands around the code holds together: locks, container image, Makefile, contracts, documents."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "handlers", "storage")
RUNTIME_LOCK = ROOT / "requirements.lock"
DEVELOPMENT_LOCK = ROOT / "requirements-dev.lock"


def text(path: Path) -> str:
    """A file's text, whatever the locale says."""
    return path.read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads(text(ROOT / "pyproject.toml"))


def joined_lines(path: Path) -> list[str]:
    """The file's lines without comments and blanks, those that end in a backslash joined with the next."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text(path)))
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def normalized(requirement: str) -> str:
    """The package's name in a requirement, the way indexes compare names (PEP 503)."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


# Locks


def pins(lock: Path) -> set[str]:
    """`name==version` of every requirement in a lock, with its marker where it has one."""
    return {line.split(" --hash=")[0] for line in joined_lines(lock)}


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEVELOPMENT_LOCK], ids=lambda lock: lock.name)
def test_a_lock_pins_and_hashes_everything_and_names_no_address(lock: Path) -> None:
    requirements = joined_lines(lock)

    assert "://" not in text(lock)
    assert [line for line in requirements if line.startswith("-")] == []
    assert len(requirements) > 40
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==[^ ]+ (; .+? )?--hash=sha256:[0-9a-f]{64}( --hash|$)", requirement), requirement[
            :120
        ]


def test_the_development_lock_holds_the_runtime_lock_at_the_same_versions() -> None:
    """The Makefile relies on it: one environment serves both."""
    assert pins(RUNTIME_LOCK) <= pins(DEVELOPMENT_LOCK)


def test_every_declared_dependency_is_locked() -> None:
    """A dependency added without `make lock` would be missing in every fresh checkout."""
    declared = pyproject()
    groups = declared["dependency-groups"]
    runtime = {normalized(one) for one in declared["project"]["dependencies"] + groups["build"]}
    development = {normalized(one) for one in groups["dev"] if isinstance(one, str)}

    assert runtime - {normalized(pin) for pin in pins(RUNTIME_LOCK)} == set()
    assert development - {normalized(pin) for pin in pins(DEVELOPMENT_LOCK)} == set()


# The package


def test_the_wheel_carries_every_file_of_the_packages(tmp_path: Path) -> None:
    """Fonts, licences and migration templates are not Python and are easily left behind."""
    source = tmp_path / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    expected = {str(path.relative_to(source)) for package in PACKAGES for path in files(source / package)}

    build = [sys.executable, "-c", "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"]
    subprocess.run([*build, str(tmp_path)], cwd=source, check=True, capture_output=True, text=True)

    (wheel,) = tmp_path.glob("dailies-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert expected - set(archive.namelist()) == set()


def files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_packages_are_typed_for_those_who_import_them() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").is_file()] == []


# The container image


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile: its word in capitals, and all that follows it."""

    word: str
    rest: str


def stages() -> list[list[Instruction]]:
    """The Dockerfile's stages, each beginning with its FROM."""
    split: list[list[Instruction]] = []
    for line in joined_lines(ROOT / "Dockerfile"):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            split.append([])
        split[-1].append(Instruction(word=word, rest=rest))
    return split


def rests(stage: list[Instruction], word: str) -> list[str]:
    """What follows each instruction of that word in a stage."""
    return [instruction.rest for instruction in stage if instruction.word == word]


def test_the_image_is_built_from_the_hashed_lock_and_leaves_the_builder_behind() -> None:
    builder, final = stages()

    installs = [run for run in rests(builder, "RUN") if "pip install" in run]
    assert "--require-hashes --no-deps --requirement requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert rests(final, "COPY") == ["--from=builder /opt/dailies /opt/dailies"]
    assert rests(final, "FROM")[0].startswith("python:3.13-slim")
    assert [run for run in rests(final, "RUN") if "pip" in run or "apt" in run] == []


def test_the_image_runs_as_an_ordinary_user_and_writes_only_to_its_volume() -> None:
    final = stages()[-1]
    environment = " ".join(rests(final, "ENV"))

    (user,) = rests(final, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert rests(final, "VOLUME") == ["/data"]
    assert "DATABASE_URL=sqlite:////data/" in environment
    assert "MEDIA_URL=file:/data/" in environment
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert rests(final, "ENTRYPOINT") == ['["dailies"]']
    assert rests(final, "CMD") == ['["run"]']


def test_the_image_holds_no_secret_and_the_build_sees_only_what_is_listed() -> None:
    assert not re.search(r"(?i)(token|secret|password|api_key)", text(ROOT / "Dockerfile"))
    assert not any(rests(stage, "ARG") or rests(stage, "ADD") for stage in stages())

    first, *rest = joined_lines(ROOT / ".dockerignore")
    assert first == "*"
    sent = {line.removeprefix("!") for line in rest if line.startswith("!")}
    copied = {name for copy in rests(stages()[0], "COPY") for name in copy.split()[:-1]}
    assert copied == sent


class Health(BaseHTTPRequestHandler):
    """Answers /healthz with the status of its server, anything else with 404."""

    def do_GET(self) -> None:
        healthy = self.path == "/healthz" and isinstance(self.server, HealthServer) and self.server.healthy
        self.send_response(200 if healthy else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keeps test output quiet."""


class HealthServer(HTTPServer):
    """A server on loopback that is healthy until told otherwise."""

    healthy = True


@pytest.fixture
def health_server() -> Iterator[HealthServer]:
    """A running server in place of the bot."""
    with HealthServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def health_check(port: int) -> int:
    """Runs the image's own health check against a port, with a proxy that it must not use; its exit code."""
    (line,) = rests(stages()[-1], "HEALTHCHECK")
    _, *arguments = json.loads(line[line.index("[") :])
    environment = {"HTTP_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    check = subprocess.run([sys.executable, *arguments], env=environment, check=False, capture_output=True)
    return check.returncode


def test_the_health_check_follows_the_bots_own_answer(health_server: HealthServer) -> None:
    port = health_server.server_port
    assert health_check(port) == 0

    health_server.healthy = False
    assert health_check(port) != 0


# The Makefile and CI


def targets() -> dict[str, str]:
    """The Makefile's targets for people, each with its explanation."""
    makefile = text(ROOT / "Makefile")
    return dict(re.findall(r"(?m)^([a-z-]+):[^#=\n]*## (.+)$", makefile))


def test_make_alone_lists_every_target_with_its_explanation() -> None:
    listing = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    shown = dict(re.findall(r"(?m)^make ([a-z-]+) +(.+)$", listing))
    assert shown == targets()
    assert {"setup", "test", "demo", "demo-headless", "lock", "image"} <= shown.keys()


def test_every_phony_target_is_explained() -> None:
    (phony,) = [line for line in joined_lines(ROOT / "Makefile") if line.startswith(".PHONY:")]

    assert set(phony.split()[1:]) == targets().keys()


def test_every_target_the_documents_speak_of_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    spoken_of = {name for page in pages for name in re.findall(r"(?m)(?:`|^ {4})make ([a-z-]+)", text(page))}

    assert {"test", "demo", "demo-headless"} <= spoken_of
    assert spoken_of - targets().keys() == set()


def test_ci_runs_what_the_readme_tells_people_to_run() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert joined_lines(script)[-1] == "exec make --no-print-directory test"


# Chromium for the tests of the page


def browser(place: Path, stubs: Mapping[str, str], *, user: int, chromium: str = "") -> tuple[int, str, str]:
    """``make browser`` where only these commands exist beside the shell's own: exit code, output, errors. ``chromium``
    is the variable of that name."""
    path = place / "bin"
    path.mkdir(parents=True)
    for name, script in {"id": f"echo {user}", **stubs}.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (path / name).chmod(0o755)
    make = shutil.which("make")
    assert make is not None
    environment = {"PATH": str(path), "LC_ALL": "C", **({"CHROMIUM": chromium} if chromium else {})}
    run = subprocess.run(
        [make, "--silent", "browser"], cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("name", ["chromium", "google-chrome-stable"])
def test_a_browser_that_is_there_is_taken_in_silence(tmp_path: Path, name: str) -> None:
    assert browser(tmp_path, {name: "exit 0", "apt-get": "echo asked; exit 1"}, user=0) == (0, "", "")


def test_without_a_browser_an_ordinary_user_is_told_the_one_command(tmp_path: Path) -> None:
    code, out, err = browser(tmp_path, {"apt-get": "echo asked"}, user=1000)
    assert (code, out) == (2, "")
    assert err.startswith("The browser tests need Chromium: sudo apt-get install chromium (or set CHROMIUM=")


def test_without_a_browser_root_installs_one(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    apt_get = f'echo "$@" >> "{asked}"; [ "$1" = update ] || echo much'
    code, out, err = browser(tmp_path, {"apt-get": apt_get}, user=0)
    assert (code, out, err) == (0, "Installing chromium for the browser tests (once)\n", "")
    update, install = text(asked).splitlines()
    assert update == "update -qq"
    assert install == "install -qq --yes --no-install-recommends chromium"


def test_an_installation_that_fails_is_no_success(tmp_path: Path) -> None:
    code, _, err = browser(tmp_path, {"apt-get": 'echo "no network" >&2; exit 100'}, user=0)
    assert code == 2
    assert err.startswith("no network\n")


def test_a_browser_that_was_named_is_the_one_that_has_to_run(tmp_path: Path) -> None:
    mine = tmp_path / "there" / "bin" / "mine"
    assert browser(tmp_path / "there", {"mine": "exit 0"}, user=1000, chromium=str(mine)) == (0, "", "")

    code, out, err = browser(tmp_path / "away", {"chromium": "exit 0"}, user=1000, chromium="/nowhere/chromium")
    assert (code, out) == (2, "")
    assert err.startswith("CHROMIUM=/nowhere/chromium cannot be run\n")


# Import contracts


def test_every_module_of_the_bot_has_its_place_in_the_layers() -> None:
    """import-linter leaves alone what no layer names; nothing may stay unnamed."""
    layers = next(one for one in pyproject()["tool"]["importlinter"]["contracts"] if one["id"] == "layers")
    placed = set(re.findall(r"bot\.(\w+)", " ".join(layers["layers"])))
    present = {path.stem for path in (ROOT / "bot").iterdir() if path.suffix == ".py" or is_package(path)}

    assert present - {"__init__"} - placed == set()


def is_package(path: Path) -> bool:
    """Whether a folder is a Python package."""
    return (path / "__init__.py").is_file()


# Documents


def test_the_changelog_speaks_of_the_current_version() -> None:
    headings = re.findall(r"(?m)^## \[(.+?)\]", text(ROOT / "CHANGELOG.md"))

    assert pyproject()["project"]["version"] in headings


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_what_follows_and_which_check_holds_it(page: Path) -> None:
    written = text(page)

    assert re.match(rf"# {int(page.name[:4])}\. \S", written)
    assert re.findall(r"(?m)^## (.+)$", written) == ["Context", "Decision", "Consequence", "Check"]
    assert page.name in text(ROOT / "docs" / "architecture.md")


def test_links_between_documents_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", text(page))]
    local = [(page, link) for page, link in links if "://" not in link]

    assert local != []
    assert [f"{page.name}: {link}" for page, link in local if not (page.parent / link).exists()] == []


def test_what_the_notice_says_is_shipped_is_there_with_its_licence() -> None:
    shipped = [ROOT / path for path in re.findall(r"\(((?:bot|tests)/\S+)\)", text(ROOT / "NOTICE"))]

    assert len(shipped) == 2
    for path in shipped:
        assert path.exists()
        assert any((path if path.is_dir() else path.parent).glob("*LICENSE*"))


# The example of settings


def test_the_example_sets_nothing_and_explains_every_name() -> None:
    """Copied as it is, it changes no default and holds no secret."""
    blocks = [block.splitlines() for block in text(ROOT / ".env.example").split("\n\n")]
    named = [block for block in blocks if any(re.match(r"#[A-Z]", line) for line in block)]

    assert len(named) > 20
    assert [block for block in named if not block[0].startswith("# ")] == []
    assert [line for block in blocks for line in block if not line.startswith("#")] == []


# The tests themselves


def test_a_test_cannot_reach_another_host() -> None:
    """192.0.2.0/24 is reserved for documentation (RFC 5737)."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection,
        pytest.raises(Exception, match=r"A test tried to connect to 192\.0\.2\.1"),
    ):
        connection.connect(("192.0.2.1", 443))


# What must not be in a commit


TOKEN = re.compile(r"xox[abp]-[0-9]{6,}-|xapp-1-[A-Z0-9]{8,}-[0-9]{6,}")


def test_no_file_holds_what_looks_like_a_real_slack_token() -> None:
    folders = [ROOT / name for name in (*PACKAGES, "tests", "docs", ".ci")]
    candidates = [path for folder in folders for path in files(folder)] + [
        path for path in ROOT.iterdir() if path.is_file() and path.name != ".env"
    ]
    readable = [path for path in candidates if path.suffix not in {".pyc", ".ttf", ".mp4", ".png"}]

    assert len(readable) > 30
    assert [path for path in readable if TOKEN.search(path.read_text("utf-8", errors="replace"))] == []
