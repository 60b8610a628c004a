"""host/sees.sh: the models of the process that serves, as that process sees them, and how a script gets there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollama_slots.host import scripts
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds, memory, names, pulled, rotate, weights

A, B = weights("a:1b"), weights("b:1b")


def sees(root: Path, command: str, user: int | None = None) -> tuple[int, str]:
    """The exit code of a command of sees.sh on a host that is this directory, and what it says."""
    script = f"{scripts.libraries('store', root=str(root))}\n{command}"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60, user=user, cwd="/"
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.removesuffix("\n")


def process(root: Path, *environ: str, pid: int = 7, cwd: str = "/srv/x", top: Path | None = None) -> None:
    """One with this environment, below another root if one is given."""
    here = root / f"proc/{pid}"
    here.mkdir(parents=True)
    (here / "environ").write_text("".join(f"{it}\0" for it in environ))
    (here / "cwd").symlink_to(cwd)
    (here / "root").symlink_to(top or "/")
    (here / "exe").symlink_to("/usr/bin/ollama")
    (here / "status").write_text(f"Name:\tx\nPid:\t{pid}\nPPid:\t1\n")


HOME = "HOME=/home/o"


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ([HOME], "/home/o/.ollama/models"),
        (["OLLAMA_MODELS=/mnt/a b"], "/mnt/a b"),
        ([HOME, "OLLAMA_MODELS= \t\"'/mnt/a b'\" "], "/mnt/a b"),
        ([HOME, "OLLAMA_MODELS="], "/home/o/.ollama/models"),
        ([HOME, "OLLAMA_MODELS=''"], "/home/o/.ollama/models"),
        (["OLLAMA_MODELS=models"], "/srv/x/models"),
        (["OLLAMA_MODELS=../m\\n"], "/srv/m\\n"),
        (["OLLAMA_MODELS=~/models"], "/srv/x/~/models"),
        (["OLLAMA_MODELS=/mnt/./a/../b//c/"], "/mnt/b/c"),
        ([HOME, "NOTE=two lines\nOLLAMA_MODELS=/of/a/text"], "/home/o/.ollama/models"),
        (["OLLAMA_MODELS=/first", "OLLAMA_MODELS=/second"], "/first"),
        (["HOME="], ""),
        ([], ""),
    ],
)
def test_the_directory_is_the_one_that_ollama_makes_of_its_environment(
    tmp_path: Path, environ: list[str], where: str
) -> None:
    process(tmp_path, *environ)
    assert sees(tmp_path, "models_of 7") == (0 if where else 1, where)
    assert sees(tmp_path, "model_store 7") == (0 if where else 1, where)


def test_where_the_process_sees_another_directory_it_is_got_to_through_its_root(tmp_path: Path) -> None:
    """As with BindPaths=, or a directory of its own under DynamicUser=."""
    top, store = tmp_path / "top", tmp_path / "plain/models"
    process(tmp_path, f"OLLAMA_MODELS={store}", top=top)
    through = f"{tmp_path}/proc/7/root{store}"
    assert sees(tmp_path, "model_store 7") == (0, str(store)), "neither is there"
    (store / "blobs").mkdir(parents=True)
    theirs = Path(f"{top}{store}")
    (theirs / "blobs").mkdir(parents=True)
    assert sees(tmp_path, "model_store 7") == (0, through)


@pytest.mark.parametrize("part", ["blobs", "manifests", "manifests-v2"])
def test_a_part_of_it_that_is_another_one_counts_too(tmp_path: Path, part: str) -> None:
    """As with BindPaths= of the blobs alone."""
    store, other = tmp_path / "models", tmp_path / "other"
    process(tmp_path, f"OLLAMA_MODELS={store}", top=tmp_path)
    for it in (store / "blobs", store / "manifests", other):
        it.mkdir(parents=True)
    # Without a mount no directory is in two roots: what is got to below the other root stands for it here.
    doubles = f'below() {{ case $2 in */{part}) echo {other} ;; *) echo "$2" ;; esac; }}\n'
    doubles += 'same() { [ "$1" = "$2" ] || touch "$root/differs"; }\n'
    assert sees(tmp_path, doubles + "model_store 7") == (0, str(store))
    assert (tmp_path / "differs").exists()


@pytest.mark.parametrize("to", ["/data/m", "../data/m", "/data/../data/./m", "/link/m"])
def test_links_are_followed_from_the_root_of_the_process(tmp_path: Path, to: str) -> None:
    top = tmp_path / "top"
    (top / "data/m/blobs").mkdir(parents=True)
    (top / "srv").mkdir()
    (top / "link").symlink_to("/data")
    (top / "srv/models").symlink_to(to)
    process(tmp_path, "OLLAMA_MODELS=/srv/models", top=top)
    assert sees(tmp_path, "model_store 7") == (0, f"{tmp_path}/proc/7/root/data/m")


def test_a_link_to_itself_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("/loop")
    code, said = sees(tmp_path, f"below {tmp_path} /loop/x")
    assert (code, said) == (0, f"{tmp_path}/loop/x")


def test_a_process_with_another_root_is_in_a_container(tmp_path: Path) -> None:
    process(tmp_path, HOME, top=tmp_path)
    assert sees(tmp_path, "contained 7 7 http://x") == (0, "container /usr/bin/ollama")
    process(tmp_path, HOME, pid=8)
    assert sees(tmp_path, "contained 8 8 http://x")[1] == ""
    assert sees(tmp_path, "contained 0 0 ''")[1] == ""


@pytest.mark.parametrize("program", ["docker", "podman", "conmon", "nerdctl", "docker-compose"])
def test_a_program_that_starts_containers_is_told_where_none_of_the_unit_listens(
    tmp_path: Path, program: str
) -> None:
    process(tmp_path, HOME, pid=8)
    assert sees(tmp_path, "contained 8 8 ''") == (0, ""), "it may be about to listen"
    process(tmp_path, HOME, pid=9)
    (tmp_path / "proc/9/exe").unlink()
    (tmp_path / "proc/9/exe").symlink_to(f"/usr/bin/{program}")
    (tmp_path / "proc/9/status").write_text("Name:\tx\nPid:\t9\nPPid:\t8\n")
    assert sees(tmp_path, "contained 8 8 ''") == (0, f"container /usr/bin/{program}")
    assert sees(tmp_path, "contained 8 8 http://127.0.0.1:11434")[1] == ""


AB = declared("a:1b", "b:1b")


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    pulled(host, "b:1b")
    return host


def test_a_probe_tells_where_the_models_are_and_which(one: DirectoryHost) -> None:
    store = one.found(AB).store
    assert store
    here = str(one.store).removeprefix(str(one.root))
    assert (store.models, store.path, store.may, store.whole) == (here, here, "write", False)
    assert {it.rpartition("/")[2] for it in store.names} == {"a:1b", "b:1b", "one:latest", "one:current"}
    assert one.found(AB).container is None


def test_names_that_are_links_are_names(new: DirectoryHost) -> None:
    holds(new, "one", "a:1b")
    store, listed = new.found(AB).store, new.found(AB).listed
    assert store
    assert listed
    assert store.names == listed.keys()


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that everybody gets to."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize(
    ("part", "mode", "may"),
    [("", 0o777, "write"), ("", 0o555, "read"), ("blobs", 0o555, "read"), ("manifests", 0o555, "read")]
    + [(part, 0o600, "nothing") for part in ("", "blobs", "manifests")],
)
def test_what_may_be_done_there_is_told(outside: Path, part: str, mode: int, may: str) -> None:
    store = outside / "models"
    for it in (store, store / "blobs", store / "manifests"):
        it.mkdir()
        it.chmod(0o777)
    process(outside, f"OLLAMA_MODELS={store}")
    (store / part).chmod(mode)
    nobody = None if os.getuid() else pwd.getpwnam("nobody").pw_uid
    code, said = sees(outside, 'seen "$(models_of 7)" "$(model_store 7)" \'"digest"\'', user=nobody)
    (store / part).chmod(0o755)
    assert (code, said.splitlines()) == (0, [f"models {store}", f"path {store}", f"may {may}"])


def test_models_that_are_not_there_for_root_are_told_of(one: DirectoryHost) -> None:
    (one.store / "blobs").rename(one.store / "gone")
    one.engine.tags = lambda: {"models": []}  # type: ignore[method-assign]
    found = one.found(AB).store
    assert found
    assert found.may == "nothing"


def test_what_ollama_should_list_and_does_not_is_told_of(one: DirectoryHost) -> None:
    """A name that lacks its configuration is none that it lists."""
    one.engine.tags = lambda: {"models": []}  # type: ignore[method-assign]
    one.engine.runners.clear()
    found = one.found(AB).store
    assert found
    assert found.whole
    for blob in (one.store / "blobs").iterdir():
        blob.unlink()
    found = one.found(AB).store
    assert found
    assert not found.whole


def test_a_rotation_and_the_way_back_where_ollama_sees_another_tree(one: DirectoryHost) -> None:
    """The scripts go by what the process sees; /api/show says where that is for it, not for them."""
    own = f"/{one.store.relative_to(one.root)}"
    one.stop_engine()
    one.environ["OLLAMA_MODELS"] = own
    one.engine.seen_as = Path(own)
    one.start_engine()
    link = one.proc.path / str(one.main) / "root"
    link.unlink()
    link.symlink_to(one.root)
    store = one.found(AB).store
    assert store
    assert (store.models, store.path, store.may) == (own, f"/proc/{one.main}/root{own}", "write")
    assert rotate(one, "one", "b:1b").code == 0
    assert names(one, "one") == {"latest": B, "current": B, "previous": A}
    assert memory(one) == {B}
    details = one.details(["a:1b", "b:1b"])
    assert details.damaged == {}
    assert details.weights("a:1b") == A
    assert details.blobs
    assert A in details.blobs


def test_a_mount_that_only_the_process_has_is_got_to_by_it_and_is_a_disk_of_its_own(tmp_path: Path) -> None:
    """As BindPaths= makes it, of one and the same filesystem."""
    for it in ("seen", "bound"):
        (tmp_path / it / "models/blobs").mkdir(parents=True)
    (tmp_path / "bound/models/blobs/theirs").touch()
    store = tmp_path / "seen/models"
    command = f"mount --bind {tmp_path}/bound/models/blobs {store}/blobs && echo mounted && exec sleep 60"
    serves = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", command],
        env={**os.environ, "OLLAMA_MODELS": str(store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert serves.stdout
    with serves:
        if serves.stdout.readline() != "mounted\n":
            pytest.skip("this machine makes no namespaces for a test")
        end = time.monotonic() + 10  # while it becomes another program, its environment cannot be read
        while Path(f"/proc/{serves.pid}/comm").read_text() != "sleep\n" and time.monotonic() < end:
            time.sleep(0.01)
        look = f'proc=/proc; store=$(model_store {serves.pid}); echo "$store"; ls "$store/blobs"'
        look += '; beside "$store" "$store/blobs"'
        code, said = sees(tmp_path, look)
        serves.kill()
    through = f"/proc/{serves.pid}/root{store}"
    assert (code, said.splitlines()) == (0, [through, "theirs", f"{through}/blobs/.ollama-slots"])


def test_an_ollama_whose_store_is_gone_does_not_answer_and_the_host_can_be_read(one: DirectoryHost) -> None:
    """It answers with an error that has no models."""
    one.engine.tags = lambda: {"error": "mkdir /mnt/models: permission denied"}  # type: ignore[method-assign]
    found = one.found(declared("a:1b"))
    assert (found.listed, found.runners is None) == (None, False)
