"""Generated texts: tokens drawn one at a time, each from the distribution given those before it.

The loop is `seqtasks.decoding.sample`. The contribution of every token to the first recurrence is computed once, before
the loop.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from seqtasks.data.segments import reverse
from seqtasks.data.token_ids import BOS, EOS, PAD, UNK
from seqtasks.decoding import sample, token_sampler
from seqtasks.decoding.options import GenerationOptions, check_in_graph
from seqtasks.models import LanguageModelStepper

if TYPE_CHECKING:
    from seqtasks.data.sources import Example

log = logging.getLogger("seqtasks")
UNWRITTEN = (PAD, UNK, BOS)  # tokens that are never generated
CHECKED = 50  # texts generated for the comparison with the training texts
ROWS = 64  # texts generated in one batch
TABLE = 2**24  # maximum size of the projected inputs of all tokens, in numbers


def generate(
    stepper: LanguageModelStepper,
    prompts: tf.RaggedTensor,
    seed: Any,
    length: int | tf.Tensor,
    temperature: float | tf.Tensor = 1.0,
    top_k: int | tf.Tensor = 0,
    top_p: float | tf.Tensor = 1.0,
    end: int | None = None,
    forbidden: Sequence[int] = (),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws one sequence per row from a language model of tokens, in the graph.

    Args:
        stepper: the model.
        prompts: ragged int32 (batch, None), the first tokens of each row; may be empty.
        seed: int tensor (2,).
        length: int, maximum number of new tokens; may be a tensor, as the next three.
        temperature, top_k, top_p, forbidden: see `seqtasks.decoding.token_sampler`.
        end: the token that ends a row, or None.

    Returns:
        tokens int32 (batch, time), without the prompt and the end, -1 after the last; and the log-probabilities
        (batch,) of the new tokens under the model itself, the end included.

    Raises:
        UserError: if a number is out of its range.
    """
    start, states = _read(stepper, prompts)
    draw = token_sampler(seed, temperature, top_k, top_p, forbidden)
    table = _projected_tokens(stepper)

    def step(tokens: tf.Tensor, states: list) -> tuple[tf.Tensor, list]:
        vectors, states = stepper.step(tokens, states, None if table is None else tf.gather(table, tokens))
        return stepper.logits(vectors), states

    return sample(step, states, start, draw, length, end)


def _read(stepper: LanguageModelStepper, prompts: tf.RaggedTensor) -> tuple[tf.Tensor, list]:
    """The last token of each prompt, `BOS` if it is empty, and the states before that token."""
    tokens, lengths = prompts.to_tensor(), tf.cast(prompts.row_lengths(), tf.int32)
    tokens = tf.concat([tf.fill([tf.shape(tokens)[0], 1], BOS), tokens], 1)
    longest = tf.shape(tokens)[1] - 1

    def read(t: tf.Tensor, states: list) -> tuple[tf.Tensor, list]:
        _, new = stepper.step(tokens[:, t], states)
        live = (t < lengths)[:, None]
        return t + 1, tf.nest.map_structure(lambda n, o: tf.where(live, n, o), new, states)

    states = stepper.begin(tf.size(lengths))
    _, states = tf.while_loop(lambda t, _: t < longest, read, (0, states), maximum_iterations=longest)
    return tf.gather(tokens, lengths, batch_dims=1), states


def _projected_tokens(stepper: LanguageModelStepper) -> tf.Tensor | None:
    """The input of the first recurrence for each token, (tokens, columns); None if the table would be too large."""
    cell, tokens = stepper.stack.cells[0], stepper.head.tokens
    if stepper.stack.residual[0] or tokens * cell.units > TABLE // 4:
        return None
    vectors = stepper.embed(tf.range(tokens)[:, None])
    return cell.project(vectors if stepper.embeds_all else vectors[:, 0])


def writer(
    predictor: Any, forbidden: tuple[int, ...] = UNWRITTEN, backward: bool = False
) -> Callable[..., dict[str, tf.Tensor]]:
    """The function of a SavedModel's signature `generate`.

    Args:
        predictor: a `seqtasks.engine.predictor.Predictor` whose `assets["tokens"]` is a tokenizer.
        forbidden: tokens that are never generated.
        backward: whether the model reads a text from its end. A prompt is then the end of a text.

    Returns:
        A `tf.function` of `prompts`, strings (batch,); `seed`, `length` and `top_k`, int32; `temperature` and `top_p`,
        float32. It returns `text`, the prompt and the new text; `written`, the new text; `tokens`, int32, -1 after the
        last; and `log_probability` of the new tokens; all (batch, ...). Texts and tokens are in the order of the text.
    """
    return _writer(predictor, forbidden, backward)


@functools.lru_cache(1)  # compiles once per run
def _writer(predictor: Any, forbidden: tuple[int, ...], backward: bool) -> Callable[..., dict[str, tf.Tensor]]:
    tokenizer, stepper = predictor.assets["tokens"], LanguageModelStepper(predictor.model)
    kinds = {"seed": tf.int32, "length": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}
    scalars = [tf.TensorSpec([], kind, name) for name, kind in kinds.items()]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompts"), *scalars])
    def write(
        prompts: tf.Tensor,
        seed: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        check_in_graph(seed=seed, length=length, temperature=temperature, top_k=top_k, top_p=top_p)
        encoded = tokenizer.encode(prompts)
        seeds = tf.stack([seed, 0])
        read = reverse(encoded) if backward else encoded
        tokens, log_probs = generate(stepper, read, seeds, length, temperature, top_k, top_p, EOS, forbidden)
        if backward:
            tokens = tf.reverse_sequence(tokens, tf.reduce_sum(tf.cast(tokens >= 0, tf.int32), 1), seq_axis=1)
        parts = [encoded, tf.ragged.boolean_mask(tokens, tokens >= 0)]
        whole = tokenizer.decode(tf.concat(parts[::-1] if backward else parts, 1))
        prompt_size = tf.strings.length(tokenizer.decode(encoded))
        new = tf.strings.substr(
            whole, tf.zeros_like(prompt_size) if backward else prompt_size, tf.strings.length(whole) - prompt_size
        )
        prompts = tf.strings.unicode_transcode(prompts, "UTF-8", "UTF-8", errors="replace")
        if tokenizer.kind != "character":  # `new` has the space between, if there is one
            prompts = tf.strings.regex_replace(prompts, r"^[\s\p{Z}]+" if backward else r"[\s\p{Z}]+$", "")
        text = tf.strings.join([new, prompts] if backward else [prompts, new])
        texts = {"text": text, "written": tokenizer.decode(tokens)}
        return texts | {"tokens": tokens, "log_probability": log_probs}

    return write


def answers(
    predictor: Any, prompt: str, ask: GenerationOptions, shown: int = 0, warned: bool = True, backward: bool = False
) -> Iterator[dict[str, Any]]:
    """The answers of `seqtasks generate`: `ask.num` dicts with `text` and `log_probability`.

    Args:
        predictor: a trained model of tokens.
        prompt: the beginning of each text; the end of each, if the model reads backward.
        ask: what to generate.
        shown: number of most probable tokens reported for every step, in `steps`; 0 for none.
        warned: whether to log which parts of the prompt are not in the vocabulary.
        backward: whether the model reads a text from its end.
    """
    tokenizer, write = predictor.assets["tokens"], writer(predictor, backward=backward)
    prompt = prompt.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    (unknown,) = tokenizer.unknown([prompt])
    if unknown and warned:
        parts = ", ".join(map(repr, unknown))
        log.warning("parts of the prompt are not in the vocabulary and are read as unknown: %s", parts)
    kinds = {"length": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}
    options = [tf.constant(getattr(ask, name), kind) for name, kind in kinds.items()]
    for start in range(0, ask.num, ROWS):
        rows = min(ROWS, ask.num - start)
        found = write(tf.fill([rows], prompt), tf.constant(ask.seed + start), *options)
        for i in range(rows):
            text = found["text"][i].numpy().decode("utf-8", "replace")
            answer = {"text": text, "log_probability": float(found["log_probability"][i])}
            if shown:
                given = found["tokens"][i].numpy(), ask.length, shown, backward
                answer["steps"] = _steps(predictor, prompt, *given)
            yield answer


def checks(predictor: Any, train: "Iterable[Example]", backward: bool = False) -> dict[str, Any] | None:
    """Compares texts generated without a prompt with the training texts, unless documents are files.

    Args:
        predictor: the trained model.
        train: the training examples.
        backward: whether the model reads a text from its end.

    Returns:
        `texts`, the number generated; `new`, the share that is not among the training texts; `distinct`, the share of
        different ones; `length` and `reference_length`, mean number of code points. None if a document is a file.
    """
    if predictor.config.document == "file":
        return None
    texts = [answer["text"] for answer in answers(predictor, "", GenerationOptions(CHECKED), backward=backward)]
    known: set[str] = set()
    size, count = 0, 0
    for count, example in enumerate(train, 1):  # noqa: B007
        size += len(example.input)
        known |= {text for text in texts if text == example.input}
    return {
        "texts": len(texts),
        "new": sum(text not in known for text in texts) / len(texts),
        "distinct": len(set(texts)) / len(texts),
        "length": sum(map(len, texts)) / len(texts),
        "reference_length": size / max(count, 1),
    }


def _steps(
    predictor: Any, prompt: str, tokens: np.ndarray, length: int, shown: int, backward: bool
) -> list[dict[str, Any]]:
    """For each token, the end included: the token, its probability, and the most probable ones with theirs."""
    order = -1 if backward else 1  # of the text; here tokens are in the order in which they were drawn
    tokenizer, stepper = predictor.assets["tokens"], LanguageModelStepper(predictor.model)
    tokens = tokens[tokens >= 0][::order]
    tokens = np.append(tokens, EOS) if len(tokens) < length else tokens
    encoded = tokenizer.encode(tf.constant([prompt])).flat_values.numpy()[::order]
    decoder_inputs = np.concatenate([[BOS], encoded, tokens[:-1]]).astype("int32")
    vectors, _ = stepper.run(tf.constant(decoder_inputs[None]), stepper.begin(1))
    probabilities = tf.nn.softmax(stepper.logits(vectors))[0, len(encoded) :].numpy()
    steps = []
    for token, row in zip(tokens, probabilities, strict=True):
        best = [[tokenizer.tokens[n], float(row[n])] for n in np.argsort(-row, kind="stable")[:shown]]
        steps.append({"token": tokenizer.tokens[token], "probability": float(row[token]), "most_probable": best})
    return steps[::order]
