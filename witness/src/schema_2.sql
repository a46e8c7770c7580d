-- With its note, a remembered tree proves what a log contradicts that publishes another one of that size. NULL: too long to be kept.
ALTER TABLE cosigned ADD COLUMN note BLOB;
