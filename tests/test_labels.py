"""The file of labels: whole lines whatever happens, and what is not ours stays as it is."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest
from label_kit import read_rows

from judge.errors import ConfigError
from judge.label.label import Label, Place, Question
from judge.label.labels import open_labels

OTHERS = b'{"record_id":"r1",  "axis":"perception","unit_id":"P1","rater":"ben","presence":0}\n'
NOTE = b'{"record_id":"r1","axis":"care","unit_id":"C1","rater":"ann","note":"kept"}\n'


def label(unit_id="P1", presence=2, correctness=1, **fields):
    given = {"record_id": "r1", "model": "m", "axis": "perception", "unit_id": unit_id, "rater": "ann", **fields}
    return Label(presence=presence, correctness=correctness, **given)


def test_a_label_is_a_line_and_a_change_stays_in_its_place(tmp_path):
    path = tmp_path / "labels.jsonl"
    with open_labels(path, "ann") as file:
        for unit_id in ("P1", "P2", "P3"):
            file.put(label(unit_id))
        file.put(label("P2", presence=0, correctness=None))
    assert [(row["unit_id"], row["presence"], row["correctness"]) for row in read_rows(path)] == [
        ("P1", 2, 1),
        ("P2", 0, None),
        ("P3", 2, 1),
    ]
    assert set(read_rows(path)[0]) >= {"record_id", "axis", "unit_id", "rater", "model", "presence", "correctness"}


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path):
    path = tmp_path / "labels.jsonl"
    with open_labels(path, "ann") as file:
        file.put(label("P1", record_key="k"))
        file.put(label("P2"))
        file.remove(label("P2").place)
        file.remove(Place("r1", "m", "perception", "P9"))  # never there
    with open_labels(path, "ann") as file:
        assert list(file.labels.values()) == [label("P1", record_key="k")]
        asked = Question(label("P1").place, "presence")
        assert file.of(asked, "k") == label("P1", record_key="k")
        assert file.of(asked, "another record") is None
        assert file.of(asked._replace(answer="verdict"), "k") is None


@pytest.mark.parametrize(("answer", "given"), [("verdict", "UNMET"), ("value", 0)])
def test_a_verdict_and_a_value_are_labels_too(tmp_path, answer, given):
    path = tmp_path / "labels.jsonl"
    fields = {"record_id": "r1", "axis": "care", "unit_id": "C1", "rater": "ann"}
    with open_labels(path, "ann") as file:
        file.put(Label(**fields, **{answer: given}))
    assert {"presence", "correctness", "verdict", "value"} & set(read_rows(path)[0]) == {answer}
    with open_labels(path, "ann") as file:
        asked = Question(Place("r1", None, "care", "C1"), answer, (0, 1) if answer == "value" else ())
        assert getattr(file.of(asked, "k"), answer) == given
        file.put(Label(**fields, **{answer: given}, evidence="here", evidence_start=0, evidence_end=4))
    assert [row["evidence"] for row in read_rows(path)] == ["here"]  # in the place of the first


def test_lines_of_others_and_of_something_else_stay_byte_for_byte(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(OTHERS + b"\n" + NOTE[:-1])  # a blank line, and no end of line at the end
    with open_labels(path, "ann") as file:
        assert file.labels == {}
        file.put(label())
    assert path.read_bytes().startswith(OTHERS + NOTE)
    assert len(read_rows(path)) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"trace": "t", "units": {}}', r"line 2: is no label: it must be an object with the texts record_id, axis"),
        (b'{"record_id": "r1", "axis": "p"', r"line 2: .*Correct or remove that line"),
        (b"PAR1\x15\x04\x15", r"line 2: "),
        (OTHERS.replace(b'"ben"', b'"ann"').replace(b":0", b":3"), r"line 2: presence: Input should be 0, 1 or 2"),
        (OTHERS.replace(b'"ben"', b'"ann"').replace(b":0", b":1"), r"line 2: correctness must be -1, 0 or 1 where"),
        (OTHERS.replace(b'"ben"', b'"ann"').replace(b"0}", b'0, "value": 1}'), r"line 2: a label has one of presence"),
        (OTHERS.replace(b'"ben"', b'"ann"').replace(b":0", b":null"), r"line 2: a label has one of presence, verdict"),
        (
            OTHERS.replace(b'"ben"', b'"ann"').replace(b'"presence":0', b'"verdict":"MET","correctness":1'),
            r"line 2: correctness must be .* null where it is not",
        ),
    ],
    ids=["a trace", "cut off", "parquet", "presence 3", "no correctness", "two answers", "no answer", "too much"],
)
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path, line, message):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(OTHERS + line.strip() + b"\n")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=message), open_labels(path, "ann"):
        pass
    assert path.read_bytes() == before


def test_two_labels_of_one_unit_are_refused(tmp_path):
    path = tmp_path / "labels.jsonl"
    own = OTHERS.replace(b'"ben"', b'"ann"')
    path.write_bytes(own + own.replace(b'"axis"', b'"model":null,"axis"'))
    with pytest.raises(ConfigError, match=r"line 2: is the second label of 'P1' in 'r1'"), open_labels(path, "ann"):
        pass


def test_a_file_has_one_writer_at_a_time(tmp_path):
    path = tmp_path / "labels.jsonl"
    with open_labels(path, "ann") as file:
        for _ in range(2):  # also once the file has been replaced
            with pytest.raises(ConfigError, match="is in use by another judge label"), open_labels(path, "ben"):
                pass
            file.put(label())
    with open_labels(path, "ben") as file:
        assert file.labels == {}


def test_what_another_program_wrote_meanwhile_is_not_lost(tmp_path):
    path = tmp_path / "labels.jsonl"
    with open_labels(path, "ann") as file:
        file.put(label("P1"))
        with path.open("ab") as other:
            other.write(OTHERS)
        with pytest.raises(ConfigError, match="was changed by another program"):
            file.put(label("P2"))
        assert label("P2").place not in file.labels
    assert [row["rater"] for row in read_rows(path)] == ["ann", "ben"]


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "labels.jsonl"
    with open_labels(path, "ann") as file:
        file.put(label("P1"))
        before = path.read_bytes()

        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                file.put(label("P2"))
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
        assert label("P2").place not in file.labels
        file.put(label("P2"))  # the lock and the state are those of the file that is there
    assert [row["unit_id"] for row in read_rows(path)] == ["P1", "P2"]


def test_mode_and_link_of_the_file_stay(tmp_path):
    (tmp_path / "kept").mkdir()
    target, link = tmp_path / "kept" / "labels.jsonl", tmp_path / "labels.jsonl"
    target.touch(mode=0o600)
    link.symlink_to(target)
    with open_labels(link, "ann") as file:
        file.put(label())
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert len(read_rows(target)) == 1


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with (
        pytest.raises(ConfigError, match=r"--out .*none/labels.jsonl: No such file or directory"),
        open_labels(tmp_path / "none" / "labels.jsonl", "ann"),
    ):
        pass


# Writes labels for ever, the n-th with a quote of n hundred letters, and says before each which one is under way.
_WRITER = """
import sys
from pathlib import Path
from judge.label.label import Label
from judge.label.labels import open_labels
with open_labels(Path(sys.argv[1]), "ann") as file:
    for n in range(1, 10**6):
        print(n, flush=True)
        file.put(Label(record_id=str(n), axis="a", unit_id="u", rater="ann", presence=0, evidence="x" * 100 * n))
"""


def test_a_process_that_is_killed_leaves_whole_lines_and_every_label_that_was_written(tmp_path):
    path = tmp_path / "labels.jsonl"
    for wanted in (5, 17, 30):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        with process:
            while int(process.stdout.readline()) < wanted:
                pass
            process.send_signal(signal.SIGKILL)
            under_way = max([wanted, *map(int, process.stdout.read().split())])
        rows = read_rows(path)
        assert [row["record_id"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
        assert under_way - 1 <= len(rows) <= under_way
    half = tmp_path / f".labels.jsonl.{'0' * 32}"
    half.write_text("half a")
    other = tmp_path / ".labels.jsonl.swp"
    other.touch()
    with open_labels(path, "ann") as file:
        assert len(file.labels) == len(rows)
    assert not half.exists()
    assert other.exists()


def test_a_reader_sees_whole_lines_while_labels_are_written(tmp_path):
    path = tmp_path / "labels.jsonl"
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    with process:
        process.stdout.readline()
        seen = 0
        while seen < 20:
            content = path.read_bytes()
            assert content == b"" or content.endswith(b"\n")
            counted = len([json.loads(line) for line in content.splitlines()])
            assert counted >= seen
            seen = counted
        process.kill()
