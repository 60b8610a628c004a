"""How a host asks its Ollama: real sockets, a real curl, and a server of a few lines."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollama_slots.core.address import beyond_loopback, numeric
from ollama_slots.host import scripts
from tests.unit.host.doubled import doubled

NO_ONE = "http://127.0.0.1:1"  # a port at which nobody listens


def sh(command: str, **environ: str) -> tuple[int, str]:
    """What a command comes to after the scripts that ask: its exit status, and what it prints."""
    text = f"url= keep_alive=-1 load_seconds=9\n{scripts.libraries('engine', 'store')}\n{command}"
    done = subprocess.run(
        ["sh", "-c", text], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.strip()


def bound(family: int, address: str) -> socket.socket:
    it = socket.socket(family)
    if address == "::":
        it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # as Go does
    it.bind((address, 0))
    it.listen()
    return it


@pytest.mark.parametrize(
    ("family", "address", "asked"),
    [
        (socket.AF_INET, "127.0.0.1", "http://127.0.0.1"),
        (socket.AF_INET, "127.1.2.254", "http://127.1.2.254"),
        (socket.AF_INET, "0.0.0.0", "http://127.0.0.1"),
        (socket.AF_INET6, "::", "http://127.0.0.1"),
        (socket.AF_INET6, "::1", "http://[::1]"),
    ],
)
def test_ollama_is_asked_where_its_process_listens(family: int, address: str, asked: str) -> None:
    with bound(family, address) as it:
        code, said = sh(f"listening {os.getpid()}")
        assert code == 0
        assert numeric(said) == f"{asked}:{it.getsockname()[1]}"
        with socket.create_connection((asked.removeprefix("http://").strip("[]"), it.getsockname()[1]), 5):
            pass


def test_an_address_of_any_kind_is_read_as_the_kernel_writes_it() -> None:
    """Each four bytes of it are a number of this machine's, in hexadecimal."""
    for given in ("10.200.3.4", "192.0.2.255", "2001:db8:1:23::4567", "fe80::1:2:3"):
        packed = socket.inet_pton(socket.AF_INET6 if ":" in given else socket.AF_INET, given)
        words = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]
        code, said = sh(f"url_at {''.join(f'{it:08X}' for it in words)}:{65535:04X}")
        assert (code, numeric(said)) == (0, numeric(f"http://{f'[{given}]' if ':' in given else given}:65535"))


def test_a_process_that_takes_no_connections_is_asked_nowhere() -> None:
    """One that has a connection of its own takes none for that."""
    with bound(socket.AF_INET, "127.0.0.1") as it, socket.create_connection(it.getsockname()) as own:
        process = subprocess.Popen(["sleep", "30"], pass_fds=[own.fileno()])
        try:
            assert sh(f"listening {process.pid}") == (0, "")
        finally:
            process.kill()
            process.wait()
    for pid in ("0", ""):
        assert sh(f"listening '{pid}'") == (0, "")


SERVE = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("script", ["exec {}", "{}; exit", "sh -c '{}; :'; :"])
def test_the_process_that_serves_is_found_below_a_script_that_started_it(tmp_path: Path, script: str) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    command = ["sh", "-c", script.format(f"{sys.executable} {tmp_path / 'serve.py'}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            code, said = sh(f"systemctl() {{ echo {process.pid}; }}; engine_pid")
            assert code == 0
            assert Path(f"/proc/{said}/cmdline").read_text().startswith(f"{sys.executable}\0")
            assert sh(f"listening {said}")[1].startswith("http://127.0.0.1:")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("main", ["0", ""])
def test_no_process_is_0(main: str) -> None:
    assert sh(f"systemctl() {{ echo {main}; }}; engine_pid") == (0, "0")


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers as its path says: /STATUS/TEXT."""

    def do_GET(self) -> None:
        _, status, text = self.path.split("/", 2)
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "fails", "said"),
    [
        ("200/yes", False, "yes"),
        ("201/", False, ""),
        ("302/no", True, "no\nHTTP 302"),
        ("404/gone", True, "gone\nHTTP 404"),
        ("500/", True, "\nHTTP 500"),
    ],
)
def test_an_answer_is_one_by_its_http_status(url: str, path: str, fails: bool, said: str) -> None:
    code, printed = sh(f"url={url}; api 5 /{path}")
    assert (bool(code), printed) == (fails, said.strip())
    code, printed = sh(f"url={url}; api 5 /{path} '{{}}' DELETE")
    assert code, "an unknown method is no success"


def test_no_option_is_asked_of_curl_that_came_with_7_76() -> None:
    for it in [*scripts.HERE.glob("*.sh"), *Path("templates").glob("*.j2")]:
        code = "\n".join(line.partition("# ")[0] for line in it.read_text().splitlines())
        assert "--fail-with-body" not in code, it


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy", "https_proxy"])
def test_ollama_is_asked_past_a_proxy(url: str, name: str) -> None:
    plain = {name: NO_ONE, "no_proxy": "", "NO_PROXY": ""}
    assert sh(f"url={url}; api 5 /200/yes", **plain) == (0, "yes")
    # Several requests over one connection, too.
    each = f"--max-time 5 -d {{}} {url}/200/yes"
    assert sh(f"ask {each} --next {each} --next {each}", **plain) == (0, "yesyesyes")


def test_ollama_is_asked_past_a_curlrc(url: str, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(f'proxy = "{NO_ONE}"\ninclude\n')
    home = {"HOME": str(tmp_path), "CURL_HOME": str(tmp_path)}
    assert sh(f"curl -s --max-time 5 {url}/200/yes", **home)[0], "it is in force"
    assert sh(f"url={url}; api 5 /200/yes", **home) == (0, "yes")


def test_seconds_are_told_with_a_point_whatever_the_locale(tmp_path: Path) -> None:
    """curl before 7.75 writes them as the locale does."""
    curl = tmp_path / "curl"
    curl.write_text(
        "#!/bin/sh\ncase $LC_ALL in C) echo yes; printf '0.5 200' ;; *) echo yes; printf '0,5 200' ;; esac\n"
    )
    curl.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LC_ALL": "de_DE.UTF-8"}
    assert sh('hear 5 / && echo "$heard $heard_s"', **environ) == (0, "yes 0.5")
    assert sh("ask /", **environ) == (0, "yes\n0.5 200")


def test_who_has_to_end_a_request_ends_curl_itself() -> None:
    """As a pull has to, whose reader is gone."""
    with bound(socket.AF_INET, "127.0.0.1") as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        look = """timeout 5 sh -c 'until grep -qx curl "/proc/$0/comm"; do sleep 0.05; done' $!"""
        assert sh(f"(by=exec && ask --max-time 20 {url}) & {look}; failed=$?; kill $!; exit $failed") == (0, "")


def test_the_clock_is_seconds_whatever_the_date_says() -> None:
    _, said = sh("date() { echo 0; }; echo $(clock); sleep 2; echo $(clock)")
    begun, ended = map(int, said.split())
    assert 2 <= ended - begun <= 12
    assert abs(ended - time.clock_gettime(time.CLOCK_BOOTTIME)) < 12


@pytest.mark.parametrize("listens", ["", f"listening() {{ echo {NO_ONE}; }}"])
def test_a_wait_for_ollama_is_bounded_in_seconds_and_says_where(listens: str) -> None:
    text = doubled(
        "await", f"systemctl() {{ echo 0; }}\n{listens}", verb="start", url="", seconds=2, driver_seconds=""
    )
    start = time.monotonic()
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 1 <= time.monotonic() - start < 15
    assert (
        done.stderr
        == f"Ollama does not answer{f' at {NO_ONE}' if listens else ''} after 2 s: see journalctl -u ollama\n"
    )


def test_a_wait_at_a_given_address_names_the_other_one(url: str) -> None:
    doubles = f"systemctl() {{ :; }}\nengine_pid() {{ echo {os.getpid()}; }}"
    text = doubled("await", doubles, verb="restart", url=NO_ONE, seconds=1, driver_seconds="")
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.stderr.startswith(
        f"Ollama does not answer at {NO_ONE}, the ollama_url (its process listens at {url}"
    )


@pytest.mark.parametrize(
    ("url", "answered", "at", "beyond"),
    [
        ("http://127.0.0.1:11434", None, "http://127.0.0.1:11434", None),
        ("http://0.0.0.0:80", None, "http://0.0.0.0:80", None),
        ("http://10.79.0.11", None, "http://10.79.0.11", "10.79.0.11"),
        (
            "http://[2001:0db8:0000:0000:0000:0000:0000:0001]:8080",
            None,
            "http://[2001:db8::1]:8080",
            "2001:db8::1",
        ),
        ("http://[0000:0000:0000:0000:0000:0000:0000:0001]:1", None, "http://[::1]:1", None),
        ("http://localhost:11434", "127.0.0.1", "http://127.0.0.1:11434", None),
        ("http://localhost:11434", "::1", "http://[::1]:11434", None),
        ("http://gpu-a.example.com:80", "10.79.0.11", "http://10.79.0.11:80", "10.79.0.11"),
        ("http://gpu-a.example.com:80", None, None, None),
        ("http://gpu-a.example.com:80", "", None, None),
        ("http://[::::]:80", None, None, None),
    ],
)
def test_the_unit_gets_a_number(url: str, answered: str | None, at: str | None, beyond: str | None) -> None:
    assert numeric(url, answered) == at
    assert at is None or beyond_loopback(at) == beyond
