//! What holds of every answer of every run.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{Answer, Call, rule_ids};

impl Call {
    /// What always holds.
    pub(super) fn check(&self, answer: &Answer, stdout: &str) {
        let json = &answer.json;
        assert_eq!(json["schema"], 1, "{stdout}");
        let expected = match json["status"].as_str() {
            Some("ok") => 0,
            Some("problems") => 1,
            Some("error") => 2,
            other => panic!("status {other:?}: {stdout}"),
        };
        assert_eq!(answer.code, expected, "{stdout}\n{}", answer.stderr);
        assert_eq!(answer.stderr, "", "standard error is no terminal, so nothing belongs there");
        // A panic is answered like any other error; no input is an excuse for one.
        assert_ne!(json["error"]["code"], "internal", "{stdout}");
        if json["status"] == "error" {
            for key in ["code", "message", "hint"] {
                assert!(json["error"][key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {stdout}");
            }
        } else {
            let summary = json["summary"].as_str().unwrap();
            assert!(!summary.is_empty() && !summary.contains('\n'), "{summary:?}");
            let words: Vec<&str> = summary.split(|c: char| !c.is_alphanumeric()).collect();
            let nouns = ["calls", "connections", "days", "errors", "files", "lines", "routes", "steps", "warnings"];
            let plural = words.windows(2).any(|pair| pair[0] == "1" && nouns.contains(&pair[1]));
            assert!(!plural && !summary.contains("(s)"), "{summary}");
            let findings = json["findings"].as_array().unwrap();
            let worst = findings.iter().any(|f| f["severity"] == "error");
            assert_eq!(worst, json["status"] == "problems", "{stdout}");
            for finding in findings {
                let id = finding["id"].as_str().unwrap();
                assert!(rule_ids().contains(id), "finding `{id}` is no rule");
                if let Some(cause) = finding["consequence_of"].as_str() {
                    let there = findings.iter().any(|f| f["id"] == cause);
                    assert!(there && cause != id, "`{id}` follows from `{cause}`, which is not there: {stdout}");
                }
                let evidence = finding["evidence"].as_array().unwrap();
                assert!(evidence.len() <= 3, "{finding}");
                assert!(evidence.iter().all(|e| e.as_str().unwrap().chars().count() <= 300), "{finding}");
                assert!(finding["title"].is_string() && finding["fix"].is_string(), "{finding}");
                // A command that only looks is not a cure of what it found itself.
                let looks = ["check", "certs check", "token check", "status", "diagnose", "connect", "preflight"];
                let asked = json["command"].as_str().unwrap();
                let fix = finding["fix"].as_str().unwrap();
                let circular = format!(" {asked} --dir ");
                assert!(
                    !looks.contains(&asked)
                        || !fix.split('`').nth(1).unwrap_or_default().contains(&circular)
                        || !fix.starts_with("run `"),
                    "{finding}"
                );
                for key in ["title", "cause", "fix"] {
                    let text = finding[key].as_str().unwrap_or_default();
                    assert!(
                        !["{helper}", "{dir}", "{proxy}", "{subject", "{file"].iter().any(|name| text.contains(name)),
                        "{text}"
                    );
                }
            }
            for next in json["next"].as_array().unwrap() {
                assert!(matches!(next["who"].as_str(), Some("person" | "helper")), "{next}");
                if let Some(command) = next["command"].as_str() {
                    let elsewhere = command.contains("docker compose -p ");
                    assert!(elsewhere || command.contains(" --dir ") || self.dir.is_none(), "{command}");
                }
            }
            if json["data"]["dry_run"] != json!(true) {
                for file in json["data"]["files"].as_array().into_iter().flatten() {
                    let path = file["path"].as_str().unwrap();
                    // A path that is not UTF-8 is shown lossily.
                    if path.contains('\u{fffd}') {
                        continue;
                    }
                    // The directory itself may be named by a link.
                    let is_dir = self.dir.as_deref() == Some(Path::new(path));
                    let meta = if is_dir { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
                    let meta = meta.unwrap_or_else(|e| panic!("{path}: {e}"));
                    assert_eq!(format!("{:04o}", meta.mode() & 0o7777), file["mode"].as_str().unwrap(), "{path}");
                }
            }
        }
        let mut secrets = self.secrets.clone();
        if let Some(dir) = &self.dir {
            // The public half of a key may stand in its certificate in the very same letters.
            let public = public_lines(dir);
            for key in ["data/ca.key", "data/tls.key"] {
                if let Some(text) = text_of(&dir.join(key)) {
                    let secret = |l: &&str| l.len() > 20 && !l.starts_with("---") && !public.contains(*l);
                    secrets.extend(text.lines().filter(secret).map(str::to_owned));
                }
            }
            if let Some(text) = text_of(&dir.join(".env")) {
                let token = text.lines().find_map(|l| l.strip_prefix("TUNNEL_TOKEN="));
                secrets.extend(token.filter(|t| t.starts_with("eyJ")).map(str::to_owned));
            }
        }
        for secret in secrets.iter().filter(|s| s.len() > 3) {
            assert!(!stdout.contains(secret.as_str()), "a secret is in the answer: {stdout}");
            assert!(!answer.stderr.contains(secret.as_str()), "a secret is on standard error");
        }
        assert!(!stdout.contains("PRIVATE KEY-----"), "{stdout}");
    }
}

/// Lines of the certificates, as far as they are certificates.
fn public_lines(dir: &Path) -> BTreeSet<String> {
    let texts = ["data/ca.crt", "data/tls.crt"].into_iter().filter_map(|file| text_of(&dir.join(file)));
    let blocks = texts.flat_map(|text| text.split("-----BEGIN").map(str::to_owned).collect::<Vec<_>>());
    let certificates = blocks.filter(|block| block.starts_with(" CERTIFICATE"));
    certificates.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The text of a regular file. A pipe in its place would hang the test.
fn text_of(path: &Path) -> Option<String> {
    path.is_file().then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// Exactly one line, which is one JSON object.
pub(super) fn one_object(stdout: &str) -> Value {
    let line = stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no newline at the end: {stdout:?}"));
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {stdout:?}"));
    assert!(value.is_object(), "{stdout}");
    value
}
