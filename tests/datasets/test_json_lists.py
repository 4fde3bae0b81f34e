"""Lists of a json by their entries, beside Python's json on random files."""

import json
import random

import pytest

from hrnet_keras.datasets import DataError, json_lists
from hrnet_keras.datasets.json_lists import JsonFile, Members

WORDS = ('a"b', "\\", '\\"', "[", "]}", "{", "日本", "\n", "", "|", '"]', "\\\\", "a\\/b", "é")


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 5 else 5)
    if kind == 0:
        return rng.choice(WORDS) + rng.choice(WORDS)
    if kind < 5:
        return rng.choice([None, True, False, 0, -1.5e-7, 12345678901234567890, rng.random()])
    if kind < 7:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return random_object(rng, depth)


def random_object(rng, depth=0):
    return {rng.choice(WORDS) + str(i): random_value(rng, depth + 1) for i in range(rng.randrange(4))}


def without_depth(value, depth=1):
    """What `Entries.values` keep: lists and objects below an entry's own are empty."""
    if depth > 2 and isinstance(value, list | dict):
        return type(value)()
    if isinstance(value, list):
        return [without_depth(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key: without_depth(one, depth + 1) for key, one in value.items()}
    return value


def random_text(rng, whole):
    """A json with white space anywhere between its words, and escapes or not."""
    text = json.dumps(whole, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 0, 3]),
                      separators=rng.choice([(",", ":"), (" , ", "\t:\r\n ")]))  # fmt: skip
    return rng.choice(["", " \n"]) + text + rng.choice(["", "\n"])


@pytest.mark.parametrize("part", [1, 7, 64, 1 << 20])
def test_random_files(tmp_path, monkeypatch, part):
    monkeypatch.setattr(json_lists, "PART", part)
    monkeypatch.setattr(json_lists, "WINDOW", max(part, 3))
    rng = random.Random(part)
    for i in range(60):
        whole = {f"{rng.choice(WORDS)}{j}": random_value(rng) for j in range(rng.randrange(4))}
        lists = {f"list{j}": [random_object(rng) for _ in range(rng.randrange(6))] for j in range(rng.randrange(3))}
        keys = [*whole, *lists]
        rng.shuffle(keys)
        whole = {key: (whole | lists)[key] for key in keys}
        path = tmp_path / f"{i}.json"
        encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        path.write_text(random_text(rng, whole), encoding=encoding)
        assert read_back(path, lists, rng.random() < 0.5) == list(whole), path.read_text(encoding)
        for key, value in lists.items():
            assert entries_of(path, key) == value


def read_back(path, lists, skips):
    """The keys of a file, whose values are compared with those of Python's json, or passed over."""
    with open(path, "rb") as stream:
        whole = json.load(stream)
    members = Members(JsonFile(path))
    keys = []
    for key in members:
        keys.append(key)
        if skips:
            continue
        if key in lists:
            values = [value for entries in members.entries() for value in entries.values]
            assert values == [without_depth(entry) for entry in whole[key]]
        else:
            assert members.value() == whole[key]
    return keys


def entries_of(path, wanted):
    """The entries of a list as the ranges of bytes say them."""
    file = JsonFile(path)
    members = Members(file)
    for key in members:
        if key == wanted:
            pairs = [pair for entries in members.entries() for pair in zip(entries.begins, entries.ends, strict=True)]
            return [file.parsed(text) for text in file.ranges(pairs)]
    return None


def walk(path):
    members = Members(JsonFile(path))
    return [
        [value for entries in members.entries() for value in entries.values] if key == "list" else members.value()
        for key in members
    ]


@pytest.mark.parametrize("part", [1, 8, 1 << 20])
def test_broken_files(tmp_path, monkeypatch, part):
    """What Python's json refuses is refused, unless it lies too deep; nothing else is, but lists of other things."""
    monkeypatch.setattr(json_lists, "PART", part)
    good = '{"a": [1, "x"], "list": [{"b": [[1, 2], {"c": "]"}]}, {"d": -1e5}, {}], "e": {"f": null}} '
    path = tmp_path / "a.json"
    rng = random.Random(part)
    texts = [good[:length] for length in range(len(good) - 1)]
    for _ in range(400):
        place = rng.randrange(len(good))
        texts.append(good[:place] + rng.choice(['"', ",", "{", "}", "[", "]", "1", ":", "\\", ""]) + good[place + 1 :])
    for text in texts:
        path.write_text(text)
        try:
            whole = json.loads(text)
            is_good = isinstance(whole, dict) and all(isinstance(one, dict) for one in whole.get("list", []))
        except ValueError:
            is_good = False
        if is_good:
            assert walk(path) is not None, text
            continue
        try:
            walk(path)
        except DataError as error:
            assert str(path) in str(error)
            continue
        assert "[[" in text and broken_in_the_depth(text), text


def broken_in_the_depth(text):
    """Whether what is wrong stands where nobody looked: inside a list or object inside a list of an entry."""
    for inside in ("[1, 2]", '{"c": "]"}'):
        begin = good_begin(text, inside)
        if begin is not None:
            return True
    return False


def good_begin(text, inside):
    for length in range(len(inside) + 2):
        for begin in range(len(text)):
            candidate = text[:begin] + inside + text[begin + length :]
            try:
                json.loads(candidate)
                return begin
            except ValueError:
                continue
    return None


def test_what_is_said(tmp_path):
    with pytest.raises(DataError, match=r"b.json: no such file: unpack it"):
        JsonFile(tmp_path / "b.json", "unpack it")
    path = tmp_path / "a.json"
    path.write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 text"):
        walk(path)
    path.write_text('{"list": [1, {}]}')
    with pytest.raises(DataError, match="something else than objects"):
        walk(path)
    path.write_text('{"list": [{}, 1]}')
    with pytest.raises(DataError, match="', 1' after the last object of a list"):
        walk(path)
    path.write_text("[]")
    with pytest.raises(DataError, match=r"'\[' at byte 0, expected '{'"):
        walk(path)
