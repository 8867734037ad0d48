-- Each statement must be able to run twice: the migration is marked as applied
-- outside its transaction, and a crash in between makes it run again.
CREATE TABLE IF NOT EXISTS users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so a cursor cannot skip a newer user
    name       TEXT NOT NULL,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,                     -- the e-mail in lower case; SQLite folds ASCII only
    created_at TIMESTAMP NOT NULL                 -- UTC, whole seconds, as text that sorts
);
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON users (email_key);
--bun:split
CREATE INDEX IF NOT EXISTS users_created_at ON users (created_at);
