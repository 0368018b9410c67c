"""The operation that all cells are made of: x W + b."""

from collections.abc import Callable

import tensorflow as tf

CACHE_COLUMNS = 256  # columns of float32 in a kilobyte: see `pad_columns`
PADDING = 16  # columns of zeros that `pad_columns` adds


def affine(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    """``x W + b`` over any number of leading axes: one matrix product, and one for each gradient.

    TensorFlow computes the product of a (time, batch, features) tensor with a matrix as `time` small products, and sums
    as many gradients of the matrix. Flattening the leading axes first is several times faster.

    Args:
        inputs: (..., features); integers become numbers of the kernel's type.
        kernel: (features, outputs).
        bias: (outputs,), or None.

    Returns:
        (..., outputs).

    Example:
        >>> affine(tf.ones((2, 3, 4)), tf.ones((4, 5)), tf.ones(5))[0, 0].numpy().tolist()
        [5.0, 5.0, 5.0, 5.0, 5.0]
    """
    inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
    inputs = inputs if inputs.dtype.is_floating else tf.cast(inputs, kernel.dtype)
    biases = () if bias is None else (tf.convert_to_tensor(bias),)
    leading = tf.shape(inputs)[:-1]

    @tf.custom_gradient
    def product(rows: tf.Tensor, kernel: tf.Tensor, *bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        outputs = tf.matmul(rows, kernel)
        if bias:
            outputs = tf.nn.bias_add(outputs, bias[0])

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            grads = [tf.matmul(upstream, kernel, transpose_b=True), sum_of_outer_products(rows, upstream)]
            return grads + [column_sums(upstream)] * len(bias)

        return outputs, gradient

    outputs = product(tf.reshape(inputs, (-1, inputs.shape[-1])), kernel, *biases)
    if len(inputs.shape) == 2:
        return outputs
    outputs = tf.reshape(outputs, tf.concat([leading, [kernel.shape[-1]]], 0))
    outputs.set_shape([*inputs.shape[:-1], kernel.shape[-1]])  # converters know no operation for it
    return outputs


def pad_columns(kernel: tf.Tensor) -> tf.Tensor:
    """Adds columns of zeros to a matrix whose rows are a multiple of a kilobyte long, for many small products.

    Such rows share a few sets of the processor's first-level cache and evict one another: a product of 16 vectors with
    256 x 1024 weights takes 1.6 times as long as one with 256 x 1040. The caller cuts the additional columns off the
    result.

    Args:
        kernel: (rows, columns), or (batch, rows, columns), which is returned as it is.

    Returns:
        (rows, columns + 16) if the number of columns is a multiple of 256, else `kernel`.

    Example:
        >>> pad_columns(tf.ones((2, 256))).shape, pad_columns(tf.ones((2, 200))).shape
        (TensorShape([2, 272]), TensorShape([2, 200]))
    """
    no_conflict = len(kernel.shape) == 3 or kernel.shape[-1] % CACHE_COLUMNS
    return kernel if no_conflict else tf.pad(kernel, [[0, 0], [0, PADDING]])


def sum_of_outer_products(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The sum over i of the outer product of row i with row i of `others`.

    Args:
        rows: (number, n).
        others: (number, m).

    Returns:
        (n, m).

    Example:
        >>> rows, others = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.0], [10.0]])
        >>> sum_of_outer_products(rows, others).numpy().tolist()
        [[31.0], [42.0]]
    """
    return tf.matmul(rows, pad_columns(others), transpose_a=True)[:, : others.shape[-1]]


def rowwise(vectors: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """The product of each vector with a matrix of its own.

    Args:
        vectors: (rows, features).
        matrices: (batch, features, outputs). If `rows` is a multiple of `batch`, neighbouring rows share a matrix.

    Returns:
        (rows, outputs).

    Example:
        >>> rowwise(tf.ones((4, 3)), tf.ones((2, 3, 5))).shape
        TensorShape([4, 5])
    """
    batch, features, outputs = tf.unstack(tf.shape(matrices))
    products = tf.matmul(tf.reshape(vectors, (batch, -1, features)), matrices)
    products = tf.reshape(products, (-1, outputs))
    products.set_shape((vectors.shape[0], matrices.shape[-1]))
    return products


def column_sums(rows: tf.Tensor) -> tf.Tensor:
    """The sum over the rows of a matrix. As a product with ones it takes a third of the time of `tf.reduce_sum`.

    Args:
        rows: (number, columns).

    Returns:
        (columns,).

    Example:
        >>> column_sums(tf.constant([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [4.0, 6.0]
    """
    return tf.matmul(tf.ones((1, tf.shape(rows)[0]), rows.dtype), rows)[0]
