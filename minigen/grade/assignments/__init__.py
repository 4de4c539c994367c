"""A lesson as other programs want it: each module has `write(lesson, out)`, which says what it wrote."""
