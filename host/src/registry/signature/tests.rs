//! What shows a signature, and what does not. The signatures of ECDSA were made with
//! `openssl dgst -sha256 -sign`, which is what cosign does.

use super::{Evidence, Mark, Signatures, SigningKey, TrustedKey, message};
use crate::chain::Hotkey;
use crate::sandbox::sha256_hex;

const COMPONENT: &[u8] = b"a component";
const SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIBa9mahU5Q81zYmDn5/PxjoMQuXwiwKDHeyoNAmuwLT5oAoGCCqGSM49
AwEHoUQDQgAEmmjdmkKvs/Y0vmeBXJcSbWUMVH+/ZVnPbmZZmf8aVEXWFzg5BZIz
N+UuYlLfxduV1dg1hes3+OW3noIfLTddPQ==
-----END EC PRIVATE KEY-----
";
const PKCS8: &str = include_str!("../../../../tests/fixtures/signing/key.pem");
const PUBLIC: &str = include_str!("../../../../tests/fixtures/signing/key.pub");
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE64DMRAWNMHS1CBVA9V8BsPZaAiRmZloq
+k2QQmSmLiD5G9JuIOjVUW7JL3chd7q9y3FQzX+J4lYL4Y4JE19dlIIwyClV2/eG
x7+RS8/i6PfmGCUXRFY7y06Tk+3H6hhN
-----END PUBLIC KEY-----
";
const SIGNATURE: &str = "MEYCIQD+flUvbNRriwo74d7/G1gw5Zh1hvbChRPUOb7v0Vrf5gIhAKftEwiFA0PIVTmJuEcTjmMGQJfm+llkKYur2hHGL282";
const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[{"mediaType":"application/wasm","digest":"sha256:626d0ce33ca550dc06351c3ea7b698be557ff5d35bf25edc44221b561838594c","size":11}]}"#;
const PAYLOAD: &str = r#"{"critical":{"identity":{"docker-reference":"ghcr.io/org/digits"},"image":{"docker-manifest-digest":"sha256:f25114856aa76643c740a8d4cda595765e5ff731779b805b977511bce209118d"},"type":"cosign container image signature"},"optional":null}"#;
const PAYLOAD_SIGNATURE: &str = "MEUCIQDn7MCgR9zWTe1dZ3kBPfUqFJfZzQ8/Vvqcxoec5QA1hwIgSQz+ElHYfIE30+NtH9vDwVMaICB4IbTh3CiHl1DfBTw=";
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

fn digest() -> String {
    sha256_hex(COMPONENT)
}

fn key(text: &str) -> TrustedKey {
    text.parse().unwrap()
}

fn hotkey(name: &str) -> SigningKey {
    Hotkey::from_uri(name).unwrap().into()
}

#[test]
fn a_signature_of_openssl_or_cosign_shows_who_signed_the_component() {
    let bundle = format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"x"}}}},"messageSignature":{{"messageDigest":{{"algorithm":"SHA2_256","digest":"Ym0="}},"signature":"{SIGNATURE}"}}}}"#
    );
    let older = format!(r#"{{"base64Signature":"{SIGNATURE}","rekorBundle":{{}}}}"#);
    let (first, rest) = SIGNATURE.split_at(64);
    for text in [
        SIGNATURE.to_owned(),
        format!("{SIGNATURE}\n"),
        format!("{first}\n{rest}\n"),
        bundle,
        older,
    ] {
        let evidence = Evidence::parse(text.as_bytes()).unwrap();
        assert!(evidence.shows(&key(PUBLIC), &digest()), "{text}");
        let other = sha256_hex(b"another component");
        assert!(!evidence.shows(&key(PUBLIC), &other), "{text}");
        assert!(!evidence.shows(&key(ALICE), &digest()), "{text}");
        let kept = Evidence::parse(evidence.text().as_bytes()).unwrap();
        assert_eq!(kept, evidence);
    }
    let theirs = SigningKey::from_pem(PKCS8.as_bytes()).unwrap();
    let of_other = theirs.sign_component(b"another component").unwrap();
    assert!(!of_other.shows(&key(PUBLIC), &digest()));
}

fn evidence(manifest: &str, payload: &str, signature: &str) -> Evidence {
    Evidence::Manifest {
        manifest: manifest.into(),
        payload: payload.into(),
        mark: Mark::parse_ecdsa(signature).unwrap(),
    }
}

#[test]
fn a_signature_of_a_manifest_shows_who_signed_the_component_in_it() {
    let good = evidence(MANIFEST, PAYLOAD, PAYLOAD_SIGNATURE);
    assert!(good.shows(&key(PUBLIC), &digest()));
    let kept = Evidence::parse(good.text().as_bytes()).unwrap();
    assert_eq!(kept, good);
    assert!(!good.shows(&key(PUBLIC), &sha256_hex(b"another component")));
    assert!(!good.shows(&key(ALICE), &digest()));

    // Another manifest with the same component is not what was signed, and neither is a
    // payload of which a byte is another.
    let spaced = MANIFEST.replace(':', ": ");
    let other = PAYLOAD.replace("ghcr.io", "ghcr.de");
    let kind = PAYLOAD.replace("container image", "something else");
    for bad in [
        evidence(&spaced, PAYLOAD, PAYLOAD_SIGNATURE),
        evidence(MANIFEST, &other, PAYLOAD_SIGNATURE),
        evidence(MANIFEST, &kind, PAYLOAD_SIGNATURE),
        evidence(MANIFEST, PAYLOAD, SIGNATURE),
    ] {
        assert!(!bad.shows(&key(PUBLIC), &digest()), "{}", bad.text());
    }
}

#[test]
fn a_payload_that_is_signed_but_no_signature_of_cosign_shows_nothing() {
    let mine = SigningKey::from_pem(PKCS8.as_bytes()).unwrap();
    let kind = PAYLOAD.replace("container image", "something else");
    let bad = Evidence::Manifest {
        manifest: MANIFEST.into(),
        mark: mine.mark(kind.as_bytes()).unwrap(),
        payload: kind.into(),
    };
    assert!(!bad.shows(&key(PUBLIC), &digest()));
}

#[test]
fn each_key_signs_as_the_one_that_is_trusted() {
    for (signer, trusted) in [
        (SigningKey::from_pem(SEC1.as_bytes()).unwrap(), PUBLIC),
        (SigningKey::from_pem(PKCS8.as_bytes()).unwrap(), PUBLIC),
        (hotkey("//Alice"), ALICE),
    ] {
        assert_eq!(signer.trusted().unwrap(), key(trusted));
        assert_eq!(signer.trusted().unwrap().text(), trusted);
        let made = signer.sign_component(COMPONENT).unwrap();
        let read = Evidence::parse(made.text().as_bytes()).unwrap();
        assert!(read.shows(&key(trusted), &digest()));
        assert!(!read.shows(&key(trusted), &sha256_hex(b"another component")));
        let stranger = hotkey("//Bob").trusted().unwrap();
        assert!(!read.shows(&stranger, &digest()));
    }
}

#[test]
fn a_hotkey_signs_a_component_and_not_its_digest_alone() {
    assert_eq!(
        message(&digest()),
        "proctor-component-v1:sha256:626d0ce33ca550dc06351c3ea7b698be557ff5d35bf25edc44221b561838594c"
    );
    let alice = Hotkey::from_uri("//Alice").unwrap();
    for signed in [digest(), format!("sha256:{}", digest())] {
        let signature = hex::encode(alice.sign(signed.as_bytes()));
        let text = format!("sr25519 {ALICE} 0x{signature}");
        let evidence = Evidence::parse(text.as_bytes()).unwrap();
        assert!(!evidence.shows(&key(ALICE), &digest()), "{signed}");
    }
    // Whoever says that they are Alice is not.
    let bob = Hotkey::from_uri("//Bob").unwrap();
    let signature = hex::encode(bob.sign(message(&digest()).as_bytes()));
    let text = format!("sr25519 {ALICE} 0x{signature}");
    let evidence = Evidence::parse(text.as_bytes()).unwrap();
    assert!(!evidence.shows(&key(ALICE), &digest()));
}

#[test]
fn what_is_no_key_is_told_why() {
    for (text, told) in [
        ("ghcr.io", "neither"),
        ("", "neither"),
        (PKCS8, "private"),
        (P384, "P-256"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "P-256",
        ),
        ("-----BEGIN PUBLIC KEY-----", "not a public key"),
    ] {
        let error = text.parse::<TrustedKey>().unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    for (pem, told) in [
        (
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
            "cosign sign-blob",
        ),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "openssl"),
        (PUBLIC, "no private key"),
        ("", "no private key"),
    ] {
        let error = SigningKey::from_pem(pem.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(told), "{pem}: {error}");
    }
}

#[test]
fn evidence_that_could_not_be_read_back_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let kept = Signatures::at(directory.path());
    let long = format!("{MANIFEST}{}", " ".repeat(256 << 10));
    let long = evidence(&long, PAYLOAD, PAYLOAD_SIGNATURE);
    let refused = kept.add(&digest(), &long).unwrap_err();
    assert!(refused.to_string().contains("at most 262144"), "{refused}");
    let good = evidence(MANIFEST, PAYLOAD, PAYLOAD_SIGNATURE);
    assert!(kept.add(&digest(), &good).unwrap());
    assert_eq!(kept.of(&digest()).unwrap(), [good]);
}

#[test]
fn what_is_no_evidence_is_told_why() {
    let long = "A".repeat(300 << 10);
    for (text, told) in [
        ("", "neither"),
        ("not base64!", "neither"),
        ("AAAA", "neither"),
        ("sr25519 0x00", "sr25519"),
        ("sr25519 5G 0x00", "sr25519"),
        ("{", "JSON"),
        (r#"{"dsseEnvelope":{}}"#, "sign-blob"),
        (long.as_str(), "256 KiB"),
    ] {
        let error = Evidence::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(told), "{text:.40}: {error}");
    }
    assert!(Evidence::parse(&[0xff, 0xfe]).is_err());
}
