-- What is sealed. Nothing here is ever updated or deleted, except the one row of tree_head.
CREATE TABLE entries (
    idx       INTEGER PRIMARY KEY,      -- position in the log
    digest    BLOB NOT NULL UNIQUE,     -- SHA-256 of the statement
    kind      INTEGER NOT NULL,         -- 0 evidence, 1 device registry
    sealed_at INTEGER NOT NULL,         -- seconds since 1970
    statement BLOB NOT NULL
) STRICT;

CREATE TABLE tree_head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    size      INTEGER NOT NULL,
    root      BLOB NOT NULL,
    sealed_at INTEGER NOT NULL          -- of the newest entry
) STRICT;

-- The first published checkpoint of each published size.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;

-- The block digests that came with a deposit.
CREATE TABLE blocks (
    digest  BLOB PRIMARY KEY,           -- of the statement
    digests BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Personal facts. Rows may be erased without touching anything else.
CREATE TABLE disclosures (
    digest     BLOB NOT NULL,           -- of the statement
    number     INTEGER NOT NULL,        -- order of submission
    disclosure BLOB NOT NULL,           -- field, salt and value, as in statement.md
    PRIMARY KEY (digest, number)
) STRICT, WITHOUT ROWID;

-- From here on: the lookup index, a projection of the above that `reindex` builds again.
CREATE TABLE recordings (
    id        INTEGER PRIMARY KEY,
    kid       BLOB NOT NULL,
    recording BLOB NOT NULL,
    UNIQUE (kid, recording)
) STRICT;

CREATE TABLE parts (
    recording INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    idx       INTEGER NOT NULL,         -- more than one for a sequence: a conflict
    PRIMARY KEY (recording, sequence, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    token     BLOB NOT NULL,
    recording INTEGER NOT NULL,
    head      INTEGER NOT NULL,         -- 1: the token of the first 64 KiB
    PRIMARY KEY (token, recording)
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of_recording ON tokens (recording, head);

CREATE TABLE enrolments (
    idx         INTEGER PRIMARY KEY,
    kid         BLOB NOT NULL,          -- of the enrolled key
    public_key  BLOB NOT NULL,
    role        INTEGER NOT NULL,       -- 0 device, 1 account
    valid_from  INTEGER NOT NULL,       -- milliseconds since 1970
    valid_until INTEGER NOT NULL,
    digest      BLOB NOT NULL           -- of the statement
) STRICT;

CREATE INDEX enrolments_by_key ON enrolments (kid, idx);

CREATE TABLE revocations (
    idx            INTEGER PRIMARY KEY,
    kid            BLOB NOT NULL,       -- of the revoked key
    effective_from INTEGER NOT NULL     -- milliseconds since 1970
) STRICT;

CREATE INDEX revocations_by_key ON revocations (kid, idx);

CREATE TABLE snapshots (
    idx   INTEGER PRIMARY KEY,
    as_of INTEGER NOT NULL              -- milliseconds since 1970
) STRICT;
