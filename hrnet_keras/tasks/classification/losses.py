"""The objective of classification: plain cross entropy, as in every official recipe."""

import keras


def objective(model, info, train, *, align_corners=False):
    """What `model.fit` is to minimise: the model itself, its loss, and no weights of losses.

    Args:
        model: a classification model.
        info, train, align_corners: as for other tasks; they change nothing here.

    Raises:
        ValueError: the recipe asks for another loss.
    """
    del info, align_corners
    if train.loss not in (None, "cross_entropy"):
        raise ValueError(f"train.loss={train.loss!r}: classification is trained on 'cross_entropy'")
    return model, keras.losses.SparseCategoricalCrossentropy(from_logits=True), None
