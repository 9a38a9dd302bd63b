//! The solver [`FirstExample`](digits_solvers::FirstExample).

proctor_sdk::export_solver!(digits_solvers::FirstExample);
