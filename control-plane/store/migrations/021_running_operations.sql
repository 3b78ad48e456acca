-- @postgres
-- A running operation's row is written with each word of its agent. With room beside it in its page the new version
-- stays there, and none of seven indexes is written; without, each look at the row passes over the old ones.
ALTER TABLE operations SET (fillfactor = 70);
-- @both
