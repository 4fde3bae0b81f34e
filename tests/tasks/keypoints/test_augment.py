"""Random looks: the half bodies of the official code, and ranges and shares of everything drawn.

Shares are those of the rule; the bounds are about five standard errors of the sample, so a wrong one is seen.
"""

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.augment import (
    mmlab,
    mmlab_half_body,
    official_half_body,
    official_landmark,
    official_pose,
)

UPPER = tuple(range(11))  # of COCO's 17
POINTS = np.array([[100 + 3 * i, 50 + 2 * i] for i in range(11)] + [[400 + 3 * i, 300 - 5 * i] for i in range(6)])
NUMBER = 6000


def looks(draw, *args, **options):
    rng = np.random.default_rng(7)
    return [draw(rng, *args, **options) for _ in range(NUMBER)]


def share(condition):
    return np.mean(np.asarray(condition, float))


def halves(drawn):
    """The shares of looks whose centre is that of the upper and of the lower half."""
    centers = np.array([look.center for look in drawn])
    return [share(np.isclose(centers, half.mean(0)).all(1)) for half in (POINTS[:11], POINTS[11:])]


def test_official_half_bodies(golden):
    _, arrays = golden("pose", "pose_half_body")
    for i, (joints, visible) in enumerate(zip(arrays["in_joints"], arrays["in_joints_vis"], strict=True)):
        found = official_half_body(joints[:, :2], visible[:, 0], UPPER, 192 / 256, arrays["in_normal_draw"][i])
        assert (found is not None) == arrays["out_applied"][i]
        if found is not None:
            np.testing.assert_allclose(found[0], arrays["out_center"][i], rtol=1e-5)
            np.testing.assert_allclose(found[1], arrays["out_scale"][i], rtol=1e-5)


def test_half_bodies_of_one_place_are_none():
    points = np.full((17, 2), 30.0)
    assert official_half_body(points, np.ones(17), UPPER, 0.75, 0.0) is None
    assert mmlab_half_body(points, np.ones(17), UPPER, 0.0) is None


@pytest.mark.parametrize(
    ("upper", "lower", "uniform", "expected"),
    [(4, 4, 0.69, "upper"), (4, 4, 0.71, "lower"), (1, 3, 0.0, "lower"), (2, 2, 0.99, "upper"), (1, 2, 0.0, None)],
)
def test_mmposes_half_bodies(upper, lower, uniform, expected):
    visible = np.zeros(17)
    visible[:upper] = visible[11 : 11 + lower] = 1
    found = mmlab_half_body(POINTS, visible, UPPER, uniform)
    if expected is None:
        assert found is None
        return
    chosen = POINTS[:upper] if expected == "upper" else POINTS[11 : 11 + lower]
    np.testing.assert_allclose(found[0], chosen.mean(0))
    np.testing.assert_allclose(found[1], (chosen.max(0) - chosen.min(0)) * 1.5 / 200)


def test_official_landmark():
    drawn = looks(official_landmark, (10, 20), 2.0)
    factors, turns = np.array([look.scale / 2 for look in drawn]), np.array([look.rotation for look in drawn])
    assert 0.75 <= factors.min() < 0.752 and 1.248 < factors.max() <= 1.25
    assert factors.mean() == pytest.approx(1, abs=0.01) and factors.std() == pytest.approx(0.5 / 12**0.5, abs=0.005)
    turned = turns[turns != 0]
    assert share(turns != 0) == pytest.approx(0.6, abs=0.03)
    assert -30 <= turned.min() < -29.5 and 29.5 < turned.max() <= 30
    assert turned.std() == pytest.approx(60 / 12**0.5, abs=0.7)
    assert share([look.flip for look in drawn]) == pytest.approx(0.5, abs=0.03)
    assert (np.array([look.center for look in drawn]) == (10, 20)).all()


@pytest.mark.parametrize(("scaling", "rotation"), [(0.35, 45), (0.25, 30)])
def test_official_pose_scales_turns_and_mirrors(scaling, rotation):
    options = {"upper_body": (), "aspect_ratio": 0.75, "scaling": scaling, "rotation": rotation}
    drawn = looks(official_pose, (10, 20), (1.5, 2.0), POINTS, np.ones(17), **options)
    factors = np.array([look.scale for look in drawn]) / (1.5, 2.0)
    np.testing.assert_allclose(factors[:, 0], factors[:, 1])
    factors = factors[:, 0]
    assert factors.min() == pytest.approx(1 - scaling) and factors.max() == pytest.approx(1 + scaling)
    for limit in (factors.min(), factors.max()):  # beyond one standard deviation: 0.159 each side
        assert share(np.isclose(factors, limit)) == pytest.approx(0.1587, abs=0.025)
    turns = np.array([look.rotation for look in drawn])
    assert share(turns != 0) == pytest.approx(0.6, abs=0.03)
    turned = np.abs(turns[turns != 0])
    assert turned.max() == 2 * rotation and share(turned == 2 * rotation) == pytest.approx(0.0455, abs=0.018)
    assert np.median(turned) == pytest.approx(0.6745 * rotation, rel=0.06)
    assert share([look.flip for look in drawn]) == pytest.approx(0.5, abs=0.03)
    assert (np.array([look.center for look in drawn]) == (10, 20)).all()


def test_official_pose_shows_half_bodies():
    options = {"upper_body": UPPER, "aspect_ratio": 0.75}
    drawn = looks(official_pose, (10, 20), (1.5, 2.0), POINTS, np.ones(17), **options)
    upper, lower = halves(drawn)
    assert upper + lower == pytest.approx(0.3, abs=0.03)
    assert upper / (upper + lower) == pytest.approx(0.6915, abs=0.055)  # a normal draw below 0.5
    few = np.arange(17) < 8
    drawn = looks(official_pose, (10, 20), (1.5, 2.0), POINTS, few, **options)
    assert (np.array([look.center for look in drawn]) == (10, 20)).all()


def test_mmlab_persons():
    drawn = looks(mmlab, (10, 20), (1.0, 3.0), POINTS, np.ones(17), upper_body=())
    moves = np.array([look.center for look in drawn]) - (10, 20)
    assert share((moves != 0).any(1)) == pytest.approx(0.3, abs=0.03)
    assert (0.155 * 200 < np.abs(moves[:, 0]).max() <= 0.16 * 200) and np.abs(moves[:, 1]).max() > 0.155 * 600
    factors = np.array([look.scale for look in drawn])[:, 0]
    assert 0.5 <= factors.min() < 0.51 and 1.49 < factors.max() <= 1.5
    # The standard deviation of a normal cut at one is 0.5396.
    assert factors.mean() == pytest.approx(1, abs=0.02) and factors.std() == pytest.approx(0.5396 / 2, abs=0.01)
    turns = np.array([look.rotation for look in drawn])
    assert share(turns != 0) == pytest.approx(0.6, abs=0.03) and 79 < np.abs(turns).max() <= 80
    assert turns[turns != 0].std() == pytest.approx(0.5396 * 80, abs=2)
    assert share([look.flip for look in drawn]) == pytest.approx(0.5, abs=0.03)


def test_mmlab_faces():
    options = {"scaling": 0.25, "rotation": 60, "shifting": 0}
    drawn = looks(mmlab, (10, 20), 2.0, POINTS, np.ones(17), **options)
    factors = np.array([look.scale for look in drawn]) / 2
    assert 0.75 <= factors.min() < 0.76 and 1.24 < factors.max() <= 1.25
    assert 59 < max(abs(look.rotation) for look in drawn) <= 60
    assert (np.array([look.center for look in drawn]) == (10, 20)).all()


def test_mmlab_shows_half_bodies():
    options = {"upper_body": UPPER, "shifting": 0}
    drawn = looks(mmlab, (10, 20), (1.5, 2.0), POINTS, np.ones(17), **options)
    upper, lower = halves(drawn)
    assert upper + lower == pytest.approx(0.3, abs=0.03) and upper / (upper + lower) == pytest.approx(0.7, abs=0.055)


def test_the_same_seed_draws_the_same():
    first, again = (official_landmark(np.random.default_rng(5), (0, 0), 1.0) for _ in range(2))
    assert (first.scale, first.rotation, first.flip) == (again.scale, again.rotation, again.flip)


def test_mirroring_can_be_left_out():
    pose = {"upper_body": (), "aspect_ratio": 0.75, "flip_prob": 0}
    assert not any(look.flip for look in looks(official_landmark, (0, 0), 1.0, flip_prob=0))
    assert not any(look.flip for look in looks(official_pose, (0, 0), 1.0, POINTS, np.ones(17), **pose))
    assert not any(look.flip for look in looks(mmlab, (0, 0), 1.0, POINTS, np.ones(17), flip_prob=0))
