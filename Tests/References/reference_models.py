"""The project's models in PyTorch, with the project's names of parameters."""

import torch
from torch import nn

from published_models import PUBLISHED_MODELS, make_published_model


def make_model(name, shape=None, classes=10):
    """The model for images of `shape` (channels, height, width); None is the shape that the model is known by.

    The published models take any shape of three channels."""
    if name in PUBLISHED_MODELS:
        return make_published_model(name, classes)
    if name not in MODELS:
        raise SystemExit(f"--model {name} is unknown; choose one of {', '.join(sorted([*MODELS, *PUBLISHED_MODELS]))}.")
    make, default = MODELS[name]
    return make(tuple(shape or default), classes)


def default_shape(name):
    """Channels, height and width that the model is known by."""
    return MODELS[name][1]


class MLP(nn.Module):
    """784-512-512-10 with ReLU."""

    def __init__(self, shape, classes):
        super().__init__()
        channels, height, width = shape
        self.fc1 = nn.Linear(channels * height * width, 512)
        self.fc2 = nn.Linear(512, 512)
        self.fc3 = nn.Linear(512, classes)

    def forward(self, x):
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class TwoConvolutions(nn.Module):
    """Convolutions of 32 and 64 channels, each with ReLU and max pool, and a hidden layer."""

    def __init__(self, shape, classes, kernel, hidden):
        super().__init__()
        channels, height, width = shape
        self.conv1 = nn.Conv2d(channels, 32, kernel, padding=kernel // 2)
        self.conv2 = nn.Conv2d(32, 64, kernel, padding=kernel // 2)
        self.fc1 = nn.Linear(64 * (height // 4) * (width // 4), hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


class LeNet5(TwoConvolutions):
    def __init__(self, shape, classes):
        super().__init__(shape, classes, kernel=3, hidden=128)


class CNN(TwoConvolutions):
    def __init__(self, shape, classes):
        super().__init__(shape, classes, kernel=5, hidden=1024)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al. 2016, figure 5 left)."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            convolution = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(x)) + shortcut).relu()


class ResNet18CIFAR(nn.Module):
    """ResNet-18 with torchvision's names, a 3×3 stem of stride 1 and no pool after it."""

    def __init__(self, shape, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(shape[0], 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for index, width in enumerate((64, 128, 256, 512), start=1):
            blocks = [BasicBlock(channels, width, 1 if index == 1 else 2), BasicBlock(width, width, 1)]
            setattr(self, f"layer{index}", nn.Sequential(*blocks))
            channels = width
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


MODELS = {
    "mlp": (MLP, (1, 28, 28)), "lenet5": (LeNet5, (1, 28, 28)), "cnn": (CNN, (1, 28, 28)),
    "resnet18-cifar": (ResNet18CIFAR, (3, 32, 32)),
}


def running_statistics(model):
    """The running means and variances of the model, by name."""
    return {name: buffer for name, buffer in model.named_buffers() if not name.endswith("num_batches_tracked")}


def stored_tensors(model):
    """Parameters and running statistics by name, as a checkpoint of the project names them."""
    return {**dict(model.named_parameters()), **running_statistics(model)}


@torch.no_grad()
def load_tensors(model, arrays, path):
    """Copies arrays into the model; running statistics that are missing keep 0 and 1. Names `path` in errors."""
    for name, tensor in stored_tensors(model).items():
        if name not in arrays:
            if name in dict(model.named_parameters()):
                raise SystemExit(f"{path}: parameter {name} is missing.")
            continue
        if tuple(arrays[name].shape) != tuple(tensor.shape):
            found, wanted = list(arrays[name].shape), list(tensor.shape)
            raise SystemExit(f"{path}: {name} has shape {found}, the model's is {wanted}.")
        tensor.copy_(torch.from_numpy(arrays[name]))
    unknown = set(arrays) - set(model.state_dict())
    if unknown:
        raise SystemExit(f"{path}: the model has no {', '.join(sorted(unknown))}.")
