//! Reviews of who may do what, with findings that stay until they are solved.
