-- A clean-up of orphans that also takes files of records which the control plane never heard of.
ALTER TABLE storage_scans ADD COLUMN force INTEGER NOT NULL DEFAULT 0;
