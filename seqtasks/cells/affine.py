"""The one operation that all cells are made of: x W + b."""

import tensorflow as tf


def affine(inputs, kernel, bias=None):
    """``x W + b`` over any number of leading axes, as one matrix product, and as one each for its gradients.

    TensorFlow takes a product of a (time, batch, features) tensor with a matrix for `time` small products, and sums as
    many gradients of the matrix; flattening the leading axes first is several times faster.

    Args:
        inputs: (..., features).
        kernel: (features, outputs).
        bias: (outputs,), or None.

    Returns:
        (..., outputs).

    Example:
        >>> affine(tf.ones((2, 3, 4)), tf.ones((4, 5)), tf.ones(5))[0, 0].numpy().tolist()
        [5.0, 5.0, 5.0, 5.0, 5.0]
    """
    inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
    bias = () if bias is None else (tf.convert_to_tensor(bias),)
    leading = tf.shape(inputs)[:-1]

    @tf.custom_gradient
    def product(rows, kernel, *bias):
        outputs = tf.matmul(rows, kernel)
        if bias:
            outputs = tf.nn.bias_add(outputs, bias[0])

        def gradient(upstream):
            into = [tf.matmul(upstream, kernel, transpose_b=True), outer(rows, upstream)]
            return into + [column_sums(upstream)] * len(bias)

        return outputs, gradient

    outputs = product(tf.reshape(inputs, (-1, inputs.shape[-1])), kernel, *bias)
    if len(inputs.shape) == 2:
        return outputs
    outputs = tf.reshape(outputs, tf.concat([leading, [kernel.shape[-1]]], 0))
    return tf.ensure_shape(outputs, [*inputs.shape[:-1], kernel.shape[-1]])


def staggered(kernel):
    """A matrix for many small products: where its rows lie a multiple of a kilobyte apart, with columns of zeros more.

    Such rows share a few places of the processor's first cache and drive one another out: a product of 16 vectors with
    256 x 1024 weights takes 1.6 times as long as one with 256 x 1040. What is too much of the result is cut off.

    Example:
        >>> staggered(tf.ones((2, 256))).shape, staggered(tf.ones((2, 200))).shape
        (TensorShape([2, 272]), TensorShape([2, 200]))
    """
    clear = len(kernel.shape) == 3 or kernel.shape[-1] % 256
    return kernel if clear else tf.pad(kernel, [[0, 0], [0, 16]])


def outer(rows, others):
    """The sum of the outer products of each row with the other in its place.

    Args:
        rows: (number, n).
        others: (number, m).

    Returns:
        (n, m).

    Example:
        >>> outer(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.0], [10.0]])).numpy().tolist()
        [[31.0], [42.0]]
    """
    return tf.matmul(rows, staggered(others), transpose_a=True)[:, : others.shape[-1]]


def rowwise(vectors, matrices):
    """The product of each vector with a matrix of its own.

    Args:
        vectors: (rows, features).
        matrices: (batch, features, outputs); where there are several rows for each matrix, they are neighbours.

    Returns:
        (rows, outputs).

    Example:
        >>> rowwise(tf.ones((4, 3)), tf.ones((2, 3, 5))).shape
        TensorShape([4, 5])
    """
    batch, features, outputs = tf.unstack(tf.shape(matrices))
    products = tf.matmul(tf.reshape(vectors, (batch, -1, features)), matrices)
    return tf.ensure_shape(tf.reshape(products, (-1, outputs)), (vectors.shape[0], matrices.shape[-1]))


def column_sums(rows):
    """The sum over the rows of a matrix: as a product with ones it takes a third of the time of `tf.reduce_sum`.

    Example:
        >>> column_sums(tf.constant([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [4.0, 6.0]
    """
    return tf.matmul(tf.ones((1, tf.shape(rows)[0]), rows.dtype), rows)[0]
