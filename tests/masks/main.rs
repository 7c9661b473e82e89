//! Columns that some may see and others only masked.
