"""Numbers and categories beside a sequence, as a vector that joins its summary."""

import keras

UNITS = 32  # of the columns and of the summary where they meet


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
    summary: keras.KerasTensor, columns: keras.KerasTensor, both_strands: bool = False, tag: str = ""
) -> keras.KerasTensor:
    """A summary with the columns beside it, and a hidden layer that sees both.

    A linear layer after it adds up what sequence and columns say. The hidden layers fit steps and intervals of numbers,
    and let one side decide what the other means; the summary enters them through a narrow layer.

    Args:
        summary: (batch, features).
        columns: (batch, width).
        both_strands: whether the batch of the summary is twice that of the columns.
        tag: ends the names of the layers.

    Returns:
        Keras tensor (batch, features + width + 96).

    Example:
        >>> join_columns(keras.Input((10,)), keras.Input((3,))).shape
        (None, 109)
    """
    if both_strands:
        columns = keras.layers.Concatenate(axis=0, name=f"columns_twice{tag}")([columns, columns])
    hidden = keras.layers.Dense(UNITS, activation="relu", name=f"columns_hidden{tag}")(columns)
    narrow = keras.layers.Dense(UNITS, activation="tanh", name=f"summary_narrow{tag}")(summary)
    met = keras.layers.Concatenate(name=f"met{tag}")([narrow, hidden])
    met = keras.layers.Dense(2 * UNITS, activation="relu", name=f"met_hidden{tag}")(met)
    return keras.layers.Concatenate(name=f"joined{tag}")([summary, columns, hidden, met])
