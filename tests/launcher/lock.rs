//! One launcher at a time, and none that waits or tries for ever.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use super::{Plugin, Run, VERSION, shells, standin};
use crate::support::{is_root, posix};

/// The number of a process that has ended.
fn ended() -> u32 {
    let mut child = Command::new(posix("true")).spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// A plugin whose lock is a link to this text, and on whose PATH `sleep 1` takes no time and counts its calls.
fn locked_by(holder: &str) -> Plugin {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    fs::create_dir_all(plugin.data()).unwrap();
    symlink(holder, plugin.data().join("lock")).unwrap();
    let count = plugin.home().join("sleeps").display().to_string().replace('\'', r"'\''");
    let real = posix("sleep");
    plugin.fake("sleep", &format!("#!/bin/sh\n[ \"$1\" = 1 ] || exec {} \"$1\"\necho >>'{count}'\n", real.display()));
    plugin
}

fn sleeps(plugin: &Plugin) -> usize {
    fs::read_to_string(plugin.home().join("sleeps")).map_or(0, |text| text.lines().count())
}

#[test]
fn a_lock_is_waited_for_while_its_process_lives() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    fs::create_dir_all(plugin.data()).unwrap();
    let mut holder = Command::new(posix("sleep")).arg("60").spawn().unwrap();
    symlink(holder.id().to_string(), plugin.data().join("lock")).unwrap();
    let child = plugin.command(&shells()[0]).arg("init").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(plugin.builds(), 0);
    holder.kill().unwrap();
    holder.wait().unwrap();
    Run::of(child.wait_with_output().unwrap()).ran();
    assert_eq!(plugin.builds(), 1);
}

#[test]
fn a_lock_that_nobody_holds_is_taken() {
    for holder in [ended().to_string().as_str(), "-1", "0", "1x", "$(true)", "build"] {
        let plugin = locked_by(holder);
        plugin.run(&["init"]).ran();
        assert_eq!((plugin.builds(), sleeps(&plugin)), (1, 0), "{holder}");
    }
}

#[test]
fn a_stale_lock_that_cannot_be_moved_ends_in_an_error() {
    let plugin = locked_by(&ended().to_string());
    plugin.fake("mv", "#!/bin/sh\nexit 1\n");
    // dash and bash: busybox has a `mv` of its own.
    let error = plugin.run_in(&shells()[0], &["init"]).failed("io");
    assert!(error["message"].as_str().unwrap().contains("/lock"), "{error}");
    assert!((1..10).contains(&sleeps(&plugin)), "{}", sleeps(&plugin));
    assert_eq!(plugin.builds(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_ends_in_an_error() {
    let plugin = locked_by("1");
    fs::remove_file(plugin.data().join("lock")).unwrap();
    fs::write(plugin.data().join("lock"), "no link").unwrap();
    plugin.run_in(&shells()[0], &["init"]).failed("io");
    assert!(sleeps(&plugin) < 10);
}

/// `kill -0` fails for a process of another user as it does for one that has ended.
#[test]
fn the_lock_of_another_user_s_process_is_not_taken() {
    let holder = if is_root() { ended() } else { 1 };
    let plugin = locked_by(&holder.to_string());
    if is_root() {
        plugin.fake("ps", "#!/bin/sh\nexit 0\n");
    }
    let run = plugin.run_in(&shells()[0], &["init"]);
    assert_eq!(run.said.len(), 1, "one line a minute: {:?}", run.said);
    let error = run.failed("io");
    assert!(error["message"].as_str().unwrap().contains(&format!("process {holder} ")), "{error}");
    assert!((10..100).contains(&sleeps(&plugin)), "{}", sleeps(&plugin));
    assert_eq!((plugin.builds(), fs::read_link(plugin.data().join("lock")).unwrap()), (0, holder.to_string().into()));
}

/// Its number may have gone to a program that never ends.
#[test]
fn the_wait_for_a_live_process_ends() {
    let plugin = locked_by(&std::process::id().to_string());
    fs::remove_file(plugin.path().join("sleep")).unwrap();
    symlink(posix("true"), plugin.path().join("sleep")).unwrap();
    let run = plugin.run_in(&shells()[0], &["init"]);
    assert!((20..=31).contains(&run.said.len()), "half an hour, a line a minute: {}", run.said.len());
    run.failed("io");
    assert_eq!(plugin.builds(), 0);
}
