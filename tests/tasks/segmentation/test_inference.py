"""Pictures of any size through models of dynamic and of fixed input size."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.tasks.segmentation.inference import answerer


@pytest.mark.parametrize("size", [(61, 75), (32, 100)])
def test_dynamic_model_answers_at_the_pictures_size(size):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = answerer(model, scores=True)(image)
    logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    assert found["label_map"].shape == found["scores"].shape == size
    top = np.sort(logits, -1)
    sure = top[..., -1] - top[..., -2] > 1e-4 * logits.std()
    np.testing.assert_array_equal(found["label_map"][sure], logits.argmax(-1)[sure])


def test_fixed_model_is_shown_the_picture_resized():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, input_shape=(32, 64, 3))
    found = answerer(model)(np.zeros((50, 70, 3), np.uint8))
    assert found["label_map"].shape == (50, 70)


def test_a_model_of_output_stride_4_is_refused():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, output_stride=4, input_shape=(32, 64, 3))
    with pytest.raises(ValueError, match="output_stride=1"):
        answerer(model)
