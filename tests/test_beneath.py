"""A path below a folder, and nothing else of the disk: what is outside is never opened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from judge.errors import RecordError
from judge.images import beneath
from judge.images.beneath import MAX_PATH, read_beneath

SECRET = b"root:x:0:0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`root/images/ct.png` inside; `secret` and `root-2/secret` outside."""
    folder = tmp_path / "root"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "ct.png").write_bytes(b"ct")
    (folder / "link.png").symlink_to("images/ct.png")
    (folder / "album").symlink_to(folder / "images")
    (tmp_path / "root-2").mkdir()
    for place in (tmp_path, tmp_path / "root-2"):
        (place / "secret").write_bytes(SECRET)
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to("..")
    (folder / "chain").symlink_to("up/secret")
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("../nowhere")
    return folder


def refused(root: Path, path: str, code: str, match: str, *, max_bytes: int = 100) -> None:
    with pytest.raises(RecordError, match=match) as caught:
        read_beneath(root, path, max_bytes=max_bytes)
    assert caught.value.code == code
    # What the record did not say, we do not say either.
    assert str(root.parent) not in str(caught.value).replace(path[:60], "")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "path",
    ["images/ct.png", "./images/ct.png", "images/../images/ct.png", "link.png", "album/ct.png", "images//ct.png"],
)
def test_what_is_inside_is_read(root: Path, path: str) -> None:
    assert read_beneath(root, path, max_bytes=2) == b"ct"


def test_an_absolute_path_may_point_inside(root: Path) -> None:
    assert read_beneath(root, str(root / "images" / "ct.png"), max_bytes=2) == b"ct"


def test_the_root_may_itself_be_a_link(root: Path) -> None:
    other = root.parent / "other"
    other.symlink_to(root)
    for path in ("images/ct.png", f"{other}/images/ct.png", f"{root}/images/ct.png"):
        assert read_beneath(other, path, max_bytes=2) == b"ct"


def test_the_root_may_be_relative(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    assert read_beneath(Path("root"), "images/ct.png", max_bytes=2) == b"ct"
    monkeypatch.chdir(root)
    assert read_beneath(Path(), "images/ct.png", max_bytes=2) == b"ct"


OUTSIDE = {
    "../secret": "points outside",
    "images/../../secret": "points outside",
    "../root-2/secret": "points outside",
    "../../../../../../../../etc/passwd": "points outside",
    "/etc/passwd": "points outside",
    "//server/share/a.png": "points outside",
    "/proc/self/root/etc/passwd": "points outside",
    "../not-there-at-all": "points outside",  # the same words whether it is there or not
    "..": "points outside",
    "out": "by a link",
    "up/secret": "by a link",
    "chain": "by a link",
    "gone": "by a link",
    "images/../up/secret": "by a link",
    "\\\\server\\share\\a.png": "no path on this system",
    "C:\\a.png": "no path on this system",
    "c:/a.png": "no path on this system",
    "images/ct.png\0.txt": "no path on this system",
    "a" * 5000: "5,000 characters are no path",
}


@pytest.mark.parametrize(("path", "match"), OUTSIDE.items(), ids=lambda text: text[:30].replace("\0", "NUL"))
def test_what_is_outside_is_refused(root: Path, path: str, match: str) -> None:
    refused(root, path, "image_path_outside_root", match)


WATCHED = """
import json, os, sys
from pathlib import Path
from judge.images.beneath import read_beneath
from judge.errors import RecordError
opened = []
def watch(event, arguments):
    if event == "open" and "judge" not in str(arguments[0]):
        opened.append(os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else "descriptor")
root, paths = Path(sys.argv[1]), json.loads(sys.argv[2])
read_beneath(root, "images/ct.png", max_bytes=9)  # everything is imported now
sys.addaudithook(watch)
for path in paths:
    try:
        read_beneath(root, path, max_bytes=9)
    except RecordError as exc:
        assert exc.code == "image_path_outside_root", exc
    else:
        assert path == "images/ct.png"
print(json.dumps(opened))
"""


def opened(root: Path, paths: list[str]) -> list[str]:
    """Every name that is opened, in a process of its own: an audit hook cannot be taken away."""
    command = [sys.executable, "-c", WATCHED, str(root), json.dumps(paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def test_nothing_outside_is_opened(root: Path) -> None:
    assert opened(root, list(OUTSIDE)) == []


def test_the_watch_would_see_it(root: Path) -> None:
    # The root, a folder and a file are opened; the last is wrapped in a file object.
    assert opened(root, ["images/ct.png"]) == [os.path.realpath(root), "images", "ct.png", "descriptor"]


def test_what_is_not_there(root: Path) -> None:
    for path in ("images/mr.png", "nowhere/ct.png", "images/ct.png/deeper", "a" * 200):
        refused(root, path, "image_not_found", "there is no such file below the image root")
    refused(root / "not", "ct.png", "image_not_found", "there is no such file")


def test_a_folder_is_no_file(root: Path) -> None:
    for path in ("images", "album", ".", "images/..", "images/"):
        refused(root, path, "image_unreadable", "is a folder, not a file")


def test_a_pipe_or_a_socket_holds_up_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for path in ("pipe", "socket"):
            refused(root, path, "image_unreadable", "is a device, a pipe or a socket, not a file")


def test_a_device_is_no_file() -> None:
    refused(Path("/dev"), "zero", "image_unreadable", "is a device")


def test_a_link_that_leads_to_itself(root: Path) -> None:
    refused(root, "loop", "image_unreadable", "is a device, a pipe or a socket, not a file|cannot be read")


def test_a_name_that_the_system_refuses(root: Path) -> None:
    refused(root, "a" * 300, "image_unreadable", "cannot be read: File name too long")
    assert MAX_PATH >= 300


def test_no_more_bytes_than_allowed(root: Path) -> None:
    (root / "large").write_bytes(b"x" * 101)
    refused(root, "large", "image_too_large", "is 'large' of 101 bytes; at most 100 are read")
    assert read_beneath(root, "large", max_bytes=101) == b"x" * 101


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    # A file of /proc says that it has 0 bytes.
    refused(Path("/proc/self"), "status", "image_too_large", "of 101 bytes; at most 100")


def test_a_folder_swapped_for_a_link_meanwhile_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a race that is lost: the check is passed, and then `images` is another folder."""
    parts = beneath._parts

    def swap(*arguments: object) -> object:
        checked = parts(*arguments)  # type: ignore[arg-type]
        (root / "images").rename(root / "old")
        (root / "images").symlink_to(root.parent / "root-2")
        return checked

    (root / "images" / "secret").write_bytes(b"mine")
    monkeypatch.setattr(beneath, "_parts", swap)
    with pytest.raises(RecordError):
        read_beneath(root, "images/secret", max_bytes=100)


def test_a_file_swapped_for_a_link_meanwhile_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = beneath._refuse_special

    def swap(found: os.stat_result, path: str) -> None:
        checked(found, path)
        (root / "images" / "ct.png").unlink(missing_ok=True)
        (root / "images" / "ct.png").symlink_to(root.parent / "secret")

    monkeypatch.setattr(beneath, "_refuse_special", swap)
    refused(root, "images/ct.png", "image_unreadable", "cannot be read: Too many levels of symbolic links")
