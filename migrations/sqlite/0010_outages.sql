-- Since when a source's provider has been failing, so that several daemons tell of it once.
ALTER TABLE source ADD COLUMN failing_since INTEGER;  -- NULL: it answers, as far as is known
