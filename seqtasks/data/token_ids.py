"""The special tokens of all vocabularies: padding, unknown, begin and end of a sequence."""

PAD, UNK, BOS, EOS = range(4)
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]"]  # no tokenizer produces these: a bracket is a token of its own
