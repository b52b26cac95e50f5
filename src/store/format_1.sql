-- Scores by what determined them: `maker` is a hash of judge, template, embedder, fusion and number format, `subject`
-- one of the texts. Failures are never kept.
CREATE TABLE scores (
    maker BLOB NOT NULL,
    subject BLOB NOT NULL,
    card TEXT NOT NULL,
    PRIMARY KEY (maker, subject)
) WITHOUT ROWID;

-- What annotators did, one row each time, never changed. `uid` tells an event wherever it is copied to.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    subject BLOB NOT NULL,
    record TEXT NOT NULL,
    response TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    value REAL,
    text TEXT,
    target TEXT,
    seconds REAL,
    blind INTEGER
);
CREATE INDEX events_of_annotator ON events (annotator, id);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started INTEGER NOT NULL,
    ended INTEGER,
    title TEXT NOT NULL,
    judge TEXT NOT NULL,
    template TEXT NOT NULL,
    identity TEXT NOT NULL,
    mode TEXT NOT NULL,
    output TEXT,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    state TEXT NOT NULL,
    version TEXT NOT NULL
);

-- Where a person was, by what was looked at.
CREATE TABLE session (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
