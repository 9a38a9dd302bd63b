//! Settled days leave the database for a file.
