# tries: escape: a link to a file that only the grader can read
# protections: ordinary files
# outcome: refused
# said: cannot be opened
# canary: open
def make(folder, solved, untouched):
    (folder / "eve.ipynb").symlink_to("/home/secret")
