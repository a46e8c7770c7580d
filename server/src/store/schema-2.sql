-- A log that was restored from a mirror has entries whose statement is missing: their `statement` is empty until it is filled in.
-- Statements that come back late would get other recording numbers than a rebuilt index, so from now on a recording's number is
-- the position of its first statement. Through negative numbers, because the old and the new ones overlap.
CREATE TEMP TABLE renumbered AS SELECT recording AS old, min(idx) AS new FROM parts GROUP BY recording;
CREATE UNIQUE INDEX temp.renumbered_old ON renumbered (old);

UPDATE recordings SET id = -1 - (SELECT new FROM renumbered WHERE old = recordings.id);
UPDATE parts SET recording = -1 - (SELECT new FROM renumbered WHERE old = parts.recording);
UPDATE tokens SET recording = -1 - (SELECT new FROM renumbered WHERE old = tokens.recording);

UPDATE recordings SET id = -1 - id;
UPDATE parts SET recording = -1 - recording;
UPDATE tokens SET recording = -1 - recording;

DROP TABLE renumbered;
