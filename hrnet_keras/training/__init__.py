"""A recipe -> a trained model: `tf.data` into `model.fit` under a strategy, with scores, checkpoints and resuming.

| file | what it does |
|---|---|
| `run.py` | `train`: one run from start to end |
| `assemble.py` | makes data, model, objective, optimizer and stream out of a recipe |
| `loop.py` | `fit` under strategy and precision, from the state of a run on |
| `callbacks.py`, `statistics.py` | what happens between epochs |
| `naming.py` | whether recipe, splits and first weights mean the same classes or points |
| `output.py` | the folder of a run and its states |
"""

from hrnet_keras.training.run import train as train
