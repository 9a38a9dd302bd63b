//! The cases of `cases/`, natively: those that `proctor plugin test` runs in the sandbox
//! as well.

use ab_sniffer::AbSniffer;
use ab_sniffer_solver::OneTrace;
use proctor_sdk::testing::Cases;

#[test]
fn the_cases_come_out_as_expected() {
    let cases = Cases::<AbSniffer>::read("cases");
    cases.submission::<OneTrace>("ab-sniffer-solver").run();
}
