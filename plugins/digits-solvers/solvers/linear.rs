//! The solver [`Linear`](digits_solvers::Linear).

proctor_sdk::export_solver!(digits_solvers::Linear);
