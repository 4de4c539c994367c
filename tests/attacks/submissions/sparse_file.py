# tries: deny service: a file of a million million bytes that takes no room
# protections: reader limits
# outcome: refused
# said: at most 20,000,000 are read
# canary: open
def make(folder, solved, untouched):
    with open(folder / "eve.ipynb", "wb") as file:
        file.truncate(10**12)
