#!/usr/bin/env python3
"""Makes the numbers that the engine's operations are compared with, by PyTorch.

    python3 Tests/References/make-operation-references.py [--output-dir Tests/EngineTests/References]

writes `operations.safetensors` (tensors named `CASE/ROLE`, float32) and `operations.json` (the cases). Inputs,
parameters and output gradients are random float32 numbers; everything else is computed from them in float64 and rounded
once. Every case has a generator seeded by its own name, so a new case leaves the others' numbers as they are.

A case of `operations.json`: `name`, `operation`, `attributes`, and names of tensors: `inputs` (in order), `parameters`
(by parameter name), `state` and `stateAfter` (running statistics before and after the step), `output`,
`outputGradient`, `inputGradients` (in the order of inputs) and `parameterGradients`. The last three are absent from
cases of inference. Layouts: images [n, c, h, w], convolution weights [out, in / groups, kh, kw], inner-product
weights [out, in]; pairs are [vertical, horizontal]. Pooling rounds extents down; the average counts padding; a tie in a
maximum goes to the first in row-major order.
"""

import argparse
import json
import pathlib

import numpy
import torch
import torch.nn.functional as functional

from reference_case import EPSILON, MOMENTUM, Collection
from tensor_files import write_safetensors


def pair(value):
    """A pair [vertical, horizontal] from one number or two."""
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def shape_text(*parts):
    return "-".join("x".join(map(str, part)) if isinstance(part, (list, tuple)) else str(part) for part in parts)


def add_convolutions(collection):
    # batch, in, image, out, kernel, stride, padding, groups, bias
    rows = [
        (1, 1, (1, 1), 1, 1, 1, 0, 1, False),
        (2, 1, (5, 7), 5, 1, 1, 0, 1, True),
        (3, 16, (4, 3), 8, 1, 1, 0, 1, False),
        (2, 17, (3, 5), 33, 1, 1, 0, 1, True),
        (5, 8, (5, 5), 16, 1, 2, 0, 1, False),
        (2, 4, (7, 6), 8, 1, 3, 0, 1, True),
        (1, 1, (3, 3), 1, 3, 1, 0, 1, True),
        (1, 3, (6, 5), 16, 3, 1, 1, 1, False),
        (2, 3, (8, 8), 32, 3, 1, 1, 1, True),
        (2, 16, (5, 5), 16, 3, 1, 1, 1, False),
        (3, 8, (7, 7), 16, 3, 2, 1, 1, False),
        (2, 16, (6, 6), 32, 3, 2, 1, 1, False),
        (1, 17, (5, 4), 5, 3, 1, 2, 1, True),
        (2, 4, (9, 8), 33, 3, 3, 1, 1, True),
        (5, 3, (3, 3), 5, 3, 1, 0, 1, True),
        (1, 16, (4, 4), 33, 3, 1, 0, 1, False),
        (2, 1, (9, 9), 32, 5, 1, 2, 1, True),
        (1, 32, (6, 6), 16, 5, 1, 2, 1, True),
        (3, 3, (8, 11), 8, 5, 2, 2, 1, True),
        (2, 4, (5, 5), 5, 5, 1, 0, 1, False),
        (2, 17, (7, 5), 1, 5, 3, 1, 1, True),
        (2, 3, (6, 9), 8, (3, 5), 1, (1, 2), 1, True),
        (1, 8, (5, 9), 16, (1, 7), 1, (0, 3), 1, False),
        (3, 4, (9, 4), 5, (5, 2), (2, 1), (2, 0), 1, True),
        (2, 4, (5, 6), 8, 3, 1, 1, 2, True),
        (1, 16, (5, 5), 32, 3, 1, 1, 2, False),
        (3, 6, (4, 5), 10, 3, 2, 1, 2, True),
        (2, 8, (3, 4), 16, 1, 1, 0, 2, False),
        (2, 3, (6, 6), 3, 3, 1, 1, 3, True),
        (2, 17, (5, 7), 17, 3, 1, 1, 17, False),
        (1, 16, (7, 7), 16, 3, 2, 1, 16, True),
        (3, 4, (9, 7), 4, 5, 1, 2, 4, True),
        (2, 4, (5, 5), 8, 3, 1, 1, 4, False),
        # Winograd's: whole and partly filled blocks of channels, tiles over the edge, every padding.
        (2, 17, (8, 8), 33, 3, 1, 1, 1, True),
        (8, 16, (4, 4), 16, 3, 1, 1, 1, True),
        (2, 16, (7, 9), 16, 3, 1, 1, 1, False),
        (2, 16, (10, 9), 16, 3, 1, 0, 1, True),
        (2, 16, (6, 7), 16, 3, 1, 2, 1, True),
        (2, 16, (8, 6), 17, 3, 1, (0, 1), 1, False),
        (1, 16, (8, 8), 16, 5, 1, 2, 1, True),
        (1, 17, (7, 9), 16, 5, 1, 2, 1, True),
        (1, 16, (9, 9), 17, 5, 1, 0, 1, False),
        # Stems: few channels.
        (2, 1, (8, 8), 32, 3, 1, 1, 1, True),
        (1, 3, (9, 7), 64, 3, 1, 1, 1, False),
        (1, 1, (11, 14), 32, 5, 1, 2, 1, True),
        (2, 3, (9, 8), 16, 5, 1, 2, 1, True),
        (2, 3, (9, 8), 32, 3, 2, 1, 1, False),
        (2, 1, (13, 12), 16, 7, 2, 3, 1, True),
        (1, 3, (13, 11), 32, 7, 2, 3, 1, False),
        # Depthwise.
        (2, 16, (8, 8), 16, 3, 1, 1, 16, False),
        (2, 24, (7, 6), 24, 3, 1, 1, 24, False),
        (2, 32, (5, 7), 32, 3, 1, 1, 32, True),
        (1, 40, (7, 8), 40, 3, 2, 1, 40, False),
        (2, 16, (8, 8), 16, 3, 2, 1, 16, False),
        (1, 16, (9, 7), 16, 3, 1, 0, 16, False),
        (2, 16, (8, 7), 16, 5, 1, 2, 16, False),
        (1, 32, (9, 9), 32, 5, 2, 2, 32, True),
        (1, 40, (6, 7), 40, 5, 2, 2, 40, False),
    ]
    for n, channels, image, out, kernel, stride, padding, groups, bias in rows:
        attributes = {
            "kernel": pair(kernel), "stride": pair(stride), "padding": pair(padding), "groups": groups, "bias": bias,
        }
        name = shape_text("convolution", (n, channels, *image), out, "k" + shape_text(pair(kernel)))
        name += f"-s{shape_text(pair(stride))}-p{shape_text(pair(padding))}-g{groups}"

        def compute(case):
            x = case.input((n, channels, *image))
            return case.convolution(x, "", out, pair(kernel), stride, padding, groups, bias)

        collection.add(name, "convolution", attributes, compute)


def add_inner_products(collection):
    rows = [
        (1, 1, 1, True), (1, 3, 10, False), (2, 10, 1, True), (2, 17, 3, False), (5, 64, 17, True),
        (5, 17, 64, False), (1, 64, 10, True), (2, 3, 64, True), (5, 1, 3, False), (5, 10, 10, True),
        # More than a register tile of samples and of outputs, none of them a multiple.
        (13, 35, 33, True), (25, 40, 64, False), (17, 67, 49, True),
    ]
    for n, features, out, bias in rows:
        name = shape_text("innerProduct", (n, features), out) + ("-bias" if bias else "")
        collection.add(
            name, "innerProduct", {"bias": bias},
            lambda case: case.inner_product(case.input((n, features)), "", out, bias),
        )


def add_pools(collection):
    # image, kernel, stride, padding
    rows = [
        ((1, 1, 1, 1), 1, 1, 0), ((2, 3, 4, 6), 2, 2, 0), ((1, 16, 5, 7), 2, 2, 0), ((3, 17, 3, 3), 2, 2, 0),
        ((2, 5, 7, 7), 3, 2, 1), ((2, 16, 8, 8), 3, 2, 1), ((1, 17, 6, 5), 3, 2, 1), ((2, 8, 5, 5), 3, 1, 1),
        ((1, 3, 7, 9), 3, 3, 0), ((2, 4, 5, 8), (2, 3), (2, 1), (0, 1)), ((2, 17, 4, 4), 4, 4, 0),
        ((1, 8, 2, 2), 3, 2, 1), ((1, 32, 8, 6), 2, 2, 0), ((1, 33, 9, 7), 2, 2, 0), ((1, 24, 11, 13), 3, 2, 1),
        ((2, 16, 7, 7), 3, 2, 1), ((1, 40, 8, 8), 3, 2, 1),
    ]
    for operation in ("maxPool", "averagePool"):
        for shape, kernel, stride, padding in rows:
            attributes = {"kernel": pair(kernel), "stride": pair(stride), "padding": pair(padding)}
            name = shape_text(operation, shape, "k" + shape_text(pair(kernel)))
            name += f"-s{shape_text(pair(stride))}-p{shape_text(pair(padding))}"

            def compute(case):
                x = case.input(shape)
                if operation == "maxPool":
                    return functional.max_pool2d(x, kernel, stride, padding)
                return functional.avg_pool2d(x, kernel, stride, padding)

            collection.add(name, operation, attributes, compute)

    def tied(case):
        x = case.input(values=torch.randint(0, 2, (2, 17, 7, 7), generator=case.generator))
        return functional.max_pool2d(x, 3, 2, 1)

    collection.add("maxPool-ties", "maxPool", {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1]}, tied)
    for shape in [(1, 1, 1, 1), (2, 3, 5, 7), (3, 16, 4, 4), (2, 17, 7, 7), (1, 33, 1, 9)]:
        collection.add(
            shape_text("globalAveragePool", shape), "globalAveragePool", {},
            lambda case: functional.adaptive_avg_pool2d(case.input(shape), 1),
        )


def add_relus(collection):
    for shape in [(1, 1), (5, 17), (1, 3, 1, 1), (2, 16, 3, 5), (3, 17, 4, 4)]:

        def compute(case):
            values = case.draw(shape)
            values.flatten()[1::5] = 0  # at zero the gradient is zero
            return functional.relu(case.input(values=values))

        collection.add(shape_text("relu", shape), "relu", {}, compute)


def add_relu6s(collection):
    for shape in [(1, 1), (5, 17), (1, 3, 1, 1), (2, 16, 3, 5), (3, 17, 4, 4)]:

        def compute(case):
            values = case.draw(shape, 4.0, 2.0)
            values.flatten()[1::5] = 0  # at 0 and at 6 the gradient is zero
            values.flatten()[2::5] = 6
            return functional.relu6(case.input(values=values))

        collection.add(shape_text("relu6", shape), "relu6", {}, compute)


def add_batch_norms(collection):
    shapes = [
        (1, 1, 2, 1), (1, 3, 4, 5), (2, 1, 3, 3), (2, 3, 1, 1), (5, 3, 1, 2), (2, 16, 5, 5), (5, 17, 3, 4),
        (1, 16, 7, 7),
    ]
    for shape in shapes:
        for training in (True, False):
            name = shape_text("batchNorm", shape, "training" if training else "inference")
            attributes = {"training": training, "epsilon": EPSILON, "momentum": MOMENTUM}
            collection.add(
                name, "batchNorm", attributes,
                lambda case: case.batch_norm(case.input(shape, scale=1.5, offset=0.5), "", training), training,
            )
    # A mean large beside the deviation shows variances computed by subtracting squares.
    collection.add(
        "batchNorm-large-mean", "batchNorm", {"training": True, "epsilon": EPSILON, "momentum": MOMENTUM},
        lambda case: case.batch_norm(case.input((3, 17, 4, 5), scale=1.0, offset=30.0), ""),
    )


def add_structure(collection):
    for shape in [(1, 1), (5, 17), (2, 16, 3, 5), (3, 17, 4, 4)]:
        collection.add(
            shape_text("add", shape), "add", {}, lambda case: torch.add(case.input(shape), case.input(shape))
        )
    for n, channels, image in [
        (1, (1, 1), (1, 1)), (2, (3, 5), (4, 3)), (2, (16, 16), (3, 3)), (3, (17, 8), (2, 5)),
        (1, (1, 3, 5), (3, 4)), (2, (16, 7, 9), (3, 3)), (5, (8, 16, 8), (2, 2)),
    ]:
        collection.add(
            shape_text("concatenate", n, channels, image), "concatenate", {"axis": 1},
            lambda case: torch.cat([case.input((n, c, *image)) for c in channels], 1),
        )
    # First channel and number of channels; whole blocks of channels, and others.
    for shape, offset, channels in [
        ((1, 1, 1, 1), 0, 1), ((2, 5, 4, 3), 1, 3), ((2, 48, 3, 3), 16, 16), ((1, 48, 2, 5), 16, 32),
        ((3, 58, 3, 2), 29, 29), ((2, 40, 2, 2), 16, 24), ((2, 33, 1, 1), 0, 16),
    ]:
        collection.add(
            shape_text("sliceChannels", shape, f"{offset}to{offset + channels}"), "sliceChannels",
            {"offset": offset, "channels": channels},
            lambda case: case.input(shape)[:, offset : offset + channels] * 1.0,
        )
    for shape, before, after in [
        ((1, 1, 1, 1), 0, 1), ((2, 3, 4, 3), 2, 0), ((2, 16, 3, 3), 0, 16), ((2, 16, 3, 3), 16, 16),
        ((3, 17, 3, 2), 5, 6), ((1, 32, 2, 5), 0, 7),
    ]:
        collection.add(
            shape_text("padChannels", shape, f"{before}and{after}"), "padChannels",
            {"before": before, "after": after},
            lambda case: functional.pad(case.input(shape), (0, 0, 0, 0, before, after)),
        )
    for shape, groups in [
        ((1, 1, 1, 1), 1), ((2, 6, 3, 2), 2), ((2, 6, 3, 2), 3), ((1, 32, 3, 3), 2), ((3, 58, 2, 5), 2),
        ((2, 48, 1, 1), 4),
    ]:
        collection.add(
            shape_text("shuffleChannels", shape, groups), "shuffleChannels", {"groups": groups},
            lambda case: functional.channel_shuffle(case.input(shape), groups),
        )
    for shape in [(1, 1, 1, 1), (2, 3, 4, 5), (3, 17, 3, 2), (2, 16, 3, 3), (5, 8, 1, 1)]:
        collection.add(shape_text("flatten", shape), "flatten", {}, lambda case: case.input(shape).flatten(1))


def loss(logits, labels, smoothing, count):
    """Sum over samples of the cross-entropy with smoothed labels, divided by the samples of the global batch."""
    total = functional.cross_entropy(logits, torch.tensor(labels), reduction="sum", label_smoothing=smoothing)
    return total / count


def add_losses(collection):
    for n, classes, smoothing, count, large in [
        (1, 2, 0.0, 1, False), (1, 10, 0.1, 4, False), (2, 17, 0.0, 7, False), (5, 10, 0.0, 5, False),
        (5, 17, 0.1, 13, False), (3, 2, 0.1, 3, False), (4, 10, 0.0, 4, True), (4, 10, 0.1, 9, True),
        (3, 2, 0.0, 3, True), (3, 17, 0.1, 256, True),
    ]:
        name = shape_text("softmaxCrossEntropy", (n, classes), f"smoothing{smoothing}", f"of{count}")
        name += "-large" if large else ""
        labels = [(3 * i + 1) % classes for i in range(n)]

        def compute(case):
            values = case.draw((n, classes), 2.0)
            if large:
                values[:, 0] = 80  # the exponential of 89 is not a float32
                values[:, 1] = -80
            return loss(case.input(values=values), labels, smoothing, count)

        attributes = {"labels": labels, "classes": classes, "smoothing": smoothing, "globalCount": count}
        collection.add(name, "softmaxCrossEntropy", attributes, compute)


def add_composites(collection):
    for n, channels, image, out, stride in [
        (2, 16, (4, 4), 16, 1), (1, 3, (5, 5), 5, 1), (3, 8, (5, 7), 16, 2), (2, 16, (6, 6), 33, 2),
    ]:
        projection = stride != 1 or channels != out

        def block(case):
            x = case.input((n, channels, *image))
            y = case.relu(case.batch_norm(case.convolution(x, "conv1", out, (3, 3), stride, 1), "bn1"))
            y = case.batch_norm(case.convolution(y, "conv2", out, (3, 3), 1, 1), "bn2")
            if projection:
                x = case.convolution(x, "downsample.0", out, (1, 1), stride)
                x = case.batch_norm(x, "downsample.1")
            return case.relu(y + x)

        attributes = {
            "stride": [stride, stride], "outputChannels": out, "projection": projection, "epsilon": EPSILON,
            "momentum": MOMENTUM,
        }
        name = shape_text("residualBlock", (n, channels, *image), out, f"s{stride}")
        collection.add(name, "residualBlock", attributes, block)

    # conv 3×3 pad 1 with bias, ReLU, max pool 2, flatten, inner product, loss: the layout at the end of the images.
    for n, channels, image, width, classes, count in [(3, 1, (6, 6), 8, 10, 7), (2, 3, (7, 5), 17, 5, 2)]:
        labels = [(2 * i + 1) % classes for i in range(n)]

        def network(case):
            x = case.input((n, channels, *image))
            x = case.max_pool(case.relu(case.convolution(x, "conv1", width, (3, 3), 1, 1, bias=True)), 2, 2)
            return loss(case.inner_product(x.flatten(1), "fc1", classes), labels, 0.0, count)

        attributes = {
            "outputChannels": width, "labels": labels, "classes": classes, "smoothing": 0.0, "globalCount": count,
        }
        name = shape_text("smallNetwork", (n, channels, *image), width, classes)
        collection.add(name, "smallNetwork", attributes, network)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = pathlib.Path(__file__).resolve().parents[1] / "EngineTests" / "References"
    parser.add_argument("--output-dir", type=pathlib.Path, default=default)
    directory = parser.parse_args().output_dir
    torch.set_num_threads(1)
    collection = Collection()
    for add in (
        add_convolutions, add_inner_products, add_pools, add_relus, add_relu6s, add_batch_norms, add_structure, add_losses,
        add_composites,
    ):
        add(collection)
    bad = [name for name, array in collection.tensors.items() if not numpy.isfinite(array).all()]
    if bad:
        raise SystemExit(f"Not finite: {', '.join(bad)}.")
    directory.mkdir(parents=True, exist_ok=True)
    version = torch.__version__.split("+")[0]
    size = write_safetensors(directory / "operations.safetensors", collection.tensors, {"torch": version})
    lines = ",\n".join("  " + json.dumps(case) for case in collection.cases)
    text = f'{{"torch": "{version}", "cases": [\n{lines}\n]}}\n'
    (directory / "operations.json").write_text(text)
    print(f"{len(collection.cases)} cases, {len(collection.tensors)} tensors, {size + len(text)} bytes in {directory}")


if __name__ == "__main__":
    main()
