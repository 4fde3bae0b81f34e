"""Damaged and hostile files: an error that names the file, or the right tensors; nothing runs, memory stays small."""

import json
import subprocess
import sys
from pathlib import Path


def test_twenty_five_thousand_damaged_files_and_the_classic_attacks(tmp_path):
    command = [sys.executable, "-m", "tests.checkpoints.fuzz", tmp_path, "25000"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout)
    assert counts["mutations read"] + counts["mutations refused"] == 25_000
    assert counts["mutations read"] > 500  # damage where nothing depends on it, so both ways out are tried
    assert counts["payloads refused"] > 100 and "payloads read" not in counts
    assert not list(tmp_path.rglob("pwned"))
