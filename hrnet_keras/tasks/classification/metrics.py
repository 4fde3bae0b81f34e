"""Top-1 and top-5 accuracy, in percent, as the official evaluation counts them."""

from hrnet_keras.tasks.finite import REASON, NotFiniteError


class Metric:
    """Counts how often the true class is the most probable one, and among the five most probable.

    Args:
        info: of the data set.

    Source: `accuracy` of the official classification repository.
    """

    main = "top1"  # the figure that decides which model is kept

    def __init__(self, info):
        self.names = tuple(info.class_names)
        self.seen, self.first, self.among = 0, 0, 0

    def update(self, result, example):
        """Adds one picture.

        Args:
            result: dict with `labels`, best first.
            example: dict with `label` and `name`.

        Raises:
            ValueError: the model's logits were no finite numbers; names the picture.
        """
        labels = [int(label) for label in result["labels"]]
        if min(labels) < 0:
            raise NotFiniteError(f"{example['name']}: the model's logits are no finite numbers: {REASON}")
        self.seen += 1
        self.first += labels[0] == example["label"]
        self.among += example["label"] in labels[:5]

    def result(self):
        """Returns a dict: `top1`, `top5` (0..100), `pictures`."""
        seen = max(1, self.seen)
        return {"top1": 100 * self.first / seen, "top5": 100 * self.among / seen, "pictures": self.seen}


def table(result):
    """A result as readable text."""
    return f"top-1  {result['top1']:6.2f}\ntop-5  {result['top5']:6.2f}\n({result['pictures']} pictures)"
