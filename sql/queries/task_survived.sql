-- Whoever lost this lease is alive after all: it counts no longer as one that was lost with its worker. By primary key. $1 int8 id.
UPDATE task SET lost = lost - 1 WHERE id = $1 AND lost > 0
