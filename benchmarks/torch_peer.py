"""The peer: HRNet as the official PyTorch programs compute it, op by op, under their tensor names.

Written from the papers and the published info of the programs (HRNet-Semantic-Segmentation, branch pytorch-v1.1;
deep-high-resolution-net.pytorch). Run by `speed.py` in a venv of its own; answers JSON lines on standard input.
"""

import sys

import torch
import torch.nn.functional as F
import worker
from torch import nn


def conv_bn(a, b, kernel, stride=1):
    return [nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b, momentum=0.01)]


class Bottleneck(nn.Module):
    def __init__(self, channels, planes, project):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, planes, 1)
        self.conv2, self.bn2 = conv_bn(planes, planes, 3)
        self.conv3, self.bn3 = conv_bn(planes, 4 * planes, 1)
        self.downsample = nn.Sequential(*conv_bn(channels, 4 * planes, 1)) if project else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class BasicBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, channels, 3)
        self.conv2, self.bn2 = conv_bn(channels, channels, 3)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x)


class Module(nn.Module):
    """Parallel branches, then the exchange; `targets`: how many branches receive (one, in V1's last module)."""

    def __init__(self, channels, blocks, nearest, targets):
        super().__init__()
        self.nearest = nearest
        self.branches = nn.ModuleList(nn.Sequential(*[BasicBlock(c) for _ in range(blocks)]) for c in channels)
        rows = []
        for i in range(targets):
            row = []
            for j, c in enumerate(channels):
                if j == i:
                    row.append(nn.Identity())
                elif j > i:
                    row.append(nn.Sequential(*conv_bn(c, channels[i], 1)))
                else:
                    steps = [conv_bn(c, channels[i] if k == i - j - 1 else c, 3, 2) for k in range(i - j)]
                    for step in steps[:-1]:
                        step.append(nn.ReLU())
                    row.append(nn.Sequential(*[nn.Sequential(*step) for step in steps]))
            rows.append(nn.ModuleList(row))
        self.fuse_layers = nn.ModuleList(rows)

    def up(self, x, i, j, size):
        if self.nearest:
            return F.interpolate(x, scale_factor=2 ** (j - i), mode="nearest")
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    def forward(self, maps):
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for i, row in enumerate(self.fuse_layers):
            total = None
            for j, layer in enumerate(row):
                y = layer(maps[j])
                y = self.up(y, i, j, maps[i].shape[-2:]) if j > i else y
                total = y if total is None else total + y
            fused.append(F.relu(total))
        return fused


class HRNet(nn.Module):
    """`net`: name of the architecture; `task`: seg (V2, logits at stride 4), pose (V1, heat maps), det (four maps)."""

    NETS = {
        "W18": (18, (1, 4, 3), 4, 4, 64), "W32": (32, (1, 4, 3), 4, 4, 64), "W48": (48, (1, 4, 3), 4, 4, 64),
        "W18SmallV1": (16, (1, 1, 1), 2, 1, 32), "W18SmallV2": (18, (1, 3, 2), 2, 2, 64),
    }  # fmt: skip

    def __init__(self, net, task, outputs):
        super().__init__()
        width, modules, blocks, bottlenecks, planes = self.NETS[net]
        self.task, nearest = task, task in ("pose", "det")
        self.conv1, self.bn1 = conv_bn(3, 64, 3, 2)
        self.conv2, self.bn2 = conv_bn(64, 64, 3, 2)
        layers = [Bottleneck(64 if i == 0 else 4 * planes, planes, i == 0) for i in range(bottlenecks)]
        self.layer1 = nn.Sequential(*layers)
        channels = [4 * planes]
        for stage, count in enumerate(modules, start=2):
            new = [width * 2**i for i in range(stage)]
            openings = nn.ModuleList(nn.Identity() for _ in range(stage))
            if stage == 2:
                openings[0] = nn.Sequential(*conv_bn(channels[0], new[0], 3), nn.ReLU())
            openings[-1] = nn.Sequential(nn.Sequential(*conv_bn(channels[-1], new[-1], 3, 2), nn.ReLU()))
            setattr(self, f"transition{stage - 1}", openings)
            last = task == "pose" and stage == 4
            targets = [1 if last and i == count - 1 else stage for i in range(count)]
            setattr(self, f"stage{stage}", nn.ModuleList(Module(new, blocks, nearest, t) for t in targets))
            channels = new
        if task == "pose":
            self.final_layer = nn.Conv2d(width, outputs, 1)
        elif task == "seg":
            total = sum(channels)
            mixing = [nn.Conv2d(total, total, 1), nn.BatchNorm2d(total, momentum=0.01), nn.ReLU()]
            self.last_layer = nn.Sequential(*mixing, nn.Conv2d(total, outputs, 1))

    def maps(self, x):
        """The four maps, strides 4 to 32."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))
        maps = [x]
        for stage in (2, 3, 4):
            openings = getattr(self, f"transition{stage - 1}")
            maps = [openings[i](maps[min(i, len(maps) - 1)]) for i in range(stage)]
            for module in getattr(self, f"stage{stage}"):
                maps = module(maps)
        return maps

    def forward(self, x):
        maps = self.maps(x)
        if self.task == "det":
            return maps
        if self.task == "pose":
            return self.final_layer(maps[0])
        size = maps[0].shape[-2:]
        others = [F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in maps[1:]]
        return self.last_layer(torch.cat([maps[0], *others], 1))


class Contender(worker.Contender):
    """One way of running the peer: eager, channels_last, and these under bfloat16 autocast."""

    def prepare(self):
        torch.set_num_threads(worker.THREADS)
        torch.manual_seed(0)
        case = self.case
        self.model = HRNet(case["net"], case["task"], case["outputs"])
        shapes = {name: tuple(value.shape) for name, value in self.model.state_dict().items()}
        self.model.load_state_dict({name: torch.from_numpy(v) for name, v in worker.weights(shapes).items()})
        self.x = torch.from_numpy(worker.pictures(case)).permute(0, 3, 1, 2).contiguous()
        if "channels_last" in self.variant:
            self.model, self.x = (v.to(memory_format=torch.channels_last) for v in (self.model, self.x))
        if case["mode"] == "train":
            self.model.train()
            self.labels = torch.from_numpy(worker.labels(case)).long()
            self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
        else:
            self.model.eval()

    def step(self):
        half = "bfloat16" in self.variant
        if self.case["mode"] == "forward":
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                return self.model(self.x)
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = self.model(self.x)
        logits = F.interpolate(logits.float(), size=self.labels.shape[1:], mode="bilinear", align_corners=False)
        loss = F.cross_entropy(logits, self.labels)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def output(self):
        result = self.step()
        return result if isinstance(result, float) else result.float().permute(0, 2, 3, 1).numpy()


class Labels(worker.Contender):
    """Label map at input size from logits at a quarter of it, as the official test code makes it."""

    def prepare(self):
        torch.set_num_threads(worker.THREADS)
        height, width = self.case["size"]
        logits = worker.random((1, height // 4, width // 4, self.case["outputs"]))
        self.logits = torch.from_numpy(logits).permute(0, 3, 1, 2)
        self.size = (height, width)
        if "channels_last" not in self.variant:
            self.logits = self.logits.contiguous()

    def step(self):
        with torch.inference_mode():
            return F.interpolate(self.logits, size=self.size, mode="bilinear", align_corners=False).argmax(1)

    def output(self):
        return self.step().numpy().astype("uint8")


if __name__ == "__main__":
    sys.exit(worker.serve({"model": Contender, "labels": Labels}))
