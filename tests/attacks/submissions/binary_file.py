# tries: break the batch: bytes that are no text
# protections: reader limits
# outcome: refused
# said: not a notebook
# canary: strict
def make(folder, solved, untouched):
    (folder / "eve.ipynb").write_bytes(bytes(range(256)) * 1000)
