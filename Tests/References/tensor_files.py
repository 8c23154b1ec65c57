"""Reads and writes safetensors files with nothing but the standard library and numpy.

Layout: header length (unsigned 64-bit, little-endian), JSON header padded with spaces at its end so that the data
starts at a multiple of 8, then the tensors' raw little-endian bytes without holes, in the order of their names.
"""

import json
import pathlib

import numpy

NUMPY_TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def write_safetensors(path, tensors, metadata=None):
    """Writes `tensors` (name → numpy array of float32, float64 or int64), names sorted; returns the bytes written."""
    names = {numpy.dtype(text): name for name, text in NUMPY_TYPES.items()}
    header = {"__metadata__": metadata} if metadata else {}
    offset = 0
    blobs = []
    for name in sorted(tensors):
        array = numpy.asarray(tensors[name], order="C")
        blobs.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blobs[-1])],
        }
        offset += len(blobs[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text + b"".join(blobs)
    pathlib.Path(path).write_bytes(data)
    return len(data)


def read_safetensors(path):
    """Reads the floating-point and 64-bit integer tensors of a file as numpy arrays by name."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        if entry["dtype"] not in NUMPY_TYPES:
            raise SystemExit(f"{path}: tensor {name} is {entry['dtype']}; only {', '.join(NUMPY_TYPES)} are read here.")
        array = numpy.frombuffer(data[start + first : start + end], dtype=NUMPY_TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"]).copy()
    return tensors
