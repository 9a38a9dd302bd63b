use super::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A section of a module or of a component.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    leb128(&mut section, content.len());
    [&section, content].concat()
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    leb128(&mut bytes, text.len());
    [&bytes, text.as_bytes()].concat()
}

fn custom(name: &str, data: &str) -> Vec<u8> {
    section(0, &[&text(name), data.as_bytes()].concat())
}

/// The type of an instance without exports.
fn instance_type() -> Vec<u8> {
    section(7, &[1, 0x42, 0])
}

fn importing(name: &str) -> Vec<u8> {
    let import = [&[1, 0], &text(name)[..], &[5, 0]].concat();
    [COMPONENT, &instance_type(), &section(10, &import)].concat()
}

/// Exports the instance that it imports.
fn exporting(name: &str) -> Vec<u8> {
    let export = [&[1, 0], &text(name)[..], &[5, 0, 0]].concat();
    [importing("some:where/else"), section(11, &export)].concat()
}

fn stamped(contract: &str) -> Vec<u8> {
    let mut component = COMPONENT.to_vec();
    append(
        &mut component,
        &Stamp {
            contract: contract.to_owned(),
            sdk: "proctor-sdk-test 0.1.0".to_owned(),
        },
    );
    component
}

fn with_section(data: &str) -> Vec<u8> {
    [COMPONENT, &custom(SECTION, data)].concat()
}

fn refusal(contract: &Contract, bytes: &[u8]) -> String {
    contract.check(bytes).unwrap_err()
}

#[test]
fn a_stamp_that_was_appended_is_read_and_appended_once() {
    let mut component = stamped("proctor:challenge@0.1.1");
    let found = stamp(&component).unwrap();
    assert_eq!(found.contract, "proctor:challenge@0.1.1");
    assert_eq!(found.sdk, "proctor-sdk-test 0.1.0");
    let length = component.len();
    append(&mut component, &found);
    assert_eq!(component.len(), length);
    // Still a component.
    wasmparser::validate(&component).unwrap();
}

#[test]
fn a_long_section_has_a_long_length() {
    let sdk = "x".repeat(300);
    let mut component = COMPONENT.to_vec();
    let long = Stamp {
        contract: "proctor:solver@0.1.0".into(),
        sdk,
    };
    append(&mut component, &long);
    assert_eq!(stamp(&component), Some(long));
}

#[test]
fn the_stamp_of_a_module_in_it_counts_and_its_own_comes_first() {
    let json = r#"{"contract":"proctor:challenge@0.1.0","sdk":"a"}"#;
    let module = [MODULE, &custom(SECTION, json)].concat();
    let mut component = [COMPONENT, &section(1, &module)].concat();
    assert_eq!(
        stamp(&component).unwrap().contract,
        "proctor:challenge@0.1.0"
    );
    let own = Stamp {
        contract: "proctor:challenge@0.1.1".into(),
        sdk: "b".into(),
    };
    append(&mut component, &own);
    assert_eq!(stamp(&component), Some(own));
    assert_eq!(CHALLENGE.check(&component), Ok(()));
}

#[test]
fn every_version_that_this_host_takes_passes() {
    for version in ["0.1.0", "0.1.1"] {
        let component = stamped(&format!("proctor:challenge@{version}"));
        assert_eq!(CHALLENGE.check(&component), Ok(()));
    }
    assert_eq!(SOLVER.check(&stamped("proctor:solver@0.1.0")), Ok(()));
}

#[test]
fn another_line_is_refused_with_what_to_do() {
    assert_eq!(
        refusal(&CHALLENGE, &stamped("proctor:challenge@0.3.0")),
        "built for proctor:challenge 0.3, this host takes 0.1: update the host, or build it with \
         proctor-sdk 0.1"
    );
    assert_eq!(
        refusal(&CHALLENGE, &stamped("proctor:challenge@1.2.3")),
        "built for proctor:challenge 1, this host takes 0.1: update the host, or build it with \
         proctor-sdk 0.1"
    );
    assert_eq!(
        refusal(&SOLVER, &stamped("proctor:solver@0.0.9")),
        "built for proctor:solver 0.0, this host takes 0.1: build it again with proctor-sdk 0.1"
    );
}

#[test]
fn an_addition_that_this_host_does_not_know_is_refused() {
    assert_eq!(
        refusal(&CHALLENGE, &stamped("proctor:challenge@0.1.2")),
        "built for proctor:challenge 0.1.2, this host takes 0.1.0 to 0.1.1: update the host, or \
         build it with an SDK for proctor:challenge 0.1.1"
    );
}

#[test]
fn without_a_stamp_the_names_of_interfaces_decide() {
    let context = |version| importing(&format!("proctor:challenge/context@{version}"));
    wasmparser::validate(&context("0.1.0")).unwrap();
    assert_eq!(CHALLENGE.check(&context("0.1.0")), Ok(()));
    assert_eq!(CHALLENGE.check(&importing("wasi:http/types@9.0.0")), Ok(()));
    let message = refusal(&CHALLENGE, &context("0.3.0"));
    assert!(
        message.starts_with("built for proctor:challenge 0.3,"),
        "{message}"
    );
    let info = exporting("proctor:challenge/info@0.2.0");
    wasmparser::validate(&info).unwrap();
    let message = refusal(&CHALLENGE, &info);
    assert!(
        message.starts_with("built for proctor:challenge 0.2,"),
        "{message}"
    );
    // A stamp does not hide them.
    let mut lying = context("0.3.0");
    let old = Stamp {
        contract: "proctor:challenge@0.1.0".into(),
        sdk: String::new(),
    };
    append(&mut lying, &old);
    assert!(CHALLENGE.check(&lying).is_err());
}

#[test]
fn a_component_that_says_nothing_passes_and_so_does_what_is_none() {
    let core = [MODULE, &custom(SECTION, "{")].concat();
    for bytes in [
        &core[..],
        COMPONENT,
        b"",
        b"text",
        &stamped("a@0.1.0")[..20],
    ] {
        assert_eq!(CHALLENGE.check(bytes), Ok(()), "{bytes:?}");
        assert_eq!(stamp(bytes), None);
    }
}

#[test]
fn a_damaged_stamp_is_refused() {
    for (data, why) in [
        ("", "empty"),
        ("{", "EOF"),
        ("{\"contract\":\"proctor:challenge@0.1.0\"}", "sdk"),
        (
            "{\"contract\":\"proctor:challenge\",\"sdk\":\"\"}",
            "no version",
        ),
        (&"x".repeat(5000), "more than 4096"),
    ] {
        let message = refusal(&CHALLENGE, &with_section(data));
        assert!(message.contains("`proctor:sdk` is damaged"), "{message}");
        assert!(message.contains(why), "{message}");
    }
    let message = refusal(&CHALLENGE, &stamped("proctor:challenge@new"));
    assert!(message.contains("no version"), "{message}");
}

/// What is cut off is told by compiling, whatever it was built for.
#[test]
fn a_file_that_is_not_whole_passes() {
    let mut cut = stamped("proctor:challenge@9.0.0");
    cut.extend([0, 5]);
    assert_eq!(CHALLENGE.check(&cut), Ok(()));
}

#[test]
fn a_stamp_of_tomorrow_may_say_more() {
    let data = r#"{"contract":"proctor:solver@0.1.0","sdk":"x","more":[1]}"#;
    assert_eq!(SOLVER.check(&with_section(data)), Ok(()));
}

#[test]
fn stamps_that_linking_put_together_are_all_read() {
    let one = |package| format!(r#"{{"contract":"{package}@0.1.0","sdk":"x"}}"#);
    let both = one("proctor:challenge") + &one("proctor:solver");
    let component = with_section(&both);
    assert_eq!(CHALLENGE.check(&component), Ok(()));
    assert_eq!(SOLVER.check(&component), Ok(()));
}

#[test]
fn a_submission_is_no_challenge_and_says_so() {
    let submission = stamped("proctor:solver@0.1.0");
    assert_eq!(
        refusal(&CHALLENGE, &submission),
        "not a proctor:challenge component: it is a submission, built for another world, \
         proctor:solver 0.1.0"
    );
    let other = stamped("some:thing@1.0.0");
    let message = refusal(&SOLVER, &other);
    assert!(
        message.contains("something else, built for another world, some:thing 1.0.0"),
        "{message}"
    );
}

/// The versions that are taken are those that are published.
#[test]
fn the_newest_version_is_that_of_the_wit() {
    let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    for contract in [CHALLENGE, SOLVER] {
        let (_, folder) = contract.package.split_once(':').unwrap();
        let file = std::fs::read_dir(wit.join(folder)).unwrap().next().unwrap();
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let newest = contract.takes.end();
        let line = format!("package {}@{newest};", contract.package);
        assert!(text.contains(&line), "{line}");
        let published = std::fs::read_to_string(wit.join("published.toml")).unwrap();
        for version in [contract.takes.start(), newest] {
            let id = format!("\"{}@{version}\"", contract.package);
            assert!(published.contains(&id), "{id}");
        }
    }
}

#[test]
fn stamps_without_end_are_not_kept() {
    let one = custom(
        SECTION,
        "{\"contract\":\"proctor:solver@0.1.0\",\"sdk\":\"x\"}",
    );
    let of = |count| [COMPONENT, &one.repeat(count)].concat();
    assert_eq!(SOLVER.check(&of(MAX_STAMPS)), Ok(()));
    let refused = refusal(&SOLVER, &of(MAX_STAMPS + 1));
    assert!(refused.contains("more than 64 stamps"), "{refused}");
}

#[test]
fn components_that_nest_without_end_are_refused() {
    let nested = |depth| {
        (0..depth).fold(COMPONENT.to_vec(), |inner, _| {
            [COMPONENT, &section(4, &inner)].concat()
        })
    };
    assert_eq!(SOLVER.check(&nested(MAX_DEPTH)), Ok(()));
    let refused = refusal(&SOLVER, &nested(MAX_DEPTH + 1));
    assert!(refused.contains("more than 100 levels"), "{refused}");
}
