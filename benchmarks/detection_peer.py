"""The peer of `detection.py` and `frameworks.py`: the official trunk and HRFPN in PyTorch, with torchvision's parts.

The parts are set to the numbers of mmdet's detectors: anchors are not rounded, RoIAlign is aligned and adaptive; FCOS
has towers without biases, distances in pixels, and centerness beside the classes.
Answers JSON lines on standard input.
"""

import sys

import detection_work
import torch
import torch.nn.functional as F
import worker
from torch import nn
from torch_peer import HRNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import batched_nms, clip_boxes_to_image, roi_align

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CLASSES, CHANNELS = detection_work.CLASSES, detection_work.CHANNELS
THEIRS = {  # mmdet's names of torchvision's layers
    "rpn.head.conv.0.0": "rpn_head.rpn_conv",
    "rpn.head.cls_logits": "rpn_head.rpn_cls",
    "rpn.head.bbox_pred": "rpn_head.rpn_reg",
    "roi_heads.box_head.fc6": "roi_head.bbox_head.shared_fcs.0",
    "roi_heads.box_head.fc7": "roi_head.bbox_head.shared_fcs.1",
    "roi_heads.box_predictor.cls_score": "roi_head.bbox_head.fc_cls",
    "roi_heads.box_predictor.bbox_pred": "roi_head.bbox_head.fc_reg",
    "head.classification_head.cls_logits": "bbox_head.conv_cls",
    "head.regression_head.bbox_reg": "bbox_head.conv_reg",
    "head.regression_head.bbox_ctrness": "bbox_head.conv_centerness",
}
TOWERS = {"head.classification_head.conv": "bbox_head.cls_convs", "head.regression_head.conv": "bbox_head.reg_convs"}
THEIRS |= {f"scales.{i}": f"bbox_head.scales.{i}" for i in range(5)}
for theirs, ours in TOWERS.items():
    for i in range(4):  # convolution, norm, ReLU
        THEIRS[f"{theirs}.{3 * i}"], THEIRS[f"{theirs}.{3 * i + 1}"] = f"{ours}.{i}.conv", f"{ours}.{i}.gn"


class Neck(nn.Module):
    """HRFPN: all maps at the finest resolution, mixed, pooled."""

    def __init__(self, channels, stride=1):
        super().__init__()
        self.reduction_conv = nn.ModuleDict({"conv": nn.Conv2d(channels, CHANNELS, 1)})
        levels = [nn.Conv2d(CHANNELS, CHANNELS, 3, stride, padding=1) for _ in detection_work.STRIDES]
        self.fpn_convs = nn.ModuleList(nn.ModuleDict({"conv": level}) for level in levels)

    def forward(self, maps):
        others = [F.interpolate(x, scale_factor=2**i, mode="bilinear") for i, x in enumerate(maps[1:], start=1)]
        mixed = self.reduction_conv["conv"](torch.cat([maps[0], *others], 1))
        levels = [mixed] + [F.avg_pool2d(mixed, 2**i, 2**i) for i in range(1, len(self.fpn_convs))]
        return [level["conv"](x) for level, x in zip(self.fpn_convs, levels, strict=True)]


class Pooler(nn.Module):
    """Level by level, as torchvision's and mmdet's; aligned, which torchvision's own does not offer."""

    def forward(self, features, boxes, image_shapes):
        picture = torch.cat([torch.full((len(x), 1), i) for i, x in enumerate(boxes)]).float()
        rois = torch.cat([picture, torch.cat(boxes)], 1)
        area = (rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])
        levels = torch.clamp(torch.floor(torch.log2(area.sqrt() / 56 + 1e-6)), 0, 3)
        pooled = torch.zeros(len(rois), CHANNELS, 7, 7)
        for level, stride in enumerate(detection_work.STRIDES[:4]):
            mine = (levels == level).nonzero()[:, 0]
            pooled[mine] = roi_align(features[str(level)], rois[mine], 7, 1 / stride, 0, aligned=True)
        return pooled


class Anchors(AnchorGenerator):
    def __init__(self):
        sizes = tuple((8 * stride,) for stride in detection_work.STRIDES)
        super().__init__(sizes, ((0.5, 1.0, 2.0),) * len(sizes))

    def generate_anchors(self, scales, aspect_ratios, dtype=torch.float32, device="cpu"):
        root = torch.tensor(aspect_ratios, dtype=dtype).sqrt()
        width, height = scales[0] / root / 2, scales[0] * root / 2
        return torch.stack([-width, -height, width, height], 1)


class Detector(nn.Module):
    def __init__(self, net, mean, std, stride=1):
        super().__init__()
        self.backbone = HRNet(net, "det", None)
        self.neck = Neck(15 * self.backbone.NETS[net][0], stride)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def pyramid(self, images):
        return self.neck(self.backbone((images - self.mean) / self.std))

    def forward(self, images, targets=None):
        return self.after(self.pyramid(images), images, targets)

    def load(self, weights):
        """Takes weights by mmdet's names; torchvision's background comes first, and has boxes of its own."""
        state = self.state_dict()
        for name in state:
            layer, leaf = name.rsplit(".", 1)
            theirs = f"{THEIRS.get(layer, layer)}.{leaf}"
            if theirs not in weights and leaf == "bias":  # of a tower
                state[name] = torch.zeros_like(state[name])
                continue
            value = torch.from_numpy(weights[theirs])
            if "box_predictor.cls_score" in name:
                value = value.roll(1, 0)
            elif "box_predictor.bbox_pred" in name:
                value = torch.cat([torch.zeros_like(value[:4]), value])
            state[name] = value
        self.load_state_dict(state)
        return self


class FasterRCNN(Detector):
    def __init__(self, net):
        super().__init__(net, MEAN, STD)
        counts = {"training": 2000, "testing": 1000}, {"training": 1000, "testing": 1000}
        self.rpn = RegionProposalNetwork(Anchors(), RPNHead(CHANNELS, 3), 0.7, 0.3, 256, 0.5, *counts, 0.7)
        head, predictor = TwoMLPHead(CHANNELS * 49, 1024), FastRCNNPredictor(1024, CLASSES + 1)
        self.roi_heads = RoIHeads(Pooler(), head, predictor, 0.5, 0.5, 512, 0.25, None, 0.05, 0.5, 100)

    def after(self, pyramid, images, targets=None):
        sizes = [tuple(images.shape[-2:])] * len(images)
        features = {str(i): x for i, x in enumerate(pyramid)}
        proposals, of_anchors = self.rpn(ImageList(images, sizes), features, targets)
        found, of_boxes = self.roi_heads(features, proposals, sizes, targets)
        return found, {**of_anchors, **of_boxes}


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.scale * x


class FCOS(Detector):
    """Its pictures are blue first, as mmdet's; it only detects."""

    STRIDES = tuple(2 * stride for stride in detection_work.STRIDES)
    MIN_SCORE, BEFORE, OVERLAP, MOST = 0.05, 1000, 0.5, 100

    def __init__(self, net):
        super().__init__(net, MEAN[::-1], STD[::-1], stride=2)
        self.head = FCOSHead(CHANNELS, 1, CLASSES)
        self.scales = nn.ModuleList(Scale() for _ in self.STRIDES)

    def pyramid(self, images):
        return super().pyramid(images.flip(1))

    def after(self, pyramid, images, targets=None):
        levels = zip(pyramid, self.STRIDES, self.scales, strict=True)
        found = [self.best_of_level(*level, images.shape[-2:]) for level in levels]
        boxes, scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        best = batched_nms(boxes, scores, labels, self.OVERLAP)[: self.MOST]
        return [{"boxes": boxes[best], "scores": scores[best], "labels": labels[best]}], {}

    def best_of_level(self, x, stride, scale, size):
        """Boxes, scores and labels of a level of one picture."""
        of_classes, of_boxes = self.head.classification_head.conv(x), self.head.regression_head.conv(x)
        logits = self.head.classification_head.cls_logits(of_classes)[0].flatten(1).T  # points, classes
        central = self.head.regression_head.bbox_ctrness(of_classes)[0].flatten().sigmoid()
        distances = scale(self.head.regression_head.bbox_reg(of_boxes))[0].flatten(1).T.exp()
        scores = logits.sigmoid().flatten()
        candidates = (scores > self.MIN_SCORE).nonzero()[:, 0]
        scores, order = scores[candidates].topk(min(self.BEFORE, len(candidates)))
        points, labels = candidates[order] // CLASSES, candidates[order] % CLASSES
        middles = (torch.stack([points % x.shape[-1], points // x.shape[-1]], 1) + 0.5) * stride
        edges = torch.cat([middles - distances[points, :2], middles + distances[points, 2:]], 1)
        return clip_boxes_to_image(edges, tuple(size)), scores * central[points], labels


class Contender(worker.Contender):
    """`eager`, `channels_last`; of the case's work `whole`, `after` (the pyramid) or `train`."""

    def prepare(self):
        torch.set_num_threads(worker.THREADS)
        torch.manual_seed(0)
        detector = {"faster_rcnn": FasterRCNN, "fcos": FCOS}[self.case.get("framework", "faster_rcnn")]
        self.model = detector(self.case["net"]).load(detection_work.weights(self.case)).eval()
        self.images = self.laid_out(detection_work.pictures(self.case))
        if "channels_last" in self.variant:
            self.model = self.model.to(memory_format=torch.channels_last)
        if self.case["work"] == "after":
            self.levels = [self.laid_out(x) for x in detection_work.pyramid(self.case)]
        if self.case["work"] == "train":
            self.model.train()
            for module in self.model.modules():
                if isinstance(module, nn.BatchNorm2d):  # running statistics are used, as published detectors do
                    module.eval()
            boxes, labels = (torch.from_numpy(x) for x in detection_work.objects(self.case))
            self.targets = [
                {"boxes": box, "labels": label.long() + 1} for box, label in zip(boxes, labels, strict=True)
            ]
            self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-6, momentum=0.9, weight_decay=1e-4)

    def laid_out(self, array):
        tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
        return tensor if "channels_last" in self.variant else tensor.contiguous()

    def step(self):
        if self.case["work"] == "train":
            return self.learn()
        with torch.inference_mode():
            if self.case["work"] == "after":
                return self.model.after(self.levels, self.images)[0]
            return self.model(self.images)[0]

    def learn(self):
        self.optimizer.zero_grad()
        _, losses = self.model(self.images, self.targets)
        loss = sum(losses.values())
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def output(self):
        result = self.step()
        return result if isinstance(result, float) else detection_work.padded_scores(result[0]["scores"].numpy())


if __name__ == "__main__":
    sys.exit(worker.serve({"detector": Contender}))
