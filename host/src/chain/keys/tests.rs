//! Hotkeys as files, and what is refused.

use super::*;
use std::ffi::OsString;

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// Alice's secret as a seed, and the mnemonic that test keys are derived from, with
/// the address of the key without a path.
const SEED: &str = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const ROOT: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

/// Loads a hotkey whose file has this content.
fn load(content: impl AsRef<[u8]>) -> Result<Hotkey, KeyError> {
    let wallets = tempfile::tempdir().unwrap();
    let folder = wallets.path().join("w/hotkeys");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("h"), content).unwrap();
    Hotkey::load(wallets.path(), "w", "h")
}

fn refusal(content: impl AsRef<[u8]>) -> String {
    let message = load(content).unwrap_err().to_string();
    assert!(message.contains("w/hotkeys/h"), "{message}");
    message
}

#[test]
fn a_secret_is_a_test_name_a_mnemonic_or_a_seed() {
    for uri in ["//Alice", SEED, &format!("{PHRASE}//Alice")] {
        assert_eq!(Hotkey::from_uri(uri).unwrap().address(), ALICE);
    }
    let short = &SEED[..SEED.len() - 2];
    for uri in ["bottom drive obey", short, "0x", "\u{0}", "a-b"] {
        let error = Hotkey::from_uri(uri).unwrap_err();
        assert!(matches!(error, KeyError::InvalidUri), "{uri}");
    }
}

#[test]
fn the_seed_counts_before_the_phrase() {
    let both = format!(r#"{{"secretPhrase": "{PHRASE}", "secretSeed": "{SEED}"}}"#);
    assert_eq!(load(both).unwrap().address(), ALICE);
    let phrase = format!(r#"{{"secretSeed": null, "secretPhrase": "{PHRASE}"}}"#);
    assert_eq!(load(phrase).unwrap().address(), ROOT);
}

#[test]
fn a_whole_key_file_is_read() {
    let hotkey = load(format!(
        r#"{{"accountId": "0x00", "publicKey": "0x00", "privateKey": "0x00",
             "secretPhrase": "", "secretSeed": "{SEED}", "ss58Address": "{ALICE}"}}"#
    ));
    assert_eq!(hotkey.unwrap().address(), ALICE);
}

#[test]
fn an_address_that_is_not_the_secrets_is_refused() {
    let stated = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    let message = refusal(format!(
        r#"{{"secretSeed": "{SEED}", "ss58Address": "{stated}"}}"#
    ));
    assert!(
        message.contains(stated) && message.contains(ALICE),
        "{message}"
    );
}

#[test]
fn encryptions_of_old_are_refused_with_what_to_do() {
    let old: [(&[u8], [&str; 2]); 2] = [
        (b"$ANSIBLE_VAULT;1.1;AES256", ["Ansible", ".encrypt()"]),
        (b"gAAAAABmxyz", ["Fernet", "regen-hotkey"]),
    ];
    for (content, words) in old {
        let message = refusal(content);
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

/// The wallets that the Bittensor wallet made.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wallet")
}

fn with_password(variable: fn(&str) -> Option<OsString>) -> Passwords<'static> {
    Passwords {
        file: None,
        variable,
        ask: |_| Ok(None),
    }
}

/// In one test, as each attempt takes seconds and 512 MiB.
#[test]
fn an_encrypted_hotkey_of_the_wallet_opens_with_its_password_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "Correct horse, battery! 9\n").unwrap();
    let wallet = Wallet {
        path: fixture(),
        name: Some("proctor".into()),
        hotkey: "encrypted".into(),
        password_file: Some(file),
    };
    let hotkey = Hotkey::open(&wallet).unwrap().unwrap();
    assert_eq!(hotkey.address(), ROOT);

    let wrong = with_password(|_| Some("Correct horse, battery! 8".into()));
    let error = read(&fixture(), "proctor", "encrypted", &wrong).unwrap_err();
    assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("proctor/hotkeys/encrypted") && !shown.contains("horse"));

    let whole = std::fs::read(fixture().join("proctor/hotkeys/encrypted")).unwrap();
    let short = folder.path().join("w/hotkeys");
    std::fs::create_dir_all(&short).unwrap();
    std::fs::write(short.join("h"), &whole[..whole.len() - 1]).unwrap();
    let right = with_password(|_| Some("Correct horse, battery! 9".into()));
    let error = read(folder.path(), "w", "h", &right).unwrap_err();
    assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
}

#[test]
fn an_encrypted_hotkey_without_a_password_is_not_tried() {
    let error = read(&fixture(), "proctor", "encrypted", &with_password(|_| None));
    let error = error.unwrap_err();
    assert!(matches!(error, KeyError::NoPassword { .. }), "{error}");
}

#[test]
fn a_plain_hotkey_of_the_wallet_opens_without_a_password() {
    let hotkey = Hotkey::load(&fixture(), "proctor", "plain").unwrap();
    assert_eq!(hotkey.address(), ALICE);
    let public = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    assert_eq!(hex::encode(hotkey.public_key()), public);
    assert!(Hotkey::open(&Wallet::default()).unwrap().is_none());
}

#[test]
fn a_file_may_be_nothing_but_a_mnemonic_or_a_seed() {
    for (content, address) in [
        (format!("{PHRASE}\n"), ROOT),
        (format!("{PHRASE}//Alice"), ALICE),
        (format!(" {SEED}\r\n"), ALICE),
    ] {
        assert_eq!(load(content).unwrap().address(), address);
    }
}

#[test]
fn a_file_is_not_a_test_key_by_saying_little() {
    for content in ["", "\n", "//Alice", "/", "///", "{}"] {
        refusal(content);
    }
}

#[test]
fn a_key_that_is_not_of_sr25519_is_refused() {
    let file = |kind: &str| format!(r#"{{"secretSeed": "{SEED}", "cryptoType": {kind}}}"#);
    assert_eq!(load(file("1")).unwrap().address(), ALICE);
    assert_eq!(load(file("null")).unwrap().address(), ALICE);
    for kind in ["0", "2"] {
        assert!(refusal(file(kind)).contains("sr25519"));
    }
}

#[test]
fn a_file_that_is_too_large_for_a_key_is_refused() {
    let error = load(vec![b' '; 65_537]).unwrap_err();
    assert!(matches!(error, KeyError::Read { .. }), "{error}");
}

#[test]
fn refusals_say_what_is_wrong_but_nothing_of_the_secret() {
    let secret = "e5be9a5092b81bca64be";
    let cases = [
        (format!("0x{secret}"), "not a key file"),
        (format!(r#"["{secret}"]"#), "not a key file"),
        (
            format!(r#"{{"secretSeed": ["{secret}"]}}"#),
            "not a key file",
        ),
        (format!(r#"{{"secretSeed": "0x{secret}"}}"#), "`secretSeed`"),
        (
            format!(r#"{{"secretPhrase": "{secret}"}}"#),
            "`secretPhrase`",
        ),
        (format!(r#"{{"privateKey": "{secret}"}}"#), "neither"),
        (
            r#"{"secretSeed": "", "secretPhrase": null}"#.to_owned(),
            "neither",
        ),
    ];
    for (content, expected) in cases {
        let error = load(&content).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
    }
    assert!(refusal(b"\xff").contains("not a key file"));
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Hotkey::load(folder.path(), "w", "h").unwrap_err();
    assert!(matches!(error, KeyError::Read { .. }));
    assert!(error.to_string().ends_with("w/hotkeys/h"), "{error}");
}

#[test]
fn only_a_leading_tilde_is_the_home_directory() {
    let at = |path: &str| under_home(Path::new(path), Some("/home/u".into())).unwrap();
    assert_eq!(
        at("~/.bittensor/wallets"),
        Path::new("/home/u/.bittensor/wallets")
    );
    assert_eq!(at("/a/~/b"), Path::new("/a/~/b"));
    assert_eq!(at("~other/b"), Path::new("~other/b"));
    for home in [None, Some(PathBuf::new())] {
        let error = under_home(Path::new("~/b"), home).unwrap_err();
        assert_eq!(error.to_string(), "~/b needs the variable HOME");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_every_user_may_read_is_found() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    for (mode, found) in [(0o600, false), (0o640, false), (0o644, true)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), mode).unwrap();
        assert_eq!(is_world_readable(file.as_file()).unwrap(), found);
    }
}

#[test]
fn a_hotkey_shows_only_its_address() {
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    assert_eq!(format!("{hotkey:?}"), format!("Hotkey({ALICE:?})"));
}

#[test]
fn only_the_right_key_message_and_signature_verify() {
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    let signature = hotkey.sign(b"message");
    assert!(verify(ALICE, b"message", &signature));
    assert!(!verify(ALICE, b"massage", &signature));
    let bob = Hotkey::from_uri("//Bob").unwrap();
    assert!(!verify(bob.address(), b"message", &signature));
    for address in [
        "",
        "5F",
        &ALICE.replace("QY", "QZ"),
        "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
    ] {
        assert!(!verify(address, b"message", &signature), "{address}");
    }
    for i in 0..64 {
        let mut changed = signature;
        changed[i] ^= 1;
        assert!(!verify(ALICE, b"message", &changed), "{i}");
    }
    assert!(!verify(ALICE, b"message", &[0; 64]));
}
