# tries: break the batch: a frame with names and types that there are not
# protections: frame
# outcome: malformed output
# canary: reader look up
import os
import struct

made = b"mgf1" + struct.pack("<BBBH", 0, 0, 3, 1) + struct.pack("<HBB", 65535, 255, 0)
for descriptor in range(3, 64):
    try:
        os.write(descriptor, made)
    except OSError:
        pass
os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
