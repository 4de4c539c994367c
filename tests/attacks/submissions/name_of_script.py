# tries: attack the reader: a student whose name is a program for a page
# protections: our names, text
# outcome: graded
# canary: names
import json


def make(folder, solved, untouched):
    student = folder / "<script>window.planted = 1<"
    student.mkdir()
    (student / "00_start_here.ipynb").write_text(json.dumps(untouched))
