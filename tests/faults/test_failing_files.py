"""What is to fail fails, however a program comes by its files; and what others do with files goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.bot import ROOT

WAYS = {
    "file": (
        "open('new', 'w')",
        "open('there', 'r+b', buffering=0)",
        "io.open('new', 'x')",
        "Path('new').open('xb', buffering=0)",
        "Path('new').write_text('x')",
        "Path('new').touch()",
        "os.open('new', os.O_WRONLY | os.O_CREAT)",
        "os.fdopen(os.dup(descriptor), 'w')",
        "os.write(descriptor, b'x')",
        "os.pwrite(descriptor, b'x', 0)",
        "os.ftruncate(descriptor, 0)",
        "Path('folder').mkdir()",
        "tempfile.mkdtemp(dir='.')",
        "shutil.copyfile('there', 'new')",
    ),
    "rename": ("os.replace('there', 'new')", "Path('there').rename('new')", "os.link('there', 'new')"),
    "fsync": ("os.fsync(descriptor)",),
    "read": (
        "open('there')",
        "Path('there').read_bytes()",
        "os.open('.', os.O_RDONLY | os.O_DIRECTORY)",
    ),
}
"""Operations, by the kind as which each fails."""

WRITES = (
    "file = open('new', 'w'); failing.add('file'); file.write('x'); file.close()",
    "file = Path('new').open('xb', buffering=0); failing.add('file'); file.write(b'x')",
    "file = os.fdopen(os.dup(descriptor), 'w'); failing.add('file'); file.write('x'); file.flush()",
)
"""Files that can be opened, and not be written afterwards."""

PROGRAM = """
import errno, io, json, os, shutil, sys, tempfile
from pathlib import Path

from tests.faults.failing_files import break_files

kind, module, codes = json.loads(sys.argv[1])
Path("there").touch()
descriptor = os.open("there", os.O_RDWR)
failing = set()
break_files(lambda asked, what: asked in failing)
failed = []
for code in codes:
    failing.update(filter(None, [kind]))
    try:
        exec(code, globals() | {"__name__": module})
    except OSError as error:
        assert error.errno in {errno.ENOSPC, errno.EIO}, (code, error)
        failed.append(code)
    failing.clear()
    for left in Path().iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    Path("there").touch()
print(json.dumps(failed))
"""


def failed(place: Path, codes: tuple[str, ...], *, kind: str = "", module: str = "storage.files") -> tuple[str, ...]:
    """Which of these fail when a module of that name does them. In a process of its own: what is broken stays so."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([kind, module, codes])],
        cwd=place,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    return tuple(json.loads(done.stdout))


@pytest.mark.parametrize("kind", WAYS)
def test_whatever_the_program_does_with_a_file_fails(tmp_path: Path, kind: str) -> None:
    assert failed(tmp_path, WAYS[kind], kind=kind) == WAYS[kind]


def test_so_does_writing_to_what_could_be_opened(tmp_path: Path) -> None:
    assert failed(tmp_path, WRITES) == WRITES


@pytest.mark.parametrize(("kind", "module"), [("", "storage.files"), ("file", "sqlalchemy.pool"), ("read", "logging")])
def test_all_else_goes_on(tmp_path: Path, kind: str, module: str) -> None:
    every = tuple(code for codes in WAYS.values() for code in codes)
    assert failed(tmp_path, every, kind=kind, module=module) == ()
