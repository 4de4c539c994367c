# tries: find the answer: the course's own mistakes and hints
# stopped by: not in the sandbox
# outcome: raised
from minigen.exercises import lesson_13_vae


def reparameterize(mu, logvar, eps):
    return mu
