//! What is settled for long, and leaves the database.
