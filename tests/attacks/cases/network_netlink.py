# tries: escape: asks the kernel what networks there are
# protections: seccomp
# outcome: raised
# canary: says devices: lo
import socket
import struct

asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
asking.send(struct.pack("<IHHIIB3x", 20, 18, 0x301, 1, 0, 0))
if b"lo\0" in asking.recv(65536):
    raise RuntimeError("devices: " + "lo")


def reparameterize(mu, logvar, eps):
    return mu
