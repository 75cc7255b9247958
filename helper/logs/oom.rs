//! Whose process the kernel killed for memory: a container's, or another program's of the host.
//!
//! The kernel's mm/oom_kill.c (`oom-kill:` with its cgroups since 4.19, `Task in …` before that); systemd's words for a
//! unit. cgroups as Docker (cgroupfs, systemd), Podman and nerdctl name them.

use super::journal::{Origin, origin};

/// What a line says of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// A process of a container, or one that a stack consists of.
    Ours,
    /// Another program.
    Others,
    /// The line names who asked for memory, and not yet who is killed.
    Asked,
}

/// The kill that the kernel reports in several lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Kill {
    /// What the cgroup told, and the process where the line named it.
    told: Option<(Option<u32>, bool)>,
}

/// Programs of a desktop, which no cgroup is needed to tell from a server; the kernel keeps 15 bytes of a name.
const DESKTOP: [&str; 12] = [
    "chrome",
    "chromium",
    "firefox",
    "Isolated",
    "Web",
    "WebKitWebProces",
    "gnome",
    "plasmashell",
    "kwin",
    "Xorg",
    "thunderbird",
    "soffice",
];

impl Kill {
    /// Reads one line of the kernel's or systemd's.
    pub(super) fn read(&mut self, text: &str) -> Victim {
        let ours = |is: bool| if is { Victim::Ours } else { Victim::Others };
        if let Some(at) = text.find(" invoked oom-killer") {
            self.told = None;
            let name = text[..at].rsplit([' ', '"', ':']).next().unwrap_or_default();
            return if is_of_stack(name) { Victim::Asked } else { Victim::Others };
        }
        if let Some((front, _)) = text.split_once(": A process of this unit") {
            let unit = front.rsplit([' ', '"']).next().unwrap_or_default();
            return ours(["docker.service", "containerd.service"].contains(&unit) || is_container(unit));
        }
        let pid = number_behind(text, ",pid=").or_else(|| number_behind(text, " process "));
        if let Some(path) = cgroup(text) {
            self.told = Some((pid, is_container(path)));
        }
        match self.told {
            Some((told, is)) if told.is_none() || pid.is_none() || told == pid => ours(is),
            _ => ours(by_name(text)),
        }
    }
}

/// The cgroup of the process that is killed, unless it is the root's: a Raspberry Pi has no others for memory.
fn cgroup(text: &str) -> Option<&str> {
    let behind = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        rest.split([',', ' ', '"']).next().filter(|path| path.len() > 1)
    };
    behind("task_memcg=").or_else(|| behind("oom_memcg=")).or_else(|| behind("Task in "))
}

/// Whether a cgroup is a container's, or that of a unit of the stack. Pods are another orchestrator's.
fn is_container(path: &str) -> bool {
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.starts_with("kubepods") {
            return false;
        }
        let scope = ["docker-", "libpod-", "nerdctl-"].iter().any(|front| part.starts_with(front));
        let id = part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let below = part == "docker" && parts.peek().is_some();
        let stack = part.strip_suffix(".service").is_some_and(|unit| matches!(origin(unit), Origin::Program(_)));
        if scope && part.ends_with(".scope") || id || below || stack {
            return true;
        }
    }
    false
}

/// Without a cgroup: a program that a stack runs; where a cgroup's limit was met, any that is not of a desktop.
fn by_name(text: &str) -> bool {
    let name = text.split_once(" process ").and_then(|(_, rest)| rest.split_once('(')?.1.split(')').next());
    let name = name.or_else(|| text.split_once(",task=").and_then(|(_, rest)| rest.split(',').next()));
    let Some(name) = name else { return true };
    let limited = text.contains("emory cgroup") || text.contains("CONSTRAINT_MEMCG");
    is_of_stack(name) || limited && !DESKTOP.contains(&first_word(name))
}

/// `python3.12` is `python3`, `npm exec @scope/name` is `npm`.
fn first_word(name: &str) -> &str {
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(name)
}

fn is_of_stack(name: &str) -> bool {
    [name, first_word(name)].iter().any(|name| matches!(origin(name), Origin::Program(_)))
}

fn number_behind(text: &str, key: &str) -> Option<u32> {
    let (_, rest) = text.split_once(key)?;
    rest[..rest.bytes().take_while(u8::is_ascii_digit).count()].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(lines: &[&str]) -> Victim {
        let mut kill = Kill::default();
        lines.iter().map(|line| kill.read(line)).last().unwrap()
    }

    #[test]
    fn the_cgroup_decides_and_then_the_name() {
        let id = "4f".repeat(32);
        for path in [
            "/docker/4f1e".to_owned(),
            format!("/docker/{id}"),
            format!("/lxc/101/docker/{id}"),
            format!("/actions_job/{id}"),
            format!("/system.slice/docker-{id}.scope"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
            "/system.slice/cloudflared.service".to_owned(),
        ] {
            let line =
                format!("oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg={path},task_memcg={path},task=chrome,pid=7");
            assert_eq!(
                last(&[&line, "Memory cgroup out of memory: Killed process 7 (chrome) total-vm:1kB"]),
                Victim::Ours
            );
            assert_eq!(last(&[&line, "Out of memory: Killed process 8 (chrome) total-vm:1kB"]), Victim::Others);
        }
        for path in ["/user.slice/session-2.scope", "/system.slice/jupyter.service", "/kubepods.slice/docker-4f.scope"]
        {
            let line =
                format!("oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg={path},task=java,pid=7,uid=0");
            assert_eq!(last(&[&line]), Victim::Others, "{path}");
            assert_eq!(
                last(&["node invoked oom-killer: x", &line, "Out of memory: Killed process 7 (java) x"]),
                Victim::Others
            );
        }
        let old = "Task in /docker/4f1e killed as a result of limit of /docker/4f1e";
        assert_eq!(last(&[old, "Memory cgroup out of memory: Kill process 7 (x) score 9"]), Victim::Ours);
        for name in ["node", "python3.12", "npm exec @a/b", "cloudflared", "my-mcp-server", "java"] {
            assert_eq!(last(&[&format!("Out of memory: Killed process 7 ({name}) x")]), Victim::Ours, "{name}");
        }
        for name in ["mysqld", "Isolated Web Co", "gnome-shell", "cc1plus"] {
            assert_eq!(last(&[&format!("Out of memory: Killed process 7 ({name}) x")]), Victim::Others, "{name}");
        }
        assert_eq!(last(&["Memory cgroup out of memory: Killed process 7 (acme) x"]), Victim::Ours);
        assert_eq!(last(&["Memory cgroup out of memory: Killed process 7 (firefox) x"]), Victim::Others);
        let pi = "oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=node,pid=7,uid=0";
        assert_eq!(last(&[pi]), Victim::Ours);
    }
}
