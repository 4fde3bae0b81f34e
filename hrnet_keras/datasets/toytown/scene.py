"""A street scene: sky, houses, road and pavement, then things from far to near, then light and air."""

import colorsys

import numpy as np

from hrnet_keras.datasets.toytown.canvas import Canvas
from hrnet_keras.datasets.toytown.faces import draw_face, joints_of_face, random_face
from hrnet_keras.datasets.toytown.figures import draw_figure, random_joints

CLASSES = {
    "sky": (110, 170, 220), "building": (150, 80, 60), "road": (120, 80, 140), "pavement": (230, 60, 220),
    "tree": (80, 150, 50), "fence": (190, 150, 90), "car": (30, 40, 160), "bus": (20, 160, 170),
    "person": (220, 30, 60), "sign": (240, 220, 30),
}  # fmt: skip
SKY, BUILDING, ROAD, PAVEMENT, TREE, FENCE, CAR, BUS, PERSON, SIGN = range(10)
THINGS = (CAR, BUS, PERSON, SIGN)


def draw_scene(seed, size=(128, 192), *, portrait=None):
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
    street = _Street(canvas)
    _sky(canvas, street)
    _houses(canvas, street)
    _ground(canvas, street)
    people, faces = {}, []
    for distance in np.sort(rng.uniform(0.3, 0.8, rng.integers(5, 9))):
        _thing(canvas, street, distance, people)
    if rng.uniform() < 0.34 if portrait is None else portrait:
        _portrait(canvas, street, people, faces)
    return {"image": _light(canvas, street), "name": str(seed), **_annotations(canvas, people, faces)}


class _Street:
    """Where the horizon is and how the road runs: the frame that everything stands in."""

    def __init__(self, canvas):
        rng, h, w = canvas.rng, canvas.height, canvas.width
        self.unit = h  # lengths are shares of the picture's height
        self.horizon = h * rng.uniform(0.36, 0.48)
        self.vanishing = w * rng.uniform(0.35, 0.65)
        self.left, self.right = w * rng.uniform(-0.05, 0.25), w * rng.uniform(0.75, 1.05)
        self.haze = rng.uniform(0, 0.3)

    def road(self, y):
        """Left and right edge of the road in row `y`."""
        near = np.clip((y - self.horizon) / (self.unit - self.horizon), 0, None)
        return (self.vanishing + (edge - self.vanishing) * (0.06 + 0.94 * near) for edge in (self.left, self.right))

    def row(self, distance):
        """Row on which something stands: `distance` 0 is the horizon, 1 the lower edge."""
        return self.horizon + distance * (self.unit - self.horizon)


def _colour(rng, *, bright=(0.3, 0.95), strong=(0.0, 0.6), hue=(0.0, 1.0)):
    """A random colour; what the classes may look like overlaps everywhere."""
    return 255 * np.array(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*strong), rng.uniform(*bright)))


def _either(rng, share, one, other):
    """One range of hues in `share` of the cases, else the other."""
    return one if rng.uniform() < share else other


def _sky(canvas, street):
    rng, h, w = canvas.rng, canvas.height, canvas.width
    hue = _either(rng, 0.7, (0.52, 0.66), (0.85, 1.13))  # by day, or at dusk
    top = _colour(rng, bright=(0.5, 1), strong=(0.0, 0.6), hue=hue)
    low = _colour(rng, bright=(0.6, 1), strong=(0, 0.3), hue=hue)
    ramp = np.clip(np.arange(h)[:, None, None] / street.horizon, 0, 1)
    colours = top * (1 - ramp) + low * ramp + 18 * canvas.blotches((h, w), max(h // 5, 8))[..., None]
    canvas.paint(np.ones((h, w), bool), (0, 0, h, w), colours, SKY)


def _houses(canvas, street):
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


def _house(canvas, left, top, right, bottom):
    """A wall with a grid of windows and a roof edge."""
    rng = canvas.rng
    colour = _colour(rng, strong=(0.05, 0.55), hue=_either(rng, 0.65, (0.0, 0.14), (0.0, 1.0)))
    found = canvas.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour, BUILDING)
    if found is None:
        return
    mask, box = found
    y, x = np.mgrid[box[0] : box[2], box[1] : box[3]]
    cell = rng.uniform(0.07, 0.11) * canvas.height
    across, down = (x - left) / cell % 1, (y - top) / (cell * rng.uniform(1, 1.4)) % 1
    panes = (across > 0.25) & (across < 0.75) & (down > 0.25) & (down < 0.75)
    wall = canvas.colours[box[0] : box[2], box[1] : box[3]]
    bricks = 1 + 0.10 * ((y - top).astype(int) % 3 == 0)[..., None]
    canvas.paint(mask & ~panes, box, wall * bricks, None)
    glass = wall.mean((0, 1)) * rng.choice([0.4, 0.5, 1.6])
    canvas.paint(mask & panes, box, np.clip(glass, 0, 255), None)
    canvas.paint(mask & (y < top + 2), box, wall * 0.6, None)


def _ground(canvas, street):
    """Pavement of slabs on both sides of a grainy road with a dashed line; the fence stands behind the pavement."""
    rng, h, w = canvas.rng, canvas.height, canvas.width
    top = int(street.horizon)
    box = (top, 0, h, w)
    y, x = np.mgrid[top:h, 0:w].astype(np.float32)
    near = np.maximum((y - street.horizon) / (h - street.horizon), 0.02)
    far, along = 1 / near, (x - street.vanishing) / (near * w)
    starts = street.horizon + 0.03 * street.unit
    grain = canvas.grain[top:h]
    slabs = (along * rng.uniform(9, 14) % 1 < 0.10) | (far * rng.uniform(2.2, 3.5) % 1 < 0.13)
    paved = _colour(rng, bright=(0.4, 0.85), strong=(0, 0.2)) + 4 * grain[..., None]
    left, right = street.road(y)
    on_road = (x >= left) & (x <= right) & (y >= street.horizon + 1)
    beside = ~on_road & (y >= starts)
    canvas.paint(beside, box, np.where(slabs[..., None], paved * 0.68, paved), PAVEMENT)
    tar = _colour(rng, bright=(0.25, 0.6), strong=(0, 0.15))
    canvas.paint(on_road, box, tar + 15 * grain[..., None], ROAD)
    middle = (x - (left + right) / 2) / np.maximum(right - left, 1)
    dashes = on_road & (np.abs(middle) < 0.018) & (far * 3 % 1 < 0.5)
    canvas.paint(dashes, box, tar * 0.3 + 170, None)
    for edge, outwards in ((street.left, -1), (street.right, 1)):
        if rng.uniform() < 0.75:
            _fence(canvas, street, edge, outwards)


def _fence(canvas, street, edge, outwards):
    """Upright bars between two rails, from the horizon towards the viewer."""
    rng, unit = canvas.rng, street.unit
    colour = _colour(rng)
    first, last = rng.uniform(0.14, 0.2), rng.uniform(0.4, 0.65)
    shift = outwards * rng.uniform(0.2, 0.35) * unit
    feet, tops = [], []
    for distance in (first, last):
        foot = street.row(distance)
        x = street.vanishing + (edge + shift - street.vanishing) * (0.06 + 0.94 * distance)
        feet.append((x, foot))
        tops.append((x, foot - 0.42 * distance * unit - 0.03 * unit))
    found = canvas.polygon([feet[0], feet[1], tops[1], tops[0]], colour, FENCE)
    if found is None:
        return
    mask, box = found
    x = np.arange(box[1], box[3])[None, :]
    bars = (x - feet[0][0]) / (0.045 * unit) % 1 < 0.5
    behind = np.broadcast_to(colour * rng.choice([0.45, 1.5]), (*mask.shape, 3))
    canvas.paint(mask & ~bars, box, np.clip(behind, 0, 255), None)


def _thing(canvas, street, distance, people):
    """Puts something on the street at a distance, at its size there."""
    rng = canvas.rng
    foot = street.row(distance)
    left, right = street.road(foot)
    kind = rng.choice(5, p=[0.24, 0.14, 0.27, 0.15, 0.20])
    if kind <= 1:
        x = rng.uniform(left + 0.1 * (right - left), right - 0.1 * (right - left))
        (_car if kind == 0 else _bus)(canvas, street, x, foot, distance)
        return
    side = rng.uniform(-0.02, 0.38) * street.unit
    x = left - side if rng.uniform() < 0.5 else right + side
    if kind == 2:
        _person(canvas, street, rng.uniform(0.05, 0.95) * canvas.width, foot, distance, people)
    elif kind == 3:
        _sign(canvas, street, x, foot, distance)
    else:
        _tree(canvas, street, x, foot, distance)


def _tree(canvas, street, x, foot, distance):
    rng, unit = canvas.rng, street.unit
    tall = unit * (0.16 + 0.75 * distance) * rng.uniform(0.9, 1.3)
    bark = _colour(rng, bright=(0.2, 0.45), strong=(0.1, 0.5), hue=(0.02, 0.12))
    leaves = _colour(rng, bright=(0.25, 0.75), strong=(0.25, 0.8), hue=_either(rng, 0.75, (0.18, 0.42), (0.98, 1.16)))
    canvas.limb([(x, foot), (x, foot - tall * 0.6)], max(0.09 * tall, 5), bark, TREE)
    for _ in range(5):
        spread = rng.uniform(-1, 1, 2) * tall * [0.17, 0.14]
        found = canvas.ellipse((x, foot - tall * 0.72) + spread, tall * rng.uniform(0.17, 0.24, 2), leaves, TREE)
        if found is not None:
            mask, box = found
            leafy = canvas.blotches(mask.shape, 3)[..., None]
            canvas.paint(mask, box, np.clip(leaves * (1 + 0.45 * leafy), 0, 255), None)


def _car(canvas, street, x, foot, distance):
    """Seen from the side or from behind: a body, a cabin with panes, wheels."""
    rng = canvas.rng
    me = canvas.new_instance(CAR)
    tall = street.unit * (0.05 + 0.34 * distance)
    wide = tall * rng.choice([1.35, 2.3])
    body = _colour(rng, strong=(0, 0.8))
    left, right = x - wide / 2, x + wide / 2
    sill, belt, roof = foot - 0.15 * tall, foot - 0.6 * tall, foot - tall
    cabin = [
        (left + 0.12 * wide, belt),
        (left + 0.27 * wide, roof),
        (right - 0.22 * wide, roof),
        (right - 0.08 * wide, belt),
    ]
    canvas.polygon(cabin, body * 0.9, CAR, me)
    panes = [(left + 0.2 * wide, belt), (left + 0.31 * wide, roof + 0.1 * tall),
             (right - 0.27 * wide, roof + 0.1 * tall), (right - 0.17 * wide, belt)]  # fmt: skip
    canvas.polygon(panes, np.array([50, 60, 75]) * rng.uniform(0.5, 2.2), CAR, me)
    canvas.limb(
        [(x - 0.03 * wide, roof + 0.05 * tall), (x - 0.03 * wide, belt)], max(0.06 * tall, 1), body * 0.9, CAR, me
    )
    canvas.polygon([(left, belt), (right, belt), (right, sill), (left, sill)], body, CAR, me)
    canvas.polygon(
        [(left, sill - 0.1 * tall), (right, sill - 0.1 * tall), (right, sill), (left, sill)], body * 0.7, CAR, me
    )
    for wheel in (left + 0.2 * wide, right - 0.2 * wide):
        canvas.ellipse((wheel, foot - 0.14 * tall), (0.16 * tall,) * 2, (25, 25, 28), CAR, me)
        canvas.ellipse((wheel, foot - 0.14 * tall), (0.07 * tall,) * 2, (150, 150, 150), CAR, me)
    lamp = rng.choice([[240, 230, 160], [200, 40, 40]])
    for end in (left + 0.05 * wide, right - 0.05 * wide):
        canvas.ellipse((end, belt + 0.14 * tall), (0.06 * tall,) * 2, lamp, CAR, me)


def _bus(canvas, street, x, foot, distance):
    """A tall box with a row of large panes, a stripe and wheels."""
    rng = canvas.rng
    me = canvas.new_instance(BUS)
    tall = street.unit * (0.10 + 0.50 * distance)
    wide = tall * rng.choice([0.85, 1.7])
    left, right, roof, sill = x - wide / 2, x + wide / 2, foot - tall, foot - 0.09 * tall
    body = _colour(rng, strong=(0.1, 0.9))
    canvas.polygon([(left, roof), (right, roof), (right, sill), (left, sill)], body, BUS, me)
    glass = np.array([55, 65, 80]) * rng.uniform(0.5, 2.2)
    count = 2 if wide < tall else 4
    for i in range(count):
        a = left + wide * (0.06 + 0.90 * i / count)
        b = a + wide * (0.90 / count - 0.04)
        canvas.polygon(
            [(a, roof + 0.14 * tall), (b, roof + 0.14 * tall), (b, roof + 0.5 * tall), (a, roof + 0.5 * tall)],
            glass,
            BUS,
            me,
        )
    stripe = [
        (left, foot - 0.40 * tall),
        (right, foot - 0.40 * tall),
        (right, foot - 0.30 * tall),
        (left, foot - 0.30 * tall),
    ]
    canvas.polygon(stripe, 255 - body, BUS, me)
    for wheel in (left + 0.2 * wide, right - 0.2 * wide):
        canvas.ellipse((wheel, foot - 0.09 * tall), (0.10 * tall,) * 2, (25, 25, 28), BUS, me)


def _sign(canvas, street, x, foot, distance):
    """A post and a plate with a rim: disc, triangle or square."""
    rng = canvas.rng
    me = canvas.new_instance(SIGN)
    tall = street.unit * (0.12 + 0.52 * distance)
    radius = max(0.24 * tall, 7)
    canvas.limb([(x, foot), (x, foot - tall)], max(0.07 * tall, 4.5), _colour(rng, strong=(0, 0.2)), SIGN, me)
    corners = rng.choice([3, 4, 24])
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + (np.pi / 4 if corners == 4 else -np.pi / 2)
    plate = np.stack([np.cos(angles), np.sin(angles)], 1)
    middle = np.array([x, foot - tall])
    rim = _colour(rng, bright=(0.6, 1), strong=(0.75, 1), hue=_either(rng, 0.6, (0.95, 1.05), (0.55, 0.65)))
    face = _colour(rng, bright=(0.8, 1), strong=(0, 0.25))
    canvas.polygon(middle + plate * radius, rim, SIGN, me)
    canvas.polygon(middle + plate * radius * 0.66, face, SIGN, me)
    canvas.limb([middle - [0.25 * radius, 0], middle + [0.25 * radius, 0]], 0.25 * radius, rim * 0.5, SIGN, me)


def _clothes(rng):
    tone = rng.uniform(0.35, 1)
    skin = np.array([235, 190, 160]) * tone + [15, 5, 0]
    return _colour(rng, strong=(0, 0.9)), _colour(rng, bright=(0.15, 0.7)), skin, _colour(rng, bright=(0.1, 0.6))


def _person(canvas, street, x, foot, distance, people):
    me = canvas.new_instance(PERSON)
    tall = street.unit * (0.18 + 0.62 * distance)
    joints = random_joints(canvas.rng, (x, foot), tall)
    draw_figure(canvas, joints, tall, PERSON, _clothes(canvas.rng), me)
    people[me] = joints


def _portrait(canvas, street, people, faces):
    """Someone so near that only the upper body fits, with a face of 68 points."""
    rng, unit = canvas.rng, street.unit
    me = canvas.new_instance(PERSON)
    half = unit * rng.uniform(0.12, 0.19)
    middle = np.array([rng.uniform(0.15, 0.85) * canvas.width, unit * rng.uniform(0.36, 0.55)])
    face = random_face(rng, middle, half)
    tall = half * 13
    joints = random_joints(rng, (middle[0], middle[1] + 0.92 * tall), tall)
    if joints[5, 0] < joints[6, 0]:  # a face to the viewer: the figure's left is on the right
        joints[:, 0] = 2 * middle[0] - joints[:, 0]
    joints[5:] += [face[8, 0] - joints[5:7, 0].mean(), face[8, 1] + 0.55 * half - joints[5:7, 1].mean()]
    joints[:5] = joints_of_face(face)
    colours = _clothes(rng)
    draw_figure(canvas, joints, tall * 0.8, PERSON, colours, me)
    draw_face(canvas, face, PERSON, colours[2], colours[3], me)
    people[me] = joints
    faces.append(face)


def _light(canvas, street):
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


def _annotations(canvas, people, faces):
    """What shows of everything, from the class ids and instance ids as painted."""
    h, w = canvas.height, canvas.width
    shown = [i for i in range(1, canvas.count + 1) if (canvas.instances == i).any()]
    masks = np.array([canvas.instances == i for i in shown], bool).reshape(-1, h, w)
    boxes = np.zeros((len(shown), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    persons = [i for i in shown if i in people]
    points = np.array([people[i] for i in persons], np.float32).reshape(-1, 17, 2)
    visible = np.array([_in_sight(canvas, people[i], i) for i in persons], bool).reshape(-1, 17)
    return {
        "label_map": canvas.labels, "labels": np.array([canvas.classes[i - 1] for i in shown], np.int32),
        "masks": masks, "boxes": boxes, "crowd": np.zeros(len(shown), bool), "points": points, "visible": visible,
        "faces": np.array(faces, np.float32).reshape(-1, 68, 2),
    }  # fmt: skip


def _in_sight(canvas, points, instance):
    """Whether the thing itself shows at (or right beside) each of its points."""
    found = []
    for x, y in np.floor(points).astype(int):
        around = canvas.instances[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        found.append(0 <= x < canvas.width and 0 <= y < canvas.height and bool((around == instance).any()))
    return found
