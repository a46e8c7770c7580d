-- Whose state this is. A witness must never go on from another's, nor from none.
CREATE TABLE identity (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    vkey TEXT NOT NULL
) STRICT;

-- The newest checkpoint cosigned of each log. A row is replaced, never deleted: it is what the witness has promised.
CREATE TABLE newest (
    origin      TEXT PRIMARY KEY,
    origin_hash BLOB NOT NULL UNIQUE,   -- SHA-256 of the origin
    size        INTEGER NOT NULL,
    root        BLOB NOT NULL,
    cosigned_at INTEGER NOT NULL,       -- the cosignature's timestamp
    note        BLOB NOT NULL           -- the checkpoint with the log's signatures and the cosignature
) STRICT;

-- The last trees cosigned of each log, so that the mirror recognises a tree that was published after a larger one was cosigned.
CREATE TABLE cosigned (
    origin TEXT NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL,
    PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;

-- Proof of misbehaviour: two checkpoints that the log has signed and that cannot both be true.
CREATE TABLE contradictions (
    id      INTEGER PRIMARY KEY,
    origin  TEXT NOT NULL,
    seen_at INTEGER NOT NULL,           -- seconds since 1970
    ours    BLOB NOT NULL,              -- the note that was cosigned
    size    INTEGER NOT NULL,
    root    BLOB NOT NULL,
    theirs  BLOB NOT NULL,              -- the note that was refused
    proof   TEXT NOT NULL,              -- base64 hashes that lead from another tree of our size to theirs, one a line; may be empty
    UNIQUE (origin, size, root)
) STRICT;
