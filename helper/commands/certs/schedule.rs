//! How to have a renewal done every day: a systemd timer, or a line for cron.

use std::path::Path;

use crate::answer::Next;
use crate::caller::{Caller, quote};
use crate::deployment::{Deployment, Domain};

/// A sign of systemd as the running init: sd_booted(3).
const SYSTEMD: &str = "/run/systemd/system";

/// The way that fits this host; with `both`, each. Pasting a command again replaces what it installed before.
pub(super) fn schedule(deployment: &Deployment, domain: &Domain, both: bool, caller: &Caller) -> Vec<Next> {
    let command = caller.scheduled_command(&["certs", "renew"]);
    // The command must be one line of a unit or of a crontab.
    if command.contains('\n') || deployment.root().to_string_lossy().contains('\n') {
        return Vec::new();
    }
    // The first word of a pasted line must be a program, not an assignment or a builtin of one shell.
    let has_systemd = Path::new(SYSTEMD).is_dir();
    let timer = || {
        Next::person(
            "to renew every day, a user timer of systemd (if you do not stay logged in, also `loginctl enable-linger`)",
        )
        .running(units(&command, domain))
    };
    let line = || Next::person("to renew every day, a line for cron").running(cron(&command, caller));
    let timer = (both || has_systemd).then(timer);
    timer.into_iter().chain((both || !has_systemd).then(line)).collect()
}

fn units(command: &str, domain: &Domain) -> String {
    let name = format!("mcp-tunnel-renew-{}", domain.first_label());
    let exec = format!("/bin/sh -c {}", systemd_word(command));
    format!(
        "mkdir -p ~/.config/systemd/user && cd ~/.config/systemd/user && printf '%s\\n' '[Unit]' {d} '[Service]' 'Type=oneshot' {e} > {name}.service && printf '%s\\n' '[Unit]' {d} '[Timer]' 'OnCalendar=daily' 'RandomizedDelaySec=1h' 'Persistent=true' '[Install]' 'WantedBy=timers.target' > {name}.timer && systemctl --user daemon-reload && systemctl --user enable --now {name}.timer",
        d = quote(format!("Description=Renew the certificate of {domain}").as_ref()),
        e = quote(format!("ExecStart={exec}").as_ref()),
    )
}

fn cron(command: &str, caller: &Caller) -> String {
    // cron ends a command at `%`; it mails what is printed, so only a failure prints.
    let escaped = |text: &str| text.replace('%', "\\%");
    let line = escaped(&format!("17 4 * * * out=$({command}) || echo \"$out\""));
    // The end of the line, which is the same for every launcher that renews this directory.
    let same = escaped(&format!(" {}) || echo \"$out\"", caller.words(&["certs", "renew"])));
    format!(
        "(crontab -l 2>/dev/null | grep -vF -e {}; printf '%s\\n' {}) | crontab -",
        quote(same.as_ref()),
        quote(line.as_ref())
    )
}

/// A word of a unit file: `%` and `$` are special there, even inside quotes.
fn systemd_word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}
