# tries: attack the reader: an exception whose name and text are parts of a page
# protections: text
# outcome: raised
# canary: shown <img
raise type("<img src=x onerror=alert(1)>", (Exception,), {})("<base href='http://127.0.0.1:9/'>")


def reparameterize(mu, logvar, eps):
    return mu
