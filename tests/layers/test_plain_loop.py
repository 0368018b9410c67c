"""The loop for converters computes what the usual one does."""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells import CELLS
from seqtasks.layers import RNN, Bidirectional, LogMel, plain_loop


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_in_both_directions_with_a_mask(name, rng):
    layer = Bidirectional(RNN(CELLS[name](4), return_sequences=True))
    x, mask = rng.normal(size=(3, 6, 5)).astype("float32"), np.arange(6) < np.array([[6], [2], [1]])
    expected = layer(x, mask=mask)
    with plain_loop.plain_loops():
        found = layer(x, mask=mask)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.slow
def test_every_cell_converts(name, rng, tmp_path):
    import tf2onnx
    from onnxruntime import InferenceSession

    layer = RNN(CELLS[name](4), return_sequences=True)
    x = rng.normal(size=(3, 6, 5)).astype("float32")
    expected = layer(x)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 5), name="x")], autograph=False)
    def network(x):
        with plain_loop.plain_loops():
            return layer(x)

    path = str(tmp_path / "model.onnx")
    tf2onnx.convert.from_function(network, network.input_signature, opset=18, output_path=path)
    np.testing.assert_allclose(InferenceSession(path).run(None, {"x": x})[0], expected, atol=1e-5)


def test_the_spectrum_without_a_transform(rng):
    layer, waveforms = LogMel(8000), rng.normal(size=(2, 3000)).astype("float32")
    inputs = [waveforms, np.array([3000, 1000])]
    with plain_loop.plain_loops():
        found = layer(inputs)
    np.testing.assert_allclose(found, layer(inputs), atol=1e-4)


def test_outside_the_context_nothing_has_changed():
    with pytest.raises(RuntimeError), plain_loop.plain_loops():
        assert plain_loop.is_converting()
        raise RuntimeError
    assert not plain_loop.is_converting()
