"""Tokenizers: from texts to ids of words, characters or subwords and back, for models that write."""

import functools
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import tensorflow as tf

from seqtasks.data.token_ids import SPECIAL_TOKENS, UNK
from seqtasks.data.vocabulary import count
from seqtasks.errors import UserError, nearest, needs
from seqtasks.text.subwords import FIRST, Merges, Unigram
from seqtasks.text.word_tokenizer import tokenize

KINDS = ("word", "character", "unigram", "bpe", "space")
JOINER = "￭"  # begins a word without a space before it
SPACE = "▁"  # begins the first subword of a word
RESERVED = set("▅\0")  # reserved by sentencepiece: no subwords are learnt from words with these characters
SIZE = 8000  # default number of subwords


class Tokenizer:
    """Texts to ids and back, in the graph and in standard TensorFlow operations.

    The ids 0, 1, 2, 3 are those of `seqtasks.data.vocabulary.SPECIAL_TOKENS`. Invalid UTF-8 becomes U+FFFD.

    - `character`: every code point, also spaces and newlines.
    - `space`: the strings between white space, for texts that are already tokenized.
    - `word`: the tokens of `tokenize`; one without a space before it begins with `JOINER`.
    - `unigram`, `bpe`: the pieces into which `sentencepiece` cuts the same words with the same scores. Any amount of
      white space ends a word.

    The markers, `JOINER` in words and `SPACE` in subwords, count as spaces in a text.

    Args:
        kind: `word`, `character`, `unigram`, `bpe` or `space`.
        tokens: the four special tokens, then words, characters or pieces; the id of each is its index.
        scores: of each token, for subwords.
        lowercase: whether texts are lower-cased first; then NUL counts as a space.

    Raises:
        UserError: if the kind is unknown, the tokens do not begin with the special ones, a token appears twice, or
            subwords have no scores.

    Example:
        >>> tokenizer = Tokenizer.learn([["Hello, world.", "Hello, you."]], "word")
        >>> tokenizer.tokens[4:]
        ['Hello', '￭,', '￭.', 'world', 'you']
        >>> ids = tokenizer.encode(tf.constant(["Hello, you. Bye", ""]))
        >>> ids.to_list()
        [[4, 5, 8, 6, 1], []]
        >>> tokenizer.decode(ids).numpy().tolist()
        [b'Hello, you. [UNK]', b'']
    """

    open = True  # tokens can be added

    def __init__(
        self, kind: str, tokens: Iterable[str], scores: Sequence[float] | None = None, lowercase: bool = False
    ) -> None:
        self.kind, self.tokens, self.scores, self.lowercase = kind, list(tokens), scores, lowercase
        self.subwords = kind in ("unigram", "bpe")
        if kind not in KINDS:
            raise UserError(f"no such kind: {kind!r}", remedy=nearest(kind, KINDS))
        if self.tokens[:FIRST] != SPECIAL_TOKENS:
            what, remedy = f"the tokens begin with {self.tokens[:FIRST]}", f"they must begin with {SPECIAL_TOKENS}"
            raise UserError(what, remedy=remedy)
        if len(set(self.tokens)) != len(self.tokens):
            raise UserError(f"the token {Counter(self.tokens).most_common(1)[0][0]!r} appears twice")
        if self.subwords and len(scores or ()) != len(self.tokens):
            raise UserError(f"{len(self.tokens)} subwords, {len(scores or ())} scores", remedy="give each a score")

    def __len__(self) -> int:
        return len(self.tokens)

    def extended(self, other: "Tokenizer") -> "Tokenizer":
        """This tokenizer, whose tokens keep their ids, with those of another of its kind that it lacks after them.

        Subwords stay as they are: more of them would cut the texts that are known in other ways.

        Raises:
            ValueError: if the other is of another kind, or only one of them lower-cases texts.

        Example:
            >>> Tokenizer("space", [*SPECIAL_TOKENS, "b"]).extended(Tokenizer("space", [*SPECIAL_TOKENS, "a"])).tokens
            ['[PAD]', '[UNK]', '[BOS]', '[EOS]', 'b', 'a']
        """
        mine, others = (f"{t.kind}{', lower-cased' * t.lowercase}" for t in (self, other))
        if mine != others:
            raise ValueError(f"the vocabulary is of the kind {mine}, not {others}")
        if self.subwords:
            return self
        return Tokenizer(self.kind, dict.fromkeys([*self.tokens, *other.tokens]), None, self.lowercase)

    @classmethod
    def learn(
        cls,
        chunks: Iterable[list[str]],
        kind: str,
        size: int | None = None,
        min_count: int = 1,
        lowercase: bool = False,
    ) -> Self:
        """A tokenizer of the most frequent words or characters, or of the subwords that sentencepiece learns.

        Args:
            chunks: iterable of lists of texts (`str`).
            kind: `word`, `character`, `unigram`, `bpe` or `space`.
            size: maximum number of tokens, the four special ones included; None keeps all words and characters, and
                makes 8,000 subwords.
            min_count: how often a word or character must appear; no subwords are learnt from rarer words.
            lowercase: whether texts are lower-cased.

        Raises:
            UserError: if sentencepiece is needed and missing, there is no text, or `size` is too small for the
                characters of the text.
        """
        empty = cls(kind, SPECIAL_TOKENS, [0.0] * FIRST, lowercase)

        def units() -> Iterator[list[bytes]]:
            for chunk in chunks:
                texts = tf.constant([text.encode("utf-8", "surrogatepass") for text in chunk], tf.string)
                yield empty._units(texts).flat_values.numpy().tolist()

        reserved = RESERVED if empty.subwords else set()
        ranked = {
            u: n for u, n in count(units(), min_count).items() if u not in SPECIAL_TOKENS and not reserved & set(u)
        }
        if not ranked:
            remedy = f"what appears fewer than {min_count} times does not count" if min_count > 1 else ""
            raise UserError("no text to learn from", where="--min_count" if remedy else "", remedy=remedy)
        if empty.subwords:
            return cls(kind, *_pieces(ranked, kind, size or SIZE), lowercase)
        kept = list(ranked)[: None if size is None else max(0, size - FIRST)]
        return cls(kind, [*SPECIAL_TOKENS, *kept], None, lowercase)

    @functools.cached_property
    def tables(self) -> tuple[Any, tf.Tensor]:
        """The lookups string or letters -> id, and id -> string, which an exported module must keep as attributes."""
        with tf.init_scope():
            tokens = tf.constant(self.tokens)
            if self.subwords:
                return (Unigram if self.kind == "unigram" else Merges)(self.tokens, self.scores or ()), tokens
            ids = tf.range(FIRST, len(self), dtype=tf.int32)
            return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tokens[FIRST:], ids), UNK), tokens

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of texts, without `BOS` and `EOS`.

        Args:
            texts: string (batch,).

        Returns:
            A ragged int32 tensor (batch, None), `UNK` for unknown tokens.
        """
        units = self._units(texts)
        if not self.subwords:
            return units.with_flat_values(self.tables[0].lookup(units.flat_values))
        distinct, places = tf.unique(units.flat_values)
        return units.with_values(tf.gather(self.tables[0](distinct), places)).merge_dims(1, 2)

    def decode(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Texts of ids: those that were encoded; for words and subwords any white space has become one space.

        Args:
            ids: int (batch, time), dense or ragged; -1 and special tokens except `UNK` are left out.

        Returns:
            string (batch,).
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        ids = tf.ragged.boolean_mask(ids, (ids == UNK) | (ids >= FIRST))
        tokens = ids.with_flat_values(tf.gather(self.tables[1], ids.flat_values))
        texts = tf.strings.reduce_join(tokens, -1, separator=" " if self.kind in ("word", "space") else "")
        if self.kind == "word":
            return tf.strings.regex_replace(texts, f" ?{JOINER}", "")
        if self.subwords:
            return tf.strings.regex_replace(tf.strings.regex_replace(texts, f"^{SPACE}", ""), SPACE, " ")
        return texts

    def portable(self, **more: Any) -> dict[str, Any] | None:
        """What `seqtasks.portable.letters` needs, with `more`; None where tokens are not characters.

        Example:
            >>> Tokenizer("character", [*SPECIAL_TOKENS, "a"]).portable(ends=True)["tokens"]
            ['[PAD]', '[UNK]', '[BOS]', '[EOS]', 'a']
        """
        if self.kind != "character":
            return None
        return {"encoder": "letters", "tokens": self.tokens, "lowercase": self.lowercase, **more}

    def unknown(self, texts: Iterable[str]) -> list[list[str]]:
        """The words or characters of each text that the vocabulary does not hold, sorted, each once.

        Args:
            texts: iterable of `str`.

        Returns:
            A list for each text; for subwords of characters that are unknown by themselves.

        Example:
            >>> Tokenizer("space", [*SPECIAL_TOKENS, "a"]).unknown(["a c b c", "a"])
            [['b', 'c'], []]
        """
        result = []
        for text in texts:
            ids = self.encode(tf.constant([text])).flat_values.numpy()
            if UNK not in ids:
                parts: set[str] = set()
            elif self.subwords:
                parts = {c for c in text if UNK in self.encode(tf.constant([c])).flat_values.numpy()}
            else:
                units = self._units(tf.constant([text])).flat_values.numpy()
                parts = {unit.decode("utf-8", "replace") for unit, n in zip(units, ids, strict=True) if n == UNK}
            result.append(sorted(parts))
        return result

    def _units(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The strings to look up, ragged (batch, None): words, characters, or words that begin with `SPACE`."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        if self.lowercase:  # `lower` ends at a NUL
            texts = tf.strings.lower(tf.strings.regex_replace(texts, r"\x00", " "), encoding="utf-8")
        if self.kind == "character":
            return tf.strings.unicode_split(texts, "UTF-8")
        if self.kind == "space":
            return tf.strings.split(texts)
        if self.subwords:
            words = tf.strings.split(tf.strings.regex_replace(texts, rf"[\p{{Z}}\x1c-\x1f\x{{85}}{SPACE}]", " "))
            return words.with_flat_values(tf.strings.join([SPACE, words.flat_values]))
        tokens, starts, ends, _ = tokenize(tf.strings.regex_replace(texts, JOINER, " "))
        rows, starts, ends = tokens.value_rowids(), starts.flat_values, ends.flat_values
        touches = (starts[1:] == ends[:-1]) & (rows[1:] == rows[:-1])
        touches = tf.concat([tf.zeros_like(starts[:1], tf.bool), touches], 0)
        return tokens.with_flat_values(tf.strings.join([tf.where(touches, JOINER, ""), tokens.flat_values]))

    def text(self) -> str:
        """The content of a file: a line with the kind, then one JSON string per line, or a pair of it and its score."""
        tokens = self.tokens if self.scores is None else zip(self.tokens, self.scores, strict=True)
        lines = [{"kind": self.kind, "lowercase": self.lowercase}, *tokens]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def save(self, path: Path) -> None:
        """Writes `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `save` wrote.

        Raises:
            UserError: if it is not the file of a tokenizer.
        """
        return cls.parse(path.read_text("utf-8"), path)

    @classmethod
    def parse(cls, text: str, path: Path, first: int = 1) -> Self:
        """The tokenizer of the content of a file, whose lines count from `first` in errors; see `load`."""
        tokens: list[str] = []
        scores: list[float] = []
        head: dict[str, Any] | None = None
        for number, line in enumerate(text.split("\n"), first):
            if not line:
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                value = None
            match value:
                case {"kind": str(), "lowercase": bool()} if number == first:
                    head = value
                case str() if head and head["kind"] in ("word", "character", "space"):
                    tokens.append(value)
                case [str(token), int() | float() as score] if head:
                    tokens.append(token)
                    scores.append(score)
                case _:
                    remedy = 'the first line is {"kind": ..., "lowercase": ...}, others are a string or [string, score]'
                    raise UserError(f"not a token: {line!r:.40}", where=f"{path}:{number}", remedy=remedy)
        try:
            return cls(tokens=tokens, scores=scores or None, **(head or {"kind": ""}))
        except UserError as error:
            raise UserError(str(error), where=path) from None


def _pieces(counts: dict[str, int], kind: str, size: int) -> tuple[list[str], list[float]]:
    """The pieces that sentencepiece learns from words with their counts, and their scores."""
    needs("sentencepiece", extra="translation")
    import sentencepiece

    words = [f"{word.removeprefix(SPACE)}\t{count}" for word, count in counts.items()]
    letters = len(set().union(*counts))
    model = io.BytesIO()
    special: dict[str, Any] = {}
    for number, (name, token) in enumerate(zip(("pad", "unk", "bos", "eos"), SPECIAL_TOKENS, strict=True)):
        special |= {f"{name}_id": number, f"{name}_piece": token}
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(words),
            input_format="tsv",
            model_writer=model,
            model_type=kind,
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=1.0 if letters <= size // 2 else 0.9995,  # without the rarest Chinese characters
            max_sentence_length=2**30,
            normalization_rule_name="identity",
            num_threads=1,  # for reproducible pieces
            minloglevel=2,
            **special,
        )
    except RuntimeError as error:
        if "required_chars" not in str(error):
            raise
        what = f"{size} is too small for a text of {letters} characters and {FIRST} special tokens"
        raise UserError(what, where="--vocabulary_size", remedy=f"take at least {letters + FIRST + 1}") from None
    learnt = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    # The shortest decimals that give the same float32.
    scores = [float(str(tf.constant(learnt.get_score(i)).numpy())) for i in range(len(learnt))]
    return [learnt.id_to_piece(i) for i in range(len(learnt))], scores
