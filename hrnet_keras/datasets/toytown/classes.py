"""What there is in toytown: class names with their colours in drawings, and ids."""

CLASSES = {
    "sky": (110, 170, 220), "building": (150, 80, 60), "road": (120, 80, 140), "pavement": (230, 60, 220),
    "tree": (80, 150, 50), "fence": (190, 150, 90), "car": (30, 40, 160), "bus": (20, 160, 170),
    "person": (220, 30, 60), "sign": (240, 220, 30),
}  # fmt: skip
SKY, BUILDING, ROAD, PAVEMENT, TREE, FENCE, CAR, BUS, PERSON, SIGN = range(10)
THINGS = (CAR, BUS, PERSON, SIGN)
