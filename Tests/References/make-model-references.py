#!/usr/bin/env python3
"""Makes the numbers that the published models are compared with, by PyTorch and torchvision.

    python3 Tests/References/make-model-references.py

Sizes go to `Tests/NetworksTests/References/models.json`, for 1,000 classes (10 for CIFAR): `trained` and `tracked`
elements, `multiplyAdds` of one image in convolutions and inner products, counted by hooks, and `digest`, the SHA-256 of
a line `name 64x3x7x7` for each tensor, sorted by name, without `num_batches_tracked`. `publishedParameters` and
`publishedGigaMultiplyAdds` are what torchvision's documentation states.

Numbers of small batches go to `Tests/EngineTests/References/models.json` (images, and whether the case trains; where it
does, `float32Deviation`: the largest relative deviation of a gradient's norm when PyTorch itself computes in float32,
contiguous or channels-last) and `models.safetensors`, computed in float64 from parameters that both sides make by `numbers` below, ten classes, rounded
once: `MODEL/inference`, logits by running statistics; `MODEL/training`, logits by the batch's statistics;
`MODEL/gradients`, the L2 norm of the gradient of Σ over the samples of cross-entropy by each trained parameter, sorted
by name. The label of sample i is 3·i mod 10.
"""

import hashlib
import json
import math
import pathlib

import numpy
import torch

from published_models import make_published_model, torchvision_weights
from tensor_files import write_safetensors

# Images of the published sizes; then images, batch and whether a step is computed, for the numbers.
MODELS = {
    "resnet20-cifar": ((32, 32), (16, 16), 3, True),
    "resnet18": ((224, 224), (64, 64), 4, True),
    "resnet34": ((224, 224), (64, 64), 4, True),
    "resnet50": ((224, 224), (64, 64), 4, True),
    "resnext50-32x4d": ((224, 224), (64, 64), 4, True),
    "vgg16": ((224, 224), (224, 260), 1, False),
    "densenet121": ((224, 224), (64, 64), 4, True),
    "mobilenet-v1": ((224, 224), (64, 64), 4, True),
    "mobilenet-v2": ((224, 224), (64, 64), 4, True),
    "shufflenet-v2": ((224, 224), (64, 64), 4, True),
}
TESTS = pathlib.Path(__file__).resolve().parents[1]


def numbers(name, count):
    """`count` float64 numbers in -1 ..< 1, a function of the name: a mixed counter (the end of MurmurHash3)."""
    seed = 2166136261  # FNV-1a
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    h = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9) + numpy.uint32(seed)
    h ^= h >> 16
    h *= numpy.uint32(0x85EBCA6B)
    h ^= h >> 13
    h *= numpy.uint32(0xC2B2AE35)
    h ^= h >> 16
    return (h >> 8) / 2.0**23 - 1


def values(name, shape):
    """The elements of a parameter or running statistic, rounded to float32."""
    u = numbers(name, math.prod(shape))
    if len(shape) > 1:
        u *= math.sqrt(6 / math.prod(shape[1:]))
    elif name.endswith("running_var"):
        u = 1 + 0.5 * u
    elif name.endswith(".weight"):
        u = 1 + 0.25 * u
    else:
        u *= 0.1
    return torch.from_numpy(u.astype(numpy.float32).reshape(shape))


def stored(model):
    return {key: t for key, t in model.state_dict().items() if not key.endswith("num_batches_tracked")}


def size(name, image, classes):
    model = make_published_model(name, classes).eval()
    total = 0

    def count(module, _, output):
        nonlocal total
        positions = output.shape[2] * output.shape[3] if output.ndim == 4 else 1
        total += module.weight.numel() * positions

    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 3, *image))
    tensors = stored(model)
    trained = sum(parameter.numel() for parameter in model.parameters())
    lines = "".join(f"{key} {'x'.join(map(str, tensors[key].shape))}\n" for key in sorted(tensors))
    record = {
        "model": name, "classes": classes, "image": list(image), "trained": trained,
        "tracked": sum(t.numel() for t in tensors.values()) - trained, "multiplyAdds": total,
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
    }
    weights = torchvision_weights(name)
    if weights:
        record["publishedParameters"] = weights.DEFAULT.meta["num_params"]
        record["publishedGigaMultiplyAdds"] = weights.DEFAULT.meta["_ops"]
    return record


def filled(name):
    model = make_published_model(name, 10)
    with torch.no_grad():
        for key, tensor in stored(model).items():
            tensor.copy_(values(key, tensor.shape))
    return model


def step(model, images):
    """The logits of a training pass, and the norm of each parameter's gradient."""
    logits = model.train()(images)
    labels = torch.tensor([3 * i % 10 for i in range(len(images))])
    torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
    parameters = dict(model.named_parameters())
    return logits.detach(), torch.stack([parameters[key].grad.norm() for key in sorted(parameters)]).double()


def compute(name, image, batch, trains):
    """The case and its tensors."""
    case = {"model": name, "batch": batch, "image": list(image), "trains": trains}
    shape = (batch, 3, *image)
    images = torch.from_numpy(numbers("images", math.prod(shape)).reshape(shape))
    with torch.no_grad():
        result = {"inference": filled(name).double().eval()(images)}
    if trains:
        result["training"], norms = step(filled(name).double(), images)
        result["gradients"] = norms
        deviation = 0
        for memory in (torch.contiguous_format, torch.channels_last):
            single = step(filled(name).to(memory_format=memory), images.float().contiguous(memory_format=memory))[1]
            # Norms that are zero but for rounding say nothing.
            counted = norms > 1e-5 * norms.max()
            deviation = max(deviation, ((single - norms).abs() / norms)[counted].max().item())
        case["float32Deviation"] = float(f"{deviation:.2g}")
    return case, {f"{name}/{role}": tensor.numpy().astype(numpy.float32) for role, tensor in result.items()}


def write_lines(path, key, records):
    lines = ",\n".join("  " + json.dumps(record) for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"{key}": [\n{lines}\n]}}\n')


def main():
    torch.set_num_threads(1)
    sizes, cases, tensors = [], [], {}
    for name, (published, image, batch, trains) in MODELS.items():
        sizes.append(size(name, published, 10 if name.endswith("-cifar") else 1000))
        case, results = compute(name, image, batch, trains)
        cases.append(case)
        tensors.update(results)
        print(json.dumps(case))
    write_lines(TESTS / "NetworksTests" / "References" / "models.json", "models", sizes)
    write_lines(TESTS / "EngineTests" / "References" / "models.json", "cases", cases)
    version = torch.__version__.split("+")[0]
    write_safetensors(TESTS / "EngineTests" / "References" / "models.safetensors", tensors, {"torch": version})


if __name__ == "__main__":
    main()
