"""Activity recognition in video (many-to-one): which class a clip belongs to; several labels; a number.

    seqtasks train video --data clips/ --run runs/clips
    seqtasks predict runs/clips long.mp4 --clip_seconds 1.0

A small convolutional network encodes each frame and its difference from the frame before; a bidirectional recurrence
reads the vectors in the order of time. The small network can be replaced by one of `keras.applications`. Statistics of
the optical flow can be added, or used alone if clips are few.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Augments, FileInputs, Query, Reports
from seqtasks.options import Cell, ColumnOptions, Count, Positive, Rate, TargetOptions, option, rnn_options
from seqtasks.recipe import Assets, Recipe, Sample

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats
    from seqtasks.tasks import SequenceTask

Backbone = Literal["small", "mobilenet_v2", "efficientnet_b0", "efficientnet_v2_b0", "resnet50", "densenet121", "none"]
SCALES = 1, 2  # of the optical flow


@dataclass(frozen=True)
class Config(TargetOptions, ColumnOptions):
    """Options of the video recipe."""

    path_column: str | None = option(
        None, "name or number (from 1) of the column with the path", "data", changeable=True
    )
    label_column: str | None = option(
        None, "name or number (from 1) of the column with the label", "data", changeable=True
    )
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    start_column: str | None = option(
        None, "name or number of the column with the start of a segment, in seconds", "data", changeable=True
    )
    end_column: str | None = option(
        None, "name or number of the column with the end of a segment, in seconds", "data", changeable=True
    )
    whole_files: bool = option(
        False, "read whole files, whatever the columns of start and end say", "data", changeable=True
    )
    media_root: str | None = option(
        None, "folder that the paths of tables and lists are relative to; null for that of the table", "data",
        changeable=True, inherited=False,
    )  # fmt: skip
    class_list: str | None = option(
        None, "file with the names of classes, for labels that are numbers", "data", changeable=True, inherited=False
    )
    frame_rate: Positive = option(
        25.0, "frames per second of folders of pictures and of arrays", "data", changeable=True
    )
    frames: Annotated[int, Ge(2)] = option(16, "frames that are read of each clip", "data")
    size: Count = option(64, "height and width of a frame in pixels, after scaling", "data")
    max_seconds: Positive = option(600.0, "seconds of a file that counts as one clip, at most", "data")

    backbone: Backbone = option(
        "small", "encoder of a frame: a small network, one of keras.applications, or none", "model"
    )
    weights: str = option(
        "imagenet", "weights of keras.applications: imagenet (Keras downloads them), a file, or none", "model"
    )
    frozen: bool = option(
        True, "keep the backbone's weights; its features of each file are then computed once", "model"
    )
    differences: bool = option(True, "add the difference from the frame before", "model")
    flow: bool = option(False, "add statistics of the optical flow", "model")
    channels: list[Count] = option((16, 32, 64), "channels of each convolution of the small network", "model")
    grid: Count = option(4, "cells per side of the last pooling of the small network; 1 forgets positions", "model")
    frame_units: Count = option(64, "size of the small network's vector of a frame", "model")
    cell: Cell = option("gru", "recurrent cell", "model")
    units: Count = option(64, "size of the recurrent state, per direction", "model")
    layers: Count = option(1, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    pooling: list[Literal["max", "mean", "attention"]] = option(("max", "mean"), "pooling over time", "model")
    ensemble_size: Count = option(
        1, "networks that are trained in parallel and whose probabilities are averaged", "model"
    )

    image_dropout: Rate = option(0.2, "dropout of the small network's features", "training")
    flow_dropout: Rate = option(0.2, "dropout of the statistics of the optical flow", "training")
    output_dropout: Rate = option(0.3, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(0.0, "dropout inside the recurrence, one mask for all steps of a clip", "training")
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")
    dropout: Rate = option(0.5, "dropout before the last layer", "training")
    flip: bool = option(False, "mirror half of the clips; not where left and right matter", "training")
    shift: Rate = option(0.1, "share of the side by which clips are moved, at most", "training")
    zoom: Rate = option(0.1, "share by which clips are enlarged or reduced, at most", "training")
    brightness: Rate = option(
        0.2, "share of the range of values by which clips are made lighter or darker, at most", "training"
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: rare classes count as much as frequent ones", "training", follows="target"
    )

    clip_seconds: Positive | None = option(
        None, "seconds of a long video per answer; null for one answer per file", "answering"
    )


def options(config: Config) -> Any:
    """How clips are read."""
    return st.video.clips.Options(
        config.frames, config.size, config.clip_seconds, config.max_seconds, config.frame_rate
    )


def reads(config: Config) -> "Formats":
    columns = st.data.columns.Columns(
        config.path_column, config.label_column, config.header, lists=True, empty=config.label_separator is not None
    )
    segments = st.data.media_segments.SegmentColumns(config.start_column, config.end_column, off="--whole_files")
    layout = st.video.lists.Layout(config.media_root, config.class_list, config.frame_rate)
    tables = st.video.files.Tables(columns, None if config.whole_files else segments, layout)
    return st.video.files.formats(options(config), tables).of_target(config.target)


def learn(config: Config, train: "Source") -> dict[str, Any]:
    targets = make_task(config).learn(example.target for example in train)
    return {**targets, **st.data.side_columns.learn(config.columns, train)}


def make_task(config: Config) -> "SequenceTask":
    return st.tasks.sequence_task(config.target, config.class_weights, config.label_separator, config.label_order)


def network(config: Config) -> "keras.Model":
    """The frozen backbone."""
    return st.video.backbones.shared_backbone(config.backbone, config.weights, config.size, config.seed)


def embedded(config: Config) -> bool:
    """Whether a file is read as the frozen backbone's vectors of its frames."""
    return config.backbone not in ("small", "none") and config.frozen


def read(config: Config, clip: "str | np.ndarray") -> "np.ndarray":
    def frames() -> "np.ndarray":
        return st.video.clips.read(clip, options(config))

    if not embedded(config):
        return frames()
    if not isinstance(clip, str):
        return st.video.backbones.embed_frames(network(config), frames())
    weights = st.video.backbones.file_version(config.weights)
    key = [config.backbone, *weights, config.frames, config.size, config.frame_rate]
    key += [config.seed] if weights == ["none"] else []
    return st.video.backbones.cached_features(clip, frames, network(config), key)


def spec(config: Config) -> "tf.TensorSpec":
    import tensorflow as tf

    if embedded(config):
        return tf.TensorSpec([config.frames, network(config).output_shape[-1]], tf.float32)
    return tf.TensorSpec([config.frames, config.size, config.size, 3], tf.uint8)


def serving_spec(config: Config) -> dict[str, Any]:
    import tensorflow as tf

    return {"frames": tf.TensorSpec([None, None, None, None, 3], tf.uint8, name="frames")}


def from_serving(config: Config, frames: "tf.Tensor") -> "tf.Tensor":
    frames = st.video.clips.sample(frames, config.frames, config.size)
    return st.video.backbones.embed_clips(network(config), frames) if embedded(config) else frames


def parse(config: Config, path: str) -> Iterator[Query]:
    if config.clip_seconds is None:
        yield Query(path, {"file": path})
        return
    try:
        for second, frames in st.video.clips.clips(path, options(config)):
            array = st.video.backbones.embed_frames(network(config), frames) if embedded(config) else frames
            yield Query(array, {"file": path, "second": second})
    except st.errors.UserError as error:
        yield Query(error, {"file": path})


def augment(config: Config, features: Any, seed: "tf.Tensor") -> Any:
    if embedded(config):
        return features
    amounts = config.flip, config.shift, config.zoom, config.brightness
    return {**features, "frames": st.video.augmentation.augment(features["frames"], seed, *amounts)}


def build(config: Config, assets: Assets) -> "keras.Model":
    """Frames (batch, frames, size, size, 3) to logits (batch, [ensemble,] classes), or what else is asked."""
    import keras

    if config.flow and embedded(config):
        remedy = "leave it out, or add --frozen false"
        raise st.errors.UserError("a frozen backbone leaves no frames for optical flow", where="--flow", remedy=remedy)
    if config.backbone == "none" and not config.flow:
        raise st.errors.UserError("nothing encodes the frames", where="--backbone none", remedy="add --flow true")
    shape = spec(config)
    frames = keras.Input(shape.shape, dtype=shape.dtype.name, name="frames")
    flows, members = list(flow(config, frames)), []
    for number in range(config.ensemble_size):
        mark = f"_{number}" if config.ensemble_size > 1 else ""
        seen = [keras.layers.Dropout(config.flow_dropout, name=f"flow_dropout{mark}_{n}")(x) for n, x in flows]
        seen += [] if config.backbone == "none" else [encode_frames(config, frames, mark)]
        x = seen[0] if len(seen) == 1 else keras.layers.Concatenate(name=f"seen{mark}")(seen)
        sequence = st.layers.recurrent_stack(x, name=f"recurrent{mark}", **rnn_options(config))
        summaries = [st.layers.Pooling(list(config.pooling), name=f"pooling{mark}")(sequence)]
        summaries.append(st.layers.Pooling(["max", "mean"], name=f"pooling_of_inputs{mark}")(x))
        members.append(summaries)
    inputs = {"frames": frames, **st.models.column_inputs(st.data.side_columns.width(config.columns, assets))}
    return st.models.classifier(inputs, members, dropout=config.dropout, **make_task(config).head(assets))


def encode_frames(config: Config, frames: Any, mark: str) -> Any:
    """The features of each frame, of one member of an ensemble: (batch, frames, features)."""
    import keras

    layers = st.layers
    add_difference = layers.FrameDifference(name=f"differences{mark}") if config.differences else lambda x: x
    if config.backbone == "small":
        x = add_difference(keras.layers.Rescaling(1 / 127.5, -1.0, name=f"scaled{mark}")(frames))
        sizes = config.channels, config.grid, config.frame_units, config.image_dropout
        return layers.TimeDistributed(layers.image_stack(x.shape[2:], *sizes), name=f"images{mark}")(x)
    if config.frozen:
        return add_difference(frames)
    backbone = st.video.backbones.build_backbone(config.backbone, config.weights, config.size, config.seed)
    for layer in backbone.layers[-1].layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False  # a batch of few clips has other means than many images
    layer = layers.TimeDistributed(backbone, name=f"backbone{mark}")
    layer.pretrained = True  # fine-tuning a run with a frozen backbone keeps these weights
    return add_difference(layer(frames))


def flow(config: Config, frames: Any) -> Iterator[tuple[int, Any]]:
    """Statistics of the optical flow: pairs of its scale and (batch, frames, features); none without --flow."""
    import keras

    for scale in SCALES if config.flow else ():
        x = st.layers.OpticalFlow(scale=scale, dtype="float32", name=f"flow_{scale}")(frames)
        x = st.layers.FlowStatistics(dtype="float32", name=f"flow_statistics_{scale}")(x)
        yield scale, keras.layers.BatchNormalization(momentum=0.9, name=f"flow_normalisation_{scale}")(x)


def baselines(config: Config) -> dict[str, Callable[[Config], Any]]:
    def motion() -> Any:
        return st.video.baselines.motion(options(config), config.columns)

    return st.tasks.baselines.of_target(config.target, "motion", motion)


def report(predictor: Any, examples: list[Any]) -> Any:
    return st.video.report.report_sections(predictor, examples, options(predictor.config))


SAMPLE_OPTIONS = {
    "epochs": 5,
    "size": 32,
    "learning_rate": 3e-3,
    "ema_momentum": 0.98,
    "patience": 0,
    "shift": 0.0,
    "zoom": 0.0,
    "brightness": 0.0,
    "image_dropout": 0.0,
    "output_dropout": 0.0,
    "dropout": 0.2,
}
RECIPE = Recipe(
    name="video",
    summary="Which class a video clip belongs to, or which labels, or a number: activities, events.",
    rnn_type="many-to-one",
    formats=(
        "folder per class of videos (mp4, avi, mov, webm, mkv, mpg, ts, ...), folders of pictures, or npy",
        "csv, tsv, json, jsonl, parquet, arrow, xlsx of paths",
        "lists of UCF101, HMDB51 and MMAction2",
        "tfds:ucf101",
    ),
    Config=Config,
    sample=Sample("digits", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=lambda config, assets, frames: {"frames": frames},
    build=build,
    task=make_task,
    loss=lambda config: st.losses.sequence_loss(config.target),
    metric="accuracy",
    baselines=baselines,
    capabilities=(
        FileInputs(read, spec, serving_spec, from_serving, parse=parse),
        Augments(augment),
        Reports(report),
    ),
    budget=lambda config: Budget(steps=400, epochs=(30, 200), batch_size=(16, 16), patience=10),
    rows={"logits*": "labels"},
    card=lambda config: {"pipeline_tag": "video-classification"},
)
