"""Images and labels as the project reads them: IDX (gzip or plain) and CIFAR-10 binary files."""

import gzip
import pathlib

import numpy

# Mean and deviation of each channel, of values 0…1.
STATISTICS = {
    "fashion-mnist": ([0.2860], [0.3530]),
    "mnist": ([0.1307], [0.3081]),
    "synthetic": ([0.5], [0.2]),
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
}
DEBIAN_FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


def read_training_set(dataset, directory):
    """Images (uint8, [n, c, h, w]) and labels (int64, [n]) of the training set."""
    if dataset == "cifar10":
        return read_cifar10(pathlib.Path(directory or "."))
    directory = pathlib.Path(directory or DEBIAN_FASHION_MNIST)
    images = read_idx(directory / "train-images-idx3-ubyte")
    images = images if images.ndim == 4 else images[:, None]
    return images, read_idx(directory / "train-labels-idx1-ubyte").astype(numpy.int64)


def read_idx(path):
    """The array of unsigned bytes in an IDX file, `path` or `path.gz`."""
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    if data[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: begins with {data[:3].hex()}, not the 000008 of an IDX file of bytes.")
    shape = numpy.frombuffer(data, ">u4", data[3], 4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape)


def read_cifar10(directory):
    """All `data_batch_*.bin` in the directory or its `cifar-10-batches-bin`, in the order of their names."""
    pattern = "data_batch_*.bin"
    paths = sorted(directory.glob(pattern)) or sorted(directory.glob("cifar-10-batches-bin/" + pattern))
    if not paths:
        raise SystemExit(f"--data-dir {directory}: no {pattern} there; name the directory of CIFAR-10's binary files.")
    records = numpy.concatenate([numpy.fromfile(path, numpy.uint8).reshape(-1, 3073) for path in paths])
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(numpy.int64)


def write_cifar10(directory, seed, per_file):
    """Writes CIFAR-10's six binary files with random images whose mean depends on their label."""
    generator = numpy.random.default_rng(seed)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tint = generator.integers(0, 100, (10, 3, 1))
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        labels = generator.integers(0, 10, per_file)
        pixels = generator.integers(0, 156, (per_file, 3, 1024)) + tint[labels]
        records = numpy.concatenate([labels[:, None], pixels.reshape(per_file, 3072)], 1)
        records.astype(numpy.uint8).tofile(directory / name)


def read_order(path):
    """Global batches in order from lines `epoch E batch B shard S: INDEX …`: a list of lists of indices by shard."""
    batches = {}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), start=1):
        if not line.startswith("epoch "):
            continue
        head, _, tail = line.partition(":")
        words = head.split()
        if words[0::2] != ["epoch", "batch", "shard"] or len(words) != 6:
            raise SystemExit(f"{path}:{number}: expected `epoch E batch B shard S: INDEX …`, found `{line[:60]}`.")
        epoch, batch, shard = map(int, words[1::2])
        batches.setdefault((epoch, batch), {})[shard] = [int(index) for index in tail.split()]
    if not batches:
        raise SystemExit(f"{path}: no line `epoch E batch B shard S: INDEX …` in it.")
    shards = max(max(batch) for batch in batches.values()) + 1
    for key, batch in batches.items():
        if sorted(batch) != list(range(shards)):
            raise SystemExit(f"{path}: epoch {key[0]} batch {key[1]} has shards {sorted(batch)}, not 0…{shards - 1}.")
    return [[batches[key][shard] for shard in range(shards)] for key in sorted(batches)]
