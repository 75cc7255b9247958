//! Passwords in the flags of programs whose names say nothing: `curl -u user:X`, `mysql -pX`, `redis-cli -a X`.

use super::ends::{is_gone, word};
use super::letters::{QUOTES, closed, near, words};
use super::text::Range;
use super::values::is_reference;
use crate::list::list;

/// What of a flag's value is the password.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    All,
    /// All, where the value follows the flag directly: a separate word is something else.
    Joined,
    Behind(char),
}

use Part::{All, Behind, Joined};

/// Programs, and their flags: of one letter, or of a word.
const PROGRAMS: &[(&[&str], &[&str], Part)] = &[
    (&["curl"], &["-u", "-U", "--user", "--proxy-user"], Behind(':')),
    (&["curl"], &["-b"], Behind('=')),
    (&["http", "https", "xh"], &["-a", "--auth"], Behind(':')),
    (&["redis-cli", "valkey-cli", "keydb-cli"], &["-a"], All),
    (&["sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "cqlsh"], &["-p"], All),
    // `docker login`, `helm registry login`.
    (&["login"], &["-p"], All),
    (&["smbclient", "rpcclient", "net"], &["-U"], Behind('%')),
    (&["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami"], &["-w"], All),
    (&["mosquitto_pub", "mosquitto_sub", "zip", "unzip"], &["-P"], All),
    (&["sqlcmd", "bcp", "ipmitool"], &["-P"], All),
    (&["psexec", "twine", "rabbitmqadmin"], &["-p"], All),
    // Of macOS.
    (&["security", "unlock-keychain", "create-keychain"], &["-p", "-w"], All),
    (&["dotnet", "nuget"], &["-k"], All),
    (&["schtasks", "SCHTASKS"], &["/rp", "/RP"], All),
    (&["snmpwalk", "snmpget", "snmpset", "snmpbulkwalk"], &["-c", "-A", "-X"], All),
    (&["etcdctl"], &["--user"], Behind(':')),
    (&["check_http"], &["-a"], Behind(':')),
    (&["lftp"], &["-u"], Behind(',')),
    (&["doctl", "glab"], &["-t"], All),
    (&["xfreerdp", "rdesktop"], &["/p:", "-p"], All),
    (&["vault"], &["value="], All),
    (&["ssh-keygen"], &["-N", "-P"], All),
    (&["openssl"], &["-k", "-K", "-pass", "-passin", "-passout", "-hmac", "-iv"], All),
    // `az keyvault secret set`, `gh secret set`, `aws ssm put-parameter`.
    (&["secret", "put-parameter"], &["--value", "--body"], All),
    (&MYSQL, &["-p"], Joined),
    (&["7z", "7za", "rar", "unrar"], &["-p"], Joined),
];
const MYSQL: [&str; 9] =
    list("mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlsh mariadb mariadb-dump mariadb-admin");

/// The passwords.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut of, mut part) = (None, None);
    for (start, end) in words(text, 0, |_| false) {
        let said = &text[start..end];
        // The separators of a list.
        if said.bytes().all(|b| matches!(b, b',' | b'[' | b']' | b'(' | b')')) {
            continue;
        }
        if let Some(part) = part.take()
            && !said.starts_with("--")
        {
            ranges.extend(value(text, start, part));
            continue;
        }
        let program = said.rsplit_once('/').map_or(said, |(_, name)| name);
        if PROGRAMS.iter().any(|(names, ..)| names.contains(&program)) {
            of = Some(program);
        } else if matches!(said, "|" | "||" | "&&" | ";") || text[..start].ends_with('\n') {
            of = None;
        }
        let Some(program) = of else { continue };
        let known = PROGRAMS.iter().filter(|(names, ..)| names.contains(&program));
        for (flag, of) in known.flat_map(|(_, flags, of)| flags.iter().map(move |flag| (*flag, *of))) {
            let is_last = flag.len() == 2
                && (3..6).contains(&said.len())
                && said.starts_with('-')
                && said[1..].bytes().all(|b| b.is_ascii_alphabetic())
                && said.ends_with(&flag[1..]);
            match said.strip_prefix(flag) {
                Some("") if of != Joined => part = Some(of),
                Some(rest)
                    if !rest.is_empty() && (flag.len() == 2 || flag.ends_with([':', '=']) || rest.starts_with('=')) =>
                {
                    ranges.extend(value(text, end - rest.trim_start_matches('=').len(), of));
                }
                _ if is_last && of != Joined => part = Some(of),
                _ => {}
            }
        }
    }
    ranges
}

/// The password in a flag's value.
fn value(text: &str, start: usize, part: Part) -> Option<Range> {
    let found = &text[start..];
    let opening = &text[..start];
    let opening = &opening[opening.trim_end_matches(QUOTES).len()..];
    let length = if opening.ends_with(['"', '\'']) { closed(found, opening) } else { near(found, word) };
    let from = match part {
        All | Joined => 0,
        Behind(sign) => found[..length].find(sign)? + 1,
    };
    let rest = &found[from..];
    let is_place = ["file:", "env:", "fd:"].iter().any(|place| found.starts_with(place));
    (from < length && !is_gone(rest) && !is_place && !is_reference(&found[from..length]))
        .then_some((start + from, start + length))
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_password_behind_a_flag_goes() {
        hides(&[
            "+ curl -u admin:s3cr3t http://x/",
            "+ curl -uadmin:s3cr3t http://x/",
            "curl -fsSu admin:s3cr3t http://x/",
            "curl -s --user 'admin:s3cr3t' http://x/",
            "curl --user=admin:s3cr3t http://x/",
            "curl --proxy-user u:s3cr3t http://x",
            "[\"CMD\", \"curl\", \"-u\", \"a:s3cr3t\", \"http://x\"]",
            "mysql -uroot -ps3cr3t db",
            "/usr/bin/mysqladmin ping -h x '-ps3cr3t'",
            "redis-cli -a s3cr3t ping",
            "sh -c \"redis-cli -a 's3cr3t x' ping\"",
            "sshpass -p s3cr3t ssh u@h",
            "docker login -u u -p s3cr3t registry",
            "smbclient //h/s -U user%s3cr3t",
            "ssh-keygen -t ed25519 -N 'a s3cr3t' -f x",
            "openssl rsa -passin pass:s3cr3t -in x",
            "unzip -P s3cr3t x.zip",
            "7z x -ps3cr3t x.7z",
            "curl -b 'sid=s3cr3t' http://x",
            "http -a u:s3cr3t http://x",
            "az keyvault secret set --vault-name v --name n --value s3cr3t",
        ]);
        keeps(&[
            "docker run -p 80:80 --user 1000:1000 x",
            "mysql -p db",
            "mysql -p",
            "curl -u $USER:$PASS http://x",
            "curl -b cookies2.txt http://x",
            "openssl rsa -passin file:/run/secrets/x2 -in x",
        ]);
    }
}
