//! ghosts
