# tries: deny service: a pipe, at which a reader waits for ever
# protections: ordinary files
# outcome: refused
# said: not an ordinary file
# canary: open
import os


def make(folder, solved, untouched):
    os.mkfifo(folder / "eve.ipynb")
