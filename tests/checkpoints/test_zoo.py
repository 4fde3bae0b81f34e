"""The list of published weights, and downloads from a server on this machine that behaves well and badly."""

import hashlib
import http.server
import threading
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.architecture import ARCHITECTURES, LINEAGES
from hrnet_keras.checkpoints import DownloadError, zoo

DATA = np.random.default_rng(0).bytes(3_000_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `DATA`; the path says how: /good, /drop (cuts the first answers off), /norange, /500, /404, /slow."""

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}/weights.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        self.server.asked.append((kind, wanted))
        times = sum(1 for one, _ in self.server.asked if one == kind)
        if kind in ("404", "500") or (kind == "once503" and times == 1):
            self.send_error(503 if kind == "once503" else int(kind))
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and kind != "norange" else 0
        if start >= len(DATA):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(DATA)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        stop = start + 1_100_000 if kind in ("drop", "norange") and times < 3 else len(DATA)
        for i in range(start, stop, 500_000):
            if kind == "slow":
                time.sleep(0.2)
            if kind == "dead" and i:
                time.sleep(3)
            self.wfile.write(DATA[i : min(i + 500_000, stop)])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.shutdown()


@pytest.fixture
def entry(server, tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.HOME, str(tmp_path))
    monkeypatch.setattr(zoo, "PAUSE", 0)
    server.asked.clear()
    named = next(entry for entry in zoo.entries() if entry.name == "fcn_hr18_512x1024_160k_cityscapes")
    right = hashlib.sha256(DATA).hexdigest()[:8]
    return lambda kind, **changes: replace(named, **{"url": server.address(kind), "sha256": right, **changes})


def read(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("kind", ["good", "drop", "norange", "once503", "slow"])
def test_downloads_come_whole(entry, server, tmp_path, kind):
    path = zoo.fetch(entry(kind))
    assert read(path) == DATA and path.startswith(str(tmp_path))
    asked = len(server.asked)
    assert zoo.fetch(entry(kind)) == path and len(server.asked) == asked  # the second time, nothing is asked for
    if kind == "drop":
        starts = [int((wanted or "bytes=0-")[6:-1]) for _, wanted in server.asked]
        assert len(starts) == 3 and starts[1] > 1_000_000 and starts[2] > 2_000_000  # what came before is kept
    assert not [name.name for name in tmp_path.rglob("*.part")]


def test_a_download_that_was_cut_off_in_another_process_goes_on(entry, server):
    wanted = entry("good")
    zoo.os.makedirs(zoo.os.path.dirname(wanted.path))
    with open(f"{wanted.path}.part", "wb") as file:
        file.write(DATA[:2_000_000])
    assert read(zoo.fetch(wanted)) == DATA and server.asked == [("good", "bytes=2000000-")]


def test_a_whole_part_is_not_fetched_again(entry, server):
    wanted = entry("good")
    zoo.os.makedirs(zoo.os.path.dirname(wanted.path))
    with open(f"{wanted.path}.part", "wb") as file:
        file.write(DATA)
    assert read(zoo.fetch(wanted)) == DATA and len(server.asked) == 1


def test_another_file_than_published_is_refused_and_removed(entry, tmp_path):
    with pytest.raises(DownloadError, match=r"is not the published file: its SHA-256 begins .{8}, expected 00000000"):
        zoo.fetch(entry("good", sha256="00000000"))
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".part", ".pth")]


@pytest.mark.parametrize(("kind", "reason"), [("404", "the server answers 404"), ("500", "the server answers 500")])
def test_what_cannot_be_had_is_said_with_address_and_path(entry, server, tmp_path, kind, reason):
    with pytest.raises(DownloadError, match=rf"/{kind}/weights\.pth \({reason}\)\. Fetch it .* put it at {tmp_path}"):
        zoo.fetch(entry(kind))
    assert len(server.asked) == (1 if kind == "404" else zoo.TRIES)


def test_a_server_that_falls_silent_is_given_up(entry, monkeypatch):
    monkeypatch.setattr(zoo, "TIMEOUT", 0.3)
    monkeypatch.setattr(zoo, "TRIES", 1)
    with pytest.raises(DownloadError, match=r"no answer in time|no connection"):
        zoo.fetch(entry("dead"))


def test_without_a_network(entry):
    with pytest.raises(DownloadError, match=r"no connection.*put it at"):
        zoo.fetch(entry("good", url="http://127.0.0.1:9/weights.pth"))


def test_a_folder_that_cannot_be_written_is_named(entry, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(zoo.HOME, str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"can't write .*file.weights"):
        zoo.fetch(entry("good"))


def test_two_at_once_download_once(entry, server):
    threads = [threading.Thread(target=zoo.fetch, args=(entry("slow"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1


def test_files_got_by_hand_are_checked_once(entry, server):
    wanted = entry("good", url=None, page="https://example.org/form")
    with pytest.raises(DownloadError, match=r"by hand from https://example\.org/form and put it at .*\.pth"):
        zoo.fetch(wanted)
    zoo.os.makedirs(zoo.os.path.dirname(wanted.path), exist_ok=True)
    with open(wanted.path, "wb") as file:
        file.write(b"something else")
    with pytest.raises(DownloadError, match=r"\(put there by hand\) is not the published file"):
        zoo.fetch(wanted)
    with open(wanted.path, "wb") as file:
        file.write(DATA)
    assert zoo.fetch(wanted) == wanted.path and not server.asked


# ---- the list


def test_the_list_is_sound():
    entries = zoo.entries()
    assert len({entry.name for entry in entries}) == len(entries)
    assert len({entry.path for entry in entries}) == len(entries)
    for entry in entries:
        assert (entry.url is None) != (entry.page is None), entry
        assert (entry.url or entry.page).startswith("https://"), entry
        assert entry.width in ARCHITECTURES and entry.lineage in LINEAGES, entry
        assert entry.task in ("cls", "seg", "landmark", "pose", "det", None), entry
        assert entry.sha256 is None or len(entry.sha256) >= 8, entry
        assert entry.licence and entry.source.startswith("github.com/"), entry
    counts = Counter(entry.task for entry in entries)
    assert counts == {"cls": 36, "seg": 47, "landmark": 11, "pose": 26, "det": 48, None: 7}


@pytest.mark.parametrize(
    ("word", "net", "expected"),
    [
        ("cityscapes", ("seg", "V2", "W48"), "hrnet_cs_8090_torch11"),
        ("cityscapes", ("seg", "V2", "W18"), "fcn_hr18_512x1024_160k_cityscapes"),
        ("cityscapes", ("seg", "V2", "W18SmallV2"), "fcn_hr18s_512x1024_160k_cityscapes"),
        ("ade20k", ("seg", "V2", "W48"), "hrnet_ade20k_4312_torch04"),
        ("wflw", ("landmark", "V2", "W18"), "hrnetv2_w18_wflw_256x256_dark"),
        ("coco", ("pose", "V1", "W48"), "td-hm_hrnet-w48_udp-8xb32-210e_coco-384x288"),
        ("mpii", ("pose", "V1", "W32"), "hrnet_w32_mpii_256x256_dark"),
        ("coco", (None, "V2p", "W32"), "htc_hrnetv2p_w32_20e_coco"),
        ("imagenet", ("cls", "V2", "W48"), "hrnet_w48_ssld.paddle_in1k"),
        ("imagenet", ("seg", "V2", "W48"), "timm_hrnetv2_w48"),
        ("imagenet", ("pose", "V1", "W32"), "timm_hrnetv2_w32"),
        ("imagenet", (None, "V2p", "W18"), "timm_hrnetv2_w18"),
    ],
)
def test_words_mean_the_best_for_a_builder(word, net, expected):
    assert zoo.find(word, task=net[0], representation=net[1], width=net[2]).name == expected


def test_choices_narrow_what_a_word_means():
    net = {"task": "seg", "representation": "V2", "width": "W48"}
    assert zoo.find("cityscapes", **net, head="ocr").name == "hrnet_ocr_cs_8162_torch11"
    assert zoo.find("cityscapes", **net, lineage="mmlab").name == "fcn_hr48_512x1024_160k_cityscapes"
    pose = {"task": "pose", "representation": "V1", "width": "W32"}
    assert zoo.find("coco", **pose, input_shape=(256, 192, 3)).input_size == (256, 192)


def test_what_does_not_fit_is_said():
    net = {"representation": "V2", "width": "W30"}
    with pytest.raises(
        ValueError, match="weights='cityscapes': none published for HRNetV2W30 for task 'seg'; there is 'im"
    ):
        zoo.find("cityscapes", task="seg", **net)
    with pytest.raises(
        ValueError, match=r"'hrnet_cs_8090_torch11' is an HRNetV2W48 for task 'seg'.* not fit HRNetV2W30"
    ):
        zoo.find("hrnet_cs_8090_torch11", task="seg", **net)
    with pytest.raises(ValueError, match="task='poses': expected one of 'cls', 'det', 'landmark', 'pose', 'seg'"):
        hk.list_weights("poses")


def test_rows_say_what_a_word_means():
    rows = {row["name"]: row for row in hk.list_weights("seg")}
    assert rows["hrnet_cs_8090_torch11"]["aliases"] == ["cityscapes"]
    assert rows["fcn_hr48_512x1024_40k_cityscapes"]["aliases"] == []
    assert rows["hrnet_cs_8090_torch11"]["score"] == {"mIoU": 80.9} and not rows["hrnet_cs_8090_torch11"]["cached"]
