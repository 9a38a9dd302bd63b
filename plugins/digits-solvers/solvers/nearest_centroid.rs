//! The solver [`NearestCentroid`](digits_solvers::NearestCentroid).

proctor_sdk::export_solver!(digits_solvers::NearestCentroid);
