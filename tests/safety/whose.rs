//! Every command on a directory that is not in the hands of who runs it alone.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::campaign::{chosen, each};
use super::surroundings::{answer, call, commands, end, nothing_is_left, own};
use crate::support::{Laid, chmod, deployment, folder, is_root, snapshot, token};

/// Makes a directory unsafe: the folder above it, and itself.
type Unsafe = fn(&Path, &Path);

/// Where a directory is not safe.
const PLACES: [(&str, Unsafe); 5] = [
    ("of another owner", |_, dir| own(dir, STRANGER)),
    ("below the folder of another owner", |above, dir| {
        own(above, STRANGER);
        own(dir, 0);
    }),
    ("below a folder that all can write to", |above, _| chmod(above, 0o777)),
    ("that all can write to", |_, dir| chmod(dir, 0o777)),
    ("whose folder of keys all can write to", |_, dir| {
        chmod(dir, 0o755);
        chmod(&dir.join("data"), 0o777);
    }),
];

const STRANGER: u32 = 4711;

/// What must not be written in such a place: keys, and the line with the token.
fn secrets(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let of = |(path, _, content): (std::path::PathBuf, u32, Vec<u8>)| {
        let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
        let token = content.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"TUNNEL_TOKEN="));
        match name.as_str() {
            ".env" => token.map(|line| (name, line.to_vec())),
            _ => name.contains(".key").then_some((name, content)),
        }
    };
    snapshot(dir).into_iter().filter_map(of).collect()
}

#[test]
fn wherever_the_directory_is() {
    let parent = folder();
    let commands = commands(parent.path());
    let cases = PLACES.iter().flat_map(|place| commands.iter().map(move |(name, request)| (place, name, request)));
    let cases = chosen("wherever_the_directory_is", cases.collect());
    deployment(parent.path());
    let ready = Laid::of(parent.path());
    each(&cases, |((place, make), name, request)| {
        if !is_root() && place.contains("owner") {
            return;
        }
        let parent = folder();
        let above = parent.path().join("above");
        std::fs::create_dir(&above).unwrap();
        let dir = ready.lay_out(&above);
        make(&above, &dir);
        let owners = || {
            let all = snapshot(&above).into_iter().map(|(path, ..)| (path.symlink_metadata().unwrap().uid(), path));
            all.collect::<Vec<_>>()
        };
        let (before, whose, what) = (secrets(&dir), owners(), format!("a directory {place}, {name}"));
        assert!(before.iter().any(|(_, line)| line.ends_with(token("healthy").as_bytes())), "{what}");
        let said = answer(&end(call(name, request, &dir, None), Duration::from_secs(60), &what), name, &what);
        assert_eq!(secrets(&dir), before, "{what}: {said}");
        assert!(whose.iter().all(|file| owners().contains(file)), "{what}: given away: {said}");
        nothing_is_left(&dir, &what);
        let writes = ["init", "token set", "certs issue", "certs renew", "certs rotate-ca"].contains(&name.as_str());
        assert!(!writes || said["error"]["code"] == "directory", "{what}: {said}");
    });
}
