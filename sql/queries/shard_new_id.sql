-- An id for a shard that is about to be made: its folder and name are built from it.  Gives id int8.
SELECT next_id()
