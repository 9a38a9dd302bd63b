//! Evaluations that were done before, by a host that lost its database.
