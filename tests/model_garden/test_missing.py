"""Without Model Garden its module says what it needs."""

import importlib.util

import pytest


@pytest.mark.skipif(importlib.util.find_spec("official") is not None, reason="tf-models-official is there")
def test_what_is_missing_is_named():
    with pytest.raises(ImportError, match=r"hrnet_keras\.model_garden needs pip install 'hrnet-keras\[detection\]'"):
        import hrnet_keras.model_garden  # noqa: F401
