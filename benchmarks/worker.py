"""What the two sides of the benchmark share: weights, pictures, and a loop that answers requests to run."""

import json
import math
import resource
import sys
import time
import zlib

import numpy as np

THREADS = 2


def random(shape, name="random"):
    """Standard normal float32, the same for the same name and shape."""
    rng = np.random.default_rng(zlib.crc32(f"{name}{shape}".encode()))
    return rng.standard_normal(shape).astype(np.float32)


def weights(shapes):
    """Weights by PyTorch name and shape, of a size that keeps activations near 1."""
    made = {}
    for name, shape in shapes.items():
        leaf = name.rsplit(".", 1)[-1]
        if leaf == "num_batches_tracked":
            made[name] = np.zeros((), np.int64)
        elif leaf == "running_var":
            made[name] = np.ones(shape, np.float32)
        elif len(shape) > 1:
            made[name] = random(shape, name) * np.float32(math.sqrt(2 / math.prod(shape[1:])))
        elif leaf == "weight":
            made[name] = np.full(shape, 0.2 if ".bn2" in name and "branches" in name else 0.8, np.float32)
        else:
            made[name] = 0.1 * random(shape, name)
    return made


def pictures(case):
    """Normalised pictures `(batch, height, width, 3)`."""
    return random((case["batch"], *case["size"], 3), "pictures")


def labels(case):
    """Class ids `(batch, height, width)`."""
    rng = np.random.default_rng(0)
    return rng.integers(0, case["outputs"], (case["batch"], *case["size"]))


class Contender:
    """One way of doing the work of a case."""

    def __init__(self, case, variant):
        self.case, self.variant = case, variant
        self.prepare()

    def prepare(self):
        raise NotImplementedError

    def step(self):
        raise NotImplementedError

    def output(self):
        raise NotImplementedError

    def peak(self):
        """The most memory that the process has used, in MiB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(kinds):
    """Answers one JSON request per line: prepare a contender, save its output, run it, ask it something, forget it."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    contenders = {}
    for line in sys.stdin:
        request = json.loads(line)
        action, name = request["action"], request.get("name")
        answer = {}
        if action == "prepare":
            case = request["case"]
            contenders[name] = kinds[case["kind"]](case, request["variant"])
        elif action == "output":
            np.save(request["path"], contenders[name].output())
        elif action == "run":
            times = []
            for _ in range(request["count"]):
                start = time.perf_counter()
                contenders[name].step()
                times.append(time.perf_counter() - start)
            answer["times"] = times
        elif action == "tell":
            answer["value"] = getattr(contenders[name], request["what"])()
        elif action == "forget":
            contenders.clear()
        print(json.dumps(answer), file=answers, flush=True)
