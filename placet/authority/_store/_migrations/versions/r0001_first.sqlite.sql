-- The tables as they were when migrations began; frozen.

CREATE TABLE archive (
    case_id VARCHAR NOT NULL,
    seal_digest VARCHAR NOT NULL,
    seal BLOB NOT NULL,
    contents BLOB NOT NULL,
    runs BLOB,
    sealed_at DATETIME NOT NULL,
    entry INTEGER,
    PRIMARY KEY (case_id)
);

CREATE TABLE campaign (
    name VARCHAR NOT NULL,
    started_by VARCHAR NOT NULL,
    started_at DATETIME NOT NULL,
    entry INTEGER NOT NULL,
    acknowledged_by VARCHAR,
    acknowledged_at DATETIME,
    PRIMARY KEY (name)
);

CREATE TABLE campaign_item (
    campaign VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    identity VARCHAR NOT NULL,
    owner VARCHAR,
    risk VARCHAR NOT NULL,
    case_id VARCHAR,
    done_json VARCHAR,
    PRIMARY KEY (campaign, number)
);

CREATE INDEX ix_campaign_item_identity ON campaign_item (identity);

CREATE TABLE case_ (
    id VARCHAR NOT NULL,
    process VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    process_digest VARCHAR,
    subject VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    opened_by VARCHAR NOT NULL,
    opened_at DATETIME NOT NULL,
    workflow_id VARCHAR NOT NULL,
    workflow_type VARCHAR NOT NULL,
    task_queue VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    run_id VARCHAR,
    first_run_id VARCHAR,
    matrix_digest VARCHAR,
    input_json VARCHAR,
    result VARCHAR,
    stopped_for VARCHAR,
    admissions INTEGER NOT NULL,
    closed_at DATETIME,
    alarm VARCHAR,
    alarm_admitted BOOLEAN NOT NULL,
    archive_trouble VARCHAR,
    archive_tries INTEGER NOT NULL,
    archive_next DATETIME,
    archived_at DATETIME,
    lost_at DATETIME,
    erased_at DATETIME,
    entry INTEGER,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX case_one_open_per_subject ON case_ (process, subject) WHERE closed_at IS NULL;

CREATE INDEX case_opened ON case_ (status, opened_at, id);

CREATE INDEX case_process_opened ON case_ (status, process, opened_at, id);

CREATE INDEX case_status ON case_ (status, id);

CREATE INDEX case_subject ON case_ (process, subject);

CREATE TABLE case_code (
    case_id VARCHAR NOT NULL,
    code VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (case_id, code)
);

CREATE TABLE case_key (
    case_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    tenant_key VARCHAR NOT NULL,
    wrapped BLOB NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (case_id, number)
);

CREATE INDEX ix_case_key_tenant_key ON case_key (tenant_key);

CREATE TABLE case_run (
    case_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    admitted BOOLEAN NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (case_id, run_id)
);

CREATE TABLE context_blob (
    digest VARCHAR NOT NULL,
    salt VARCHAR NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (digest)
);

CREATE TABLE decision (
    jti VARCHAR NOT NULL,
    checkpoint_id VARCHAR NOT NULL,
    operator VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    roles_json VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    jws VARCHAR NOT NULL,
    decided_at DATETIME NOT NULL,
    counted BOOLEAN NOT NULL,
    refused_for VARCHAR,
    exceptions_json VARCHAR NOT NULL,
    stands_in_for VARCHAR,
    escalated INTEGER NOT NULL,
    opened_at DATETIME,
    answer_json VARCHAR,
    entry INTEGER,
    PRIMARY KEY (jti)
);

CREATE INDEX ix_decision_checkpoint_id ON decision (checkpoint_id);

CREATE TABLE delegation (
    id VARCHAR NOT NULL,
    giver VARCHAR NOT NULL,
    delegate VARCHAR NOT NULL,
    process VARCHAR,
    starts_at DATETIME NOT NULL,
    ends_at DATETIME NOT NULL,
    ended_at DATETIME,
    entry INTEGER NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX delegation_of ON delegation (delegate, ends_at);

CREATE INDEX ix_delegation_giver ON delegation (giver);

CREATE TABLE delivery (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    notice VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    said_json VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    trouble VARCHAR,
    told_at DATETIME NOT NULL,
    next_try_at DATETIME NOT NULL,
    done_at DATETIME,
    UNIQUE (notice, channel)
);

CREATE INDEX delivery_due ON delivery (channel, status, next_try_at);

CREATE TABLE denial (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    agent VARCHAR NOT NULL,
    case_id VARCHAR,
    at DATETIME NOT NULL
);

CREATE INDEX denial_in_case ON denial (agent, case_id, at);

CREATE INDEX denial_of ON denial (agent, at);

CREATE TABLE evidence_opened (
    checkpoint_id VARCHAR NOT NULL,
    operator VARCHAR NOT NULL,
    opened_at DATETIME NOT NULL,
    last_at DATETIME NOT NULL,
    PRIMARY KEY (checkpoint_id, operator)
);

CREATE TABLE governance (
    version INTEGER NOT NULL,
    body_json VARCHAR NOT NULL,
    published_at DATETIME NOT NULL,
    entry INTEGER,
    PRIMARY KEY (version)
);

CREATE TABLE grant_input (
    grant_id VARCHAR NOT NULL,
    part_digest VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (grant_id, part_digest)
);

CREATE TABLE grant_revocation (
    cursor INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    grant_id VARCHAR NOT NULL,
    expires_at DATETIME NOT NULL,
    at DATETIME NOT NULL,
    UNIQUE (grant_id)
);

CREATE INDEX ix_grant_revocation_expires_at ON grant_revocation (expires_at);

CREATE TABLE grant_use (
    id VARCHAR NOT NULL,
    grant_id VARCHAR NOT NULL,
    system VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    record VARCHAR NOT NULL,
    status INTEGER,
    body_digest VARCHAR,
    at DATETIME NOT NULL,
    entry INTEGER,
    PRIMARY KEY (id)
);

CREATE INDEX ix_grant_use_grant_id ON grant_use (grant_id);

CREATE TABLE history_prefix (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    case_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    events INTEGER NOT NULL,
    root VARCHAR NOT NULL,
    at DATETIME NOT NULL
);

CREATE INDEX ix_history_prefix_case_id ON history_prefix (case_id);

CREATE TABLE hold (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    record VARCHAR NOT NULL,
    reason VARCHAR,
    placed_by VARCHAR NOT NULL,
    placed_at DATETIME NOT NULL,
    lifted_by VARCHAR,
    lifted_at DATETIME
);

CREATE UNIQUE INDEX hold_one_per_record ON hold (record) WHERE lifted_at IS NULL;

CREATE TABLE identity (
    principal VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    display_name VARCHAR,
    roles_json VARCHAR NOT NULL,
    url VARCHAR,
    enrolled_at DATETIME NOT NULL,
    enrolled_by VARCHAR NOT NULL,
    status_at DATETIME,
    status_by VARCHAR,
    PRIMARY KEY (principal)
);

CREATE INDEX ix_identity_kind ON identity (kind);

CREATE TABLE invitation (
    code_digest VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    principal VARCHAR NOT NULL,
    roles_json VARCHAR NOT NULL,
    expires_at DATETIME NOT NULL,
    status VARCHAR NOT NULL,
    PRIMARY KEY (code_digest),
    UNIQUE (id)
);

CREATE INDEX ix_invitation_principal ON invitation (principal);

CREATE TABLE join_token (
    digest VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    identity VARCHAR NOT NULL,
    environment VARCHAR NOT NULL,
    task_queues_json VARCHAR NOT NULL,
    expires_at DATETIME NOT NULL,
    status VARCHAR NOT NULL,
    PRIMARY KEY (digest),
    UNIQUE (id)
);

CREATE INDEX ix_join_token_identity ON join_token (identity);

CREATE TABLE ledger_entry (
    "index" INTEGER NOT NULL,
    content BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    type VARCHAR NOT NULL,
    case_id VARCHAR,
    record VARCHAR,
    time DATETIME NOT NULL,
    PRIMARY KEY ("index")
);

CREATE INDEX ix_ledger_entry_type ON ledger_entry (type);

CREATE INDEX ledger_entry_case ON ledger_entry (case_id, "index");

CREATE TABLE ledger_node (
    level INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, "index")
);

CREATE TABLE limit_state (
    agent VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    since DATETIME,
    until DATETIME,
    PRIMARY KEY (agent, measure, case_id)
);

CREATE TABLE listed_barred (
    checkpoint_id VARCHAR NOT NULL,
    person VARCHAR NOT NULL,
    PRIMARY KEY (checkpoint_id, person)
);

CREATE TABLE listed_checkpoint (
    id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    process VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    subject TEXT NOT NULL,
    status VARCHAR NOT NULL,
    opened_at DATETIME NOT NULL,
    due_at DATETIME NOT NULL,
    amount INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    claimed_by VARCHAR,
    line_json VARCHAR NOT NULL,
    waits_json VARCHAR NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX ix_listed_checkpoint_case_id ON listed_checkpoint (case_id);

CREATE INDEX ix_listed_checkpoint_subject ON listed_checkpoint (subject);

CREATE INDEX listed_amount ON listed_checkpoint (status, amount, id);

CREATE INDEX listed_claimed ON listed_checkpoint (claimed_by) WHERE claimed_by IS NOT NULL;

CREATE INDEX listed_opened ON listed_checkpoint (status, opened_at, id);

CREATE INDEX listed_process_amount ON listed_checkpoint (status, process, amount, id);

CREATE INDEX listed_process_opened ON listed_checkpoint (status, process, opened_at, id);

CREATE INDEX listed_process_urgency ON listed_checkpoint (status, process, due_at, id);

CREATE INDEX listed_record ON listed_checkpoint (status, subject);

CREATE INDEX listed_severity ON listed_checkpoint (status, severity);

CREATE INDEX listed_urgency ON listed_checkpoint (status, due_at, id);

CREATE TABLE listed_role (
    checkpoint_id VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    opened_at DATETIME NOT NULL,
    due_at DATETIME NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (checkpoint_id, role)
);

CREATE INDEX listed_role_amount ON listed_role (role, amount, checkpoint_id);

CREATE INDEX listed_role_opened ON listed_role (role, opened_at, checkpoint_id);

CREATE INDEX listed_role_urgency ON listed_role (role, due_at, checkpoint_id);

CREATE TABLE listed_word (
    word TEXT NOT NULL,
    item VARCHAR NOT NULL,
    PRIMARY KEY (word, item)
);

CREATE INDEX ix_listed_word_item ON listed_word (item);

CREATE TABLE matrix (
    digest VARCHAR NOT NULL,
    process VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    body_json VARCHAR NOT NULL,
    published_at DATETIME NOT NULL,
    PRIMARY KEY (digest),
    UNIQUE (process, version)
);

CREATE TABLE "order" (
    id VARCHAR NOT NULL,
    identity VARCHAR NOT NULL,
    goal VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    ordered_by VARCHAR NOT NULL,
    ordered_at DATETIME NOT NULL,
    entry INTEGER NOT NULL,
    confirm BOOLEAN NOT NULL,
    case_id VARCHAR,
    tries INTEGER NOT NULL,
    running VARCHAR,
    begun INTEGER NOT NULL,
    proof_json VARCHAR,
    PRIMARY KEY (id)
);

CREATE INDEX ix_order_identity ON "order" (identity);

CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR NOT NULL,
    case_id VARCHAR,
    "key" VARCHAR,
    payload_json VARCHAR NOT NULL,
    created_at DATETIME NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at DATETIME NOT NULL,
    done_at DATETIME,
    UNIQUE ("key")
);

CREATE INDEX ix_outbox_case_id ON outbox (case_id);

CREATE INDEX outbox_due ON outbox (done_at, next_try_at);

CREATE TABLE ownership (
    identity VARCHAR NOT NULL,
    since INTEGER NOT NULL,
    owner VARCHAR NOT NULL,
    until INTEGER,
    PRIMARY KEY (identity, since)
);

CREATE TABLE part (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    digest VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    record VARCHAR NOT NULL,
    grant_id VARCHAR,
    act VARCHAR,
    agent VARCHAR NOT NULL,
    said VARCHAR NOT NULL,
    salt VARCHAR NOT NULL,
    content BLOB NOT NULL,
    proposal_json VARCHAR,
    settled_at DATETIME NOT NULL,
    UNIQUE (case_id, digest)
);

CREATE INDEX ix_part_digest ON part (digest);

CREATE INDEX ix_part_grant_id ON part (grant_id);

CREATE INDEX part_case_name ON part (case_id, name, seq);

CREATE TABLE policy_set (
    digest VARCHAR NOT NULL,
    policies VARCHAR NOT NULL,
    policy_schema VARCHAR NOT NULL,
    published_at DATETIME NOT NULL,
    published_by VARCHAR,
    current BOOLEAN NOT NULL,
    entry INTEGER,
    PRIMARY KEY (digest)
);

CREATE UNIQUE INDEX policy_set_current ON policy_set (current) WHERE current;

CREATE TABLE process_version (
    name VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    body_json VARCHAR NOT NULL,
    published_at DATETIME NOT NULL,
    PRIMARY KEY (name, version),
    UNIQUE (digest)
);

CREATE TABLE proposal (
    jti VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    body_digest VARCHAR NOT NULL,
    proposed_at DATETIME NOT NULL,
    lapses_at DATETIME NOT NULL,
    ended_at DATETIME,
    ended_by VARCHAR,
    PRIMARY KEY (jti)
);

CREATE INDEX proposal_status ON proposal (status, lapses_at);

CREATE TABLE registered (
    identity VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    owner VARCHAR,
    deputy VARCHAR,
    owned_until DATETIME,
    environment VARCHAR,
    vendor VARCHAR,
    credential_since DATETIME,
    proven_since DATETIME,
    last_used DATETIME,
    review_by DATETIME,
    ends_at DATETIME,
    source VARCHAR,
    said_json VARCHAR,
    suspended_for VARCHAR,
    narrowed_json VARCHAR,
    first_seen DATETIME NOT NULL,
    registered_at DATETIME NOT NULL,
    registered_by VARCHAR NOT NULL,
    PRIMARY KEY (identity)
);

CREATE INDEX ix_registered_credential_since ON registered (credential_since);

CREATE INDEX ix_registered_ends_at ON registered (ends_at);

CREATE INDEX ix_registered_kind ON registered (kind);

CREATE INDEX ix_registered_owned_until ON registered (owned_until);

CREATE INDEX ix_registered_owner ON registered (owner);

CREATE INDEX ix_registered_review_by ON registered (review_by);

CREATE INDEX ix_registered_source ON registered (source);

CREATE INDEX ix_registered_vendor ON registered (vendor);

CREATE TABLE remark (
    id VARCHAR NOT NULL,
    checkpoint_id VARCHAR NOT NULL,
    operator VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    salt VARCHAR NOT NULL,
    name VARCHAR,
    media_type VARCHAR,
    content BLOB NOT NULL,
    at DATETIME NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX ix_remark_digest ON remark (digest);

CREATE INDEX remark_checkpoint ON remark (checkpoint_id, entry);

CREATE TABLE review (
    id VARCHAR NOT NULL,
    checkpoint_id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    opened_by VARCHAR NOT NULL,
    opened_at DATETIME NOT NULL,
    until DATETIME NOT NULL,
    ended_at DATETIME,
    status VARCHAR NOT NULL,
    closed_by VARCHAR,
    closed_at DATETIME,
    PRIMARY KEY (id),
    UNIQUE (checkpoint_id)
);

CREATE INDEX ix_review_case_id ON review (case_id);

CREATE INDEX review_due ON review (ended_at, until);

CREATE TABLE schema_version (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    origin VARCHAR NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE session (
    id VARCHAR NOT NULL,
    principal VARCHAR NOT NULL,
    thumbprint VARCHAR NOT NULL,
    issuer VARCHAR NOT NULL,
    subject_digest VARCHAR NOT NULL,
    roles_json VARCHAR NOT NULL,
    sealed VARCHAR,
    started_at DATETIME NOT NULL,
    ends_at DATETIME NOT NULL,
    next_check_at DATETIME NOT NULL,
    vouched_at DATETIME NOT NULL,
    asking_until DATETIME,
    status VARCHAR NOT NULL,
    ended_for VARCHAR,
    PRIMARY KEY (id)
);

CREATE INDEX ix_session_principal ON session (principal);

CREATE INDEX session_due ON session (status, next_check_at);

CREATE TABLE signed_act (
    jti VARCHAR NOT NULL,
    act VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    issuer VARCHAR NOT NULL,
    jws VARCHAR NOT NULL,
    body_json VARCHAR,
    answer_json VARCHAR,
    at DATETIME NOT NULL,
    entry INTEGER,
    PRIMARY KEY (jti)
);

CREATE INDEX signed_act_target ON signed_act (target, act);

CREATE TABLE signed_head (
    size INTEGER NOT NULL,
    note VARCHAR NOT NULL,
    signed_at DATETIME NOT NULL,
    PRIMARY KEY (size)
);

CREATE TABLE signed_in (
    thumbprint VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (thumbprint)
);

CREATE TABLE signing_key (
    kid VARCHAR NOT NULL,
    purpose VARCHAR NOT NULL,
    private_pem VARCHAR NOT NULL,
    public_jwk_json VARCHAR NOT NULL,
    created_at DATETIME NOT NULL,
    published_at DATETIME,
    signs_from DATETIME,
    retires_at DATETIME,
    PRIMARY KEY (kid)
);

CREATE INDEX ix_signing_key_purpose ON signing_key (purpose);

CREATE TABLE stopped_model (
    model VARCHAR NOT NULL,
    resumed_at DATETIME,
    PRIMARY KEY (model)
);

CREATE TABLE subject (
    principal VARCHAR NOT NULL,
    subject_digest VARCHAR NOT NULL,
    PRIMARY KEY (principal),
    UNIQUE (subject_digest)
);

CREATE TABLE tenant_key (
    id VARCHAR NOT NULL,
    salt BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE told_part (
    case_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    PRIMARY KEY (case_id, name)
);

CREATE TABLE tree_state (
    id INTEGER NOT NULL,
    batches INTEGER NOT NULL,
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    root BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE used_jti (
    issuer VARCHAR NOT NULL,
    jti VARCHAR NOT NULL,
    expires_at DATETIME NOT NULL,
    PRIMARY KEY (issuer, jti)
);

CREATE INDEX ix_used_jti_expires_at ON used_jti (expires_at);

CREATE TABLE writer_state (
    id VARCHAR NOT NULL,
    batch INTEGER NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE checkpoint (
    id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    grant_id VARCHAR,
    opened_at DATETIME NOT NULL,
    deadline DATETIME NOT NULL,
    evidence_digest VARCHAR NOT NULL,
    evidence_json VARCHAR NOT NULL,
    requirement_digest VARCHAR NOT NULL,
    requirement_json VARCHAR NOT NULL,
    outcome_json VARCHAR,
    claimed_by VARCHAR,
    claimed_at DATETIME,
    replaces VARCHAR,
    reminded INTEGER NOT NULL,
    escalated INTEGER NOT NULL,
    resolved_at DATETIME,
    entry INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(case_id) REFERENCES case_ (id)
);

CREATE UNIQUE INDEX checkpoint_one_open ON checkpoint (case_id, name) WHERE status = 'open';

CREATE INDEX checkpoint_status ON checkpoint (status, deadline);

CREATE INDEX ix_checkpoint_case_id ON checkpoint (case_id);

CREATE TABLE grant_ (
    id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    agent VARCHAR NOT NULL,
    jkt VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    system VARCHAR NOT NULL,
    record VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    activity_id VARCHAR NOT NULL,
    activity_type VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    last_started VARCHAR NOT NULL,
    issued_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    status VARCHAR NOT NULL,
    ended_at DATETIME,
    ended_for VARCHAR,
    context_digest VARCHAR,
    details_json VARCHAR,
    guarded_json VARCHAR,
    entry INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(case_id) REFERENCES case_ (id)
);

CREATE INDEX grant_agent ON grant_ (agent, status);

CREATE INDEX grant_did ON grant_ (agent, action, issued_at);

CREATE INDEX grant_last ON grant_ (agent, issued_at);

CREATE UNIQUE INDEX grant_one_live_per_step ON grant_ (run_id, activity_id, attempt, last_started, system, action) WHERE status = 'issued';

CREATE INDEX grant_status ON grant_ (status, expires_at);

CREATE INDEX grant_step ON grant_ (run_id, activity_id);

CREATE INDEX ix_grant__case_id ON grant_ (case_id);

CREATE TABLE identity_key (
    thumbprint VARCHAR NOT NULL,
    principal VARCHAR NOT NULL,
    jwk_json VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    enrolled_at DATETIME NOT NULL,
    revoked_at DATETIME,
    session_id VARCHAR,
    expires_at DATETIME,
    instance VARCHAR,
    runs_on_json VARCHAR,
    joined_with VARCHAR,
    replaces VARCHAR,
    overlap_until DATETIME,
    entry INTEGER,
    PRIMARY KEY (thumbprint),
    FOREIGN KEY(principal) REFERENCES identity (principal)
);

CREATE INDEX ix_identity_key_principal ON identity_key (principal);

CREATE INDEX ix_identity_key_replaces ON identity_key (replaces);
