//! A folder of the directory that is exchanged for a link at every moment: nothing is read or written elsewhere.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use crate::support::{deployment, folder, helper, plain, snapshot};

/// Ends the exchanges, also where a call fails the test.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs commands while a folder of the deployment and a link to this one change places all the time.
fn while_exchanged(dir: &Path, inside: &str, outside: &Path, work: impl Fn()) -> usize {
    let (own, link): (PathBuf, PathBuf) = (dir.join(inside), dir.parent().unwrap().join("link"));
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(outside, &link).unwrap();
    let over = AtomicBool::new(false);
    let exchange = || renameat_with(CWD, &own, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    let exchanges = std::thread::scope(|scope| {
        let exchanger = scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                exchange();
                number += 1;
                // Long enough for a command to find either, and short enough to change below it.
                std::thread::sleep(std::time::Duration::from_micros(100 + number as u64 % 7 * 50));
            }
            number
        });
        let ending = Ending(&over);
        work();
        drop(ending);
        exchanger.join().unwrap()
    });
    if own.is_symlink() {
        exchange();
    }
    exchanges
}

/// What a command prints: an answer, whatever it is.
fn printed(words: &str, request: &Value, dir: &Path) -> String {
    let mut command = plain(dir.parent().unwrap());
    command.env("PATH", "/nonexistent").args(words.split(' ')).arg("--json").arg(request.to_string());
    let out = command.arg("--dir").arg(dir).output().unwrap();
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{words}: {e}: {out:?}"));
    assert_ne!(answer["error"]["code"], "internal", "{words}: {answer}");
    answer.to_string()
}

#[test]
fn what_lies_elsewhere_is_not_read() {
    let parent = folder();
    let dir = deployment(parent.path());
    let outside = folder();
    // Its value would be quoted as that of a route, or as what is no list.
    let text = "tunnel_domain: abcd1234.tunnel.anthropic.com\nroutes:\n  canary-elsewhere: http://canary-elsewhere:1\n";
    std::fs::write(outside.path().join("mcp-gateway.yaml"), text).unwrap();
    let exchanges = while_exchanged(&dir, "config", outside.path(), || {
        for words in ["check", "init", "connect", "certs check", "render"].iter().cycle().take(15) {
            let printed = printed(words, &json!({}), &dir);
            assert!(!printed.contains("canary-elsewhere"), "{words}: {printed}");
        }
    });
    assert!(exchanges > 100, "{exchanges}");
}

#[test]
fn nothing_is_written_elsewhere() {
    let parent = folder();
    let dir = deployment(parent.path());
    let outside = folder();
    let calls = [
        ("certs renew", json!({"force": true})),
        ("render", json!({"profile": "hardened"})),
        ("certs rotate-ca", json!({"step": "begin"})),
        ("certs issue", json!({})),
        ("certs rotate-ca", json!({"step": "back", "to": "idle"})),
        ("render", json!({"profile": "default", "overwrite": true})),
    ];
    for inside in ["data", "config"] {
        while_exchanged(&dir, inside, outside.path(), || {
            for (words, request) in calls.iter().cycle().take(12) {
                printed(words, request, &dir);
            }
        });
        let elsewhere = snapshot(outside.path());
        assert!(elsewhere.is_empty(), "{inside}: {elsewhere:?}");
    }
    // And once it is over, all is as it was.
    helper(["certs", "rotate-ca"]).dir(&dir).path(&[]).json(json!({"step": "back", "to": "idle"})).run();
    helper(["certs", "check"]).dir(&dir).path(&[]).run().expect(0);
    let left = snapshot(&dir).into_iter().filter(|(path, ..)| path.to_string_lossy().ends_with(".tmp"));
    assert_eq!(left.count(), 0);
}
