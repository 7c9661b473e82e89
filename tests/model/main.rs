//! Placeholder: the tests of this area follow.
