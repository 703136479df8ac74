#!/usr/bin/python3
"""The first bytes of the synthetic set of test_synthetic.c, computed from its description alone."""
import math

M0, M1, W0, W1, MASK = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = M0 * c[0], M1 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & MASK, a >> 32 ^ c[3] ^ k[1], a & MASK]
        k = [k[0] + W0 & MASK, k[1] + W1 & MASK]
    return c


def stream(seed, step, layer, purpose=5):  # SS_FOR_SYNTHETIC
    out = philox([step & MASK, step >> 32, purpose, layer], [seed & MASK, seed >> 32])
    return lambda block: philox([block & MASK, block >> 32, out[2], out[3]], out[:2])


def bell(s, i):
    return ((sum(s(i)) + 2) / 2**32 - 2) * math.sqrt(3)


seed, classes, noise = 1, 4, 0.5
labels = [stream(seed, 0, 3)(i // 4)[i % 4] * classes >> 32 for i in range(8)]
print("labels", labels)
prototype, error = stream(seed, labels[0], 0), stream(seed, 0, 1)
pixels = [127.5 + 32 * (bell(prototype, p) + noise * bell(error, p)) for p in range(8)]
print("pixels", [min(255, max(0, math.floor(x + 0.5))) for x in pixels])
