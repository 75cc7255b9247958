//! A registry of one image, as docker pulls from it: <https://distribution.github.io/distribution/spec/api/>.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::engine::Engine;

/// What it has, by path.
struct Content(Vec<(String, &'static str, Vec<u8>)>);

/// Where it listens; it lives as long as the test.
pub(crate) struct Registry(u16);

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const BLOB: &str = "application/octet-stream";

impl Registry {
    /// One with an image of the engine as `cloudflared:1`; `listen` says in which network it listens.
    pub(crate) fn with(_engine: Engine, image: &str, listen: impl FnOnce() -> TcpListener) -> Self {
        let content = Arc::new(Content::of(image));
        let listener = listen();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let content = Arc::clone(&content);
                std::thread::spawn(move || content.serve(stream));
            }
        });
        Self(port)
    }

    /// A reference of what it has, by this tag or digest (`:1`, `@sha256:…`).
    pub(crate) fn image(&self, version: &str) -> String {
        format!("127.0.0.1:{}/cloudflared{version}", self.0)
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Content {
    /// What `docker save` gives of an image.
    fn of(image: &str) -> Self {
        let saved = Command::new("docker").args(["save", image]).output().unwrap();
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        let file = |name: &str| {
            let mut archive = tar::Archive::new(saved.stdout.as_slice());
            let entries = archive.entries().unwrap().map(Result::unwrap);
            let mut entry = entries.into_iter().find(|e| e.path().unwrap().to_str() == Some(name)).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let list: Value = serde_json::from_slice(&file("manifest.json")).unwrap();
        let config = file(list[0]["Config"].as_str().unwrap());
        let layers = list[0]["Layers"].as_array().unwrap().iter().map(|name| file(name.as_str().unwrap()));
        let layers: Vec<Vec<u8>> = layers.collect();
        let part = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part("application/vnd.docker.container.image.v1+json", &config),
            "layers": layers.iter().map(|bytes| part("application/vnd.docker.image.rootfs.diff.tar", bytes)).collect::<Vec<_>>(),
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let blobs = [vec![config], layers].concat();
        let mut all: Vec<_> = blobs.into_iter().map(|b| (format!("blobs/{}", digest(&b)), BLOB, b)).collect();
        for name in ["1".to_owned(), digest(&manifest)] {
            all.push((format!("manifests/{name}"), MANIFEST, manifest.clone()));
        }
        Self(all)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else { return };
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let unknown = json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).to_string();
        let found = path.strip_prefix("/v2/cloudflared/");
        let found = found.and_then(|wanted| self.0.iter().find(|(path, ..)| path == wanted));
        let (status, kind, body) = match found {
            _ if path == "/v2/" => ("200 OK", "application/json", &b"{}"[..]),
            Some((_, kind, body)) => ("200 OK", *kind, body.as_slice()),
            None => ("404 Not Found", "application/json", unknown.as_bytes()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\
             Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
            body.len(),
            digest(body)
        );
        let body = if method == "HEAD" { &[] } else { body };
        // A client that went away does not matter.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
    }
}
