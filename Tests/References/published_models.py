"""The published architectures in PyTorch, with the project's names of parameters: torchvision's, and two of our own."""

import torch
from torch import nn


PUBLISHED_MODELS = (
    "resnet18", "resnet34", "resnet50", "resnext50-32x4d", "vgg16", "densenet121", "mobilenet-v1", "mobilenet-v2",
    "shufflenet-v2", "resnet20-cifar",
)


def make_published_model(name, classes):
    """The model without dropout, for images of three channels."""
    import torchvision.models as vision

    makers = {
        "resnet18": vision.resnet18, "resnet34": vision.resnet34, "resnet50": vision.resnet50,
        "resnext50-32x4d": vision.resnext50_32x4d, "densenet121": vision.densenet121,
        "shufflenet-v2": vision.shufflenet_v2_x1_0,
        "vgg16": lambda num_classes: vision.vgg16(num_classes=num_classes, dropout=0),
        "mobilenet-v2": lambda num_classes: vision.mobilenet_v2(num_classes=num_classes, dropout=0),
        "mobilenet-v1": MobileNetV1, "resnet20-cifar": ResNet20,
    }
    return makers[name](num_classes=classes)


def torchvision_weights(name):
    """The torchvision weights whose metadata state the model's published size; none for models of our own."""
    import torchvision.models as vision

    return {
        "resnet18": vision.ResNet18_Weights, "resnet34": vision.ResNet34_Weights, "resnet50": vision.ResNet50_Weights,
        "resnext50-32x4d": vision.ResNeXt50_32X4D_Weights, "densenet121": vision.DenseNet121_Weights,
        "shufflenet-v2": vision.ShuffleNet_V2_X1_0_Weights, "vgg16": vision.VGG16_Weights,
        "mobilenet-v2": vision.MobileNet_V2_Weights,
    }.get(name)


class SubsamplingBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut without parameters (He et al. 2015, section 3.3, option A)."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.stride, self.new = stride, width - channels
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        shortcut = nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + shortcut).relu()


class ResNet20(nn.Module):
    """The network of He et al. 2015, section 4.2, with n = 3."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for index, (channels, width) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
            blocks = [SubsamplingBlock(channels, width, 1 if index == 1 else 2)]
            blocks += [SubsamplingBlock(width, width, 1) for _ in range(2)]
            setattr(self, f"layer{index}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.fc(x.mean((2, 3)))


class SeparableConvolution(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv = nn.Sequential(
            convolution_norm_relu(channels, channels, 3, stride, groups=channels),
            convolution_norm_relu(channels, width, 1, 1),
        )

    def forward(self, x):
        return self.conv(x)


def convolution_norm_relu(channels, width, kernel, stride, groups=1):
    convolution = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())


class MobileNetV1(nn.Module):
    """Howard et al. 2017, table 1."""

    def __init__(self, num_classes):
        super().__init__()
        features, channels = [convolution_norm_relu(3, 32, 3, 2)], 32
        for width, stride in (
            [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]
        ):
            features.append(SeparableConvolution(channels, width, stride))
            channels = width
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0), nn.Linear(channels, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
