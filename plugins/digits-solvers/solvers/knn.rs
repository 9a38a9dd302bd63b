//! The solver [`Knn`](digits_solvers::Knn).

proctor_sdk::export_solver!(digits_solvers::Knn);
