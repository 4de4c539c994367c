# tries: deny service: starts threads without end
# protections: number of processes, address space
# outcome: raised
# canary: processes
import threading
import time

while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,)).start()
    except RuntimeError:
        time.sleep(0.3)
        raise


def reparameterize(mu, logvar, eps):
    return mu
