-- What a choice of videos depends on, in short: the prefix's scans, and what launched jobs of it have taken. Equal before and after: the
-- same would be chosen. Counted too, for times are those of the transactions' starts: one that began earlier may end later. By primary key, and walks job_by_prefix. $1 int8 prefix.  Gives signature text.
SELECT concat_ws(' ', (SELECT version FROM prefix WHERE id = $1), count(*), max(launched_at), count(planned_at), max(planned_at))
  FROM job WHERE prefix_id = $1 AND launched_at IS NOT NULL
