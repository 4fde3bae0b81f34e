"""People drawn from their 17 joints (the order of COCO), so that picture and annotation cannot disagree."""

import numpy as np

from hrnet_keras.datasets.toytown.canvas import Canvas

Clothes = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # colours of shirt, trousers, skin, hair

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
FLIP_PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
EDGES = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13),
    (13, 15), (12, 14), (14, 16),
)  # fmt: skip
HEAD = 0.075  # half the height of the head, of the figure's height


def _turn(length: float, degrees: float) -> np.ndarray:
    """A step of `length` downwards, turned by `degrees` to the left of the picture."""
    angle = np.deg2rad(degrees)
    return length * np.array([np.sin(angle), np.cos(angle)])


def random_joints(rng: np.random.Generator, foot: tuple[float, float], height: float) -> np.ndarray:
    """Joints of someone who stands or walks with the feet at `foot` `(x, y)`, `height` pixels tall.

    Returns:
        float64 `(17, 2)` as `(x, y)` in pixels. Left is the figure's own left: it faces the viewer, so left joints
        lie to the right in the picture unless it is turned.
    """
    turn = rng.uniform(0.45, 1.0) * rng.choice([1, 1, 1, -1])  # below 0: seen from behind
    points = np.zeros((17, 2))
    hip = np.array([0, -0.50])
    shoulder = np.array([rng.uniform(-0.03, 0.03), -0.81])
    head = shoulder + [rng.uniform(-0.02, 0.02), -0.115]
    points[0] = head + [0.02 * turn, 0.015]
    for side, sign in ((0, 1), (1, -1)):
        points[1 + side] = head + [sign * 0.025 * turn, -0.012]
        points[3 + side] = head + [sign * 0.052 * turn, 0.0]
        points[5 + side] = shoulder + [sign * 0.105 * turn, 0]
        points[11 + side] = hip + [sign * 0.065 * turn, 0]
        out = sign * np.sign(turn)
        raised = rng.uniform(0, 1) < 0.2
        upper = rng.uniform(100, 165) if raised else rng.uniform(-5, 50)
        fore = upper + rng.uniform(-20, 60) if raised else upper + rng.uniform(-35, 35)
        points[7 + side] = points[5 + side] + out * _turn(0.155, upper) * [1, out]
        points[9 + side] = points[7 + side] + out * _turn(0.145, fore) * [1, out]
        stride = rng.uniform(-22, 22)
        points[13 + side] = points[11 + side] + _turn(0.245, stride)
        points[15 + side] = points[13 + side] + _turn(0.235, stride - rng.uniform(0, 18))
    points[:, 1] -= points[15:, 1].max()
    return points * height + foot


def draw_figure(canvas: Canvas, joints: np.ndarray, height: float, label: int, colours: Clothes, instance: int) -> None:
    """Paints a figure of the given joints; arms in front of the body, the head last."""
    shirt, trousers, skin, hair = colours
    thick = max(height * 0.085, 2.5)
    for side in (0, 1):
        canvas.limb(joints[[11 + side, 13 + side, 15 + side]], thick, trousers, label, instance)
        canvas.ellipse(joints[15 + side] + [0, thick * 0.3], (thick * 0.7, thick * 0.45), hair, label, instance)
    torso = joints[[5, 6, 12, 11]]
    canvas.polygon(torso, shirt, label, instance)
    canvas.limb(joints[[5, 6]], thick, shirt, label, instance)
    canvas.limb(joints[[11, 12]], thick, trousers, label, instance)
    canvas.limb(np.stack([joints[[5, 11]].mean(0), joints[[6, 12]].mean(0)]), thick * 1.5, shirt, label, instance)
    for side in (0, 1):
        canvas.limb(joints[[5 + side, 7 + side, 9 + side]], thick * 0.75, shirt * 0.88, label, instance)
        canvas.ellipse(joints[9 + side], (thick * 0.45,) * 2, skin, label, instance)
    centre = joints[[3, 4]].mean(0)
    canvas.limb(np.stack([centre, joints[[5, 6]].mean(0)]), thick * 0.7, skin, label, instance)
    radius = HEAD * height
    canvas.ellipse(centre - [0, radius * 0.15], (radius * 0.85, radius * 1.05), hair, label, instance)
    if joints[1, 0] > joints[2, 0]:  # facing the viewer: its left eye lies to the right
        canvas.ellipse(centre + [0, radius * 0.12], (radius * 0.72, radius * 0.85), skin, label, instance)
        for eye in joints[[1, 2]]:
            canvas.ellipse(eye, (max(radius * 0.12, 0.5),) * 2, hair * 0.4, label, instance)
