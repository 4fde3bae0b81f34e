"""Files of Keras are readable wherever this package is imported, and `hk.load` opens whatever holds a whole model."""

import ast
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.layers import BatchNormalization, Conv2D, ModelInfoLayer
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.optimizers import PolySchedule, TorchSGD
from hrnet_keras.tasks.segmentation.losses import CrossEntropy

ROOT = Path(__file__).parent.parent


def run(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


def decorated_classes():
    """Names of the classes in the package's sources that are meant for Keras's files."""
    for file in (ROOT / "hrnet_keras").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and "register_keras_serializable" in map_names(node.decorator_list):
                yield node.name


def map_names(decorators):
    calls = [one.func for one in decorators if isinstance(one, ast.Call)]
    return [function.attr for function in calls if isinstance(function, ast.Attribute)]


@pytest.mark.parametrize("imports", ["import hrnet_keras, keras", "import keras, hrnet_keras"])
def test_keras_knows_every_class_as_soon_as_the_package_is_imported(imports):
    known = run(f"{imports}; print(*keras.saving.get_custom_objects())")
    expected = {f"hrnet_keras>{name}" for name in decorated_classes()}
    assert len(expected) > 15
    assert expected <= set(known)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file with its training's state: optimizer, schedule and loss are classes of this package."""
    image = keras.Input((16, 16, 3))
    x = BatchNormalization(name="bn1")(Conv2D(4, 3, name="conv1")(image))
    model = keras.Model(image, ModelInfoLayer({"task": "seg", "num_classes": 4})(x))
    model.compile(TorchSGD(PolySchedule(0.1, 10), 0.9), CrossEntropy(ignore_label=255))
    model.fit(np.ones((4, 16, 16, 3), "float32"), np.ones((4, 16, 16), "uint8"), batch_size=2, verbose=0)
    file = tmp_path_factory.mktemp("trained") / "last.keras"
    model.save(file)
    return file


@pytest.mark.parametrize(
    "imports", ["import hrnet_keras, keras", "import keras, hrnet_keras", "import tensorflow, hrnet_keras, keras"]
)
def test_keras_reads_our_files_with_their_training(trained, imports):
    code = f"""{imports}, sys, numpy as np
model = keras.saving.load_model(sys.argv[1])
model.fit(np.ones((2, 16, 16, 3), "float32"), np.ones((2, 16, 16), "uint8"), verbose=0)
print(type(model.optimizer).__name__, type(model.loss).__name__, int(model.optimizer.iterations))"""
    assert run(code, trained) == ["TorchSGD", "CrossEntropy", "3"]


def test_load_opens_keras_files_and_checkpoints(tmp_path):
    model = hk.HRNetV2W18SmallV1(task="cls", num_classes=3)
    model.save(tmp_path / "net.keras")
    hk.save_torch_weights(model, tmp_path / "net.safetensors")
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype("float32")
    for name in ("net.keras", "net.safetensors"):
        np.testing.assert_allclose(hk.load(tmp_path / name)(picture), model(picture), rtol=1e-5, atol=1e-6)


def test_what_holds_no_model_is_named(tmp_path):
    (tmp_path / "cut.keras").write_bytes(b"PK\x03\x04")
    for name in ("cut.keras", "absent.keras", "no-such-name"):
        with pytest.raises(ValueError, match=name):
            hk.load(tmp_path / name)


def test_files_of_the_first_version_are_read(tmp_path):
    """The street net was written when the last layer was called `Answer` and the one before mixed `MixingConv2D`."""
    folder = ROOT / "saved_models" / "camvid_hrnetv2_w18_small_v1"
    model = hk.load(folder / "model.keras")
    info = info_of(model)
    assert (info.task, info.data, info.class_names[0]) == ("seg", "camvid", "sky")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    ours, served = (hk.predict(net, image)[0].label_map for net in (model, folder))
    assert (ours == served).mean() > 0.97  # the former computes in bfloat16, as it was trained
    model.save_weights(tmp_path / "net.weights.h5")
    with h5py.File(tmp_path / "net.weights.h5") as file:
        assert "mixing_conv2d" in file["layers"]  # where files of all versions have these weights


@pytest.mark.parametrize("first", ["layers", "backbone", "tasks.segmentation.losses", "builders"])
def test_any_module_can_be_the_first_import(first):
    known = run(f"import hrnet_keras.{first}, wave, keras; print(*keras.saving.get_custom_objects())")
    assert {f"hrnet_keras>{name}" for name in decorated_classes()} <= set(known)
