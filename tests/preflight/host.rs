//! `preflight` and the machine: every state of docker by a program of that name, every trap of the host, and the real
//! engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::edge::fake_docker;
use crate::support::engine::{Removed, docker_says, engine};
use crate::support::{Answer, Call, chmod, deployment, edit, folder, helper, is_root, script, skip, token, which};

/// A folder with the only programs that the helper finds.
pub(super) struct Rig {
    pub(super) parent: tempfile::TempDir,
    pub(super) bin: PathBuf,
}

impl Rig {
    /// A healthy docker but for what this shell `case` says first, and git and openssl.
    pub(super) fn new(special: &str) -> Self {
        let rig = Self::bare();
        script(&rig.bin, "docker", &fake_docker(special));
        rig
    }

    pub(super) fn bare() -> Self {
        let parent = folder();
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        script(&bin, "git", "#!/bin/sh\necho git version 2.47.3\n");
        script(&bin, "openssl", "#!/bin/sh\necho OpenSSL 3.0.19 27 Jan 2026\n");
        Self { parent, bin }
    }

    pub(super) fn call(&self) -> Call {
        let dir = self.parent.path().join("mcp-tunnel");
        helper(["preflight"]).json(json!({"offline": true})).path(&[&self.bin]).dir(dir)
    }

    pub(super) fn run(&self) -> Answer {
        let answer = self.call().changes_nothing().run();
        assert!(answer.length < 4096, "{} bytes: {}", answer.length, answer.json);
        assert_eq!(answer.data()["network"], json!([]));
        assert!(answer.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "network"));
        answer
    }
}

pub(super) fn tool<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    answer.data()["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap()
}

#[test]
fn a_sound_machine() {
    let rig = Rig::new("");
    let answer = rig.run().expect(0);
    assert_eq!(answer.findings(), Vec::<&str>::new(), "{:#}", answer.json);
    let path = |name: &str| rig.bin.join(name).to_string_lossy().into_owned();
    assert_eq!(tool(&answer, "docker")["path"], path("docker"));
    assert_eq!(
        (&tool(&answer, "docker")["version"], &tool(&answer, "engine")["version"]),
        (&json!("28.2.2"), &json!("28.2.2"))
    );
    assert_eq!(
        (&tool(&answer, "compose")["version"], &tool(&answer, "compose")["floor"]),
        (&json!("2.40.3"), &json!("2.17"))
    );
    assert_eq!(
        (&tool(&answer, "git")["version"], &tool(&answer, "openssl")["version"]),
        (&json!("2.47.3"), &json!("3.0.19"))
    );
    assert_eq!(tool(&answer, "engine")["path"], "unix:///var/run/docker.sock");
    let host = &answer.data()["host"];
    assert_eq!(host["arch"], std::env::consts::ARCH);
    assert!(host["disk_free_mib"].as_u64().unwrap() > 0);
    assert_eq!((&host["directory"]["writable"], &host["directory"]["modes"]), (&json!(true), &json!(true)));
    // The tunnel is created by a person; its domain is not made up.
    let next = &answer.json["next"][0];
    assert_eq!((&next["who"], &next["command"]), (&json!("person"), &Value::Null), "{next}");
}

#[test]
fn tools_that_nothing_hangs_on_are_notes() {
    let rig = Rig::new("");
    for name in ["git", "openssl"] {
        std::fs::remove_file(rig.bin.join(name)).unwrap();
    }
    let answer = rig.run().expect(0);
    assert_eq!(answer.findings(), ["git-missing", "openssl-missing"]);
    assert!(answer.json["findings"].as_array().unwrap().iter().all(|f| f["severity"] == "note"));
}

#[test]
fn variables_of_the_shell() {
    let rig = Rig::new("");
    let secret = token("from-the-shell-0123456789");
    let call = rig.call().env("TUNNEL_TOKEN", &secret).env("COMPOSE_FILE", "x.yaml").env("COMPOSE_PROJECT_NAME", "y");
    let answer = call.secret(&secret).run().expect(0);
    assert_eq!(answer.findings(), ["shell-variables"]);
    assert_eq!(answer.evidence("shell-variables"), "set: COMPOSE_FILE, COMPOSE_PROJECT_NAME, TUNNEL_TOKEN");
    // A proxy is a note, and its password stays hidden.
    let call = rig.call().env("HTTPS_PROXY", "http://me:hunter2@proxy.corp:3128").secret("hunter2");
    let answer = call.run().expect(0);
    assert_eq!(answer.finding("proxy-not-used")["severity"], "note");
    assert_eq!(answer.data()["host"]["http_proxy"], "http://proxy.corp:3128");
    // With a deployment the token is compared.
    let dir = deployment(rig.parent.path());
    helper(["token", "set"]).dir(&dir).stdin(token("first")).run().expect(0);
    edit(&dir.join(".env"), &token("first"), "PASTE_TUNNEL_TOKEN_HERE");
    let open = rig.run().expect(0);
    assert!(open.json["next"][0]["command"].as_str().unwrap().contains(" token set "), "{:#}", open.json);
    let set = token("in-the-file-0123456789");
    helper(["token", "set"]).dir(&dir).stdin(set.clone()).run().expect(0);
    let same = rig.call().env("TUNNEL_TOKEN", &set).secret(&set).run().expect(0);
    assert!(!same.findings().contains(&"token-shadowed"), "{:#}", same.json);
    // Only the Console shows whether the CA is registered.
    assert_eq!(same.json["next"][0]["who"], "person", "{:#}", same.json);
    assert!(same.json["next"][1]["command"].as_str().unwrap().contains(" up "), "{:#}", same.json);
    let other = rig.call().env("TUNNEL_TOKEN", &secret).secret(&secret).secret(&set).run().expect(0);
    other.finding("token-shadowed");
}

#[test]
fn a_directory_that_will_not_do() {
    let rig = Rig::new("");
    let at = |dir: &Path| helper(["preflight"]).json(json!({"offline": true})).path(&[&rig.bin]).dir(dir).run();
    for (name, expected) in [("Dropbox", "Dropbox"), ("OneDrive - Corp", "OneDrive")] {
        let dir = rig.parent.path().join(name).join("mcp-tunnel");
        std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
        let answer = at(&dir).expect(0);
        assert!(answer.evidence("directory-synced").contains(expected), "{:#}", answer.json);
        // Through a link, too.
        let link = rig.parent.path().join(format!("{expected}-link"));
        std::os::unix::fs::symlink(dir.parent().unwrap(), &link).unwrap();
        at(&link.join("mcp-tunnel")).finding("directory-synced");
    }
    let marked = rig.parent.path().join("synced");
    std::fs::create_dir_all(marked.join(".stfolder")).unwrap();
    assert!(at(&marked.join("x")).evidence("directory-synced").contains("Syncthing"));
    std::fs::write(rig.parent.path().join("file"), "").unwrap();
    let refused = at(&rig.parent.path().join("file"));
    assert!(refused.json.to_string().contains("not a directory"), "{:#}", refused.json);
    let answer = at(Path::new("/proc/mcp-tunnel")).expect(1);
    assert!(answer.findings().contains(&"directory-not-writable"), "{:#}", answer.json);
    // Root may write everywhere.
    if !is_root() {
        let closed = rig.parent.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        chmod(&closed, 0o500);
        at(&closed.join("x")).expect(1).finding("directory-not-writable");
    }
}

/// Whether file systems can be mounted for a test alone.
fn may_mount(test: &str) -> bool {
    let out = Command::new("unshare").args(["--mount", "true"]).output();
    let may = is_root() && out.is_ok_and(|out| out.status.success());
    if !may {
        skip(test, "mounts need root");
    }
    may
}

#[test]
fn a_disk_that_is_full_or_read_only() {
    if !may_mount("preflight and full disks") {
        return;
    }
    let parent = folder();
    let images = parent.path().join("images");
    std::fs::create_dir(&images).unwrap();
    let info = format!(
        "info*) echo '{{\"ServerVersion\":\"28.2.2\",\"OperatingSystem\":\"X\",\"Architecture\":\"x86_64\",\"DockerRootDir\":\"{}\"}}' ;;",
        images.display()
    );
    let rig = Rig::new(&info);
    let within = |what: &str| {
        let text = format!("{what} && exec \"$0\" \"$@\"");
        let path = std::env::join_paths([&rig.bin, Path::new("/usr/bin"), Path::new("/bin"), Path::new("/usr/sbin")]);
        rig.call().env("PATH", path.unwrap()).under(&["unshare", "--mount", "sh", "-c", &text]).run()
    };
    for (size, severity, code) in [("100m", "error", 1), ("500m", "warning", 0)] {
        let answer = within(&format!("mount -t tmpfs -o size={size} tmpfs {}", images.display())).expect(code);
        assert_eq!(answer.findings(), ["disk-low"], "{:#}", answer.json);
        assert_eq!(answer.finding("disk-low")["severity"], severity);
        let free = answer.data()["host"]["disk_free_mib"].as_u64().unwrap();
        assert_eq!(free, size.trim_end_matches('m').parse::<u64>().unwrap());
    }
    let dir = rig.parent.path().join("mcp-tunnel");
    std::fs::create_dir(&dir).unwrap();
    let answer = within(&format!("mount -t tmpfs -o ro tmpfs {}", dir.display())).expect(1);
    assert_eq!(answer.findings(), ["directory-not-writable"], "{:#}", answer.json);
    assert!(answer.evidence("directory-not-writable").contains("read-only file system"), "{:#}", answer.json);
}

#[test]
fn up_says_that_the_disk_is_nearly_full() {
    if !may_mount("up and full disks") || !Path::new("/var/lib/docker").is_dir() {
        return;
    }
    let rig = Rig::new("\"compose up\"*) echo 'no space left on device' >&2; exit 1 ;;");
    let dir = deployment(rig.parent.path());
    helper(["token", "set"]).dir(&dir).stdin(token("x")).run().expect(0);
    let path = std::env::join_paths([&rig.bin, Path::new("/usr/bin"), Path::new("/bin"), Path::new("/usr/sbin")]);
    let mount = "mount -t tmpfs -o size=10m tmpfs /var/lib/docker && exec \"$0\" \"$@\"";
    let call = helper(["up"]).dir(&dir).env("PATH", path.unwrap()).under(&["unshare", "--mount", "sh", "-c", mount]);
    let answer = call.run().expect(1);
    assert!(answer.evidence("disk-low").contains("10 MiB are free in /var/lib/docker"), "{:#}", answer.json);
}

#[test]
fn git_that_would_commit_the_token_is_asked() {
    let Some(git) = which("git") else { return skip("preflight asks git", "git is not installed") };
    let rig = Rig::new("");
    std::fs::remove_file(rig.bin.join("git")).unwrap();
    std::os::unix::fs::symlink(git, rig.bin.join("git")).unwrap();
    let dir = deployment(rig.parent.path());
    let git = |args: &[&str]| {
        let out = Command::new("git").arg("-C").arg(&dir).args(args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    assert!(!rig.run().findings().iter().any(|id| id.starts_with("git-")));
    git(&["init", "--quiet"]);
    assert!(!rig.run().findings().iter().any(|id| id.starts_with("git-")), "ignored by the directory's own file");
    std::fs::remove_file(dir.join(".gitignore")).unwrap();
    assert!(rig.run().findings().contains(&"git-not-ignored"));
    git(&["add", ".env"]);
    assert!(rig.run().expect(1).findings().contains(&"git-tracked"));
}

#[test]
fn a_deployment_s_own_settings_count() {
    let network = |name: &str, range: &str, project: &str| {
        format!(
            "{{\"Name\":\"{name}\",\"Labels\":{{\"com.docker.compose.project\":\"{project}\"}},\"IPAM\":{{\"Config\":[{{\"Subnet\":\"{range}\"}}]}}}}"
        )
    };
    let rig = Rig::new(&format!(
        "network\\ ls*) echo abc ;;\nnetwork\\ inspect*) echo '[{},{}]' ;;\nps*) echo 'other-1|/somewhere/else' ;;",
        network("foreign", "10.20.0.0/16", "x"),
        network("own", "10.30.0.0/16", "mcp-tunnel-abcd1234"),
    ));
    let dir = deployment(rig.parent.path());
    let routes =
        json!({"routes": {"far": "http://10.20.3.4:80", "near": "http://10.30.0.2:80", "else": "http://10.40.0.1:1"}});
    helper(["render"]).dir(&dir).json(routes).run().expect(0);
    let answer = rig.run().expect(1);
    assert_eq!(
        answer.evidence("network-overlap"),
        "route `far` leads to 10.20.3.4, and the Docker network `foreign` has 10.20.0.0/16"
    );
    assert!(
        answer.evidence("project-conflict").contains("container other-1 belongs to /somewhere/else"),
        "{:#}",
        answer.json
    );
    assert_eq!(answer.data()["host"]["directory"]["deployment"], true);

    // SELinux: the helper's own mounts have labels, those of a person may not.
    let selinux = "info*) echo '{\"ServerVersion\":\"28.2.2\",\"Architecture\":\"x86_64\",\"DockerRootDir\":\"/\",\"SecurityOptions\":[\"name=seccomp,profile=default\",\"name=selinux\"]}' ;;";
    script(&rig.bin, "docker", &fake_docker(selinux));
    assert!(!rig.run().findings().contains(&"selinux-labels"));
    edit(&dir.join("docker-compose.yaml"), "selinux: z", "propagation: rprivate");
    let answer = rig.run();
    // A host whose own SELinux is permissive denies nothing.
    if !Path::new("/sys/fs/selinux/enforce").exists() {
        assert!(answer.evidence("selinux-labels").contains("mcp-gateway: /data"), "{:#}", answer.json);
    }
}

#[test]
fn images_of_another_cpu_are_found_before_the_start() {
    let inspect = format!(
        "\"image inspect\"*) echo '[{{\"RepoDigests\":[\"{}\"],\"Architecture\":\"arm64\"}}]' ;;",
        "us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013"
    );
    let answer = Rig::new(&inspect).run().expect(1);
    assert!(answer.evidence("platform-mismatch").contains("is for arm64, the engine is amd64"), "{:#}", answer.json);
}

#[test]
fn it_needs_no_directory_and_no_home() {
    let rig = Rig::new("");
    let call = helper(["preflight"]).json(json!({"offline": true})).path(&[&rig.bin]);
    let answer = call.env("HOME", "").run().expect(0);
    assert!(answer.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "directory"), "{:#}", answer.json);
    assert_eq!(answer.data()["host"].get("directory"), None);
    let call = helper(["preflight"]).json(json!({"offline": true})).path(&[&rig.bin]);
    let answer = call.env("SUDO_USER", "somebody").run().expect(0);
    assert!(answer.json["skipped"].to_string().contains("could be"), "{:#}", answer.json);
    // A compose file that cannot be read is no reason to look at nothing.
    let dir = deployment(rig.parent.path());
    std::fs::write(dir.join("docker-compose.yaml"), "services:\n\t- x\n").unwrap();
    assert_eq!(rig.run().data()["host"]["directory"]["deployment"], true);
    std::fs::write(dir.join(".env"), [0xff, 0xfe, 0x00]).unwrap();
    let answer = rig.call().run();
    assert!(answer.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "deployment"), "{:#}", answer.json);
}

#[test]
fn the_real_engine() {
    if engine("preflight on a real engine").is_none() {
        return;
    }
    let parent = folder();
    let dir = deployment(parent.path());
    let call = || helper(["preflight"]).json(json!({"offline": true})).dir(&dir).changes_nothing();
    let answer = call().run();
    let version = docker_says(["version", "--format", "{{.Server.Version}}"]);
    assert_eq!(tool(&answer, "engine")["version"], version);
    assert_eq!(tool(&answer, "compose")["version"], docker_says(["compose", "version", "--short"]));
    assert_eq!(tool(&answer, "docker")["version"], docker_says(["version", "--format", "{{.Client.Version}}"]));
    assert!(answer.data()["host"]["engine_clock_offset_s"].as_i64().unwrap().abs() <= 1);
    assert!(
        !answer.findings().iter().any(|id| id.starts_with("docker-") || id.starts_with("engine-")),
        "{:#}",
        answer.json
    );
    // A real network in the way of a route.
    let name = format!("preflight-{}", std::process::id());
    docker_says(["network", "create", "--subnet", "10.213.77.0/24", &name]);
    let _removed = Removed("network", name.clone());
    helper(["render"]).dir(&dir).json(json!({"routes": {"far": "http://10.213.77.9:80"}})).run().expect(0);
    let answer = call().run();
    assert!(answer.evidence("network-overlap").contains(&name), "{:#}", answer.json);
    // An address without an answer.
    let nowhere = parent.path().join("none.sock");
    let answer = call().env("DOCKER_HOST", format!("unix://{}", nowhere.display())).run().expect(1);
    assert_eq!(answer.findings()[0], "docker-host-nowhere", "{:#}", answer.json);
}
