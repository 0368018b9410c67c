"""Activity recognition in video (many-to-one): which class a clip belongs to.

    seqtasks train video --data clips/ --run runs/clips
    seqtasks predict runs/clips long.mp4 --every 1.0

A small convolutional network looks at each frame and at what has changed since the one before; a bidirectional
recurrence reads its vectors in the order of time. In place of the small network there may be one of
`keras.applications`; beside it, or alone where clips are few, what the optical flow is like. The measured results stand
in the README.
"""

from dataclasses import dataclass
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import FileInputs, Query, Recipe

Backbone = Literal["small", "mobilenet_v2", "efficientnet_b0", "efficientnet_v2_b0", "resnet50", "densenet121", "none"]
SCALES = 1, 2  # of the optical flow


@dataclass(frozen=True)
class Config(Options):
    """Options of the video recipe."""

    epochs: int = 30  # passes over the training data, at most
    batch_size: int = 16  # clips of a step
    patience: int = 10  # epochs without a better validation metric before training stops
    frames: int = 16  # frames of a clip that are read
    size: int = 64  # height and width to which they are scaled, in pixels
    every: float | None = None  # seconds of a long video that have an answer each; null for one answer to a file
    longest: float = 600.0  # seconds that a file may last to be one clip
    backbone: Backbone = "small"  # what sees a frame: a small network, one of keras.applications, or none
    weights: str = "imagenet"  # of one of keras.applications: imagenet, which Keras downloads, a file, or none
    frozen: bool = True  # whether the backbone stays as it is; what it makes of each file is then computed once
    differences: bool = True  # whether what has changed since the frame before is seen too
    flow: bool = False  # whether it is told what the optical flow is like
    channels: list[int] = (16, 32, 64)  # of the small network, after each of its convolutions
    grid: int = 4  # places along each side that it keeps apart in the end; 1 forgets what was where
    vector: int = 64  # size of what the small network makes of a frame
    cell: Cell = "gru"  # the recurrent cell
    units: int = 64  # size of its state, in each direction
    layers: int = 1  # recurrences on top of one another
    bidirectional: bool = True  # whether each layer reads from both ends
    residual: bool = False  # whether a layer adds its input to its output
    pooling: list[Literal["max", "mean", "attention"]] = ("max", "mean")  # summaries over time
    image_dropout: float = 0.2  # of what the small network has found in a frame
    flow_dropout: float = 0.2  # of what the optical flow is like
    output_dropout: float = 0.3  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrence, one mask for all steps of a clip
    zoneout: float = 0.0  # share of the recurrent state that stays as it was, drawn each step
    dropout: float = 0.5  # before the last layer
    members: int = 1  # networks side by side, each trained for itself, whose probabilities are averaged
    flip: bool = False  # whether clips are seen in the mirror, every other time; not where left and right matter
    shift: float = 0.1  # share of the side by which clips are moved while training, at most
    zoom: float = 0.1  # share by which they are enlarged or reduced, at most
    brightness: float = 0.2  # share of the range of grey by which they are made lighter or darker, at most
    class_weights: Literal["none", "balanced"] = "none"  # balanced: rare classes count as much as frequent ones
    path_column: str | None = None  # name or number (from 1) of the column with the path
    label_column: str | None = None  # name or number (from 1) of the column with the label
    header: bool | None = None  # whether the first line of a table holds names; null decides by looking


def options(config):
    """How clips are read."""
    columns = st.data.sources.Columns(config.path_column, config.label_column, config.header)
    return st.video.files.Options(config.frames, config.size, config.every, config.longest, columns)


def load(config, data=None, train=None, valid=None, test=None):
    if str(data) != "digits":
        st.errors.needs("av", extra="video")
    if config.frames < 2:
        raise st.errors.UserError("no motion to be seen", where="--frames", remedy="give 2 or more")
    return st.video.files.load_splits(data, options(config), train, valid, test)


def learn(config, train):
    return {"labels": st.data.vocabulary.Vocabulary.labels({example.target for example in train})}


def network(config):
    """The frozen backbone."""
    return st.video.backbones.shared_backbone(config.backbone, config.weights, config.size, config.seed)


def embedded(config):
    """Whether what is read of a file are the vectors of its frames."""
    return config.backbone not in ("small", "none") and config.frozen


def read(config, path):
    def frames():
        return st.video.files.read(path, options(config))

    if not embedded(config):
        return frames()
    weights = st.video.backbones.file_version(config.weights)
    told = [config.backbone, *weights, config.frames, config.size, *([config.seed] if weights == ["none"] else [])]
    return st.video.backbones.cached_features(path, frames, network(config), told)


def spec(config):
    import tensorflow as tf

    if embedded(config):
        return tf.TensorSpec([config.frames, network(config).output_shape[-1]], tf.float32)
    return tf.TensorSpec([config.frames, config.size, config.size, 3], tf.uint8)


def raw(config):
    import tensorflow as tf

    return {"frames": tf.TensorSpec([None, None, None, None, 3], tf.uint8, name="frames")}


def inputs(config, frames):
    frames = st.video.files.sample(frames, config.frames, config.size)
    return st.video.backbones.embed_clips(network(config), frames) if embedded(config) else frames


def asked(config, path, tokens):
    if config.every is None:
        yield Query(path, {"file": path})
        return
    try:
        for second, frames in st.video.files.clips(path, options(config)):
            found = st.video.backbones.embed_frames(network(config), frames) if embedded(config) else frames
            yield Query(found, {"file": path, "second": second})
    except st.errors.UserError as error:
        yield Query(error, {"file": path})


def augment(config, features, seed):
    if embedded(config):
        return features
    told = config.flip, config.shift, config.zoom, config.brightness
    return {"frames": st.video.augmentation.augment(features["frames"], seed, *told)}


def build(config, assets):
    import keras

    if config.flow and embedded(config):
        remedy = "leave it out, or add --frozen false"
        raise st.errors.UserError("a frozen backbone leaves no frames to follow", where="--flow", remedy=remedy)
    if config.backbone == "none" and not config.flow:
        raise st.errors.UserError("nothing sees the frames", where="--backbone none", remedy="add --flow true")
    shape = spec(config)
    frames = keras.Input(shape.shape, dtype=shape.dtype.name, name="frames")
    flows, members = list(flow(config, frames)), []
    for number in range(config.members):
        mark = f"_{number}" if config.members > 1 else ""
        seen = [keras.layers.Dropout(config.flow_dropout, name=f"flow_dropout{mark}_{n}")(x) for n, x in flows]
        seen += [] if config.backbone == "none" else [look(config, frames, mark)]
        x = seen[0] if len(seen) == 1 else keras.layers.Concatenate(name=f"seen{mark}")(seen)
        sequence = st.layers.recurrent_stack(x, name=f"recurrent{mark}", **rnn_options(config))
        summaries = [st.layers.Pooling(list(config.pooling), name=f"pooling{mark}")(sequence)]
        summaries.append(st.layers.Pooling(["max", "mean"], name=f"pooling_of_inputs{mark}")(x))
        members.append(summaries)
    return st.models.classifier({"frames": frames}, members, len(assets["labels"]), config.dropout)


def look(config, frames, mark):
    """What is made of each frame, of one member of an ensemble: (batch, frames, features)."""
    import keras

    layers = st.layers
    change = layers.FrameDifference(name=f"differences{mark}") if config.differences else lambda x: x
    if config.backbone == "small":
        x = change(keras.layers.Rescaling(1 / 127.5, -1.0, name=f"scaled{mark}")(frames))
        told = config.channels, config.grid, config.vector, config.image_dropout
        return layers.TimeDistributed(layers.image_stack(x.shape[2:], *told), name=f"images{mark}")(x)
    if config.frozen:
        return change(frames)
    backbone = st.video.backbones.build_backbone(config.backbone, config.weights, config.size, config.seed)
    for layer in backbone.layers[-1].layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False  # few clips a batch have other means than many images
    layer = layers.TimeDistributed(backbone, name=f"backbone{mark}")
    layer.pretrained = True  # weights that fine-tuning keeps if the run had a frozen backbone outside its model
    return change(layer(frames))


def flow(config, frames):
    """What the optical flow is like: pairs of its scale and (batch, frames, features), none where it is not asked."""
    import keras

    for scale in SCALES if config.flow else ():
        x = st.layers.OpticalFlow(scale=scale, dtype="float32", name=f"flow_{scale}")(frames)
        x = st.layers.FlowStatistics(dtype="float32", name=f"flow_statistics_{scale}")(x)
        yield scale, keras.layers.BatchNormalization(momentum=0.9, name=f"flow_normalisation_{scale}")(x)


def majority(config):
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


RECIPE = Recipe(
    name="video",
    summary="Which class a video clip belongs to: an activity, an event, any labels.",
    rnn_type="many-to-one",
    formats=("folder per class of mp4, avi, mov, webm, mkv, gif, npy", "csv, tsv, jsonl of paths", "tfds:ucf101"),
    Config=Config,
    sample="digits",
    sample_options={
        **{"epochs": 5, "size": 32, "learning_rate": 3e-3, "average": 0.98, "patience": 0},
        **{"shift": 0.0, "zoom": 0.0, "brightness": 0.0},
        **{"image_dropout": 0.0, "output_dropout": 0.0, "dropout": 0.2},
    },
    load=load,
    learn=learn,
    encode=lambda config, assets, frames: {"frames": frames},
    build=build,
    medium=FileInputs(read, spec, raw, inputs),
    task=lambda config: st.tasks.Classification(),
    loss=lambda config: st.losses.RDropCrossentropy(),
    default_metric="accuracy",
    baselines=lambda config: {
        "majority": majority,
        "motion_logistic_regression": lambda c: st.video.baselines.logistic_regression(options(c)),
    },
    augment=augment,
    told_anew=("every",),
    asked=asked,
    illustrate=lambda model, examples: st.video.report.report_sections(model, examples, options(model.config)),
)
