"""Encodings for runtimes that have no string operations: Python that needs NumPy alone.

An export for LiteRT or ONNX holds the network. What makes its inputs from texts lies beside it: `encoding.json` with
the vocabulary, and `encode.py`, a copy of a module of this room. Each module defines `Encoder(folder)`, a function from
a list of texts to {input of the network: array}; it imports nothing of this project. `capability.py` is how a recipe
says which module is its own and what that needs.
"""
