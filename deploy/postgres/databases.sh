#!/bin/sh
# Runs once, when the cluster is made: a database and a role for each, and nothing shared.
set -eu

psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
    --set placet="$PLACET_DATABASE_PASSWORD" --set owner="$LENDER_OWNER_PASSWORD" \
    --set requests="$LENDER_REQUESTS_PASSWORD" --set temporal="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE placet LOGIN PASSWORD :'placet';
CREATE DATABASE placet OWNER placet;
CREATE ROLE lender_owner LOGIN PASSWORD :'owner';
CREATE ROLE lender_requests LOGIN PASSWORD :'requests';
CREATE DATABASE lender;
GRANT CREATE ON DATABASE lender TO lender_owner;
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE placet, lender, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE lender TO lender_owner, lender_requests;
SQL
