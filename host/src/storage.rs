//! The storage service: commits in, results out and back.
