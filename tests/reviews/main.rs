//! audit_run and its findings.
