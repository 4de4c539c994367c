# tries: break the batch: nothing at all
# protections: reader limits
# outcome: refused
# said: not a notebook
# canary: strict
def make(folder, solved, untouched):
    (folder / "eve.ipynb").touch()
