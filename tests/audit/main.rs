//! Every change leaves one row, and refusals a line in the log.
