-- Lines that were read, in import_store_line_add's order of columns.
COPY import_line (job_id, source_id, bucket, key) FROM STDIN (FORMAT binary)
