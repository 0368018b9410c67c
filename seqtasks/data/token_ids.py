"""The ids that every tokenizer reserves."""

PADDING, UNKNOWN, BEGIN, END = range(4)
