"""Downloads, from a small server on this machine that cuts, stalls and lies, and from a mirror folder."""

import errno
import gzip
import hashlib
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minigen.data import DownloadError, Source, cache_folder, download, fetch

CONTENT = bytes(range(256)) * 2000  # half a megabyte, several blocks
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def source(*places, content=CONTENT, unpacked=None):
    known = (sha256(content),) if unpacked is None else (sha256(content), sha256(unpacked))
    return Source("toy", places, {"file.bin": known})


class Server(ThreadingHTTPServer):
    """Serves /toy/file.bin. `cuts` answers end after as many bytes; without `ranges`, Range is ignored."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges, self.asked = CONTENT, [], True, []
        self.silence = 0  # seconds before an answer
        self.finish = threading.Event()
        self.place = f"http://127.0.0.1:{self.server_port}/toy"

    def handle_error(self, request, client_address):
        """A client that hung up while it was answered is part of the test."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers["Range"]
        server.asked.append(asked)
        server.finish.wait(server.silence)
        if self.path != "/toy/file.bin":
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if start and start >= len(server.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(server.content[start:][:cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.finish.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the data set in a cache of its own."""
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGEN_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache" / "toy"


def left_in(folder):
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_a_file_is_fetched_once_and_then_found_in_the_cache(server, cache):
    path = fetch(source(server.place), "file.bin")
    assert path == cache / "file.bin"
    assert path.read_bytes() == CONTENT
    assert fetch(source(CLOSED), "file.bin") == path
    assert server.asked == [None]
    assert left_in(cache) == {"file.bin"}


def test_a_cut_connection_is_resumed_where_it_was_cut(server):
    server.cuts = [200_000, 100_000]
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=200000-", "bytes=300000-"]


def test_what_came_before_the_cut_is_kept_for_the_next_call(server, cache):
    server.cuts = [200_000, 0]
    with pytest.raises(DownloadError, match=r"cut after 200,000 of 512,000 bytes"):
        fetch(source(server.place), "file.bin")
    assert left_in(cache) == {"file.bin.part"}
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=200000-", "bytes=200000-"]
    assert left_in(cache) == {"file.bin"}


def test_the_next_place_goes_on_where_the_one_before_was_cut(server, cache, tmp_path):
    cache.mkdir(parents=True)
    (cache / "file.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(source(CLOSED, server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_server_that_ignores_ranges_sends_the_whole_file_again(server):
    server.cuts, server.ranges = [200_000], False
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=200000-"]


@pytest.mark.parametrize("stale", [b"of another file" * 100, CONTENT + b"and more"], ids=["other", "longer"])
def test_a_stale_beginning_is_thrown_away_and_the_file_fetched_whole(server, cache, stale):
    cache.mkdir(parents=True)
    (cache / "file.bin.part").write_bytes(stale)
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(stale)}-", None]


def test_a_wrong_checksum_is_said_and_the_file_deleted(server, cache):
    server.content = b"something else"
    wrong, right = sha256(b"something else"), sha256(CONTENT)
    with pytest.raises(DownloadError, match=f"{server.place}: its sha256 is {wrong}, expected {right}"):
        fetch(source(server.place), "file.bin")
    assert left_in(cache) == set()


def test_places_are_tried_in_order_until_one_has_the_right_file(server, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "file.bin").write_bytes(b"bad")
    places = (CLOSED, f"{server.place}/missing", str(tmp_path / "bad"), server.place)
    assert fetch(source(*places), "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, None]


@pytest.mark.parametrize("mirror", ["~/mirror", "~/mirror/", "file://{home}/mirror"])
def test_a_mirror_folder_comes_before_the_public_places(server, monkeypatch, tmp_path, mirror):
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINIGEN_MIRROR", mirror.format(home=tmp_path))
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT
    assert server.asked == []


def test_a_mirror_may_be_an_address(server, monkeypatch):
    monkeypatch.setenv("MINIGEN_MIRROR", server.place.removesuffix("toy"))
    assert fetch(source(CLOSED), "file.bin").read_bytes() == CONTENT


def test_a_file_in_a_mirror_is_checked_too(monkeypatch, tmp_path, cache):
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "file.bin").write_bytes(b"tampered")
    monkeypatch.setenv("MINIGEN_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DownloadError, match=f"sha256 is {sha256(b'tampered')}, expected {sha256(CONTENT)}"):
        fetch(source(), "file.bin")
    assert left_in(cache) == set()


def test_an_archive_that_was_packed_anew_is_known_by_what_it_holds(cache):
    published, repacked, wrong = (
        gzip.compress(CONTENT, mtime=1),
        gzip.compress(CONTENT, 1, mtime=2),
        gzip.compress(CONTENT[1:], mtime=1),
    )
    known = source(content=published, unpacked=CONTENT)
    cache.mkdir(parents=True)
    for content in (published, repacked, CONTENT):  # the last one: a server that unpacks on the way
        (cache / "file.bin").write_bytes(content)
        assert fetch(known, "file.bin").read_bytes() == content
    for content in (wrong, repacked[:-20], b"", b"no archive"):
        (cache / "file.bin").write_bytes(content)
        with pytest.raises(DownloadError, match="is there, but its sha256 is"):
            fetch(known, "file.bin")
    (cache / "file.bin").write_bytes(repacked)
    with pytest.raises(DownloadError, match="expected"):  # whose content's hash is not published
        fetch(source(content=published), "file.bin")


def test_a_wrong_file_in_the_cache_is_replaced_only_by_the_right_one(server, cache):
    cache.mkdir(parents=True)
    (cache / "file.bin").write_bytes(b"put here by mistake")
    with pytest.raises(DownloadError, match=f"{cache / 'file.bin'} is there, but its sha256 is"):
        fetch(source(CLOSED), "file.bin")
    assert (cache / "file.bin").read_bytes() == b"put here by mistake"
    assert fetch(source(server.place), "file.bin").read_bytes() == CONTENT


def test_without_a_network_one_sentence_says_what_to_do(cache):
    with pytest.raises(DownloadError) as caught:
        fetch(source(CLOSED), "file.bin")
    message = str(caught.value)
    assert "\n" not in message
    assert "refused" in message
    assert f"put the file at {cache / 'file.bin'}" in message
    assert "set MINIGEN_MIRROR to a folder or an address that has toy/file.bin" in message
    assert message.endswith("no network: digits, shapes or the 2-D toys")


@pytest.mark.parametrize("place", ["/nowhere", "foo://bar", "http://", "http://no host/"])
def test_a_place_that_cannot_be_is_trouble_like_any_other(place):
    with pytest.raises(DownloadError, match=r"could not get toy/file.bin \(.+\): put the file at"):
        fetch(source(place), "file.bin")


def test_a_server_that_falls_silent_counts_as_gone(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    server.silence = 10
    with pytest.raises(DownloadError, match="timed out"):
        fetch(source(server.place), "file.bin")


class FullDisk(io.FileIO):
    """A file that takes a few bytes, then finds no room."""

    def writelines(self, blocks):
        self.write(next(iter(blocks))[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_in_one_sentence_and_leaves_no_half_file(server, cache, monkeypatch):
    def open_there(path, mode):
        return FullDisk(path, mode) if mode in ("wb", "ab") else open(path, mode)

    monkeypatch.setattr(download, "open", open_there, raising=False)
    with pytest.raises(DownloadError) as caught:
        fetch(source(server.place), "file.bin")
    advice = "make room there, or set MINIGEN_DATA to another folder"
    assert str(caught.value) == f"cannot use {cache} (No space left on device): {advice}"
    assert left_in(cache) == set()


def test_a_cache_that_is_no_folder_is_said_in_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"cannot use .*toy \(Not a directory\): make room there, or set"):
        fetch(source(CLOSED), "file.bin")


def test_several_that_ask_at_once_download_once(server):
    server.silence = 0.1  # long enough that, without care, all four would have asked
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(source(server.place), "file.bin"), range(4)))
    assert [path.read_bytes() == CONTENT for path in paths] == [True] * 4
    assert server.asked == [None]


def test_downloads_land_in_the_repository_unless_the_environment_says_otherwise(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("MINIGEN_DATA")
    root = download.Path(download.__file__).parents[2]
    assert cache_folder() == root / "datasets" / "cache"
    assert "datasets/cache/" in (root / ".gitignore").read_text().splitlines()
