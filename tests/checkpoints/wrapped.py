"""What `make_wrapped_files.py` saves, and what is right of it."""

from pathlib import Path

FILE = Path(__file__).parent / "files" / "wrapped.tar.xz"
RIGHT, WRONG = 1.0, 2.0  # the numbers of the net that is meant, and of others in the file
SEG_NAMES = ("conv1.weight", "bn1.weight", "stage2.0.branches.0.0.conv1.weight", "stage4.0.fuse_layers.0.1.0.weight",
             "last_layer.3.weight")  # fmt: skip

# The files that are refused, and what is said.
REFUSED = {
    "two_nets.pth": r"holds 2 nets: 'generator' \(6 tensors\) and 'discriminator' \(6 tensors\).*state='generator'",
    "student_teacher.pth": r"'state_dict.student' \(6 tensors\) and 'state_dict.teacher' \(6 tensors\).*--state sta",
    "whole_module.pth": r"a whole module was saved.*torch\.save\(model\.state_dict\(\), 'weights\.pth'\)",
    "own_module.pth": r"names 'lib\.models\.cls_hrnet\.HighResolutionNet'.*torch\.save\(model\.state_dict\(\), 'wei",
    "partial.pth": r"names 'functools\.partial'.*refused",
    "optimizer_alone.pth": "expected a dict of tensors, found a dict without any",
    "script.pt": r"a TorchScript program.*torch\.save\(torch\.jit\.load\(path\)\.state_dict\(\)",
    "python_pickle.pkl": r"a pickle of Python's own.*torch\.save\(model\.state_dict\(\)",
    "pointer.pth": "a pointer of Git LFS.*git lfs pull",
    "page.pth": "this is a web page",
    "model.safetensors.index.json": "the index of a checkpoint in parts",
}
# Nets in files that hold others too: `(file, state asked for) -> (key of the net, its number)`.
CHOSEN = {
    ("ema.pth", None): ("state_dict", RIGHT),
    ("ema.pth", "state_dict_ema"): ("state_dict_ema", WRONG),
    ("model_ema.pth", None): ("model", RIGHT),
    ("model_ema.pth", "model_ema"): ("model_ema", WRONG),
    ("params_ema.pth", None): ("params", RIGHT),
    ("params_ema.pth", "params_ema"): ("params_ema", WRONG),
    ("two_nets.pth", "discriminator"): ("discriminator", WRONG),
    ("student_teacher.pth", "teacher"): ("state_dict.teacher", WRONG),
    ("student_teacher.pth", "state_dict.student"): ("state_dict.student", RIGHT),
}
# Files whose net is no official one for segmentation.
OTHERS = {
    "mmseg.pth": ("mmseg", "seg"), "parts.pth": ("official", None), "features_incre.pth": ("official", None),
    "features_trunk.pth": ("official", None),
}  # fmt: skip
