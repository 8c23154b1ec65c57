"""The digest of a safetensors file's tensors, as `tensorsDigest` of TensorFiles defines it.

    python tensors_digest.py FILE.safetensors
"""
import hashlib
import json
import struct
import sys


def tensors_digest(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header, body, hash = json.loads(data[8 : 8 + length]), data[8 + length :], hashlib.sha256()
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    for name in sorted(set(header) - {"__metadata__"}):
        entry = header[name]
        hash.update(text(name) + text(entry["dtype"]) + struct.pack("<Q", len(entry["shape"])))
        hash.update(b"".join(struct.pack("<Q", extent) for extent in entry["shape"]))
        hash.update(body[entry["data_offsets"][0] : entry["data_offsets"][1]])
    return hash.hexdigest()


if __name__ == "__main__":
    print(tensors_digest(sys.argv[1]))
