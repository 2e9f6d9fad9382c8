-- How far reconciliation has got with each source, so that a run asks for what has changed since the
-- last one and not for everything.

ALTER TABLE source ADD COLUMN surveyed_at INTEGER;  -- begin of the last survey that came to its end
ALTER TABLE source ADD COLUMN reread_after TEXT;    -- the last booking that was read again, where the
                                                    -- API lists none; NULL: begin with the first
