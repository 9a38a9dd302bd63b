//! All that is known, to be written to a file and brought back from it.
