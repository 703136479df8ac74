#!/usr/bin/python3
"""Digests of real data sets as test_fashion.c and test_cifar10.c expect them, by numpy from the files alone.

    witness_data.py fashion-mnist /usr/share/datasets/fashion-mnist
    witness_data.py cifar10 $SHARPSWEEP_DATA/cifar-10-batches-bin      (data_batch_1.bin alone as training set)
"""
import gzip
import hashlib
import sys

import numpy as np


def idx(folder, name, offset):
    with gzip.open(f"{folder}/{name}.gz") as f:
        return np.frombuffer(f.read(), np.uint8, offset=offset)


def fashion(folder):
    for part in "train", "t10k":
        labels = idx(folder, f"{part}-labels-idx1-ubyte", 8)
        yield idx(folder, f"{part}-images-idx3-ubyte", 16).reshape(len(labels), 28, 28, 1), labels


def cifar10(folder):
    for part in "data_batch_1", "test_batch":
        records = np.fromfile(f"{folder}/{part}.bin", np.uint8).reshape(-1, 3073)
        yield records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def choose(pixels, labels, n, even):
    index = np.arange(n) * len(labels) // n if even else np.arange(n)
    return pixels[index], labels[index]


def digest(train, test, n_train, n_test, even, axes):
    x = train[0].astype(np.float64)
    mean, std = np.broadcast_arrays(x.mean(axes, keepdims=True)[0] / 255, x.std(axes, keepdims=True)[0] / 255)
    mean, std = (np.broadcast_to(a, x.shape[1:]) for a in (mean, std))
    inv_std = 1 / np.where(std > 0, std, 1)
    h = hashlib.sha256(np.array([*x.shape[1:], 10], np.int32).tobytes())
    for split, n in (train, n_train), (test, n_test):
        pixels, labels = choose(*split, n, even)
        h.update(np.uint32(n).tobytes() + np.ascontiguousarray(pixels).tobytes() + labels.tobytes())
    h.update(np.stack([mean, inv_std], -1).astype(np.float32).tobytes())
    return h.hexdigest()


train, test = {"fashion-mnist": fashion, "cifar10": cifar10}[sys.argv[1]](sys.argv[2])
print("1000 and 200 even, pixel   ", digest(train, test, 1000, 200, True, (0,)))
print("500 and 100 first, channel ", digest(train, test, 500, 100, False, (0, 1, 2)))
