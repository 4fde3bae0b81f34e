"""Faces drawn from their 68 points (the order of 300W)."""

import numpy as np

from hrnet_keras.datasets.toytown.canvas import Canvas


def _template() -> np.ndarray:
    """The 68 points of a face that looks at the viewer, in units of half the face's width, y down, nose bridge at 0."""
    jaw = np.deg2rad(np.linspace(180, 0, 17))
    points = [np.stack([np.cos(jaw), np.where(np.sin(jaw) > 0, 1.25 * np.sin(jaw), 0)], 1)]
    bow = np.linspace(0, np.pi, 5)
    for centre in (-0.47, 0.47):
        points.append(np.stack([centre + np.linspace(-0.28, 0.28, 5), -0.30 - 0.09 * np.sin(bow)], 1))
    points.append(np.stack([np.zeros(4), np.linspace(-0.05, 0.40, 4)], 1))
    points.append(np.stack([np.linspace(-0.17, 0.17, 5), 0.50 + 0.05 * np.sin(bow)], 1))
    eye = np.deg2rad([180, 120, 60, 0, -60, -120])
    for centre in (-0.44, 0.44):
        points.append(np.stack([centre + 0.19 * np.cos(eye), -0.03 - 0.085 * np.sin(eye)], 1))
    outer = np.deg2rad(np.linspace(180, -150, 12))
    points.append(np.stack([0.36 * np.cos(outer), 0.80 - 0.13 * np.sin(outer)], 1))
    inner = np.deg2rad([180, 135, 90, 45, 0, -45, -90, -135])
    points.append(np.stack([0.27 * np.cos(inner), 0.80 - 0.05 * np.sin(inner)], 1))
    return np.concatenate(points)


TEMPLATE = _template()


def random_face(rng: np.random.Generator, centre: np.ndarray, half_width: float) -> np.ndarray:
    """The 68 points of a face: turned, tilted, with an expression.

    Args:
        rng: source of chance.
        centre: `(x, y)` of the bridge of the nose, in pixels.
        half_width: in pixels.

    Returns:
        float64 `(68, 2)` as `(x, y)` in pixels.
    """
    points = TEMPLATE.copy()
    points[17:27, 1] += rng.uniform(-0.10, 0.04)
    points[36:48, 1] = -0.03 + (points[36:48, 1] + 0.03) * rng.uniform(0.6, 1.3)
    opened = rng.uniform(0, 0.16)
    points[55:60, 1] += opened
    points[65:68, 1] += opened
    points[[48, 54, 60, 64], 1] += rng.uniform(-0.10, 0.05)
    yaw = rng.uniform(-0.28, 0.28)  # the middle of the face moves more than its rim
    points[:, 0] += yaw * (1 - points[:, 0] ** 2)
    points *= rng.uniform(0.92, 1.08, 2)
    angle = np.deg2rad(rng.uniform(-18, 18))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T * half_width + centre


def draw_face(
    canvas: Canvas, points: np.ndarray, label: int, skin: np.ndarray, hair: np.ndarray, instance: int
) -> None:
    """Paints hair, face, brows, eyes, nose and mouth through the given points."""
    across = points[16] - points[0]
    up = points[27] - points[8]
    middle = points[[0, 16]].mean(0)
    arc = np.deg2rad(np.linspace(0, 180, 13))[1:-1, None]

    def crown(wide: float, high: float) -> np.ndarray:
        return middle + np.cos(arc) * across / 2 * wide + np.sin(arc) * up * high

    canvas.polygon(np.concatenate([points[:17], crown(1.12, 0.95)]), hair, label, instance)
    canvas.polygon(np.concatenate([points[:17], crown(1.0, 0.55)]), skin, label, instance)
    thick = max(np.hypot(*across) * 0.045, 1)
    for brow in (points[17:22], points[22:27]):
        canvas.limb(brow, thick, hair * 0.7, label, instance)
    for eye in (points[36:42], points[42:48]):
        canvas.polygon(eye, np.array([240, 240, 235]), label, instance)
        canvas.ellipse(eye.mean(0), (thick, thick), hair * 0.3, label, instance)
    canvas.limb(points[27:31], thick * 0.6, skin * 0.85, label, instance)
    canvas.limb(points[31:36], thick * 0.6, skin * 0.7, label, instance)
    canvas.polygon(points[48:60], np.array([175, 70, 75]) * skin.mean() / 160, label, instance)
    canvas.polygon(points[60:68], np.array([60, 20, 25]), label, instance)


def joints_of_face(points: np.ndarray) -> np.ndarray:
    """Nose, eyes and ears (COCO's first five joints) where a face's points put them: `(5, 2)`."""
    return np.stack([points[33], points[42:48].mean(0), points[36:42].mean(0), points[16], points[0]])
