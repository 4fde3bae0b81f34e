"""What a scene is painted on: colours, class ids and instance ids, nearer things over farther ones."""

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

Range = tuple[float, float]
Box = tuple[int, int, int, int]  # top, left, bottom, right
Pen = ImageDraw.ImageDraw
Shape = tuple[np.ndarray, Box]  # mask of the size of the box


def random_colour(
    rng: np.random.Generator, *, bright: Range = (0.3, 0.95), strong: Range = (0.0, 0.6), hue: Range = (0.0, 1.0)
) -> np.ndarray:
    """A random colour; what the classes may look like overlaps everywhere."""
    return 255 * np.array(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*strong), rng.uniform(*bright)))


def either(rng: np.random.Generator, share: float, one: Range, other: Range) -> Range:
    """One range of hues in `share` of the cases, else the other."""
    return one if rng.uniform() < share else other


class Canvas:
    """Colours `(height, width, 3)` float32, class ids and instance ids `(height, width)`.

    Args:
        size: `(height, width)` in pixels.
        rng: source of all chance.
    """

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        self.height, self.width = size
        self.rng = rng
        self.colours = np.zeros((*size, 3), np.float32)
        self.labels = np.zeros(size, np.uint8)
        self.instances = np.zeros(size, np.int32)
        self.count = 0
        self.classes: list[int] = []
        self.grain = rng.normal(0, 1, size).astype(np.float32)

    def new_instance(self, label: int) -> int:
        """Registers a thing; its number is what `paint` takes as `instance`."""
        self.count += 1
        self.classes.append(label)
        return self.count

    def paint(self, mask: np.ndarray, box: Box, colour: ArrayLike, label: int | None, instance: int = 0) -> None:
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

    def shape(self, draw: Callable[[Pen, np.ndarray], None], outline: np.ndarray) -> Shape | None:
        """Rasterises a shape into its bounding box.

        Args:
            draw: function of a Pillow pen and an offset `(x, y)` to subtract.
            outline: points `(n, 2)` whose box (with a margin drawn into it by the caller) holds the shape.

        Returns:
            Mask and box, or `None` outside the picture.
        """
        low = np.floor(outline.min(0)).astype(int)
        high = np.ceil(outline.max(0)).astype(int) + 1
        left, top = np.maximum(low, 0)
        right = min(high[0], self.width)
        bottom = min(high[1], self.height)
        if right <= left or bottom <= top:
            return None
        image = Image.new("L", (right - left, bottom - top))
        draw(ImageDraw.Draw(image), np.array([left, top]))
        return np.asarray(image) > 0, (top, left, bottom, right)

    def polygon(self, points: ArrayLike, colour: ArrayLike, label: int, instance: int = 0) -> Shape | None:
        """Paints a polygon of `(n, 2)` points; returns its mask and box, or `None` outside the picture."""
        corners = np.asarray(points, np.float64)

        def draw(pen: Pen, offset: np.ndarray) -> None:
            pen.polygon((corners - offset).ravel().tolist(), fill=1)

        shape = self.shape(draw, corners)
        if shape is not None:
            self.paint(*shape, colour, label, instance)
        return shape

    def ellipse(
        self, centre: ArrayLike, radii: ArrayLike, colour: ArrayLike, label: int, instance: int = 0
    ) -> Shape | None:
        """Paints an upright ellipse."""
        middle = np.asarray(centre, np.float64)
        half = np.asarray(radii, np.float64)
        corners = np.stack([middle - half, middle + half])

        def draw(pen: Pen, offset: np.ndarray) -> None:
            pen.ellipse((corners - offset).ravel().tolist(), fill=1)

        shape = self.shape(draw, corners)
        if shape is not None:
            self.paint(*shape, colour, label, instance)
        return shape

    def limb(self, points: ArrayLike, thickness: float, colour: ArrayLike, label: int, instance: int = 0) -> None:
        """Paints a chain of capsules through `(n, 2)` points, `thickness` pixels wide."""
        joints = np.asarray(points, np.float64)
        half = thickness / 2

        def draw(pen: Pen, offset: np.ndarray) -> None:
            moved = joints - offset
            pen.line(moved.ravel().tolist(), fill=1, width=max(1, round(thickness)))
            for x, y in moved.tolist():
                pen.ellipse([x - half, y - half, x + half, y + half], fill=1)

        shape = self.shape(draw, np.concatenate([joints - half, joints + half]))
        if shape is not None:
            self.paint(*shape, colour, label, instance)

    def blotches(self, size: tuple[int, int], cell: int) -> np.ndarray:
        """Smooth noise -1..1 of patches about `cell` pixels wide, `(height, width)` as asked."""
        height, width = size
        small = self.rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
        return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


class Street:
    """Where the horizon is and how the road runs: the frame that everything stands in."""

    def __init__(self, canvas: Canvas) -> None:
        rng, h, w = canvas.rng, canvas.height, canvas.width
        self.unit = h  # lengths are shares of the picture's height
        self.horizon = h * rng.uniform(0.36, 0.48)
        self.vanishing = w * rng.uniform(0.35, 0.65)
        self.left = w * rng.uniform(-0.05, 0.25)
        self.right = w * rng.uniform(0.75, 1.05)
        self.haze = rng.uniform(0, 0.3)

    def road(self, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Left and right edge of the road in row `y`."""
        near = np.clip((np.asarray(y) - self.horizon) / (self.unit - self.horizon), 0, None)
        nearness = 0.06 + 0.94 * near
        left = self.vanishing + (self.left - self.vanishing) * nearness
        right = self.vanishing + (self.right - self.vanishing) * nearness
        return left, right

    def row(self, distance: float) -> float:
        """Row on which something stands: `distance` 0 is the horizon, 1 the lower edge."""
        return self.horizon + distance * (self.unit - self.horizon)
