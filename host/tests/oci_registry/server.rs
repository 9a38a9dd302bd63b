//! A registry for tests.
#![allow(dead_code, reason = "each test needs a part of it")]

use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const BINARY: &str = "/usr/bin/docker-registry";
/// `word`, as `htpasswd -B` writes it.
const ANN: &str = "ann:$2y$04$6M7bZPD/VH6mhmBjcD3H/O4tojQhAkfslPHYkPyyDcRJox1JIaZUW\n";

/// A registry that ends with the test.
pub(crate) struct Registry {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
    pub(crate) directory: TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// None where there is none to be started.
    pub(crate) fn start(with_login: bool) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            println!("SKIPPED: the Debian package docker-registry is not installed");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut config = json!({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": at("blobs")}},
            "http": {"addr": "127.0.0.1:0"},
        });
        if with_login {
            fs::write(at("htpasswd"), ANN).unwrap();
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": at("htpasswd")}});
        }
        fs::write(at("config.yml"), config.to_string()).unwrap();
        let mut child = Command::new(BINARY)
            .arg("serve")
            .arg(at("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ']).next().unwrap().to_owned();
            }
        };
        // So that it never waits for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Registry {
            child,
            address,
            directory,
        })
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = "blobs/docker/registry/v2/blobs/sha256";
        let directory = self.directory.path().join(blobs);
        directory.join(&hex[..2]).join(hex).join("data")
    }
}
