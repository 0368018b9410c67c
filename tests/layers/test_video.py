"""Image networks on each frame, frame differences, optical flow and augmentation of clips: against loops in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.layers import FlowStatistics, FrameDifference, OpticalFlow, TimeDistributed, image_stack
from seqtasks.video.augmentation import augment


def test_each_frame_is_processed_independently(rng):
    stack = image_stack((16, 16, 3), [4, 6], grid=2, units=5)
    clips = rng.normal(size=(2, 3, 16, 16, 3)).astype("float32")
    found = TimeDistributed(stack)(clips)
    for row in range(2):
        for time in range(3):
            np.testing.assert_allclose(found[row, time], stack(clips[row, time : time + 1])[0], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 3, 2)])
def test_frame_differences_match_numpy(shape, rng):
    x = rng.normal(size=shape).astype("float32")
    found = FrameDifference()(x).numpy()
    assert found.shape == FrameDifference().compute_output_shape(shape) == (*shape[:-1], 2 * shape[-1])
    np.testing.assert_array_equal(found[..., : shape[-1]], x)
    np.testing.assert_array_equal(found[:, 0, ..., shape[-1] :], np.zeros_like(x[:, 0]))
    np.testing.assert_allclose(found[:, 1:, ..., shape[-1] :], np.diff(x, axis=1), atol=1e-6)


def test_image_stack_keeps_positions_in_its_grid(rng):
    image = np.zeros((1, 32, 32, 1), "float32")
    image[0, 8:11, 8:11] = rng.normal(size=(3, 3, 1))
    moved = np.roll(image, 16, axis=1)
    for places, equal in ((1, True), (4, False)):
        grid = keras.Sequential(
            image_stack((32, 32, 1), [4, 4], places, units=3).layers[1:-1]
        )  # without the layers that mix the positions
        assert np.allclose(grid(image), grid(moved), atol=1e-6) == equal
        np.testing.assert_allclose(np.sort(grid(image)), np.sort(grid(moved)), atol=1e-6)
    assert image_stack((50, 41, 3), [4, 8, 8], grid=4, units=3).output_shape == (None, 3)


def waves(height, width, right, down):
    """A smooth pattern, moved by fractions of a pixel: (1, height, width, 1), grey from 0 to 255."""
    y, x = np.mgrid[:height, :width].astype(float)
    return 128 + 60 * np.sin((x - right) / 3) + 60 * np.cos((y - down) / 4)


@pytest.mark.parametrize(("right", "down"), [(0.3, 0.0), (0.0, -0.4), (-0.2, 0.25)])
@pytest.mark.parametrize("scale", [1, 2])
def test_flow_is_the_motion_of_a_pattern(right, down, scale):
    clip = np.stack([waves(64, 64, right * t, down * t) for t in range(3)])[None, ..., None].repeat(3, -1)
    found = OpticalFlow(cells=4, scale=scale, smoothing=0.01)(clip).numpy()
    assert found.shape == OpticalFlow(cells=4).compute_output_shape(clip.shape)
    np.testing.assert_allclose(found[..., 1:3, 1:3, 0], right / scale, atol=0.03)
    np.testing.assert_allclose(found[..., 1:3, 1:3, 1], down / scale, atol=0.03)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


def test_flow_is_the_least_squares_solution_of_each_cell(rng):
    clip = rng.uniform(0, 255, (1, 2, 13, 10, 3))
    found = OpticalFlow(cells=3, smoothing=5.0)(clip).numpy()[0, 1]
    first, second = clip[0].mean(-1)
    middle = (first + second) / 2
    x, y, t = np.zeros_like(middle), np.zeros_like(middle), second - first
    x[:, 1:-1], y[1:-1] = (middle[:, 2:] - middle[:, :-2]) / 2, (middle[2:] - middle[:-2]) / 2
    for row in range(3):
        for column in range(3):
            cell = np.s_[4 * row : 4 * row + 4, 3 * column : 3 * column + 3]
            slopes = np.stack([x[cell].ravel(), y[cell].ravel()], 1)
            left, right = slopes.T @ slopes / 12 + 5 * np.eye(2), -slopes.T @ t[cell].ravel() / 12
            np.testing.assert_allclose(found[row, column], np.linalg.solve(left, right), rtol=1e-3, atol=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_flow_statistics_match_numpy(seed):
    flow = np.random.default_rng(seed).normal(size=(2, 3, 4, 5, 2)).astype("float32")
    found = FlowStatistics()(flow).numpy()
    assert found.shape == FlowStatistics().compute_output_shape(flow.shape)
    for clip, rows in zip(flow.reshape(2, 3, 20, 2), found, strict=True):
        for step, row in enumerate(rows):
            apart = clip[step] - np.median(clip[step], 0)
            change = clip[step] - clip[max(step - 1, 0)]
            ranked = [
                sorted(np.hypot(*f.T))[::-1][rank] for f in (clip[step], apart, change) for rank in (0, 1, 3, 7, 15)
            ]
            logarithms = np.log(np.array([*ranked, *abs(clip[step]).mean(0)]) + 0.02)
            np.testing.assert_allclose(row[:17], logarithms, atol=1e-4)
            speed = np.hypot(*apart.T)
            weight = speed / speed.sum()
            sector = np.floor((np.arctan2(apart[:, 1], apart[:, 0]) + np.pi) / (np.pi / 4)).clip(0, 7)
            shares = np.array([weight[sector == k].sum() for k in range(8)])
            shares = shares[shares > 0]
            assert row[17] == pytest.approx(-(shares * np.log(shares)).sum(), abs=2e-3)
            assert row[18] == pytest.approx(np.hypot(*(apart.sum(0) / speed.sum())), abs=2e-3)


def test_an_image_stack_trains_on_all_frames(rng):
    layer = TimeDistributed(image_stack((16, 16, 3), [4, 4], grid=2, units=5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(rng.normal(size=(4, 3, 16, 16, 3)).astype("float32"), training=True) ** 2)
    for weight, gradient in zip(layer.trainable_weights, tape.gradient(loss, layer.trainable_weights), strict=True):
        assert np.abs(gradient).max() > 0, weight.path
    assert len(layer.trainable_weights) == 2 * 3 + 2
    means = [w for w in layer.non_trainable_weights if "moving_mean" in w.path]
    assert len(means) == 2 and all(np.abs(w.numpy()).max() > 0 for w in means)


def clips_of(rng, count=6, frames=2, size=8):
    return rng.integers(0, 256, (count, frames, size, size, 3), np.uint8)


@given(st.integers(0, 2**31 - 1), st.booleans())
def test_variations_leave_what_they_are_not_asked_for(seed, flip):
    clips = clips_of(np.random.default_rng(seed))
    found = np.asarray(augment(clips, [seed, 1], flip=flip))
    for clip, before in zip(found, clips, strict=True):
        assert (clip == before).all() or (flip and (clip == before[:, :, ::-1]).all())


@given(st.integers(0, 2**31 - 1))
def test_a_clip_is_moved_as_a_whole(seed):
    clips = clips_of(np.random.default_rng(seed))
    found = augment(clips, [seed, 1], shift=0.25).numpy()
    edged = np.pad(clips, [(0, 0), (0, 0), (2, 2), (2, 2), (0, 0)], mode="edge")
    moves = [edged[:, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    for number, clip in enumerate(found):
        assert any((clip == moved[number]).all() for moved in moves)


def test_light_and_contrast_are_those_of_the_clip(rng):
    clips = np.tile(np.arange(0, 250, 50, dtype="uint8")[:, None, None, None], (40, 1, 4, 4, 3))
    found = augment(clips, [3, 1], brightness=0.2).numpy().astype(int)
    for clip in found:
        levels = clip[:, 0, 0, 0]
        assert (clip == levels[:, None, None, None]).all() and (np.diff(levels) >= 0).all()
        inside = np.flatnonzero((levels > 0) & (levels < 255))
        steps = np.diff(levels[inside])
        assert np.ptp(steps) <= 1 and (abs(steps - 50) <= 0.2 * 50 + 1).all()
    assert found[:, 2].std() > 10
    np.testing.assert_array_equal(found, augment(clips, [3, 1], brightness=0.2))
    assert (found != augment(clips, [3, 2], brightness=0.2).numpy()).any()


def test_a_mirror_is_for_every_other_clip(rng):
    clips = clips_of(rng, 400, 1, 2)
    same = (augment(clips, [0, 0], flip=True).numpy() == clips).all((1, 2, 3, 4)).mean()
    assert 0.4 < same < 0.6


def test_zoom_enlarges_from_the_middle():
    clips = np.zeros((50, 1, 64, 64, 3), np.uint8)
    clips[:, :, 16:48, 16:48] = 255
    sides = augment(clips, [0, 5], zoom=0.5).numpy()[:, 0, 32, :, 0].astype(bool)
    widths, first = sides.sum(1), sides.argmax(1)
    assert widths.min() >= 32 / 1.5 - 2 and widths.max() <= 32 * 1.5 + 2 and widths.std() > 4
    assert (abs(first + widths / 2 - 32) <= 1).all()
