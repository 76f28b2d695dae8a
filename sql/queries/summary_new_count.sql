-- What the table of new rows adds to what is stored of the round: records that had no row of it yet, by their best new state, and
-- failed ones that become succeeded. A failure adds nothing to the success of an earlier round, which stays. Scans the new rows; summary by its key.
-- $1 int4 round.  Gives succeeded int8, failed int8, lifted int8.
SELECT count(*) FILTER (WHERE NOT is_met AND is_good), count(*) FILTER (WHERE NOT is_met AND NOT is_good),
       count(*) FILTER (WHERE is_met AND is_good AND NOT was_good)
  FROM (SELECT n.is_good, coalesce(s.ingest_round = $1 OR s.state = 'succeeded' AND NOT n.is_good, false) AS is_met, s.state = 'succeeded' AS was_good
          FROM (SELECT record_id, bool_or(state = 'succeeded') AS is_good FROM summary_new GROUP BY record_id) n
          LEFT JOIN summary s ON s.record_id = n.record_id) met
