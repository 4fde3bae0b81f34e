"""Points of persons over their picture."""

from hrnet_keras.tasks.keypoints.drawing import draw as draw
