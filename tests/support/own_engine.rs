//! A container engine of a test's own, which may be stopped and killed: `dockerd` in a network namespace of its own, with
//! its own folders and socket.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::engine::{CLOUDFLARED, Engine, PROXY, until};
use super::{Call, folder, is_root, skip, which};

/// The daemon and the namespace that outlives it, as a host's network does.
pub(crate) struct OwnEngine {
    folder: tempfile::TempDir,
    namespace: Child,
    daemon: Option<Child>,
}

impl OwnEngine {
    /// Starts one with the images of the stand-ins; says aloud where that cannot be.
    pub(crate) fn start(_images: Engine, test: &str) -> Option<Self> {
        if !is_root() || ["dockerd", "unshare", "nsenter", "ip"].iter().any(|tool| which(tool).is_none()) {
            skip(test, "only root with dockerd, unshare, nsenter and ip can start an engine of its own");
            return None;
        }
        // `unshare` becomes the shell: its namespace is ready once it has printed a line.
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let mut namespace = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(namespace.stdout.as_mut().unwrap(), &mut line).unwrap();
        assert_eq!(&line, b"ready\n");
        let mut engine = Self { folder: folder(), namespace, daemon: None };
        // Nothing of this machine's own configuration.
        fs::write(engine.folder.path().join("daemon.json"), "{}").unwrap();
        engine.run();
        let mut save = Command::new("docker");
        let mut saved = save.args(["save", PROXY, CLOUDFLARED]).stdout(Stdio::piped()).spawn().unwrap();
        let mut load = Command::new("docker");
        load.arg("--host").arg(engine.host()).arg("load").stdin(saved.stdout.take().unwrap());
        let loaded = load.output().unwrap();
        assert!(saved.wait().unwrap().success() && loaded.status.success(), "{loaded:?}");
        Some(engine)
    }

    /// Starts the daemon, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let at = |name: &str| self.folder.path().join(name);
        let log = fs::File::options().create(true).append(true).open(at("log")).unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.namespace.id())).arg("dockerd");
        for (flag, name) in
            [("--config-file", "daemon.json"), ("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(flag).arg(at(name));
        }
        command.arg("--host").arg(self.host());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        until("the engine answers", || self.docker(["version"]).status.success());
    }

    /// Ends the daemon as the init system does, and waits for its end.
    pub(crate) fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        // `nsenter` has become the daemon.
        let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        for _ in 0..600 {
            if daemon.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
    }

    /// A process in its network.
    pub(crate) fn namespace(&self) -> u32 {
        self.namespace.id()
    }

    /// `DOCKER_HOST` of it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// docker on it.
    pub(crate) fn docker<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Output {
        let mut command = Command::new("timeout");
        command.args(["120", "docker", "--host"]).arg(self.host()).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// A command of the helper that talks to it.
    pub(crate) fn on(&self, call: Call) -> Call {
        call.env("DOCKER_HOST", self.host())
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            let all = self.docker(["ps", "--all", "--quiet"]);
            let all = String::from_utf8_lossy(&all.stdout).into_owned();
            if !all.is_empty() {
                self.docker(["rm", "--force", "--volumes"].into_iter().chain(all.split_whitespace()));
            }
            self.stop();
        }
        drop(self.namespace.stdin.take());
        let _ = self.namespace.wait();
        unmount(self.folder.path());
    }
}

/// What a daemon that was killed left mounted below a folder.
fn unmount(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|p| p.starts_with(folder))
        .collect();
    for place in below.iter().rev() {
        let _ = Command::new("umount").arg(place).status();
    }
}
