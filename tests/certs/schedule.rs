//! The commands that renew a certificate every day, as they are handed out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::renewal::{kept, read};
use super::workshop::{living, with_routes};
use crate::support::{DOMAIN, folder, helper, script, skip, which};

/// A name that every layer of quoting gets wrong where it can.
const NASTY: &str = "it's a \"test\" 100% of $HOME \\ `id` & co";

fn nasty(parent: &Path) -> PathBuf {
    let parent = parent.join(NASTY);
    std::fs::create_dir(&parent).unwrap();
    living(&parent, json!({"server_days": 20}))
}

/// The commands that a renewal hands out: systemd's and cron's.
fn schedule(dir: &Path) -> [String; 2] {
    let answer = kept(dir, json!({"renew_before_days": 1, "verbose": true}), 0);
    let command = |word: &str| {
        let next = answer.json["next"].as_array().unwrap().iter().find(|n| n["what"].as_str().unwrap().contains(word));
        next.unwrap_or_else(|| panic!("no {word} in {:#}", answer.json["next"]))["command"].as_str().unwrap().to_owned()
    };
    [command("systemd"), command("cron")]
}

/// Runs a line as a schedule would: in a shell, with little around it.
fn sh(line: &str, home: &Path, tools: &Path) -> (bool, String) {
    let out = Command::new("/bin/sh")
        .args(["-c", line])
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn the_cron_line_renews_as_pasted() {
    let parent = folder();
    let dir = nasty(parent.path());
    let (home, tools) = (parent.path().join("home"), parent.path().join("bin"));
    std::fs::create_dir(&home).unwrap();
    std::fs::create_dir(&tools).unwrap();
    script(
        &tools,
        "crontab",
        "#!/bin/sh\ncase $1 in\n-l) [ -f \"$HOME/tab\" ] || { echo 'no crontab for you' >&2; exit 1; }; cat \"$HOME/tab\" ;;\n\
         -) cat >\"$HOME/tab.new\" && mv \"$HOME/tab.new\" \"$HOME/tab\" ;;\n*) exit 2 ;;\nesac\n",
    );
    let [_, cron] = schedule(&dir);
    assert_eq!(sh(&cron, &home, &tools), (true, String::new()));
    let alone = std::fs::read_to_string(home.join("tab")).unwrap();
    assert_eq!(alone.lines().count(), 1, "{alone}");
    // What was there before stays.
    std::fs::write(home.join("tab"), "MAILTO=me\n5 * * * * other\n").unwrap();
    assert_eq!(sh(&cron, &home, &tools), (true, String::new()));
    let tab = std::fs::read_to_string(home.join("tab")).unwrap();
    assert_eq!(tab, format!("MAILTO=me\n5 * * * * other\n{alone}"));
    // Pasted again, also after an update of the plugin moved the launcher: one line. Another directory has its own.
    assert_eq!(sh(&cron, &home, &tools), (true, String::new()));
    assert_eq!(std::fs::read_to_string(home.join("tab")).unwrap(), tab);
    let binary = env!("CARGO_BIN_EXE_mcp-tunnels-helper");
    std::fs::write(home.join("tab"), tab.replace(binary, "/opt/older/mcp-tunnels-helper")).unwrap();
    assert_eq!(sh(&cron, &home, &tools), (true, String::new()));
    assert_eq!(std::fs::read_to_string(home.join("tab")).unwrap(), tab);
    let beside = living(&parent.path().join("beside"), json!({}));
    let [_, second] = schedule(&beside);
    for _ in 0..2 {
        assert_eq!(sh(&second, &home, &tools), (true, String::new()));
    }
    let both = std::fs::read_to_string(home.join("tab")).unwrap();
    assert!(both.starts_with(&tab) && both.lines().count() == 4, "{both}");

    // As cron reads it: five fields, then a command that ends at a `%` without a backslash before it.
    let mut rest = alone.trim_end_matches('\n');
    for _ in 0..5 {
        let (field, after) = rest.split_once(' ').unwrap();
        assert!(field == "*" || field.parse::<u8>().is_ok(), "{alone}");
        rest = after;
    }
    let unescaped = rest.replace("\\%", "\u{0}");
    assert!(!unescaped.contains('%'), "{alone}");
    let line = unescaped.replace('\u{0}', "%");
    let before = read(&dir, "tls.crt");
    assert_eq!(sh(&line, &home, &tools), (true, String::new()), "no mail for a renewal that worked");
    assert_ne!(read(&dir, "tls.crt"), before, "20 days were left");
    let renewed = read(&dir, "tls.crt");
    assert_eq!(sh(&line, &home, &tools), (true, String::new()), "no mail for one that was not due");
    assert_eq!(read(&dir, "tls.crt"), renewed);
    // One that fails is heard of.
    std::fs::write(dir.join("data/tls.crt"), before).unwrap();
    std::fs::remove_file(dir.join("data/ca.key")).unwrap();
    let (_, said) = sh(&line, &home, &tools);
    assert!(said.contains("ca-key-needed"), "{said}");
}

#[test]
fn the_systemd_timer_renews_as_pasted() {
    let parent = folder();
    let dir = nasty(parent.path());
    let (home, tools) = (parent.path().join("home"), parent.path().join("bin"));
    std::fs::create_dir(&home).unwrap();
    std::fs::create_dir(&tools).unwrap();
    script(&tools, "systemctl", "#!/bin/sh\necho \"$*\" >>\"$HOME/calls\"\n");
    let [units, _] = schedule(&dir);
    for _ in 0..2 {
        assert_eq!(sh(&units, &home, &tools), (true, String::new()));
    }
    let calls = std::fs::read_to_string(home.join("calls")).unwrap();
    let name = "mcp-tunnel-renew-abcd1234";
    let once = format!("--user daemon-reload\n--user enable --now {name}.timer\n");
    assert_eq!(calls, format!("{once}{once}"));
    let folder = home.join(".config/systemd/user");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, [format!("{name}.service").as_str(), &format!("{name}.timer")]);
    let timer = std::fs::read_to_string(folder.join(format!("{name}.timer"))).unwrap();
    let description = format!("Description=Renew the certificate of {DOMAIN}");
    let lines: Vec<&str> = timer.lines().collect();
    assert_eq!(
        lines,
        [
            "[Unit]",
            &description,
            "[Timer]",
            "OnCalendar=daily",
            "RandomizedDelaySec=1h",
            "Persistent=true",
            "[Install]",
            "WantedBy=timers.target"
        ]
    );
    let service = std::fs::read_to_string(folder.join(format!("{name}.service"))).unwrap();
    let lines: Vec<&str> = service.lines().collect();
    assert_eq!(lines[..4], ["[Unit]", &description, "[Service]", "Type=oneshot"]);
    assert_eq!(lines.len(), 5, "{service}");

    // systemd's own quoting: `\` escapes in double quotes, `%%` and `$$` stand for themselves.
    let word = lines[4].strip_prefix("ExecStart=/bin/sh -c \"").and_then(|w| w.strip_suffix('"')).unwrap();
    let mut line = String::new();
    let mut characters = word.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let next = characters.next().unwrap();
                assert!(matches!(next, '\\' | '"'), "`\\{next}` in {word}");
                line.push(next);
            }
            '%' | '$' => {
                assert_eq!(characters.next(), Some(c), "a single `{c}` in {word}");
                line.push(c);
            }
            '"' => panic!("the word ends early: {word}"),
            _ => line.push(c),
        }
    }
    let before = read(&dir, "tls.crt");
    assert!(sh(&line, &home, &tools).0);
    assert_ne!(read(&dir, "tls.crt"), before, "20 days were left");

    let Some(analyze) = which("systemd-analyze") else {
        eprintln!("SKIPPED systemd's own view of the units: no systemd-analyze");
        return;
    };
    let out = Command::new(analyze)
        .args(["verify", "--user", "--man=no"])
        .args([folder.join(format!("{name}.service")), folder.join(format!("{name}.timer"))])
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", parent.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    if !out.status.success() && !said.contains(name) {
        // It cannot work here at all, say, without a runtime directory of systemd's liking.
        return skip("systemd's own view of the units", &said);
    }
    assert!(out.status.success() && !said.contains(name), "{said}");
}

#[test]
fn the_schedule_names_the_path_that_an_update_leaves_in_place() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let call = helper(["certs", "renew"]).dir(&dir);
    let call = call.env("MCP_TUNNELS_LAUNCHER", "/plugins/cache/0.1.0/bin/mcp-tunnels-helper");
    let answer = call.env("MCP_TUNNELS_STABLE", "/data/mcp-tunnels-helper").run().expect(0);
    for next in answer.json["next"].as_array().unwrap() {
        let command = next["command"].as_str().unwrap();
        assert!(command.contains("/data/mcp-tunnels-helper certs renew") && !command.contains("0.1.0"), "{command}");
    }
}
