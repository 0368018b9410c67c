"""Segmenters: the numbers of words, characters or subwords of texts and back, for models that write."""

import functools
import io
import json
from collections import Counter

import tensorflow as tf

from seqtasks.data.vocabulary import SPECIAL_TOKENS, UNK, count
from seqtasks.errors import UserError, nearest, needs
from seqtasks.text.subwords import FIRST, Merges, Unigram
from seqtasks.text.word_tokenizer import tokenize

SPECIAL = SPECIAL_TOKENS
KINDS = ("word", "character", "unigram", "bpe", "space")
JOINER = "￭"  # begins a word that touches the one before it
SPACE = "▁"  # begins the first subword of a word
RESERVED = set("▅\0")  # what sentencepiece keeps for itself: words with them teach no subwords
SIZE = 8000  # subwords, where nobody asks for another number


class Tokenizer:
    """Texts to numbers and back, in the graph and in standard TensorFlow operations alone.

    The numbers 0, 1, 2, 3 are `PADDING`, `UNKNOWN`, `BEGIN`, `END`. Invalid UTF-8 becomes U+FFFD.

    - `character`: every code point, spaces and newlines too.
    - `space`: what stands between white space, as in texts that are tokenised already.
    - `word`: the tokens of `tokenize`; one that touches the token before it begins with `JOINER`.
    - `unigram`, `bpe`: the pieces into which `sentencepiece` cuts the same words with the same scores. White space ends
      a word, however much there is.

    The signs that mark, `JOINER` in words and `SPACE` in subwords, count as spaces in a text.

    Args:
        kind: `word`, `character`, `unigram`, `bpe` or `space`.
        tokens: the four special ones, then words, characters or pieces; the number of each is its place.
        scores: of each piece, for subwords.
        lowercase: whether texts are put in lower case first; then NUL counts as a space.

    Raises:
        UserError: if the kind is unknown, or the tokens do not begin with the special ones or one appears twice.

    Example:
        >>> tokenizer = Tokenizer.learn([["Hello, world.", "Hello, you."]], "word")
        >>> tokenizer.tokens[4:]
        ['Hello', '￭,', '￭.', 'world', 'you']
        >>> numbers = tokenizer.encode(tf.constant(["Hello, you. Bye", ""]))
        >>> numbers.to_list()
        [[4, 5, 8, 6, 1], []]
        >>> tokenizer.decode(numbers).numpy().tolist()
        [b'Hello, you. [UNK]', b'']
    """

    def __init__(self, kind, tokens, scores=None, lowercase=False):
        self.kind, self.tokens, self.scores, self.lowercase = kind, list(tokens), scores, lowercase
        self.subwords = kind in ("unigram", "bpe")
        if kind not in KINDS:
            raise UserError(f"no such kind: {kind!r}", remedy=nearest(kind, KINDS))
        if self.tokens[:FIRST] != SPECIAL:
            raise UserError(f"the tokens begin with {self.tokens[:FIRST]}", remedy=f"they must begin with {SPECIAL}")
        if len(set(self.tokens)) != len(self.tokens):
            raise UserError(f"the token {Counter(self.tokens).most_common(1)[0][0]!r} appears twice")
        if self.subwords and len(scores or ()) != len(self.tokens):
            raise UserError(f"{len(self.tokens)} subwords, {len(scores or ())} scores", remedy="give each a score")

    def __len__(self):
        return len(self.tokens)

    @classmethod
    def learn(cls, chunks, kind, size=None, min_count=1, lowercase=False):
        """The words or characters that are most frequent, or the subwords that sentencepiece learns.

        Args:
            chunks: iterable of lists of texts (`str`).
            kind: `word`, `character`, `unigram`, `bpe` or `space`.
            size: how many tokens, the four special ones included; None keeps all words and characters, and makes
                8,000 subwords. If the texts hold fewer, there are as many as they hold.
            min_count: how often a word or character must appear; rarer words teach no subwords.
            lowercase: put texts in lower case.

        Raises:
            UserError: if sentencepiece is missing and needed, or there is no text, or `size` is too small for the
                characters of the text.
        """
        empty = cls(kind, SPECIAL, [0.0] * FIRST, lowercase)

        def units():
            for chunk in chunks:
                texts = tf.constant([text.encode("utf-8", "surrogatepass") for text in chunk], tf.string)
                yield empty._units(texts).flat_values.numpy().tolist()

        unfit = RESERVED if empty.subwords else set()
        ranked = {u: n for u, n in count(units(), min_count).items() if u not in SPECIAL and not unfit & set(u)}
        if not ranked:
            remedy = f"what appears fewer than {min_count} times does not count" if min_count > 1 else ""
            raise UserError("no text to learn from", where="--min_count" if remedy else "", remedy=remedy)
        if empty.subwords:
            return cls(kind, *_pieces(ranked, kind, size or SIZE), lowercase)
        return cls(kind, [*SPECIAL, *list(ranked)[: None if size is None else max(0, size - FIRST)]], None, lowercase)

    @functools.cached_property
    def tables(self):
        """What an export holds on to: string or letters -> number, and number -> string."""
        with tf.init_scope():
            tokens = tf.constant(self.tokens)
            if self.subwords:
                return (Unigram if self.kind == "unigram" else Merges)(self.tokens, self.scores), tokens
            numbers = tf.range(FIRST, len(self), dtype=tf.int32)
            return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tokens[FIRST:], numbers), 1), tokens

    def encode(self, texts):
        """Numbers of texts, without `BEGIN` and `END`.

        Args:
            texts: string (batch,).

        Returns:
            A ragged int32 tensor (batch, None); what is unknown has the number 1.
        """
        units = self._units(texts)
        if not self.subwords:
            return units.with_flat_values(self.tables[0].lookup(units.flat_values))
        distinct, places = tf.unique(units.flat_values)
        return units.with_values(tf.gather(self.tables[0](distinct), places)).merge_dims(1, 2)

    def decode(self, numbers):
        """Texts of numbers: those that were encoded, with one space for any white space in words and subwords.

        Args:
            numbers: int (batch, time), dense or ragged; -1 and special tokens but `UNKNOWN` are left out.

        Returns:
            string (batch,).
        """
        if not isinstance(numbers, tf.RaggedTensor):
            numbers = tf.RaggedTensor.from_tensor(numbers)
        numbers = tf.ragged.boolean_mask(numbers, (numbers == 1) | (numbers >= FIRST))
        tokens = numbers.with_flat_values(tf.gather(self.tables[1], numbers.flat_values))
        texts = tf.strings.reduce_join(tokens, -1, separator=" " if self.kind in ("word", "space") else "")
        if self.kind == "word":
            return tf.strings.regex_replace(texts, f" ?{JOINER}", "")
        if self.subwords:
            return tf.strings.regex_replace(tf.strings.regex_replace(texts, f"^{SPACE}", ""), SPACE, " ")
        return texts

    def unknown(self, texts):
        """The parts of each text that the vocabulary does not hold, each once, in order: a list of lists of `str`.

        For subwords these are the characters that are unknown by themselves.

        Args:
            texts: iterable of `str`.

        Example:
            >>> Tokenizer("space", [*SPECIAL, "a"]).unknown(["a c b c", "a"])
            [['b', 'c'], []]
        """
        result = []
        for text in texts:
            ids = self.encode(tf.constant([text])).flat_values.numpy()
            if UNK not in ids:
                parts = set()
            elif self.subwords:
                parts = {c for c in text if UNK in self.encode(tf.constant([c])).flat_values.numpy()}
            else:
                units = self._units(tf.constant([text])).flat_values.numpy()
                parts = {unit.decode("utf-8", "replace") for unit, n in zip(units, ids, strict=True) if n == UNK}
            result.append(sorted(parts))
        return result

    def _units(self, texts):
        """What is counted and looked up, ragged (batch, None): words, characters, or words that begin with `SPACE`."""
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

    def text(self):
        """A line about the kind, then one JSON string a line, or a pair of it and its score."""
        lines = self.tokens if self.scores is None else zip(self.tokens, self.scores, strict=True)
        lines = [{"kind": self.kind, "lowercase": self.lowercase}, *lines]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def save(self, path):
        """Write `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path):
        """The tokenizer of a file that `save` wrote.

        Raises:
            UserError: if it is none.
        """
        tokens, scores, head = [], [], None
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if not line:
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                value = None
            match value:
                case {"kind": str(), "lowercase": bool()} if number == 1:
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


def _pieces(counts, kind, size):
    """The pieces that sentencepiece learns from words with their counts, and their scores."""
    needs("sentencepiece", extra="translation")
    import sentencepiece

    words = [f"{word.removeprefix(SPACE)}\t{count}" for word, count in counts.items()]
    letters = len(set().union(*counts))
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(words),
            input_format="tsv",
            model_writer=model,
            model_type=kind,
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=1.0 if letters <= size // 2 else 0.9995,  # of Chinese the rarest signs are left out
            max_sentence_length=2**30,
            normalization_rule_name="identity",
            num_threads=1,  # for the same pieces every time
            minloglevel=2,
            **{f"{name}_id": number for number, name in enumerate(("pad", "unk", "bos", "eos"))},
            **{f"{name}_piece": SPECIAL[number] for number, name in enumerate(("pad", "unk", "bos", "eos"))},
        )
    except RuntimeError as error:
        if "required_chars" not in str(error):
            raise
        what = f"{size} is too small for a text of {letters} characters and {FIRST} special tokens"
        raise UserError(what, where="--vocabulary_size", remedy=f"take at least {letters + FIRST + 1}") from None
    read = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    # The shortest decimals that give the same float32.
    scores = [float(str(tf.constant(read.get_score(i)).numpy())) for i in range(len(read))]
    return [read.id_to_piece(i) for i in range(len(read))], scores
