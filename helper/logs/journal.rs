//! Lines as journald, syslog and dmesg print them: whose they are, and what is behind the prefix.
//!
//! journalctl(1) `-o short`, `short-iso`, `short-full` and `short-monotonic`; RFC 3164 and RFC 5424; dmesg(1) with and
//! without `-T`; rsyslog's two file formats; Docker's journald and syslog drivers, whose tag is a container's name or id.

/// Whose lines a host's journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// A container, or cloudflared or a server that systemd runs: the name that it prints under.
    Program(&'a str),
    /// dockerd, containerd, Podman.
    Engine,
    /// The kernel, systemd and the audit system: they also speak of what is not the stack's.
    Host,
    /// A program of the host that has nothing to do with the stack.
    Other,
    /// A program of which the name says nothing: a unit or a container of that name.
    Unit(&'a str),
}

const ENGINES: [&str; 9] =
    ["dockerd", "docker", "containerd", "containerd-shim", "podman", "conmon", "runc", "crun", "buildkitd"];
const HOST: [&str; 5] = ["kernel", "systemd", "audit", "auditd", "setroubleshoot"];
/// Programs of a distribution, and of a host in a cloud or a desktop: the names under which they print to its journal.
const OTHERS: [&str; 73] = [
    "sd",
    "sshd",
    "login",
    "sudo",
    "su",
    "cron",
    "crond",
    "CRON",
    "anacron",
    "atd",
    "agetty",
    "init",
    "NetworkManager",
    "dhclient",
    "dhcpcd",
    "wpa_supplicant",
    "connmand",
    "dnsmasq",
    "avahi",
    "named",
    "unbound",
    "chronyd",
    "ntpd",
    "rsyslogd",
    "syslog",
    "logrotate",
    "dbus",
    "polkitd",
    "pkexec",
    "snapd",
    "snap",
    "flatpak",
    "apt",
    "dpkg",
    "dnf",
    "unattended",
    "PackageKit",
    "packagekitd",
    "fwupd",
    "udisksd",
    "upowerd",
    "accounts",
    "rtkit",
    "multipathd",
    "irqbalance",
    "thermald",
    "smartd",
    "mdadm",
    "lvm",
    "iscsid",
    "rpcbind",
    "smbd",
    "nmbd",
    "cupsd",
    "bluetoothd",
    "ModemManager",
    "gdm",
    "gnome",
    "kwin",
    "plasmashell",
    "pipewire",
    "wireplumber",
    "pulseaudio",
    "Xorg",
    "xdg",
    "at",
    "tailscaled",
    "firewalld",
    "ufw",
    "fail2ban",
    "cloud",
    "google",
    "amazon",
];
/// Programs that run an MCP server under their own name.
const RUNNERS: [&str; 14] = [
    "python", "python3", "node", "npm", "npx", "uv", "uvx", "uvicorn", "gunicorn", "java", "bun", "deno", "ruby",
    "dotnet",
];

/// Takes the prefix off a line: whose it is, and what it says.
pub(super) fn front(line: &str) -> Option<(Origin<'_>, &str)> {
    let line = priority(line);
    if let Some(rest) = bracketed(line) {
        // `short-monotonic` has a host and a program, dmesg has neither.
        return named(rest, false).or(Some((Origin::Host, rest)));
    }
    let (certain, rest) = moment(line)?;
    named(rest, certain).or_else(|| structured(rest))
}

/// The priority that syslog and the kernel put in front: `<30>`, `<30>1 `.
fn priority(line: &str) -> &str {
    let Some((number, rest)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return line };
    if number.is_empty() || number.len() > 3 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return line;
    }
    rest.strip_prefix("1 ").unwrap_or(rest)
}

/// `[ 1540.111610] …` since the boot, `[Thu Nov 26 10:00:00 2026] …`, as the kernel prints it.
fn bracketed(line: &str) -> Option<&str> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.strip_prefix(' ')?;
    let (seconds, fraction) = inside.trim_start().split_once('.').unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let uptime = digits(seconds) && digits(fraction) && fraction.len() == 6;
    let dated = inside.split_once(' ').is_some_and(|(day, rest)| day.len() == 3 && traditional(rest).is_some());
    (uptime || dated).then_some(rest)
}

/// The moment in front. Whether nothing but a journal prints it so.
fn moment(line: &str) -> Option<(bool, &str)> {
    if let Some(rest) = traditional(line) {
        return Some((true, rest));
    }
    // `Thu 2026-11-26 10:00:00 CET host …`
    if let Some((_, rest)) = line.split_once(' ').filter(|(day, _)| day.len() == 3 && is_word(day)) {
        let (_, length) = super::stamp::stamp(rest)?;
        let (zone, rest) = rest[length..].strip_prefix(' ')?.split_once(' ')?;
        return (!zone.is_empty()).then_some((true, rest));
    }
    let (_, length) = super::stamp::stamp(line)?;
    Some((false, line[length..].strip_prefix(' ')?))
}

/// `Nov 26 10:00:00`, the month in the language of the host; the text behind it.
fn traditional(line: &str) -> Option<&str> {
    let (month, rest) = line.split_once(' ')?;
    let rest = rest.trim_start_matches(' ');
    let (day, rest) = rest.split_once(' ')?;
    let clock = rest.as_bytes().get(..8)?;
    let is_clock = clock[2] == b':' && clock[5] == b':' && clock.iter().all(|b| b.is_ascii_digit() || *b == b':');
    let is_date = is_word(month) && (3..=5).contains(&month.chars().count()) && day.len() <= 2;
    if !is_clock || !is_date || !day.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rest = &rest[8..];
    let fraction = rest.strip_prefix('.').map_or(0, |more| 1 + more.bytes().take_while(u8::is_ascii_digit).count());
    rest[fraction..].strip_prefix(' ')
}

fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_uppercase) && text.trim_end_matches('.').chars().all(char::is_alphabetic)
}

fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"._-/@()".contains(&b);
    !text.is_empty() && text.len() < 100 && text.bytes().all(letter)
}

/// `HOST PROGRAM[PID]: …`. A program without a number counts where the moment tells that this is a journal, and where
/// only a journal has its name.
fn named(rest: &str, certain: bool) -> Option<(Origin<'_>, &str)> {
    // A host's name that was taken out leaves its blank.
    let (_, rest) = rest.split_once(' ').filter(|(host, _)| is_name(host) || host.is_empty() && certain)?;
    let (tag, text) = rest.split_once(':')?;
    let (name, numbered) = match tag.split_once('[') {
        Some((name, pid)) => (name, pid.strip_suffix(']').is_some_and(|pid| pid.bytes().all(|b| b.is_ascii_digit()))),
        None => (tag, false),
    };
    if !is_name(name) {
        return None;
    }
    let origin = origin(name);
    let sure = numbered || !tag.contains('[') && (certain || matches!(origin, Origin::Host | Origin::Engine));
    let text = text.strip_prefix(' ').unwrap_or(text);
    // The kernel's own clock stays behind its name in syslog.
    let text = if origin == Origin::Host { bracketed(text).unwrap_or(text) } else { text };
    sure.then_some((origin, text))
}

/// `HOST PROGRAM PID MSGID - …`, RFC 5424.
fn structured(rest: &str) -> Option<(Origin<'_>, &str)> {
    let mut words = rest.splitn(6, ' ');
    let [_, name, pid, _, data] = [words.next()?, words.next()?, words.next()?, words.next()?, words.next()?];
    let is_pid = pid == "-" || pid.bytes().all(|b| b.is_ascii_digit());
    (is_pid && data == "-" && is_name(name)).then_some((origin(name), words.next()?))
}

/// Which program's lines a name denotes.
pub(super) fn origin(name: &str) -> Origin<'_> {
    let name = name.trim_start_matches('(').trim_end_matches(')');
    let program = name.strip_suffix(".sh").unwrap_or(name).rsplit(['/', '.']).next().unwrap_or(name);
    let ends = |rest: &str| rest.is_empty() || rest.starts_with('-');
    let is_of = |list: &[&str]| list.iter().any(|known| program.strip_prefix(known).is_some_and(ends));
    let id = name.len() == 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let numbered = super::kind::service(name) != name;
    let ours =
        super::kind::kind_of(name) != super::kind::WriterKind::Unknown || name.to_ascii_lowercase().contains("mcp");
    if ours || id || numbered || RUNNERS.contains(&program) {
        Origin::Program(super::kind::service(name))
    } else if is_of(&ENGINES) {
        Origin::Engine
    } else if is_of(&HOST) {
        Origin::Host
    } else if is_of(&OTHERS) {
        Origin::Other
    } else {
        Origin::Unit(super::kind::service(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_journals() {
        for line in [
            "Nov 26 10:00:00 srv1 dockerd[991]: x",
            "Nov  6 10:00:00 srv1 dockerd[991]: x",
            "Dez 26 10:00:00.123456 srv1.lan dockerd[991]: x",
            "<30>Nov 26 10:00:00 srv1 dockerd[991]: x",
            "2026-11-26T10:00:00+0100 srv1 dockerd[991]: x",
            "2026-11-26T10:00:00.123456+01:00 srv1 dockerd[991]: x",
            "Thu 2026-11-26 10:00:00 CET srv1 dockerd[991]: x",
            "<30>1 2026-11-26T10:00:00Z srv1 dockerd 991 - - x",
            "[ 1540.111610] srv1 dockerd[991]: x",
            "Nov 26 10:00:00  dockerd[991]: x",
            "Nov 26 10:00:00 srv1 docker.dockerd[991]: x",
            "Nov 26 10:00:00 srv1 dockerd-rootless.sh[991]: x",
        ] {
            assert_eq!(front(line), Some((Origin::Engine, "x")), "{line}");
        }
        for line in [
            "Nov 26 10:00:00 srv1 kernel: x",
            "Nov 26 10:00:00 srv1 kernel: [ 1540.111610] x",
            "2026-11-26T10:00:00.123456+01:00 srv1 kernel: x",
            "[ 1540.111610] x",
            "[Thu Nov 26 10:00:00 2026] x",
            "<3>[ 1540.111610] x",
            "Nov 26 10:00:00 srv1 systemd[1]: x",
            "Nov 26 10:00:00 srv1 audit[881]: x",
        ] {
            assert_eq!(front(line), Some((Origin::Host, "x")), "{line}");
        }
        for (line, name) in [
            ("Nov 26 10:00:00 pi cloudflared[812]: x", "cloudflared"),
            ("Nov 26 10:00:00 pi mcp-tunnel-hello-mcp-1[812]: x", "mcp-tunnel-hello-mcp"),
            ("Nov 26 10:00:00 pi 4f1e2d3c4b5a[812]: x", "4f1e2d3c4b5a"),
            ("2026-11-26T10:00:00+01:00 pi uvicorn[812]: x", "uvicorn"),
        ] {
            assert_eq!(front(line), Some((Origin::Program(name), "x")), "{line}");
        }
        for name in ["sshd", "gnome-shell", "(sd-pam)"] {
            let line = format!("Nov 26 10:00:00 pi {name}[812]: error: x");
            assert_eq!(front(&line), Some((Origin::Other, "error: x")), "{name}");
        }
        assert_eq!(front("Nov 26 10:00:00 pi wiki[812]: x"), Some((Origin::Unit("wiki"), "x")));
    }

    #[test]
    fn lines_of_programs_are_not_a_journal_s() {
        for line in [
            "2026-11-26T10:00:00Z error server: x",
            "2026-11-26T10:00:00Z INF Starting tunnel tunnelID=1: x",
            "2026/11/26 10:00:00 main.go:31: x",
            "2026-11-26 10:00:00,123 - my.server - ERROR - x",
            "[11/26/26 10:00:00] ERROR    x",
            "[26/Nov/2026 10:00:00] \"POST /mcp HTTP/1.1\" 200 97",
            "[2026-11-26 10:00:00 +0000] [1] [INFO] Booting worker with pid: 9",
            "[GIN] 2026/11/26 - 04:01:21 | 404 | 1.2ms",
            "Running on all addresses: x",
            "May I ask: x",
            "<html> x",
            "[1.5] x",
            "",
        ] {
            assert_eq!(front(line), None, "{line}");
        }
    }
}
