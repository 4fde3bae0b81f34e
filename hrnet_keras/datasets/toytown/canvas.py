"""What a scene is painted on: colours, class ids and instance ids, nearer things over farther ones."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw


def random_colour(rng, *, bright=(0.3, 0.95), strong=(0.0, 0.6), hue=(0.0, 1.0)):
    """A random colour; what the classes may look like overlaps everywhere."""
    return 255 * np.array(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*strong), rng.uniform(*bright)))


def either(rng, share, one, other):
    """One range of hues in `share` of the cases, else the other."""
    return one if rng.uniform() < share else other


class Canvas:
    """Colours `(height, width, 3)` float32, class ids and instance ids `(height, width)`.

    Args:
        size: `(height, width)` in pixels.
        rng: source of all chance.
    """

    def __init__(self, size, rng):
        self.height, self.width = size
        self.rng = rng
        self.colours = np.zeros((*size, 3), np.float32)
        self.labels = np.zeros(size, np.uint8)
        self.instances = np.zeros(size, np.int32)
        self.count = 0
        self.classes = []
        self.grain = rng.normal(0, 1, size).astype(np.float32)

    def new_instance(self, label):
        """Registers a thing; its number is what `paint` takes as `instance`."""
        self.count += 1
        self.classes.append(label)
        return self.count

    def paint(self, mask, box, colour, label, instance=0):
        """Paints where `mask` holds.

        Args:
            mask: bool, of the size of `box`.
            box: `(top, left, bottom, right)` within the picture.
            colour: RGB, or an array that broadcasts to the box and 3.
            label: class id, or `None` to leave ids as they are.
            instance: number of the thing, 0 for none.
        """
        top, left, bottom, right = box
        window = np.s_[top:bottom, left:right]
        self.colours[window] = np.where(mask[..., None], colour, self.colours[window])
        if label is not None:
            self.labels[window] = np.where(mask, label, self.labels[window])
            self.instances[window] = np.where(mask, instance, self.instances[window])

    def shape(self, draw, outline):
        """Rasterises a shape into its bounding box.

        Args:
            draw: function of a Pillow pen and an offset `(x, y)` to subtract.
            outline: points `(n, 2)` whose box (with a margin drawn into it by the caller) holds the shape.

        Returns:
            Mask and box, or `None` outside the picture.
        """
        low, high = np.floor(outline.min(0)).astype(int), np.ceil(outline.max(0)).astype(int) + 1
        left, top = np.maximum(low, 0)
        right, bottom = min(high[0], self.width), min(high[1], self.height)
        if right <= left or bottom <= top:
            return None
        image = Image.new("L", (right - left, bottom - top))
        draw(ImageDraw.Draw(image), np.array([left, top]))
        return np.asarray(image) > 0, (top, left, bottom, right)

    def polygon(self, points, colour, label, instance=0):
        """Paints a polygon of `(n, 2)` points; returns its mask and box, or `None` outside the picture."""
        points = np.asarray(points, np.float64)
        shape = self.shape(lambda pen, o: pen.polygon([tuple(p) for p in points - o], fill=1), points)
        if shape is not None:
            self.paint(*shape, colour, label, instance)
        return shape

    def ellipse(self, centre, radii, colour, label, instance=0):
        """Paints an upright ellipse."""
        centre, radii = np.asarray(centre, np.float64), np.asarray(radii, np.float64)
        corners = np.stack([centre - radii, centre + radii])
        shape = self.shape(lambda pen, o: pen.ellipse([*(corners[0] - o), *(corners[1] - o)], fill=1), corners)
        if shape is not None:
            self.paint(*shape, colour, label, instance)
        return shape

    def limb(self, points, thickness, colour, label, instance=0):
        """Paints a chain of capsules through `(n, 2)` points, `thickness` pixels wide."""
        points = np.asarray(points, np.float64)
        half = thickness / 2

        def draw(pen, offset):
            moved = [tuple(p) for p in points - offset]
            pen.line(moved, fill=1, width=max(1, round(thickness)))
            for x, y in moved:
                pen.ellipse([x - half, y - half, x + half, y + half], fill=1)

        shape = self.shape(draw, np.concatenate([points - half, points + half]))
        if shape is not None:
            self.paint(*shape, colour, label, instance)

    def blotches(self, size, cell):
        """Smooth noise -1..1 of patches about `cell` pixels wide, `(height, width)` as asked."""
        height, width = size
        small = self.rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
        return np.asarray(Image.fromarray(small).resize((width, height), Image.BILINEAR))
