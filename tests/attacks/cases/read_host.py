# tries: find the answer: home folders, passwords, logs, devices, other submissions
# protections: binds
# outcome: raised
# canary: secret
import os
import sys

PLACES = ("/home", "/root", "/etc", "/var", "/run", "/sys", "/submissions", "/mnt", "/srv", "/opt", "/boot")
texts = []
for place in PLACES:
    for folder, _, files in os.walk(place):
        if folder.startswith(sys.base_prefix):
            continue  # Python itself
        for file in files:
            try:
                texts.append(open(os.path.join(folder, file), errors="replace").read(1000))
            except OSError:
                pass
for device in ("/dev/mem", "/dev/kmem", "/dev/sda", "/dev/vda", "/dev/kmsg"):
    if os.path.exists(device):
        texts.append(open(device, "rb").read(100).decode(errors="replace"))
if not any(texts):
    raise LookupError("nothing to read")
raise RuntimeError("".join(texts))


def reparameterize(mu, logvar, eps):
    return mu
