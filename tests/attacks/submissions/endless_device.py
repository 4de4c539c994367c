# tries: deny service: a link to a device that never ends
# protections: ordinary files
# outcome: refused
# said: cannot be opened
# canary: open
def make(folder, solved, untouched):
    (folder / "eve.ipynb").symlink_to("/dev/zero")
