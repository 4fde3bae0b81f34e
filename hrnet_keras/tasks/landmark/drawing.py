"""Points of faces over their picture."""

from hrnet_keras.tasks.keypoints.drawing import draw as draw
