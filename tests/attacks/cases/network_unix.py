# tries: escape: a Unix socket
# stopped by: system calls
# outcome: raised
import socket

socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket")


def reparameterize(mu, logvar, eps):
    return mu
