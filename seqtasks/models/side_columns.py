"""Numbers and categories beside a sequence, as a vector that joins its summary."""

import keras

UNITS = 64  # of the layer in which columns and summary meet


def column_inputs(width: int) -> dict[str, keras.KerasTensor]:
    """The Keras input `columns` of encoded side columns.

    Args:
        width: its size; 0 if there are none.

    Returns:
        {"columns": Keras tensor (batch, width)}, or nothing.

    Example:
        >>> column_inputs(3)["columns"].shape, column_inputs(0)
        ((None, 3), {})
    """
    return {"columns": keras.Input((width,), name="columns")} if width else {}


def join_columns(
    summary: keras.KerasTensor, columns: keras.KerasTensor, dropout: float = 0.0, both_strands: bool = False,
    tag: str = "",
) -> keras.KerasTensor:  # fmt: skip
    """A summary with the columns beside it, and a hidden layer that sees both.

    A linear layer after it adds up what sequence and columns say; the hidden layer lets one decide what the other means.

    Args:
        summary: (batch, features).
        columns: (batch, width).
        dropout: rate of the hidden layer.
        both_strands: whether the batch of the summary is twice that of the columns.
        tag: ends the names of the layers.

    Returns:
        Keras tensor (batch, features + width + 64).

    Example:
        >>> join_columns(keras.Input((10,)), keras.Input((3,))).shape
        (None, 77)
    """
    if both_strands:
        columns = keras.layers.Concatenate(axis=0, name=f"columns_twice{tag}")([columns, columns])
    beside = keras.layers.Concatenate(name=f"beside{tag}")([summary, columns])
    hidden = keras.layers.Dense(UNITS, activation="relu", name=f"columns_hidden{tag}")(beside)
    if dropout:
        hidden = keras.layers.Dropout(dropout, name=f"columns_dropout{tag}")(hidden)
    return keras.layers.Concatenate(name=f"joined{tag}")([beside, hidden])
