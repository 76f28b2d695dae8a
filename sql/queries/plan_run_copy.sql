-- Takes the cut, a row a run.
COPY plan_run (first, last, ordinal) FROM STDIN (FORMAT binary)
