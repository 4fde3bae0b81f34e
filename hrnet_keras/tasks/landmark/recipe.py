"""What a recipe may say of facial landmarks: what it may say of points."""

from hrnet_keras.tasks.keypoints.recipe import KeypointAugment as Augment, KeypointLoss as Loss

__all__ = ["Augment", "Loss"]
