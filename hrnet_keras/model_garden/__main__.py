"""Model Garden's training command, which knows our experiments: `python -m hrnet_keras.model_garden --help`."""

from absl import app
from official.common import flags
from official.vision import train

flags.define_flags()
app.run(train.main)
