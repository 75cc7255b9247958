//! A disk that is full or read-only: nothing half-written, nothing lost, and the error says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{DOMAIN, folder, helper, is_root, skip, snapshot};

const CERTIFICATES: [&str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];

/// A file system of a few pages, gone at the end.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let done = is_root()
            && std::process::Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(at)
                .output()
                .is_ok_and(|out| out.status.success());
        done.then(|| Self(at.to_path_buf()))
    }

    fn options(&self, options: &str) {
        let out = std::process::Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_a_second_run_completes_it() {
    let mut refused = 0;
    for pages in 1..=12 {
        let parent = folder();
        let at = parent.path().join("disk");
        let Some(disk) = Tiny::mount(&at, &format!("size={}k,mode=0700", 4 * pages)) else {
            return skip("a_full_disk_leaves_nothing_half_written", "cannot mount a tmpfs");
        };
        let dir = at.join("mcp-tunnel");
        let request = json!({"domain": DOMAIN, "sample": true});
        let answer = helper(["init"]).dir(&dir).json(request.clone()).run();
        let before: BTreeMap<_, _> = snapshot(&dir).into_iter().map(|(path, _, content)| (path, content)).collect();
        for (path, content) in &before {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(path.is_dir() || !content.is_empty(), "{pages} pages: {name} is empty");
            assert!(!name.contains("tmp"), "{pages} pages: {name} was left behind");
        }
        if answer.code == 2 {
            refused += 1;
            assert_eq!(answer.json["error"]["code"], "io");
            assert!(answer.json["error"]["hint"].as_str().unwrap().contains("disk space"), "{:#}", answer.json);
        }
        disk.options("size=1m");
        helper(["init"]).dir(&dir).json(request.clone()).run().expect(0);
        for name in CERTIFICATES {
            let path = dir.join("data").join(name);
            if let Some(old) = before.get(&path) {
                assert_eq!(*old, std::fs::read(&path).unwrap(), "{pages} pages: {name} was made again");
            }
        }
        helper(["init"]).dir(&dir).json(request).changes_nothing().run().expect(0);
    }
    assert!(refused >= 8, "the disk was full {refused} times only");
}

#[test]
fn a_full_disk_loses_no_line_of_the_env_file() {
    let parent = folder();
    let at = parent.path().join("disk");
    let Some(disk) = Tiny::mount(&at, "size=1m,mode=0700") else {
        return skip("a_full_disk_loses_no_line_of_the_env_file", "cannot mount a tmpfs");
    };
    let dir = at.join("mcp-tunnel");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    let lengths = snapshot(&dir).into_iter().filter(|(path, ..)| path.is_file());
    let pages: u64 = lengths.map(|(path, ..)| std::fs::metadata(path).unwrap().len().div_ceil(4096)).sum();
    disk.options(&format!("size={}k", 4 * pages.max(1)));
    let token = crate::support::token("x");
    let refused = helper(["token", "set"]).dir(&dir).stdin(token.clone()).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "io");
    helper(["render"]).dir(&dir).json(json!({"log_level": "warn"})).changes_nothing().run().expect(2);
    disk.options("size=1m");
    helper(["token", "set"]).dir(&dir).stdin(token).run().expect(0);
}

#[test]
fn a_read_only_file_system_is_said_so() {
    let parent = folder();
    let at = parent.path().join("disk");
    let Some(disk) = Tiny::mount(&at, "size=1m,mode=0700") else {
        return skip("a_read_only_file_system_is_said_so", "cannot mount a tmpfs");
    };
    let dir = at.join("mcp-tunnel");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    disk.options("ro");
    // Nothing to write: nothing to complain about.
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).changes_nothing().run().expect(0);
    helper(["check"]).dir(&dir).changes_nothing().run();
    for call in [
        helper(["token", "set"]).stdin(crate::support::token("x")),
        helper(["render"]).json(json!({"log_level": "warn"})),
        helper(["render"]).json(json!({"profile": "hardened"})),
    ] {
        let refused = call.dir(&dir).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "io");
        assert!(refused.message().contains("read-only file"), "{}", refused.message());
    }
    let refused = helper(["init"]).dir(at.join("new")).json(json!({"domain": DOMAIN})).run().expect(2);
    assert!(refused.message().contains("read-only file"), "{}", refused.message());
}
