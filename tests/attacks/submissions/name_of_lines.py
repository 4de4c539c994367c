# tries: attack the reader: a student whose name is two rows of a table
# protections: our names
# outcome: graded
# canary: names
import json


def make(folder, solved, untouched):
    student = folder / "eve\nada,100"
    student.mkdir()
    (student / "00_start_here.ipynb").write_text(json.dumps(untouched))
