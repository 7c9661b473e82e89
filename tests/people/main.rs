//! Joining, changing, leaving, delegation, access requests.
