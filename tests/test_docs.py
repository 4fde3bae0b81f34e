"""The pages say what the code does."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_published_weights_is_up_to_date():
    assert script("make_zoo").table() in (ROOT / "docs" / "weights.md").read_text()


def test_the_table_of_nets_is_up_to_date():
    make = script("make_models")
    page = (ROOT / "docs" / "models.md").read_text()
    for head, width in (("seg, 19 classes", "W18SmallV1"), ("pose, 17 joints", "W32"), ("V2p, the pyramid", "W18")):
        assert make.row(head, width) in page
    assert page.count("\n| W") == len(make.HEADS) * len(make.ARCHITECTURES)
