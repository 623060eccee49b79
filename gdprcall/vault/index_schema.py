"""The tables of the index, and how they came to be what they are.

It opens no file, and knows no row.
"""

from sqlite_utils import Database, Migrations

from gdprcall.vault import breaches, certificates, holders, keeps, packages, proofs, releases, requests, sweeps

migrations = Migrations("gdprcall.index")


EXPIRING = "state NOT IN ('recording', 'erased')"
"""What retention looks at: everything that is over and not gone. The index below must say it in the same words."""

KEYS = {
    "decision": ("id",),
    "recording": ("id",),
    "segment": ("recording", "segment"),
    "key_backup": ("controller", "expires_at"),
    "recipient": ("controller", "recipient"),
    "challenge": ("answer_sha256",),
    "access_package": ("id",),
    "keep": ("recording", "flag", "name"),
    "never_record": ("seq",),
    "erasure": ("id",),
    "sweep": ("seq",),
    "release": ("seq",),
    "approval": ("seq",),
    "request": ("id",),
    "request_entry": ("request", "seq"),
    "breach": ("id",),
    "breach_entry": ("breach", "seq"),
    "breach_told": ("seq",),
    "breach_recording": ("breach", "recording"),
    "breach_reminder": ("breach", "duty", "hour"),
    "contact_test": ("seq",),
}
TABLES = tuple(KEYS)
"""Everything that the ledger makes."""


@migrations()
def first(db: Database) -> None:
    """Create decisions, recordings, segments and the place in the ledger."""
    for sql in (
        "CREATE TABLE applied (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT",
        "INSERT INTO applied VALUES (1, 0)",
        """CREATE TABLE decision (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, uniqueid TEXT NOT NULL, controller TEXT NOT NULL,
            line TEXT NOT NULL, purpose TEXT NOT NULL, basis TEXT NOT NULL, outcome TEXT NOT NULL,
            reason TEXT NOT NULL, language TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, heard_ms INTEGER NOT NULL,
            mandatory_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, policy_sha256 TEXT NOT NULL,
            decided_at INTEGER NOT NULL, recording TEXT, withdrawn_at INTEGER) STRICT""",
        "CREATE INDEX decision_time ON decision (decided_at)",
        "CREATE INDEX decision_recording ON decision (recording) WHERE recording IS NOT NULL",
        """CREATE TABLE recording (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, controller TEXT NOT NULL, line TEXT NOT NULL,
            purpose TEXT NOT NULL, basis TEXT NOT NULL, decision TEXT NOT NULL, state TEXT NOT NULL,
            started_at INTEGER NOT NULL, retention_days INTEGER NOT NULL, expires_at INTEGER, subject TEXT,
            intended INTEGER NOT NULL) STRICT""",
        "CREATE INDEX recording_time ON recording (started_at)",
        f"CREATE INDEX recording_due ON recording (expires_at) WHERE {EXPIRING}",
        "CREATE INDEX recording_open ON recording (state) WHERE state IN ('recording', 'spooled')",
        "CREATE INDEX recording_subject ON recording (controller, subject) WHERE subject IS NOT NULL",
        """CREATE TABLE segment (
            recording TEXT NOT NULL, segment INTEGER NOT NULL, state TEXT NOT NULL, seconds REAL NOT NULL,
            started_at INTEGER NOT NULL, closed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            payload_sha256 TEXT NOT NULL, payload_bytes INTEGER NOT NULL, header_sha256 TEXT NOT NULL,
            PRIMARY KEY (recording, segment)) STRICT""",
    ):
        db.conn.execute(sql)


@migrations()
def key_backups(db: Database) -> None:
    """Create what is known of copies of the keys outside the vault: whose, and until when they exist."""
    db.conn.execute(
        """CREATE TABLE key_backup (controller TEXT NOT NULL, expires_at INTEGER NOT NULL,
            PRIMARY KEY (controller, expires_at)) WITHOUT ROWID, STRICT"""
    )


@migrations()
def callers_and_days(db: Database) -> None:
    """Answer for a caller, for a controller's day and for what is due from an index alone, however many there are."""
    for sql in (
        "DROP INDEX recording_subject",
        "CREATE INDEX recording_subject ON recording (controller, subject, started_at, id) WHERE subject IS NOT NULL",
        "CREATE INDEX recording_controller ON recording (controller, started_at, id)",
        "DROP INDEX recording_due",
        f"CREATE INDEX recording_due ON recording (expires_at, id) WHERE {EXPIRING}",
    ):
        db.conn.execute(sql)


@migrations()
def recipients(db: Database) -> None:
    """Create what is known of recipients, and what was asked of them."""
    for sql in holders.TABLES:
        db.conn.execute(sql)


@migrations()
def proofs_of_consent(db: Database) -> None:
    """Create what is known of decisions as proof: where each stands, and until when it is kept."""
    for sql in proofs.TABLES:
        db.conn.execute(sql)


@migrations()
def bases(db: Database) -> None:
    """Let no row change its basis, whoever writes (EDPB Guidelines 05/2020, 121 to 123)."""
    for table in ("decision", "recording"):
        db.conn.execute(
            f"""CREATE TRIGGER {table}_basis BEFORE UPDATE OF basis ON {table} WHEN NEW.basis IS NOT OLD.basis
                BEGIN SELECT RAISE(ABORT, 'the basis of a recording never changes'); END"""
        )


@migrations()
def access_packages(db: Database) -> None:
    """Create what is known of the packages that persons were given who asked for what is recorded of them."""
    for sql in packages.TABLES:
        db.conn.execute(sql)


@migrations()
def keeping(db: Database) -> None:
    """Create what is known of holds and restrictions, and of who is never to be recorded."""
    for sql in keeps.TABLES:
        db.conn.execute(sql)


@migrations()
def persons_requests(db: Database) -> None:
    """Create the register of the requests of persons."""
    for sql in requests.TABLES:
        db.conn.execute(sql)


@migrations()
def sweeping(db: Database) -> None:
    """Create what is known of the sweeps."""
    for sql in sweeps.TABLES:
        db.conn.execute(sql)


@migrations()
def releasing(db: Database) -> None:
    """Create what is known of releases, and of who may release many."""
    for sql in releases.TABLES:
        db.conn.execute(sql)


@migrations()
def certified_erasures(db: Database) -> None:
    """Create what is known of the erasures of persons."""
    for sql in certificates.TABLES:
        db.conn.execute(sql)


@migrations()
def breaches_of_data(db: Database) -> None:
    """Create the register of breaches."""
    for sql in breaches.TABLES:
        db.conn.execute(sql)
