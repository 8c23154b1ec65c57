"""One case of the operations' references: random float32 leaves, float64 computation, and a record of both."""

import zlib

import torch
import torch.nn.functional as functional

EPSILON = 1e-5
MOMENTUM = 0.1
# A ReLU's input or the lead of a window's maximum nearer to zero than this could flip in float32: such draws are
# drawn again.
MARGIN = 1e-4


class TooClose(Exception):
    """A draw in which rounding could change which branch of a ReLU or a maximum is taken."""


class Case:
    """One case while it is computed: draws float32 leaves and computes with their float64 twins."""

    def __init__(self, name, operation, attributes, attempt):
        self.entry = {
            "name": name, "operation": operation, "attributes": attributes, "inputs": [], "parameters": {},
            "state": {}, "stateAfter": {}, "output": f"{name}/output",
        }
        self.generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + attempt)
        self.tensors = {}
        self.leaves = {}

    def store(self, role, tensor):
        """Keeps a tensor under `CASE/ROLE` and returns that name."""
        name = f"{self.entry['name']}/{role}"
        self.tensors[name] = tensor.detach().to(torch.float32).contiguous().numpy()
        return name

    def draw(self, shape, scale=1.0, offset=0.0):
        """Random float32 numbers of mean `offset` and deviation `scale`, as float64."""
        return (torch.randn(shape, generator=self.generator) * scale + offset).to(torch.float64)

    def input(self, shape=None, values=None, scale=1.0, offset=0.0):
        """The next input, drawn or given."""
        leaf = self.draw(shape, scale, offset) if values is None else values.to(torch.float64)
        role = f"input{len(self.entry['inputs'])}"
        self.entry["inputs"].append(self.store(role, leaf))
        self.leaves[role] = leaf.requires_grad_()
        return leaf

    def parameter(self, name, shape, scale=1.0, offset=0.0):
        """A parameter, drawn."""
        leaf = self.draw(shape, scale, offset)
        self.entry["parameters"][name] = self.store(name, leaf)
        self.leaves[name] = leaf.requires_grad_()
        return leaf

    def convolution(self, x, name, channels, kernel, stride=1, padding=0, groups=1, bias=False):
        """Convolves with new parameters `name.weight` (and `name.bias`), or `weight` and `bias` if `name` is empty."""
        prefix = name + "." if name else ""
        fan_in = x.shape[1] // groups * kernel[0] * kernel[1]
        weight = self.parameter(prefix + "weight", (channels, x.shape[1] // groups, *kernel), fan_in**-0.5)
        offset = self.parameter(prefix + "bias", (channels,)) if bias else None
        return functional.conv2d(x, weight, offset, stride, padding, 1, groups)

    def inner_product(self, x, name, features, bias=True):
        """Multiplies by new parameters `name.weight` (and `name.bias`)."""
        prefix = name + "." if name else ""
        weight = self.parameter(prefix + "weight", (features, x.shape[1]), x.shape[1] ** -0.5)
        return functional.linear(x, weight, self.parameter(prefix + "bias", (features,)) if bias else None)

    def batch_norm(self, x, name, training=True):
        """Normalises with new parameters and running statistics: 0 and 1 before a training step, else drawn."""
        prefix = name + "." if name else ""
        channels = x.shape[1]
        weight = self.parameter(prefix + "weight", (channels,), 0.5, 1.0)
        bias = self.parameter(prefix + "bias", (channels,), 0.5)
        mean = torch.zeros(channels, dtype=torch.float64) if training else self.draw((channels,))
        variance = torch.ones(channels, dtype=torch.float64) if training else self.draw((channels,)).square() + 0.25
        variance = variance.to(torch.float32).to(torch.float64)
        for role, statistic in (("running_mean", mean), ("running_var", variance)):
            self.entry["state"][prefix + role] = self.store(prefix + role, statistic)
        y = functional.batch_norm(x, mean, variance, weight, bias, training, MOMENTUM, EPSILON)
        if training:
            for role, statistic in (("running_mean", mean), ("running_var", variance)):
                self.entry["stateAfter"][prefix + role] = self.store(f"{prefix}{role}.after", statistic)
        return y

    def relu(self, x):
        """A ReLU whose branches rounding cannot change."""
        if x.detach().abs().min() < MARGIN:
            raise TooClose
        return functional.relu(x)

    def max_pool(self, x, kernel, stride):
        """A maximum whose winner rounding cannot change (zeros after a ReLU are equal whatever rounding does)."""
        windows = x.detach().unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4)
        first, second = windows.topk(2).values.unbind(-1)
        if ((first - second < MARGIN) & (first > 0)).any():
            raise TooClose
        return functional.max_pool2d(x, kernel, stride)

    def finish(self, output, gradients=True):
        """Stores the output and, with a random output gradient (1 for a loss), all gradients."""
        self.store("output", output)
        for key in [key for key in ("parameters", "state", "stateAfter") if not self.entry[key]]:
            del self.entry[key]
        if not gradients:
            return
        start = self.draw(output.shape) if output.ndim else torch.ones((), dtype=torch.float64)
        self.entry["outputGradient"] = self.store("outputGradient", start)
        output.backward(start)
        names = {role: self.store(f"{role}.gradient", leaf.grad) for role, leaf in self.leaves.items()}
        self.entry["inputGradients"] = [names[f"input{i}"] for i in range(len(self.entry["inputs"]))]
        if "parameters" in self.entry:
            self.entry["parameterGradients"] = {name: names[name] for name in self.entry["parameters"]}


class Collection:
    """All cases and their tensors."""

    def __init__(self):
        self.cases = []
        self.tensors = {}

    def add(self, name, operation, attributes, compute, gradients=True):
        """Computes one case; draws again while rounding could decide a branch."""
        if any(case["name"] == name for case in self.cases):
            raise SystemExit(f"Case {name} is defined twice; rename one.")
        for attempt in range(1000):
            case = Case(name, operation, attributes, attempt)
            try:
                case.finish(compute(case), gradients)
            except TooClose:
                continue
            self.cases.append(case.entry)
            self.tensors.update(case.tensors)
            return
        raise SystemExit(f"Case {name} found no draw free of near ties; make its tensors smaller.")
