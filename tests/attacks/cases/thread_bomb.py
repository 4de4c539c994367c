# tries: deny service: starts threads without end
# stopped by: limit of processes
# outcome: raised
import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(1000,)).start()


def reparameterize(mu, logvar, eps):
    return mu
