"""What stands on the street: trees, signs, cars, buses, people, each at the size of its distance."""

import numpy as np

from hrnet_keras.datasets.toytown.canvas import Canvas, Street, either, random_colour
from hrnet_keras.datasets.toytown.classes import BUS, CAR, PERSON, SIGN, TREE
from hrnet_keras.datasets.toytown.faces import draw_face, joints_of_face, random_face
from hrnet_keras.datasets.toytown.figures import Clothes, draw_figure, random_joints

People = dict[int, np.ndarray]  # joints of the persons, by the number of the instance


def put_thing(canvas: Canvas, street: Street, distance: float, people: People) -> None:
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
    if rng.uniform() < 0.5:
        x = float(left - side)
    else:
        x = float(right + side)
    if kind == 2:
        _person(canvas, street, rng.uniform(0.05, 0.95) * canvas.width, foot, distance, people)
    elif kind == 3:
        _sign(canvas, street, x, foot, distance)
    else:
        _tree(canvas, street, x, foot, distance)


def _tree(canvas: Canvas, street: Street, x: float, foot: float, distance: float) -> None:
    rng, unit = canvas.rng, street.unit
    tall = unit * (0.16 + 0.75 * distance) * rng.uniform(0.9, 1.3)
    bark = random_colour(rng, bright=(0.2, 0.45), strong=(0.1, 0.5), hue=(0.02, 0.12))
    leaves = random_colour(
        rng, bright=(0.25, 0.75), strong=(0.25, 0.8), hue=either(rng, 0.75, (0.18, 0.42), (0.98, 1.16))
    )
    canvas.limb([(x, foot), (x, foot - tall * 0.6)], max(0.09 * tall, 5), bark, TREE)
    for _ in range(5):
        spread = rng.uniform(-1, 1, 2) * tall * [0.17, 0.14]
        shape = canvas.ellipse((x, foot - tall * 0.72) + spread, tall * rng.uniform(0.17, 0.24, 2), leaves, TREE)
        if shape is not None:
            mask, box = shape
            leafy = canvas.blotches(mask.shape, 3)[..., None]
            canvas.paint(mask, box, np.clip(leaves * (1 + 0.45 * leafy), 0, 255), None)


def _car(canvas: Canvas, street: Street, x: float, foot: float, distance: float) -> None:
    """Seen from the side or from behind: a body, a cabin with panes, wheels."""
    rng = canvas.rng
    me = canvas.new_instance(CAR)
    tall = street.unit * (0.05 + 0.34 * distance)
    wide = tall * rng.choice([1.35, 2.3])
    body = random_colour(rng, strong=(0, 0.8))
    left = x - wide / 2
    right = x + wide / 2
    sill = foot - 0.15 * tall
    belt = foot - 0.6 * tall
    roof = foot - tall
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


def _bus(canvas: Canvas, street: Street, x: float, foot: float, distance: float) -> None:
    """A tall box with a row of large panes, a stripe and wheels."""
    rng = canvas.rng
    me = canvas.new_instance(BUS)
    tall = street.unit * (0.10 + 0.50 * distance)
    wide = tall * rng.choice([0.85, 1.7])
    left = x - wide / 2
    right = x + wide / 2
    roof = foot - tall
    sill = foot - 0.09 * tall
    body = random_colour(rng, strong=(0.1, 0.9))
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


def _sign(canvas: Canvas, street: Street, x: float, foot: float, distance: float) -> None:
    """A post and a plate with a rim: disc, triangle or square."""
    rng = canvas.rng
    me = canvas.new_instance(SIGN)
    tall = street.unit * (0.12 + 0.52 * distance)
    radius = max(0.24 * tall, 7)
    canvas.limb([(x, foot), (x, foot - tall)], max(0.07 * tall, 4.5), random_colour(rng, strong=(0, 0.2)), SIGN, me)
    corners = rng.choice([3, 4, 24])
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + (np.pi / 4 if corners == 4 else -np.pi / 2)
    plate = np.stack([np.cos(angles), np.sin(angles)], 1)
    middle = np.array([x, foot - tall])
    rim = random_colour(rng, bright=(0.6, 1), strong=(0.75, 1), hue=either(rng, 0.6, (0.95, 1.05), (0.55, 0.65)))
    face = random_colour(rng, bright=(0.8, 1), strong=(0, 0.25))
    canvas.polygon(middle + plate * radius, rim, SIGN, me)
    canvas.polygon(middle + plate * radius * 0.66, face, SIGN, me)
    canvas.limb([middle - [0.25 * radius, 0], middle + [0.25 * radius, 0]], 0.25 * radius, rim * 0.5, SIGN, me)


def _clothes(rng: np.random.Generator) -> Clothes:
    tone = rng.uniform(0.35, 1)
    skin = np.array([235, 190, 160]) * tone + [15, 5, 0]
    return (
        random_colour(rng, strong=(0, 0.9)),
        random_colour(rng, bright=(0.15, 0.7)),
        skin,
        random_colour(rng, bright=(0.1, 0.6)),
    )


def _person(canvas: Canvas, street: Street, x: float, foot: float, distance: float, people: People) -> None:
    me = canvas.new_instance(PERSON)
    tall = street.unit * (0.18 + 0.62 * distance)
    joints = random_joints(canvas.rng, (x, foot), tall)
    draw_figure(canvas, joints, tall, PERSON, _clothes(canvas.rng), me)
    people[me] = joints


def put_portrait(canvas: Canvas, street: Street, people: People, faces: list[np.ndarray]) -> None:
    """Someone so near that only the upper body fits, with a face of 68 points."""
    rng, unit = canvas.rng, street.unit
    me = canvas.new_instance(PERSON)
    half = unit * rng.uniform(0.12, 0.19)
    middle = np.array([rng.uniform(0.15, 0.85) * canvas.width, unit * rng.uniform(0.36, 0.55)])
    face = random_face(rng, middle, half)
    tall = half * 13
    joints = random_joints(rng, (middle[0], middle[1] + 0.92 * tall), tall)
    # A face to the viewer: the figure's left is on the right.
    if joints[5, 0] < joints[6, 0]:
        joints[:, 0] = 2 * middle[0] - joints[:, 0]
    joints[5:] += [face[8, 0] - joints[5:7, 0].mean(), face[8, 1] + 0.55 * half - joints[5:7, 1].mean()]
    joints[:5] = joints_of_face(face)
    colours = _clothes(rng)
    draw_figure(canvas, joints, tall * 0.8, PERSON, colours, me)
    draw_face(canvas, face, PERSON, colours[2], colours[3], me)
    people[me] = joints
    faces.append(face)
