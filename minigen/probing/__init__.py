"""Running a probe on an answer, and what can be seen of it, for the course and the grader's sandbox alike.

Nothing here knows an exercise, so that a sandbox may hold it.
"""
