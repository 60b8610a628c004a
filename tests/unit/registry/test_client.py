"""What a registry says of a model, by HTTP from a server that says what the test has it say."""

import errno
import hashlib
import json
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gguf
import numpy
import pytest

from ollama_slots.core import names
from ollama_slots.core.published import Answer, Missing, Published, Tensors, Unknown
from ollama_slots.registry import client
from ollama_slots.registry.client import Client
from ollama_slots.registry.gguf import read_head

ask = Client.ask  # what conftest.py puts in its place is not what is tested here

C, T = "c" * 64, "d" * 64
FIGURES = {"context_length": 8192, "block_count": 2}


class Server(ThreadingHTTPServer):
    """A registry of one repository, me/x; counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.knows_ranges = True

    def name(self, tag: str = "1b") -> str:
        return f"127.0.0.1:{self.server_port}/me/x:{tag}"

    def publish(self, weights: bytes, *more: dict[str, object]) -> bytes:
        digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(weights)}
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": f"sha256:{C}",
            "size": 7,
        }
        manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": [layer, *more]}).encode()
        self.files = {"/v2/me/x/manifests/1b": (200, manifest), f"/v2/me/x/blobs/{digest}": (200, weights)}
        return manifest


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self.server.files.get(self.path, (404, b"nothing here"))
        wanted = self.headers.get("Range", "")
        if wanted and self.server.knows_ranges:
            status, body = 206, body[: int(wanted.partition("-")[2]) + 1]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Server() as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        yield it
        it.shutdown()


def weights(
    path: Path, tokens: int = 100, pooled: bool = False, author: str = "", figures: Any = FIGURES, **how: Any
) -> bytes:
    """A GGUF of two blocks, and a vocabulary of so many tokens, with a score for each."""
    writer = gguf.GGUFWriter(path / "x.gguf", "llama", **how)
    add: dict[type, Any] = {
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
        bool: writer.add_bool,
    }
    for key, value in figures.items():
        add[type(value)](f"llama.{key}", value)
    if author:
        writer.add_author(author)
    writer.add_head_count([4, 8])
    if pooled:
        writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_list([f"token {number}" for number in range(tokens)])
    writer.add_token_scores([0.5] * tokens)
    writer.add_tensor("token_embd.weight", numpy.zeros((tokens, 64), dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (path / "x.gguf").read_bytes()


SHAPE = {
    "general.architecture": "llama",
    "llama.context_length": 8192,
    "llama.block_count": 2,
    "llama.attention.head_count": [4, 8],
    "token_embd": [64, 100],
}


@pytest.mark.parametrize("spelling", ["Me/X:1B", "me/x:1b", "ME/x:1b"])
def test_a_registry_is_asked_as_the_name_is_written_and_a_mirror_in_lower_case(
    server: Server, spelling: str, tmp_path: Path
) -> None:
    """To a registry case may count."""
    server.publish(weights(tmp_path))
    whole = f"127.0.0.1:{server.server_port}/{spelling}"
    own, run = spelling == "me/x:1b", Client()
    assert isinstance(ask(run, whole, insecure=True), Published if own else Missing)
    assert server.asked[0] == f"/v2/{spelling.replace(':', '/manifests/')}"
    assert isinstance(ask(run, server.name(), insecure=True), Published)
    server.files = {
        path.replace("/me/x/", f"/{names.parse(whole).repository}/"): it for path, it in server.files.items()
    }
    mirror = f"http://127.0.0.1:{server.server_port}"
    assert isinstance(ask(run, whole, insecure=False, mirror=mirror), Published)


def test_a_model_of_tensors_and_without_weights_is_told_apart(server: Server) -> None:
    digest = f"sha256:{T}"
    for kind, answer in (("tensor", Tensors()), ("template", Unknown("its manifest names no weights"))):
        layers = [{"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": 3}]
        config = {"digest": f"sha256:{C}", "size": 7}
        server.files = {"/v2/me/x/manifests/1b": (200, json.dumps({"layers": layers, "config": config}).encode())}
        assert asked(server) == answer
    assert [it for it in server.asked if "blobs" in it] == []


def asked(server: Server, tag: str = "1b") -> Answer:
    """What a run of its own is answered."""
    return ask(Client(), server.name(tag), insecure=True)


def test_a_model_is_known_by_its_digest_its_layers_and_its_shape(server: Server, tmp_path: Path) -> None:
    blob = weights(tmp_path)
    manifest = server.publish(blob, {"digest": f"sha256:{T}", "size": 30})
    it = asked(server)
    assert isinstance(it, Published)
    assert it.digest == hashlib.sha256(manifest).hexdigest()
    assert it.shown.weights == hashlib.sha256(blob).hexdigest()
    assert it.layers == {it.shown.weights: len(blob), T: 30, C: 7}
    assert it.size == len(blob) + 37
    assert it.shown.trained_context == 8192
    assert not it.shown.sees
    assert not it.shown.embeds
    assert it.shown.model_info == SHAPE


def test_the_digest_is_known_that_an_older_ollama_gives_what_it_pulls(server: Server, tmp_path: Path) -> None:
    """As Go writes the manifest's structs, whatever the registry's own form is: server/layer.go, v0.12.11."""
    more = {"size": 30, "from": "/é/a", "digest": f"sha256:{T}", "other": 1}
    server.publish(weights(tmp_path), more)
    path = "/v2/me/x/manifests/1b"
    manifest = json.loads(server.files[path][1])
    layer, _ = manifest["layers"]
    server.files[path] = (200, json.dumps(manifest, indent=2, sort_keys=True).encode())
    it = asked(server)
    assert isinstance(it, Published)
    anew = (
        '{"schemaVersion":2,"mediaType":"","config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
        f'"digest":"sha256:{C}","size":7}},"layers":[{{"mediaType":"application/vnd.ollama.image.model",'
        f'"digest":"{layer["digest"]}","size":{layer["size"]}}},'
        f'{{"mediaType":"","digest":"sha256:{T}","size":30,"from":"/é/a"}}]}}'
    )
    assert it.written == hashlib.sha256(anew.encode()).hexdigest()


def test_an_embedding_model_is_known_before_any_host_has_it(server: Server, tmp_path: Path) -> None:
    server.publish(weights(tmp_path, pooled=True))
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.embeds


def test_of_split_weights_every_part_counts(server: Server, tmp_path: Path) -> None:
    blob = weights(tmp_path)
    server.publish(blob, {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{T}", "size": 30})
    it = asked(server)
    assert isinstance(it, Published)
    assert it.layers == {hashlib.sha256(blob).hexdigest(): len(blob), T: 30, C: 7}
    assert it.shown.weights == hashlib.sha256(blob).hexdigest()
    assert it.shown.trained_context == 8192


def test_a_model_with_a_projector_sees(server: Server, tmp_path: Path) -> None:
    projector = {"mediaType": "application/vnd.ollama.image.projector", "digest": f"sha256:{T}", "size": 1}
    server.publish(weights(tmp_path), projector)
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.sees


def test_it_is_asked_once_and_its_shape_once_for_all(server: Server, tmp_path: Path) -> None:
    server.publish(weights(tmp_path))
    run, name = Client(), server.name()
    assert ask(run, name, insecure=True) == ask(run, name, insecure=True)
    assert len(server.asked) == 2
    asked(server)
    assert [path.split("/")[-2] for path in server.asked] == ["manifests", "blobs", "manifests"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_of_the_weights_no_more_is_read_than_their_head(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows_ranges: bool
) -> None:
    blob = weights(tmp_path, tokens=3000)
    server.publish(blob)
    server.knows_ranges = knows_ranges
    monkeypatch.setattr(client, "HEADS", (1000, len(blob) - 64 * 64 * 4))  # the first is cut off
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info == SHAPE | {"token_embd": [64, 3000]}
    assert len(server.asked) == 3


@pytest.mark.parametrize("length", [0, 3, 24, 100, 500, 1500])
def test_a_head_that_is_cut_off_is_no_shape(tmp_path: Path, length: int) -> None:
    blob = weights(tmp_path)
    assert read_head(blob[:length], len(blob)) == {}


@pytest.mark.parametrize("end", gguf.GGUFEndian)
def test_a_vocabulary_is_passed_over_and_not_read_word_by_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: gguf.GGUFEndian
) -> None:
    read, texts = gguf.GGUFReader._get_str, []

    def text(reader: gguf.GGUFReader, at: int) -> Any:
        texts.append(at)
        return read(reader, at)

    monkeypatch.setattr(gguf.GGUFReader, "_get_str", text)
    blob = weights(tmp_path, 9000, endianess=end)
    assert read_head(blob, len(blob)) == SHAPE | {"token_embd": [64, 9000]}
    assert len(texts) < 20
    assert read_head(blob[:50_000], len(blob)) == {}


def test_a_vocabulary_without_an_end_is_no_reason_to_read_for_ever(tmp_path: Path) -> None:
    blob = weights(tmp_path, 9000).replace(struct.pack("<IQ", 8, 9000), struct.pack("<IQ", 8, 1 << 60))
    assert read_head(blob, 1 << 36) == {}


def test_weights_that_are_no_gguf_have_no_shape(server: Server) -> None:
    server.publish(b"no weights at all")
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info == {}
    assert it.shown.trained_context is None


@pytest.mark.parametrize("size", [2**40, 2**62, 2**63 - 1])
def test_a_size_of_weights_that_are_not_all_there_is_no_traceback(
    server: Server, size: int, tmp_path: Path
) -> None:
    path, blob = "/v2/me/x/manifests/1b", weights(tmp_path)
    manifest = json.loads(server.publish(blob))
    manifest["layers"][0]["size"] = size
    server.files[path] = (200, json.dumps(manifest).encode())
    assert isinstance(asked(server), Published | Unknown)
    manifest["schemaVersion"] = "\ud800"  # half a character: no UTF-8
    server.files[path] = (200, json.dumps(manifest).encode())
    assert isinstance(asked(server), Unknown)


ODD: list[Any] = [8192.5, "8192", [8192], ["8k"], True]


@pytest.mark.parametrize("value", ODD)
def test_a_figure_that_is_no_whole_number_is_none(server: Server, tmp_path: Path, value: Any) -> None:
    server.publish(weights(tmp_path, figures={"context_length": value, "block_count": value}))
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info["llama.context_length"] == value
    assert (it.shown.trained_context, it.shown.blocks) == (None, None)


def test_a_text_that_is_no_utf_8_is_passed_over(tmp_path: Path) -> None:
    blob = weights(tmp_path, author="Zoe").replace(b"Zoe", b"Zo\xeb")
    assert read_head(blob, len(blob)) == SHAPE


def test_a_kept_shape_that_is_none_is_read_anew(server: Server, tmp_path: Path) -> None:
    server.publish(weights(tmp_path))
    asked(server)
    [kept] = (tmp_path / "cache" / "ollama-slots" / "shapes").iterdir()
    kept.write_text("7")
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info == SHAPE


def test_without_its_shape_a_model_costs_one_request(server: Server, tmp_path: Path) -> None:
    manifest = server.publish(weights(tmp_path))
    it = ask(Client(), server.name(), insecure=True, shape=False)
    assert isinstance(it, Published)
    assert it.digest == hashlib.sha256(manifest).hexdigest()
    assert len(server.asked) == 1


def test_a_tag_that_is_not_there_is_missing(server: Server, tmp_path: Path) -> None:
    server.publish(weights(tmp_path))
    assert asked(server, "7b") == Missing()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "it answered 500 Internal Server Error"),
        (429, b"", "it answered 429 Too Many Requests"),
        (401, b"", "it answered 401 Unauthorized"),
        (200, b"<html>Log in</html>", "did not answer with a manifest"),
        (200, b"[]", "did not answer with a manifest"),
        (200, b"{}", "did not answer with a manifest"),
        (200, b"", "did not answer with a manifest"),
        (200, f'{{"config":{{"digest":"sha256:{C}","size":1}},"layers":[]}}'.encode(), "names no weights"),
        (200, f'{{"config":{{"digest":"sha256:{C}","size":-1}},"layers":[]}}'.encode(), "did not answer with a"),
        (
            200,
            f'{{"config":{{"digest":"sha256:{C}","size":{2**63}}},"layers":[]}}'.encode(),
            "did not answer with",
        ),
        (200, b'{"config":{"digest":"sha256:../../x","size":1},"layers":[]}', "did not answer with a manifest"),
    ],
)
def test_a_registry_that_cannot_tell_is_no_reason_against_a_model(
    server: Server, status: int, body: bytes, why: str
) -> None:
    server.files["/v2/me/x/manifests/1b"] = (status, body)
    it = asked(server)
    assert isinstance(it, Unknown)
    assert why in it.why


def test_a_registry_that_is_away_cannot_tell(server: Server) -> None:
    name = server.name()
    server.shutdown()
    server.server_close()
    assert ask(Client(), name, insecure=True) == Unknown("ConnectionError: Connection refused")


def test_a_registry_without_tls_and_an_address_that_is_none_are_told(server: Server) -> None:
    plain = "SSLError: where it speaks plain HTTP, set pull_insecure, or http:// in model_registry"
    assert ask(Client(), server.name(), insecure=False) == Unknown(plain)
    it = ask(Client(), "localhost:99999/me/x", insecure=True)
    assert isinstance(it, Unknown)
    assert it.why.startswith("InvalidURL: Failed to parse: ")


def test_a_certificate_that_is_not_trusted_is_no_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> None:
        try:
            refusal = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
            refusal.verify_message = "self-signed certificate"
            raise refusal
        except ssl.SSLError:
            raise client.requests.exceptions.SSLError("of the library") from None

    monkeypatch.setattr(client.requests, "get", get)
    assert ask(Client(), "hub/me/x", insecure=False) == Unknown(
        "SSLError: its certificate is not trusted here (self-signed certificate): "
        "where it is right, set REQUESTS_CA_BUNDLE to a file with its authority's"
    )


@pytest.mark.parametrize("cache", ["a file", "no home"])
def test_a_cache_that_cannot_be_written_is_no_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    server.publish(weights(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x.gguf") if cache == "a file" else "")
    monkeypatch.setattr(client.Path, "home", nobody)
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info == SHAPE


def test_a_cache_on_a_full_disk_keeps_nothing_of_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    server.publish(weights(tmp_path))
    monkeypatch.setattr(client.Path, "write_text", full)
    it = asked(server)
    assert isinstance(it, Published)
    assert it.shown.model_info == SHAPE
    assert [*(tmp_path / "cache" / "ollama-slots" / "shapes").iterdir()] == []


def test_what_this_machine_cannot_do_is_told_as_a_reason(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a traceback, which ends the run for every host."""
    server.publish(weights(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    it = asked(server)
    assert isinstance(it, Unknown)
    assert it.why.startswith(f"No such file or directory: {tmp_path}/gone/")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{tmp_path}/gone.pem")
    it = ask(Client(), server.name(), insecure=False)
    assert isinstance(it, Unknown)
    assert it.why.endswith(f"TLS CA certificate bundle, invalid path: {tmp_path}/gone.pem")
    it = ask(Client(), "registry..example.com/team/model:1b", insecure=True)
    assert it == Unknown("Failed to parse: 'registry..example.com', label empty or too long")


def test_a_mirror_is_asked_by_its_own_name_for_the_model(server: Server, tmp_path: Path) -> None:
    server.publish(weights(tmp_path))
    server.files = {path.replace("/me/", "/hub:5000/me/"): it for path, it in server.files.items()}
    mirror = f"http://127.0.0.1:{server.server_port}"
    it = ask(Client(), "Hub:5000/Me/X:1B", insecure=False, mirror=mirror)
    assert isinstance(it, Published)
    assert it.shown.model_info == SHAPE
    assert ask(Client(), "Hub:5000/Me/X:7B", insecure=False, mirror=mirror) == Missing()
    server.files["/v2/library/x/manifests/latest"] = (200, b"<html>")
    assert ask(Client(), "x", insecure=False, mirror=mirror) == Unknown(f"{mirror} did not answer with a manifest")


def test_a_name_becomes_its_full_address(monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def get(url: str, **_: object) -> None:
        urls.append(url)
        raise client.requests.ConnectionError

    monkeypatch.setattr(client.requests, "get", get)
    ask(Client(), "qwen2.5-coder:14b", insecure=False)
    ask(Client(), "me/x", insecure=False)
    host = names.DEFAULT_HOST
    assert urls == [
        f"https://{host}/v2/library/qwen2.5-coder/manifests/14b",
        f"https://{host}/v2/me/x/manifests/latest",
    ]
