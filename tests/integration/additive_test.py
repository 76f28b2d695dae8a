"""Migrations only add, so that the version before runs on beside it: what an upgrade replica by replica rests on."""

import psycopg
import pytest

from tests.support.additive import complaints
from tests.support.previous import MIGRATIONS, TOGETHER_SINCE

# What a migration does all the same, and why the version before it can bear that.
EXCEPTIONS = {
    "0011_import_prefixes.sql": {
        "UPDATE public.summary_word.words: rows of the former version":
            "corrects under which prefix a summary of an import is found; the former version finds it there too",
    },
}

FORMER = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN amount AS int4 CHECK (VALUE >= 0);
CREATE SEQUENCE numbers;
CREATE TABLE a (id int8 PRIMARY KEY, b int4, c text NOT NULL DEFAULT '', d int4 NOT NULL CHECK (d > 0), m mood, UNIQUE (b, c));
CREATE TABLE other (id int8 PRIMARY KEY, a_id int8 REFERENCES a ON DELETE CASCADE);
CREATE INDEX a_by_d ON a (d);
CREATE FUNCTION twice(n int4) RETURNS int4 LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER a_quiet BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION quiet();
CREATE VIEW seen AS SELECT id, b FROM a;
"""

GOOD = [
    "",
    "CREATE TABLE n (id int8 PRIMARY KEY, b int4 NOT NULL CHECK (b > 0), UNIQUE (b)); CREATE UNIQUE INDEX i ON n (b)",
    "CREATE TABLE n (a_id int8 REFERENCES a ON DELETE CASCADE); CREATE TABLE k (n int8 REFERENCES other ON DELETE SET NULL)",
    "CREATE TABLE n (b int4); INSERT INTO n SELECT b FROM a; UPDATE n SET b = 1; DELETE FROM n; ALTER TABLE n DROP b",
    "ALTER TABLE a ADD COLUMN e int4, ADD f text NOT NULL DEFAULT 'x', ADD COLUMN IF NOT EXISTS b int8",
    "ALTER TABLE a ADD e int8 GENERATED ALWAYS AS (d * 2) STORED, ADD f int8 GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE a ADD e int4; UPDATE a SET e = 1",
    "CREATE INDEX i ON a (b) WHERE d > 1",
    "-- DROP TABLE a;\nCREATE INDEX i ON a (c); /* DELETE FROM a */",
    "CREATE FUNCTION thrice(n int4) RETURNS int4 LANGUAGE sql AS $$ SELECT 3 * n; -- DELETE FROM a\n$$",
    "DO $$ BEGIN IF false THEN DELETE FROM a; END IF; END $$",
    "CREATE VIEW also AS SELECT d FROM a; CREATE TYPE tone AS ENUM ('high'); CREATE SEQUENCE more; CREATE SCHEMA aside",
    "CREATE TABLE n (b int4); CREATE TRIGGER t BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION quiet()",
    "ALTER TABLE a ALTER b SET STATISTICS 100; COMMENT ON TABLE a IS 'x'; ANALYZE a; SELECT count(*) FROM a; LOCK TABLE a IN SHARE MODE",
]
BAD = [
    ("DROP TABLE other", "table public.other is gone"),
    ("ALTER TABLE a DROP COLUMN m", "column public.a.m is gone"),
    ("ALTER TABLE a DROP m", "column public.a.m is gone"),
    ("ALTER TABLE a ADD e int4, DROP IF EXISTS m", "column public.a.m is gone"),
    ("ALTER TABLE other RENAME TO others", "table public.other is gone"),
    ("ALTER TABLE a RENAME m TO feeling", "column public.a.m is gone"),
    ("ALTER TABLE a RENAME COLUMN m TO feeling", "column public.a.m is gone"),
    ("ALTER TABLE other SET SCHEMA apart", "table public.other is gone"),
    ("ALTER TABLE a ALTER COLUMN d TYPE int8", "column public.a.d is changed"),
    ("ALTER TABLE a ADD e int4, ALTER c SET DATA TYPE varchar(10)", "column public.a.c is changed"),
    ("ALTER TABLE a ALTER c DROP DEFAULT", "column public.a.c is changed"),
    ("ALTER TABLE a ALTER c SET DEFAULT 'x'", "column public.a.c is changed"),
    ("ALTER TABLE a ALTER m SET NOT NULL", "column public.a.m is changed"),
    ("ALTER TABLE a ALTER d DROP NOT NULL", "column public.a.d is changed"),
    ("ALTER TABLE a ADD COLUMN e int4 NOT NULL", "new column public.a.e"),
    ("ALTER TABLE a ADD e int4 NOT NULL", "new column public.a.e"),
    ("ALTER TABLE a ADD COLUMN e int4 NOT NULL DEFAULT 1, ADD COLUMN f int4 NOT NULL", "new column public.a.f"),
    ("ALTER TABLE a ADD COLUMN e int4 DEFAULT 1, ADD f int4 NOT NULL, ADD g text DEFAULT ''", "new column public.a.f"),
    ("CREATE DOMAIN given AS int4 NOT NULL; ALTER TABLE a ADD e given", "new column public.a.e"),
    ("ALTER TABLE a ADD e int4 UNIQUE", "refuses rows"),
    ("ALTER TABLE a ADD e int8 REFERENCES other", "refuses rows"),
    ("ALTER TABLE a ADD e int4 DEFAULT 1 CHECK (e > b)", "refuses rows"),
    ("ALTER TABLE a ADD CHECK (b > 1)", "refuses rows"),
    ("ALTER TABLE a ADD e int4, ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES other NOT VALID", "refuses rows"),
    ("ALTER TABLE a ADD EXCLUDE (d WITH =)", "refuses rows"),
    ("CREATE UNIQUE INDEX i ON a (d)", "new index public.i"),
    ("CREATE TABLE n (a_id int8 REFERENCES a)", "keeps the former version from removing rows of public.a"),
    ("CREATE TABLE n (a_id int8); ALTER TABLE n ADD FOREIGN KEY (a_id) REFERENCES a ON DELETE RESTRICT", "keeps the former version"),
    ("ALTER TABLE a DROP CONSTRAINT a_b_c_key", "constraint public.a.a_b_c_key is gone"),
    ("ALTER TABLE a DROP CONSTRAINT a_d_check, ADD CONSTRAINT a_d_check CHECK (d > 1)", "constraint public.a.a_d_check is changed"),
    ("DROP INDEX a_by_d", "index public.a_by_d is gone"),
    ("CREATE TRIGGER t AFTER UPDATE ON a FOR EACH STATEMENT EXECUTE FUNCTION quiet()", "new trigger public.a.t"),
    ("ALTER TABLE a DISABLE TRIGGER a_quiet", "trigger public.a.a_quiet is changed"),
    ("DROP TRIGGER a_quiet ON a", "trigger public.a.a_quiet is gone"),
    ("CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING", "new rule public.a.r"),
    ("ALTER TABLE a ENABLE ROW LEVEL SECURITY", "table public.a is changed"),
    ("CREATE POLICY p ON a USING (false)", "new policy public.a.p"),
    ("CREATE TABLE n () INHERITS (a)", "table public.a is changed"),
    ("ALTER TABLE other DROP CONSTRAINT other_a_id_fkey, SET UNLOGGED", "table public.other is changed"),
    ("GRANT SELECT ON a TO PUBLIC", "table public.a is changed"),
    ("CREATE OR REPLACE FUNCTION twice(n int4) RETURNS int4 LANGUAGE sql IMMUTABLE AS 'SELECT 3 * n'", "function twice(integer) is changed"),
    ("DROP FUNCTION twice", "function twice(integer) is gone"),
    ("CREATE FUNCTION twice(n int4, m int4 DEFAULT 0) RETURNS int4 LANGUAGE sql AS 'SELECT 2'", "new function twice(integer,integer)"),
    ("CREATE OR REPLACE VIEW seen AS SELECT id, b, c FROM a", "table public.seen is changed"),
    ("ALTER TYPE mood ADD VALUE 'odd'", "type public.mood is changed"),
    ("ALTER DOMAIN amount ADD CHECK (VALUE < 10)", "type public.amount is changed"),
    ("ALTER SEQUENCE numbers INCREMENT 2", "sequence public.numbers is changed"),
    ("DO $$ BEGIN EXECUTE 'ALTER ROLE ' || current_user || ' SET lock_timeout = 1'; END $$", "new setting"),
    ("DELETE FROM a", "DELETE public.a"),
    ("TRUNCATE other", "TRUNCATE public.other"),
    ("UPDATE a SET b = 1", "UPDATE public.a.b"),
    ("ALTER TABLE a ADD e int4; UPDATE a SET e = 1, c = 'x'", "UPDATE public.a.c"),
    ("INSERT INTO other VALUES (1)", "INSERT public.other"),
    ("WITH gone AS (DELETE FROM other RETURNING 1) SELECT count(*) FROM gone", "DELETE public.other"),
    ("DO $$ BEGIN UPDATE a SET d = 2; END $$", "UPDATE public.a.d"),
    ("CREATE TABLE n (b int4); MERGE INTO a USING n ON a.b = n.b WHEN MATCHED THEN DELETE", "DELETE public.a"),
]


@pytest.fixture
def connection(stack):
    with psycopg.connect(stack.database().url, autocommit=True) as connected:
        yield connected


def test_what_is_judged(connection):
    connection.execute(FORMER)
    connection.execute("CREATE SCHEMA apart")
    for good in GOOD:
        assert complaints(connection, good) == [], good
    for bad, want in BAD:
        found = complaints(connection, bad)
        assert any(want in complaint for complaint in found), (bad, found)


def test_migrations_only_add(connection, counted):
    files = sorted(MIGRATIONS.glob("*.sql"))
    for file in files:
        excused = EXCEPTIONS.get(file.name, {})
        if int(file.name[:4]) >= TOGETHER_SINCE:
            found = complaints(connection, file.read_text())
            assert set(found) == set(excused), (file.name, set(found) ^ set(excused))
        connection.execute(file.read_text())
    counted(f"{len(files) - TOGETHER_SINCE + 1} migrations leave alone what the version before them relies on; {len(GOOD) + len(BAD)} cases judged rightly")
