//! `scoring_results.json`: all that is known, in one file.
