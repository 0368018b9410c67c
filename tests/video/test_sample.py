"""The moving digits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.video.sample import MOTIONS, _phases, _render, moving_digits


def test_moving_digits_depend_on_the_seed_only():
    frames, motions = moving_digits(100, seed=3, frames=5, size=24)
    same, equal = moving_digits(100, seed=3, frames=5, size=24)
    assert frames.shape == (100, 5, 24, 24, 3) and frames.dtype == np.uint8 and (frames == frames[..., :1]).all()
    np.testing.assert_array_equal(frames, same)
    assert motions == equal and {motions.count(motion) for motion in MOTIONS} == {12, 13}
    assert (moving_digits(100, seed=4, frames=5, size=24)[0] != frames).any((1, 2, 3, 4)).all()


def test_splits_share_no_digits(monkeypatch):
    from sklearn.datasets import load_digits

    def render(images, phases, size):
        found.update(image.tobytes() for image in images)
        return np.zeros((*phases.shape[:2], size, size), "float32")

    monkeypatch.setattr("seqtasks.video.sample._render", render)
    seen, kinds = [], load_digits()
    names = dict(zip((image.tobytes() for image in kinds.images / 16), kinds.target.tolist(), strict=True))
    for split in ("train", "validation", "test"):
        found = set()
        moving_digits(3000, 0, frames=1, size=1, split=split)
        assert {names[image] for image in found} == set(range(10))
        seen.append(found)
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def rendered(x=0.5, y=0.5, angle=0.0, scale=0.5, size=33, image=None):
    image = np.triu(np.ones((8, 8))) if image is None else image
    return _render(image[None], np.array([[[x, y, angle, scale]]]), size)[0, 0]


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_position_phases_move_a_digit_with_wrap_around(right, down):
    found = rendered((0.5 + right / 33) % 1, (0.5 + down / 33) % 1)
    rolled = np.roll(rendered(), (down, right), (0, 1))
    assert np.mean(abs(found - rolled) > 0.2) < 0.01  # the nearest interpolated position may differ


def test_angle_and_size_phases():
    for quarters in range(4):
        turned = np.rot90(rendered(), quarters)  # counter-clockwise, as rows go down
        assert np.mean(abs(rendered(angle=quarters / 4) - turned) > 0.2) < 0.02
    for scale, side in ((0, 0.35), (0.5, 0.35 * 2**0.5), (1 - 1e-6, 0.7)):
        area = rendered(scale=scale, size=201, image=np.ones((8, 8))).mean()
        np.testing.assert_allclose(area, side**2, rtol=0.02)


OPPOSITES = [("right", "left"), ("down", "up"), ("turning left", "turning right"), ("growing", "shrinking")]


@pytest.mark.parametrize("phase", range(4))
def test_motion_moves_one_phase_and_reversed_is_its_opposite(phase):
    assert sorted(itertools.chain(*OPPOSITES)) == sorted(MOTIONS)
    forward, reverse = (_phases(np.random.default_rng(0), [name] * 500, 9) for name in OPPOSITES[phase])
    np.testing.assert_array_equal(forward[:, 0], reverse[:, 0])  # the random draws do not depend on the motion
    step = (np.diff(forward, axis=1) + 0.5) % 1 - 0.5
    np.testing.assert_allclose(step, -((np.diff(reverse, axis=1) + 0.5) % 1 - 0.5), atol=1e-9)
    assert (np.delete(step, phase, -1) == 0).all()
    np.testing.assert_allclose(step[..., phase], step[:, :1, phase].repeat(8, 1), atol=1e-9)
    assert (step[..., phase] >= 1 / 32 - 1e-9).all() and (step[..., phase] <= 1 / 16 + 1e-9).all()


def test_single_frames_do_not_reveal_the_motion():
    from scipy.stats import kstest
    from sklearn.neighbors import KNeighborsClassifier

    for motion in MOTIONS:
        found = _phases(np.random.default_rng(1), [motion] * 2000, 6)
        assert min(kstest(found[:, t, k], "uniform").pvalue for t in (0, 5) for k in range(4)) > 1e-3
    frames, motions = moving_digits(1600, 0, frames=3, size=12)
    for frame in (0, 2):
        pixels = frames[:, frame, :, :, 0].reshape(1600, -1).astype("float32")
        right = KNeighborsClassifier(5).fit(pixels[:1000], motions[:1000]).score(pixels[1000:], motions[1000:])
        assert abs(right - 1 / 8) < 4 * (1 / 8 * 7 / 8 / 600) ** 0.5
