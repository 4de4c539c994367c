# tries: deny service: lists in lists, a hundred thousand deep
# protections: reader limits
# outcome: refused
# said: nested too deeply
# canary: parse
def make(folder, solved, untouched):
    (folder / "eve.ipynb").write_bytes(b'{"cells":' + b"[" * 100_000)
