use super::*;
use std::os::unix::fs::PermissionsExt;

const ONE: &str = "one-token-of-some-length";
const TWO: &str = "another-token-of-some-length";

/// Where nobody failed yet.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn write(path: &Path, text: &str) {
    // As an editor does it.
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(next, path).unwrap();
}

fn open(path: &Path) -> Result<Gate, GateError> {
    Gate::open(path, Arc::default())
}

fn gate(text: &str) -> (tempfile::TempDir, Gate) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.tokens");
    write(&path, text);
    let gate = open(&path).unwrap();
    (directory, gate)
}

fn ask(gate: &Gate, token: &str, now: f64) -> Result<String, (u16, String)> {
    let admitted = gate.admit(CLIENT, token.as_bytes(), now);
    admitted.map(|actor| actor.0).map_err(|refusal| {
        let problem = Problem::from(refusal);
        (problem.status.as_u16(), problem.detail)
    })
}

#[test]
fn the_first_start_makes_a_token_that_only_the_owner_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.tokens");
    let gate = open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let token = text.trim().strip_prefix("operator ").unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(token).unwrap().len(), 32);
    assert_eq!(ask(&gate, token, 0.0).unwrap(), "operator");
    // The next start leaves it.
    open(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let other = open(&directory.path().join("other")).unwrap();
    assert_eq!(ask(&other, token, 0.0).unwrap_err().0, 401);
}

#[test]
fn a_file_that_others_can_read_is_refused_at_the_start_and_lets_nobody_in_later() {
    let (directory, gate) = gate(ONE);
    let path = directory.path().join("admin.tokens");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.starts_with("admin.token_file: "), "{error}");
        assert!(error.contains("chmod 600"), "{error}");
        assert_eq!(ask(&gate, ONE, 0.0).unwrap_err().0, 401, "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(ask(&gate, ONE, 0.0).unwrap(), "operator");
    open(&path).unwrap();
    let missing = directory.path().join("no/such/folder");
    let error = open(&missing).unwrap_err().to_string();
    assert!(error.starts_with("admin.token_file: "), "{error}");
}

#[test]
fn a_token_is_rotated_by_changing_the_file() {
    let (directory, gate) = gate(ONE);
    let path = directory.path().join("admin.tokens");
    assert_eq!(ask(&gate, ONE, 0.0).unwrap(), "operator");
    // Both for a while, then the new one only.
    write(&path, &format!("{ONE}\nalice {TWO}\n"));
    assert_eq!(ask(&gate, ONE, 0.0).unwrap(), "operator");
    assert_eq!(ask(&gate, TWO, 0.0).unwrap(), "alice");
    write(&path, &format!("alice {TWO}\n"));
    assert_eq!(ask(&gate, ONE, 0.0).unwrap_err().0, 401);
    assert_eq!(ask(&gate, TWO, 0.0).unwrap(), "alice");
    // Of the same length, however fast.
    let three = TWO.to_uppercase();
    write(&path, &format!("alice {three}\n"));
    assert_eq!(ask(&gate, TWO, 0.0).unwrap_err().0, 401);
    assert_eq!(ask(&gate, &three, 0.0).unwrap(), "alice");
}

#[test]
fn a_file_without_tokens_lets_nobody_in_and_locks_nobody_out() {
    let (directory, gate) = gate(ONE);
    let path = directory.path().join("admin.tokens");
    for text in ["", "# none\n\n", "short", "a b c\n"] {
        write(&path, text);
        for _ in 0..10 {
            let (status, detail) = ask(&gate, ONE, 0.0).unwrap_err();
            assert_eq!(status, 401, "{text:?}");
            assert!(detail.contains("no token is taken"), "{detail}");
        }
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(ask(&gate, ONE, 0.0).unwrap_err().0, 401);
    write(&path, ONE);
    assert_eq!(ask(&gate, ONE, 0.0).unwrap(), "operator");
    write(&path, "");
    open(&path).unwrap();
}

#[test]
fn only_whole_files_of_names_and_tokens_are_taken() {
    let good = format!("# who\n\n  alice \t {ONE}\r\n{TWO}\n  # more\n");
    assert_eq!(parse(&good), Ok(vec![("alice", ONE), ("operator", TWO)]));
    for (text, error) in [
        ("".to_owned(), Malformed::Empty),
        (format!("{ONE}\nalice {TWO} # hers"), Malformed::Words(2)),
        (format!("al/ice {ONE}"), Malformed::Name(1)),
        (format!("älice {ONE}"), Malformed::Name(1)),
        (format!("{} {ONE}", "a".repeat(65)), Malformed::Name(1)),
        ("\nalice fifteen-letters".to_owned(), Malformed::Token(2)),
        (format!("alice {ONE}\u{e9}"), Malformed::Token(1)),
        (format!("alice {ONE}\0"), Malformed::Token(1)),
        (format!("alice {ONE}\nbob {ONE}"), Malformed::Twice(2)),
    ] {
        assert_eq!(parse(&text), Err(error), "{text:?}");
    }
    let told = parse(&format!("alice {ONE} more")).unwrap_err().to_string();
    assert!(!told.contains("one-token"), "{told}");
}

#[test]
fn a_right_token_is_not_looked_at_during_a_lockout() {
    let (_directory, gate) = gate(ONE);
    for _ in 0..5 {
        assert_eq!(ask(&gate, TWO, 0.0).unwrap_err().0, 401);
    }
    for token in [ONE, TWO, ONE] {
        assert_eq!(ask(&gate, token, 0.5).unwrap_err().0, 429);
    }
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    gate.admit(elsewhere, ONE.as_bytes(), 0.5).unwrap();
    assert_eq!(ask(&gate, ONE, 1.0).unwrap(), "operator");
    for _ in 0..4 {
        assert_eq!(ask(&gate, TWO, 1.0).unwrap_err().0, 401);
    }
    assert_eq!(ask(&gate, ONE, 1.0).unwrap(), "operator");
}

#[test]
fn a_request_has_one_token_or_none() {
    let read = |headers: &[(&'static str, &str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        match Given::read(&map) {
            Given::Nothing => "nothing".to_owned(),
            Given::Unclear => "unclear".to_owned(),
            Given::Token(token) => String::from_utf8(token.to_vec()).unwrap(),
        }
    };
    for (headers, given) in [
        (&[][..], "nothing"),
        (&[("authorization", "Bearer abc")], "abc"),
        (&[("authorization", "bEARER   abc ")], "abc"),
        (&[("x-admin-token", "abc")], "abc"),
        (
            &[("authorization", "Bearer abc"), ("x-admin-token", "abc")],
            "abc",
        ),
        (
            &[("authorization", "Bearer abc"), ("x-admin-token", "abd")],
            "unclear",
        ),
        (
            &[("authorization", "Bearer abc"), ("x-admin-token", "")],
            "unclear",
        ),
        (
            &[("authorization", "Bearer"), ("x-admin-token", "abc")],
            "unclear",
        ),
        (
            &[("x-admin-token", "abc"), ("x-admin-token", "abc")],
            "unclear",
        ),
        (
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
            "unclear",
        ),
        (
            &[("authorization", "Basic a"), ("authorization", "Bearer a")],
            "unclear",
        ),
        (&[("authorization", "Bearer")], "nothing"),
        (&[("authorization", "Bearer ")], "nothing"),
        (&[("x-admin-token", "")], "nothing"),
        (&[("authorization", "Bearerabc")], "nothing"),
        (&[("authorization", "Basic abc")], "nothing"),
        (&[("authorization", "abc")], "nothing"),
        // Who is in front of the host may want something of its own.
        (
            &[("authorization", "Basic abc"), ("x-admin-token", "abc")],
            "abc",
        ),
    ] {
        assert_eq!(read(headers), given, "{headers:?}");
    }
}
