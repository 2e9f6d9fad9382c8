//! What faults are made and survived with: a private PostgreSQL.

pub(crate) mod postgres;
