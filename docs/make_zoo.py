"""Writes the table of published weights in docs/weights.md from the package's own list.

python docs/make_zoo.py
"""

from pathlib import Path

from hrnet_keras.checkpoints.zoo import list_weights

PAGE = Path(__file__).parent / "weights.md"
START, END = "<!-- zoo -->", "<!-- /zoo -->"


def row(entry):
    """One line of the table."""
    score = ", ".join(f"{key} {value:g}" for key, value in entry["score"].items())
    note = f" ({entry['note']})" if entry["note"] else ""
    where = f"[file]({entry['url']})" if entry["url"] else f"[by hand]({entry['page']})"
    word = " ".join(f'`"{word}"`' for word in entry["aliases"])
    net = f"{entry['representation']} {entry['width']}" + (f" {entry['head']}" if entry["head"] else "")
    framework = f" {entry['framework']}" if entry["framework"] else ""
    task = f"{entry['task'] or 'trunk'}{framework}"
    cells = [f"`{entry['name']}`", word, task, net, entry["lineage"], entry["data"], score + note, where]
    return f"| {' | '.join(cells)} |"


def table():
    """The whole table."""
    lines = ["| name | word | task | net | lineage | data | score | from |", "|---|---|---|---|---|---|---|---|"]
    return "\n".join(lines + [row(entry) for entry in list_weights()])


if __name__ == "__main__":
    text = PAGE.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{START}\n{table()}\n{END}{after}")
