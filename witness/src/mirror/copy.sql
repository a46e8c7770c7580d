-- How much of which log is here.
CREATE TABLE copy (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    origin TEXT NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL
) STRICT;

-- The first published checkpoint of each published size, as the log has archived it. Never updated.
CREATE TABLE archive (
    size INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;
