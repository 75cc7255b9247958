//! The release's program: fetched, checked, and left alone where it must be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{HERE, MACHINES, Plugin, VERSION, nothing_trusted, shells, standin};
use crate::support::http::{Reply, Server};
use crate::support::{edit, sha256, skip, which};

/// Served as the release's asset for this machine, it is fetched, checked and run by a fresh copy of the plugin.
pub(crate) fn fetches_and_runs(program: &[u8]) {
    let plugin = Plugin::new();
    let body = program.to_vec();
    let server = Server::start(move |_| Reply::Body(body.clone()));
    plugin.release(&server, HERE.1, program);
    for _ in ["fetched", "cached"] {
        let run = plugin.run(&["init"]);
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!((run.code, &answer["command"], &answer["status"]), (Some(0), &json!("init"), &json!("ok")));
        let command = answer["next"][0]["command"].as_str().unwrap();
        let launcher = plugin.launcher().canonicalize().unwrap();
        let words = shlex::split(command).unwrap();
        assert_eq!(words[0], launcher.to_str().unwrap(), "what is to be pasted names the launcher");
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_release_is_fetched_once_for_each_machine() {
    let fakes = |shell: &[PathBuf]| shell.len() == 1;
    let all = shells();
    let pairs = MACHINES.iter().flat_map(|machine| all.iter().map(move |shell| (machine, shell)));
    for ((machine, target), shell) in pairs.filter(|(machine, shell)| fakes(shell) || **machine == HERE) {
        let plugin = Plugin::new();
        if !plugin.downloads() {
            return;
        }
        plugin.machine(machine);
        let body = standin(VERSION).into_bytes();
        let asset = format!("mcp-tunnels-helper-{VERSION}-{target}");
        let path = format!("/someone/mcp-tunnels/releases/download/v{VERSION}/{asset}");
        let (expected, sent) = (path.clone(), body.clone());
        let server = Server::start(move |asked| match asked {
            // As GitHub does.
            asked if asked == expected => Reply::Moved("/elsewhere".into()),
            "/elsewhere" => Reply::Body(sent.clone()),
            _ => Reply::Missing,
        });
        plugin.release(&server, target, &body);
        for _ in 0..2 {
            plugin.run_in(shell, &["up"]).ran();
        }
        assert_eq!(server.asked(), [path, "/elsewhere".into()]);
        assert_eq!(fs::read(plugin.binary(target)).unwrap(), body);
        let mut left: Vec<String> =
            fs::read_dir(plugin.data()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["mcp-tunnels-helper".to_owned(), asset]);
        assert_eq!(fs::read(plugin.data().join("mcp-tunnels-helper")).unwrap(), body, "the stable name");
        fs::remove_file(plugin.data().join("mcp-tunnels-helper")).unwrap();
        assert!(
            plugin.run_in(shell, &["up"]).ran().out.contains("\nstable \n"),
            "none is handed over that is not there"
        );
    }
}

#[test]
fn a_wrong_checksum_stops_and_says_so() {
    for shell in shells() {
        let plugin = Plugin::new();
        if !plugin.downloads() {
            return;
        }
        plugin.machine(HERE.0);
        let server = Server::start(|_| Reply::Body(b"<html>please log in</html>".to_vec()));
        plugin.release(&server, HERE.1, b"the real one");
        plugin.cargo("0", &standin(VERSION));
        for _ in 0..2 {
            let error = plugin.run_in(&shell, &["certs", "renew"]).failed("checksum");
            assert!(error["message"].as_str().unwrap().contains(&sha256(b"the real one")), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("firewall"), "{error}");
            nothing_trusted(&plugin.data());
        }
        assert_eq!(plugin.builds(), 0, "it never falls through");
    }
}

/// What `sha256sum` writes in binary mode, what git makes of line ends, and what makes no sense.
#[test]
fn checksums_are_read_or_refused_and_never_passed_over() {
    let body = standin(VERSION).into_bytes();
    let (sum, name) = (sha256(&body), format!("mcp-tunnels-helper-{VERSION}-{}", HERE.1));
    let other = format!("{}  {name}.sbom\n", "1".repeat(64));
    let read = [
        format!("{sum}  {name}\r\n"),
        format!("{sum} *{name}\n"),
        format!("{sum} *{name}\r\n"),
        format!("{sum}  ./{name}\n"),
        format!("{}  {name}\n", sum.to_uppercase()),
        format!("{other}{sum}  {name}"),
        format!("{sum}  {name}\n{sum}  {name}\n"),
    ];
    let refused = [
        format!("SHA256 ({name}) = {sum}\n"),
        format!("\u{feff}{sum}  {name}\n"),
        format!("{}  {name}\n", &sum[1..]),
        format!("{sum}  {name}\n{}  {name}\n", "2".repeat(64)),
        format!("{name}\n"),
        format!("{sum}  dist/{name}\n"),
    ];
    for shell in shells() {
        for (texts, fine) in [(&read[..], true), (&refused[..], false)] {
            for text in texts {
                let plugin = Plugin::new();
                if !plugin.downloads() {
                    return;
                }
                plugin.machine(HERE.0);
                plugin.cargo("0", &standin(VERSION));
                let sent = body.clone();
                let server = Server::start(move |_| Reply::Body(sent.clone()));
                plugin.release(&server, HERE.1, &body);
                fs::write(plugin.root().join("bin/SHA256SUMS"), text).unwrap();
                let run = plugin.run_in(&shell, &["init"]);
                if fine {
                    drop(run.ran())
                } else {
                    drop(run.failed("checksum"))
                }
                assert_eq!((plugin.builds(), server.asked().len()), (0, usize::from(fine)), "{text:?}");
            }
        }
    }
}

/// What runs in the containers of an engine on macOS.
#[test]
fn macos_gets_the_linux_program_of_the_same_release() {
    const PAGE: &[u8] = b"<html>please log in</html>";
    let fakes = shells().into_iter().filter(|shell| shell.len() == 1);
    let (mac, linux) = (&MACHINES[2..], &MACHINES[..2]);
    for (shell, ((machine, own), (_, target))) in
        fakes.flat_map(|shell| mac.iter().zip(linux).map(move |m| (shell.clone(), m)))
    {
        let plugin = Plugin::new();
        if !plugin.downloads() {
            return;
        }
        plugin.machine(machine);
        let (body, program) = (standin(VERSION).into_bytes(), format!("a program for {target}").into_bytes());
        let (sent, right, is_intercepted) = (body.clone(), program.clone(), Arc::new(AtomicBool::new(false)));
        let intercepted = Arc::clone(&is_intercepted);
        let server = Server::start(move |asked| match asked {
            asked if !asked.contains("linux") => Reply::Body(sent.clone()),
            _ if intercepted.load(Ordering::Relaxed) => Reply::Body(PAGE.to_vec()),
            _ => Reply::Body(right.clone()),
        });
        plugin.release(&server, own, &body);
        let sums = plugin.root().join("bin/SHA256SUMS");
        let name = format!("mcp-tunnels-helper-{VERSION}-{target}");
        let line = format!("{}  {name}\n", sha256(&program));
        fs::write(&sums, fs::read_to_string(&sums).unwrap() + &line).unwrap();
        let file = plugin.binary(target);
        let said = |words: &[&str], name: &str| {
            let out = plugin.run_in(&shell, words).ran().out;
            out.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        };
        let place = file.clone();
        // With the helper itself, once.
        for _ in 0..2 {
            assert_eq!(said(&["init"], "linux "), place.display().to_string());
        }
        assert_eq!(fs::read(&file).unwrap(), program);
        assert_eq!(server.asked().iter().filter(|path| path.ends_with(&name)).count(), 1, "{:?}", server.asked());
        // Without it, what asks servers gets it; nothing else waits for a network that is not there.
        fs::remove_file(&file).unwrap();
        assert_eq!(said(&["status"], "linux "), "none");
        assert!(said(&["status"], "missing ").contains("probe"));
        assert_eq!(server.asked().len(), 2);
        // Never another one, and no reason to fail.
        is_intercepted.store(true, Ordering::Relaxed);
        assert!(said(&["up"], "missing ").contains(&sha256(&program)));
        assert!(!file.exists(), "what was downloaded is not what was asked for");
        is_intercepted.store(false, Ordering::Relaxed);
        assert_eq!(said(&["probe"], "linux "), place.display().to_string());
        assert_eq!(said(&["probe"], "missing "), "none");
        // Where the release has none, it says so.
        fs::remove_file(&file).unwrap();
        fs::write(&sums, fs::read_to_string(&sums).unwrap().replace(&line, "")).unwrap();
        assert!(said(&["probe"], "missing ").contains("no binary"));
        let mut left: Vec<_> = fs::read_dir(plugin.data()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), 2, "{left:?}");
        // A person's own is theirs.
        let mut given = plugin.command(&shell);
        let run =
            super::Run::of(given.args(["probe"]).env("MCP_TUNNELS_LINUX_PROGRAM", "/own/program").output().unwrap());
        assert!(run.ran().out.contains("linux /own/program\n"));
    }
}

/// Asks the network for nothing: `curl` only notes what it was told.
#[test]
fn only_https_is_fetched_into_a_name_that_cannot_be_guessed() {
    let mut files = Vec::new();
    for (address, scheme) in [
        ("https://github.com/someone/mcp-tunnels", Some("=https")),
        ("http://localhost:9/someone/mcp-tunnels", Some("=http")),
        ("http://example.com/someone/mcp-tunnels", None),
        ("http://localhost.example.com/someone/mcp-tunnels", None),
        ("file:///someone/mcp-tunnels", None),
    ] {
        let plugin = Plugin::new();
        plugin.machine(HERE.0);
        let server = Server::start(|_| Reply::Missing);
        plugin.release(&server, HERE.1, b"x");
        edit(&plugin.manifest(), &format!("{}/someone/mcp-tunnels", server.url()), address);
        if let Some(mktemp) = which("mktemp") {
            symlink(mktemp, plugin.path().join("mktemp")).unwrap();
        }
        plugin.fake("curl", "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$HOME/told\"\nexit 7\n");
        let error = plugin.run(&["init"]).failed("tool");
        let told = fs::read_to_string(plugin.home().join("told")).unwrap_or_default();
        let words: Vec<&str> = told.lines().collect();
        let Some(scheme) = scheme else {
            assert!(words.is_empty() && error["message"].as_str().unwrap().contains("https"), "{address}: {error}");
            continue;
        };
        let behind = |flag: &str| words[words.iter().position(|word| *word == flag).expect(flag) + 1];
        assert_eq!((words[0], behind("--proto")), ("-q", scheme), "{words:?}");
        assert!(words.contains(&"--tlsv1.2") && behind("--max-filesize").parse::<u64>().unwrap() < 1 << 30);
        files.push(behind("--output").rsplit('.').next().unwrap().to_owned());
        nothing_trusted(&plugin.data());
    }
    if which("mktemp").is_some() {
        assert!(files[0] != files[1] && files.iter().all(|end| end.parse::<u32>().is_err()), "{files:?}");
    }
}

#[test]
fn a_download_that_fails_leaves_nothing_and_cargo_builds() {
    for reply in [Reply::Missing, Reply::Cut(standin(VERSION).into_bytes())] {
        let plugin = Plugin::new();
        if !plugin.downloads() {
            return;
        }
        plugin.machine(HERE.0);
        let answer = reply.clone();
        let server = Server::start(move |_| answer.clone());
        plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
        let error = plugin.run(&["init"]).failed("tool");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("could not be downloaded") && message.contains("no cargo"), "{message}");
        nothing_trusted(&plugin.data());
        plugin.cargo("0", &standin(VERSION));
        plugin.run(&["init"]).ran();
        assert_eq!((plugin.builds(), server.asked().len()), (1, 2));
    }
}

#[test]
fn without_curl_wget_does_and_without_both_cargo() {
    let plugin = Plugin::new();
    plugin.machine(HERE.0);
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    let _ = fs::remove_file(plugin.path().join("curl"));
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("neither curl nor wget"), "{error}");
    // A person's configuration of wget has no say either.
    plugin.fake("wget", &format!("#!/bin/sh\necho \"$HOME,$WGETRC\" >{:?}\nexit 1\n", plugin.home().join("told")));
    plugin.run(&["init"]).failed("tool");
    assert_eq!(fs::read_to_string(plugin.home().join("told")).unwrap(), "/nonexistent,\n");
    fs::remove_file(plugin.path().join("wget")).unwrap();
    match which("wget").or_else(|| which("busybox")) {
        Some(wget) => symlink(wget, plugin.path().join("wget")).unwrap(),
        None => return skip("without_curl_wget_does", "neither wget nor busybox is installed"),
    }
    plugin.run(&["init"]).ran();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn without_a_way_to_check_nothing_is_taken() {
    let plugin = Plugin::new();
    if !plugin.downloads() {
        return;
    }
    plugin.machine("Darwin arm64");
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, "aarch64-apple-darwin", standin(VERSION).as_bytes());
    if !plugin.path().join("sha256sum").exists() {
        return skip("without_a_way_to_check", "there is no sha256sum");
    }
    plugin.without("sha256sum");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("SHA-256"), "{error}");
    nothing_trusted(&plugin.data());
    // macOS has shasum in its place.
    plugin.fake(
        "shasum",
        &format!("#!/bin/sh\n[ \"$*\" = '-a 256' ] && exec {} \"-\"\n", which("sha256sum").unwrap().display()),
    );
    plugin.run(&["init"]).ran();
}

#[test]
fn nothing_is_downloaded_while_the_address_is_a_placeholder() {
    let plugin = Plugin::new();
    plugin.machine(HERE.0);
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    edit(&plugin.manifest(), "/someone/", "/OWNER/");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("no release"), "{error}");
    plugin.cargo("0", &standin(VERSION));
    plugin.run(&["init"]).ran();
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn an_asset_of_another_version_or_machine_is_not_taken() {
    let plugin = Plugin::new();
    plugin.machine("FreeBSD amd64");
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("no binary for FreeBSD amd64"), "{error}");
    plugin.machine(HERE.0);
    edit(&plugin.root().join("bin/SHA256SUMS"), VERSION, "9.9.8");
    plugin.run(&["init"]).failed("tool");
    plugin.machine("MINGW64_NT-10.0 x86_64");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["hint"].as_str().unwrap().contains("WSL"), "{error}");
    assert_eq!(server.asked(), Vec::<String>::new());
}
