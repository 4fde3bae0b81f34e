"""A street scene: sky, houses, road and pavement, then things from far to near, then light and air."""

import numpy as np

from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.toytown.canvas import Canvas, Street, either, random_colour
from hrnet_keras.datasets.toytown.classes import BUILDING, FENCE, PAVEMENT, ROAD, SKY
from hrnet_keras.datasets.toytown.things import People, put_portrait, put_thing


def draw_scene(seed: int, size: tuple[int, int] = (128, 192), *, portrait: bool | None = None) -> Example:
    """Draws a scene.

    Args:
        seed: whole number; the same seed and size give the same scene, bit for bit, anywhere.
        size: `(height, width)` in pixels, at least 64 each.
        portrait: whether someone stands close by, face to the viewer; default: in about a third of the scenes.

    Returns:
        An example: `image` uint8 RGB `(height, width, 3)`; `label_map` uint8 `(height, width)`; for every car, bus,
        person and sign in sight `labels` int32 `(n,)`, `masks` bool `(n, height, width)` of what shows, `boxes`
        float32 `(n, 4)` xyxy around it, `crowd` (all False); for every person among them `points` float32 `(p, 17, 2)`
        (x, y) in COCO's order and `visible` bool `(p, 17)`; for every face `faces` float32 `(f, 68, 2)`, order of 300W.

    Raises:
        ValueError: `size` below 64.
    """
    height, width = size
    if min(size) < 64:
        raise ValueError(f"size={size}: toytown scenes are 64 pixels or more each way")
    rng = np.random.default_rng([int(seed), height, width])
    canvas = Canvas((height, width), rng)
    street = Street(canvas)
    _sky(canvas, street)
    _houses(canvas, street)
    _ground(canvas, street)
    people: People = {}
    faces: list[np.ndarray] = []
    for distance in np.sort(rng.uniform(0.3, 0.8, rng.integers(5, 9))):
        put_thing(canvas, street, distance, people)
    if rng.uniform() < 0.34 if portrait is None else portrait:
        put_portrait(canvas, street, people, faces)
    return {"image": _light(canvas, street), "name": str(seed), **_annotations(canvas, people, faces)}


def _sky(canvas: Canvas, street: Street) -> None:
    rng, h, w = canvas.rng, canvas.height, canvas.width
    hue = either(rng, 0.7, (0.52, 0.66), (0.85, 1.13))  # by day, or at dusk
    top = random_colour(rng, bright=(0.5, 1), strong=(0.0, 0.6), hue=hue)
    low = random_colour(rng, bright=(0.6, 1), strong=(0, 0.3), hue=hue)
    ramp = np.clip(np.arange(h)[:, None, None] / street.horizon, 0, 1)
    colours = top * (1 - ramp) + low * ramp + 18 * canvas.blotches((h, w), max(h // 5, 8))[..., None]
    canvas.paint(np.ones((h, w), bool), (0, 0, h, w), colours, SKY)


def _houses(canvas: Canvas, street: Street) -> None:
    rng, w, unit = canvas.rng, canvas.width, street.unit
    x = -rng.uniform(0, 0.2) * unit
    while x < w:
        wide = rng.uniform(0.25, 0.6) * unit
        if rng.uniform() < 0.82:
            near = min(abs(x + wide / 2 - street.vanishing) / (0.5 * w), 1)
            foot = street.horizon + (0.03 + 0.07 * near) * unit
            tall = rng.uniform(0.18, 0.34) * unit * (0.6 + 0.9 * near)
            _house(canvas, x, foot - tall, x + wide, foot)
        x += wide + rng.uniform(-0.02, 0.12) * unit


def _house(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> None:
    """A wall with a grid of windows and a roof edge."""
    rng = canvas.rng
    colour = random_colour(rng, strong=(0.05, 0.55), hue=either(rng, 0.65, (0.0, 0.14), (0.0, 1.0)))
    shape = canvas.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour, BUILDING)
    if shape is None:
        return
    mask, box = shape
    y, x = np.mgrid[box[0] : box[2], box[1] : box[3]]
    cell = rng.uniform(0.07, 0.11) * canvas.height
    across = (x - left) / cell % 1
    down = (y - top) / (cell * rng.uniform(1, 1.4)) % 1
    panes = (across > 0.25) & (across < 0.75) & (down > 0.25) & (down < 0.75)
    wall = canvas.colours[box[0] : box[2], box[1] : box[3]]
    bricks = 1 + 0.10 * ((y - top).astype(int) % 3 == 0)[..., None]
    canvas.paint(mask & ~panes, box, wall * bricks, None)
    glass = wall.mean((0, 1)) * rng.choice([0.4, 0.5, 1.6])
    canvas.paint(mask & panes, box, np.clip(glass, 0, 255), None)
    canvas.paint(mask & (y < top + 2), box, wall * 0.6, None)


def _ground(canvas: Canvas, street: Street) -> None:
    """Pavement of slabs on both sides of a grainy road with a dashed line; the fence stands behind the pavement."""
    rng, h, w = canvas.rng, canvas.height, canvas.width
    top = int(street.horizon)
    box = (top, 0, h, w)
    y, x = np.mgrid[top:h, 0:w].astype(np.float32)
    near = np.maximum((y - street.horizon) / (h - street.horizon), 0.02)
    far = 1 / near
    along = (x - street.vanishing) / (near * w)
    starts = street.horizon + 0.03 * street.unit
    grain = canvas.grain[top:h]
    slabs = (along * rng.uniform(9, 14) % 1 < 0.10) | (far * rng.uniform(2.2, 3.5) % 1 < 0.13)
    paved = random_colour(rng, bright=(0.4, 0.85), strong=(0, 0.2)) + 4 * grain[..., None]
    left, right = street.road(y)
    on_road = (x >= left) & (x <= right) & (y >= street.horizon + 1)
    beside = ~on_road & (y >= starts)
    canvas.paint(beside, box, np.where(slabs[..., None], paved * 0.68, paved), PAVEMENT)
    tar = random_colour(rng, bright=(0.25, 0.6), strong=(0, 0.15))
    canvas.paint(on_road, box, tar + 15 * grain[..., None], ROAD)
    middle = (x - (left + right) / 2) / np.maximum(right - left, 1)
    dashes = on_road & (np.abs(middle) < 0.018) & (far * 3 % 1 < 0.5)
    canvas.paint(dashes, box, tar * 0.3 + 170, None)
    for edge, outwards in ((street.left, -1), (street.right, 1)):
        if rng.uniform() < 0.75:
            _fence(canvas, street, edge, outwards)


def _fence(canvas: Canvas, street: Street, edge: float, outwards: int) -> None:
    """Upright bars between two rails, from the horizon towards the viewer."""
    rng, unit = canvas.rng, street.unit
    colour = random_colour(rng)
    first = rng.uniform(0.14, 0.2)
    last = rng.uniform(0.4, 0.65)
    shift = outwards * rng.uniform(0.2, 0.35) * unit
    feet, tops = [], []
    for distance in (first, last):
        foot = street.row(distance)
        x = street.vanishing + (edge + shift - street.vanishing) * (0.06 + 0.94 * distance)
        feet.append((x, foot))
        tops.append((x, foot - 0.42 * distance * unit - 0.03 * unit))
    shape = canvas.polygon([feet[0], feet[1], tops[1], tops[0]], colour, FENCE)
    if shape is None:
        return
    mask, box = shape
    columns = np.arange(box[1], box[3])[None, :]
    bars = (columns - feet[0][0]) / (0.045 * unit) % 1 < 0.5
    behind = np.broadcast_to(colour * rng.choice([0.45, 1.5]), (*mask.shape, 3))
    canvas.paint(mask & ~bars, box, np.clip(behind, 0, 255), None)


def _light(canvas: Canvas, street: Street) -> np.ndarray:
    """Haze, sun from one side, the colour of the hour, the lens and the sensor."""
    rng, h, w = canvas.rng, canvas.height, canvas.width
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    colours = canvas.colours
    depth = np.exp(-np.abs(y - street.horizon) / (0.18 * h))[..., None]
    colours = colours + street.haze * depth * (rng.uniform(150, 235) - colours)
    sun = 1 + rng.uniform(-0.25, 0.25) * (x / w - 0.5) + rng.uniform(-0.2, 0.2) * (y / h - 0.5)
    vignette = 1 - rng.uniform(0, 0.25) * ((x / w - 0.5) ** 2 + (y / h - 0.5) ** 2) * 2
    hour = rng.uniform(0.65, 1.1) * rng.uniform(0.9, 1.1, 3)
    noise = rng.uniform(1, 5) * rng.normal(0, 1, (h, w, 1))
    return np.clip(colours * hour * (sun * vignette)[..., None] + noise, 0, 255).astype(np.uint8)


def _annotations(canvas: Canvas, people: People, faces: list[np.ndarray]) -> Example:
    """What shows of everything, from the class ids and instance ids as painted."""
    h, w = canvas.height, canvas.width
    shown = [i for i in range(1, canvas.count + 1) if (canvas.instances == i).any()]
    masks = np.array([canvas.instances == i for i in shown], bool).reshape(-1, h, w)
    boxes = np.zeros((len(shown), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows = np.flatnonzero(mask.any(1))
        columns = np.flatnonzero(mask.any(0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    persons = [i for i in shown if i in people]
    points = np.array([people[i] for i in persons], np.float32).reshape(-1, 17, 2)
    visible = np.array([_in_sight(canvas, people[i], i) for i in persons], bool).reshape(-1, 17)
    return {
        "label_map": canvas.labels, "labels": np.array([canvas.classes[i - 1] for i in shown], np.int32),
        "masks": masks, "boxes": boxes, "crowd": np.zeros(len(shown), bool), "points": points, "visible": visible,
        "faces": np.array(faces, np.float32).reshape(-1, 68, 2),
    }  # fmt: skip


def _in_sight(canvas: Canvas, points: np.ndarray, instance: int) -> list[bool]:
    """Whether the thing itself shows at (or right beside) each of its points."""
    is_seen = []
    for x, y in np.floor(points).astype(int):
        around = canvas.instances[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        is_seen.append(0 <= x < canvas.width and 0 <= y < canvas.height and bool((around == instance).any()))
    return is_seen
