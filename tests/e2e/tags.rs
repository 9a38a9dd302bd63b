//! Following the tag of an OCI reference.

use crate::registry::{configure, create_digits, get, post, runtime, serve};
use crate::support::{World, until, variant};
use proctor_host::sandbox::sha256_hex;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A registry whose every tag points to one component, which may be changed.
struct Tag {
    address: String,
    component: Arc<Mutex<Vec<u8>>>,
}

impl Tag {
    fn new(component: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let component = Arc::new(Mutex::new(component));
        let shared = Arc::clone(&component);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let component = shared.lock().unwrap().clone();
                // Who asks may have gone.
                let _ = answer(stream, &component);
            }
        });
        Tag { address, component }
    }

    fn point_to(&self, component: Vec<u8>) -> String {
        let digest = format!("sha256:{}", sha256_hex(&component));
        *self.component.lock().unwrap() = component;
        digest
    }
}

fn answer(mut stream: TcpStream, component: &[u8]) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let layer = format!("sha256:{}", sha256_hex(component));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json",
            "digest": format!("sha256:{}", sha256_hex(b"{}")), "size": 2},
        "layers": [{"mediaType": "application/wasm", "digest": layer, "size": component.len()}],
    })
    .to_string();
    let body = match head.contains("/manifests/") {
        true => manifest.as_bytes(),
        false => component,
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: \
         application/vnd.oci.image.manifest.v1+json\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    match head.starts_with("HEAD") {
        true => Ok(()),
        false => stream.write_all(body),
    }
}

#[test]
fn a_tag_is_followed_until_what_it_points_to_runs() {
    let tag = Tag::new(variant("digits", 1));
    let world = World::new();
    configure(
        &world,
        &format!(
            "registry.tag_poll_s = 1\nregistry.plain_http = ['{0}']\nregistry.private_hosts = ['{0}']",
            tag.address
        ),
    );
    let server = serve(&world);
    let reference = format!("{}/org/digits:1", tag.address);
    create_digits(
        &server,
        &json!({"artifact": reference, "track": "tag", "status": "active"}),
    );
    let first = runtime(&server, "digits")["digest"].clone();

    // What is none leaves the version before running, and says so.
    tag.point_to(b"\0asm\x01\0\0\0".to_vec());
    let told = |word: &str| {
        let log = get(&server, "challenges/digits/logs");
        log["entries"].to_string().contains(word)
    };
    until("the log says that it is refused", || told("tag: "));
    assert_eq!(runtime(&server, "digits")["digest"], first);

    // That somebody only looked is not that it was taken up.
    let second = tag.point_to(variant("digits", 2));
    let looked = post(&server, "challenges/digits/pull?dry_run=true", &json!({}));
    assert_eq!(looked.status, 200, "{looked:?}");
    until("the second runs", || {
        runtime(&server, "digits")["digest"] == *second
    });
    let record = get(&server, "challenges/digits");
    assert_eq!(record["artifact"], reference, "it is never rewritten");
    let audit = get(&server, "audit?subject=digits&limit=1");
    assert_eq!(audit["changes"][0]["actor"], Value::from("tag"));
    server.stop();
}
