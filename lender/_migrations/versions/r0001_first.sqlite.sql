-- The tables as they were when migrations began; frozen.

CREATE TABLE analysis (
    loan VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    PRIMARY KEY (loan, draw)
);
CREATE TABLE disbursement (
    loan VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,
    on_version VARCHAR NOT NULL,
    amount_cents BIGINT NOT NULL,
    PRIMARY KEY (loan, draw)
);
CREATE TABLE first_billing (
    digest VARCHAR NOT NULL,
    PRIMARY KEY (digest)
);
CREATE TABLE invoice (
    digest VARCHAR NOT NULL,
    loan VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    PRIMARY KEY (digest, loan, draw)
);
CREATE TABLE loan (
    id VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    commitment_cents BIGINT NOT NULL,
    disbursed_cents BIGINT NOT NULL,
    holds INTEGER NOT NULL,
    body VARCHAR NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT within_commitment CHECK (disbursed_cents <= commitment_cents),
    CONSTRAINT not_negative CHECK (disbursed_cents >= 0)
);
CREATE TABLE packet_file (
    loan VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (loan, draw, version, name)
);
CREATE TABLE payee (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    standing VARCHAR NOT NULL,
    licensed BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT standing_known CHECK (standing IN ('clear', 'hit'))
);
CREATE TABLE payment (
    id VARCHAR NOT NULL,
    loan VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    payee VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    amount_cents BIGINT NOT NULL,
    grant VARCHAR NOT NULL,
    paid_at VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_payment_loan ON payment (loan);
CREATE TABLE reallocation (
    loan VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    answer VARCHAR,
    on_version VARCHAR,
    PRIMARY KEY (loan, number)
);
CREATE TABLE use_outbox (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    UNIQUE (id)
);
CREATE TABLE payee_of_loan (
    loan VARCHAR NOT NULL,
    payee VARCHAR NOT NULL,
    PRIMARY KEY (loan, payee),
    FOREIGN KEY(payee) REFERENCES payee (id)
);
