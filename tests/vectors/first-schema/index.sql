BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'gdprcall.index','first','2026-11-24 08:12:25.111226+00:00');
CREATE TABLE applied (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO "applied" VALUES(1,9);
CREATE TABLE decision (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, uniqueid TEXT NOT NULL, controller TEXT NOT NULL,
            line TEXT NOT NULL, purpose TEXT NOT NULL, basis TEXT NOT NULL, outcome TEXT NOT NULL,
            reason TEXT NOT NULL, language TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, heard_ms INTEGER NOT NULL,
            mandatory_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, policy_sha256 TEXT NOT NULL,
            decided_at INTEGER NOT NULL, recording TEXT, withdrawn_at INTEGER) STRICT;
INSERT INTO "decision" VALUES('85586bbf3beaf16e8ddb18c90707106f','f3d2799ed99ef40785984e7c28af6774','1767225600.1','acme','support','quality','consent','granted','accepted','en','cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd',5000,4000,1,'efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef',1767225600000,'1315926aa37e007be06da144a50af33d',NULL);
INSERT INTO "decision" VALUES('2bf89f536608025f8ab3f5ba3f192133','918667a63c2ff7b2f414e8f6a08cbe08','1767225600.1','acme','support','quality','consent','granted','accepted','en','cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd',5000,4000,1,'efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef',1767225600000,'5cbc9fad8e4052d85e7d03c66e8f3894',NULL);
INSERT INTO "decision" VALUES('17f2d753ce8d3c3dd0570c8ed1c5cfb4','e6f23116cc5cef4c60b37373840bcb65','1767225600.1','acme','support','quality','consent','granted','accepted','en','cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd',5000,4000,1,'efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef',1767225600000,'79461cb6dbdaa9059132f5d4858f050a',NULL);
INSERT INTO "decision" VALUES('d0bd257a693a85c87c1b46f2f0adb5b1','ac8ca85200f84316af8c48b378b03f86','1767225600.1','acme','support','quality','consent','granted','accepted','en','cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd',5000,4000,1,'efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef',1767225600000,'bf68478e72b9e00afd69665eb45fbdee',NULL);
CREATE TABLE recording (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, controller TEXT NOT NULL, line TEXT NOT NULL,
            purpose TEXT NOT NULL, basis TEXT NOT NULL, decision TEXT NOT NULL, state TEXT NOT NULL,
            started_at INTEGER NOT NULL, retention_days INTEGER NOT NULL, expires_at INTEGER, subject TEXT,
            intended INTEGER NOT NULL) STRICT;
INSERT INTO "recording" VALUES('1315926aa37e007be06da144a50af33d','f3d2799ed99ef40785984e7c28af6774','acme','support','quality','consent','85586bbf3beaf16e8ddb18c90707106f','sealed',1767225599000,30,1769817600000,'5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b',0);
INSERT INTO "recording" VALUES('5cbc9fad8e4052d85e7d03c66e8f3894','918667a63c2ff7b2f414e8f6a08cbe08','acme','support','quality','consent','2bf89f536608025f8ab3f5ba3f192133','erased',1767225599000,30,NULL,NULL,1);
INSERT INTO "recording" VALUES('79461cb6dbdaa9059132f5d4858f050a','e6f23116cc5cef4c60b37373840bcb65','acme','support','quality','consent','17f2d753ce8d3c3dd0570c8ed1c5cfb4','sealed',1767225599000,30,1769817600000,'5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b',0);
INSERT INTO "recording" VALUES('bf68478e72b9e00afd69665eb45fbdee','ac8ca85200f84316af8c48b378b03f86','acme','support','quality','consent','d0bd257a693a85c87c1b46f2f0adb5b1','recording',1767225600000,30,1769817600000,'5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b',0);
CREATE TABLE segment (
            recording TEXT NOT NULL, segment INTEGER NOT NULL, state TEXT NOT NULL, seconds REAL NOT NULL,
            started_at INTEGER NOT NULL, closed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            payload_sha256 TEXT NOT NULL, payload_bytes INTEGER NOT NULL, header_sha256 TEXT NOT NULL,
            PRIMARY KEY (recording, segment)) STRICT;
INSERT INTO "segment" VALUES('1315926aa37e007be06da144a50af33d',1,'sealed',1.0,1767225599000,1767225600000,1769817600000,'80060d307a8d49f2e284f19ea0a2882927cbb221ed776e2a591f6254006c448f',16076,'0ec5540bc311d07da0e0685aaf6604338e7983f3e358a29166e9f3ac0e12ea4e');
INSERT INTO "segment" VALUES('79461cb6dbdaa9059132f5d4858f050a',1,'sealed',1.0,1767225599000,1767225600000,1769817600000,'542cf386f838754903224e0407f2c656b121ab91f611387c4e5ab05733bb83c4',16076,'ef9925a1ab7a8b4eb3eba1eca8039ecc1c4522eab43a6ab10fc88018cf7be08a');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX decision_time ON decision (decided_at);
CREATE INDEX decision_recording ON decision (recording) WHERE recording IS NOT NULL;
CREATE INDEX recording_time ON recording (started_at);
CREATE INDEX recording_due ON recording (expires_at) WHERE state NOT IN ('recording', 'erased');
CREATE INDEX recording_open ON recording (state) WHERE state IN ('recording', 'spooled');
CREATE INDEX recording_subject ON recording (controller, subject) WHERE subject IS NOT NULL;
COMMIT;
