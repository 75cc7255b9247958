//! Secrets that only their place tells: operands of commands and of protocols, and what is piped to a program.

use super::ends::{is_gone, word};
use super::letters::{LONGEST, QUOTES, closed, is_blank, near, opening, words};
use super::said::is_made;
use super::sentences::is_sentence;
use super::text::{Range, behind_last, head};
use super::values::is_reference;
use crate::list::list;

/// Words that are read of a command.
const MOST: usize = 40;
/// Mechanisms of SASL behind which a credential stands.
const MECHANISMS: [&str; 12] = list(
    "PLAIN LOGIN XOAUTH2 OAUTHBEARER CRAM-MD5 DIGEST-MD5 NTLM GSSAPI EXTERNAL SCRAM-SHA-1 SCRAM-SHA-256 \
     SCRAM-SHA-512",
);
/// Commands that read a secret from their standard input.
const READERS: [&str; 12] = [
    "saslpasswd2 -p",
    "--password-stdin",
    "--with-token",
    "--passphrase-fd 0",
    "--data-file=-",
    "--secret-stdin",
    "chpasswd",
    "sudo -S",
    "secret create",
    "passwd --stdin",
    "vault login -",
    "cryptsetup",
];
/// Words of a command, which operand behind them is the secret, and whether any word is one: others may be prose.
const OPERANDS: &[(&[&str], usize, bool)] = &[
    (&["add_user"], 1, true),
    (&["change_password"], 1, true),
    (&["ConvertTo-SecureString"], 0, true),
    (&["convertto-securestring"], 0, true),
    (&["user-secrets", "set"], 1, true),
    (&["wpa_passphrase"], 1, false),
    (&["cargo", "login"], 0, false),
    (&["vault", "login"], 0, false),
    (&["bw", "unlock"], 0, false),
    (&["rclone", "obscure"], 0, false),
    (&["alias", "set"], 3, false),
    (&["service", "install"], 0, false),
    (&["operator", "unseal"], 0, true),
    (&["openssl", "passwd"], 0, true),
    (&["mosquitto_passwd"], 2, false),
    (&["etcdctl", "user", "add"], 0, false),
    (&["addauth", "digest"], 0, false),
    (&["sentinel", "auth-pass"], 1, true),
    (&["chap-secrets"], 2, false),
    (&["pap-secrets"], 2, false),
    (&["snmp-server", "community"], 0, true),
    (&["tacacs-server", "key"], 0, false),
    (&["tacacs-server", "key"], 1, false),
    (&["radius-server", "key"], 0, false),
    (&["radius-server", "key"], 1, false),
    // What Postfix and exim log of a login, and who binds to a directory.
    (&["init", "response"], 0, false),
    (&["initial", "response"], 0, false),
    (&["initial", "reply:"], 0, false),
    (&["client_send"], 3, false),
    (&["client_send"], 4, false),
    (&["simple", "bind"], 2, false),
    (&["EAP"], 0, false),
];
/// The secrets.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = sent(text);
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let end = from + line.len();
        ranges.extend(piped(&text[..end], from));
        ranges.extend(operands(&text[..end], from));
        from = end;
    }
    ranges
}

/// What is sent to Redis to log in, as it is shown: `AUTH\\r\\n$6\\r\\nX\\r\\n`.
fn sent(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (at, command) in text.match_indices("AUTH\\r\\n") {
        let mut at = at + command.len();
        for _ in 0..2 {
            let length =
                text[at..].strip_prefix('$').and_then(|rest| rest.find("\\r\\n")).filter(|length| *length <= 6);
            let Some(start) = length.map(|length| at + 1 + length + 4) else { break };
            let read = head(&text[start..], LONGEST);
            let end = start + read.find("\\r\\n").unwrap_or(read.len());
            ranges.push((start, end));
            at = (end + 4).min(start + read.len());
        }
    }
    ranges
}

/// Whether a word is how a client authenticates.
pub(super) fn is_mechanism(word: &str) -> bool {
    MECHANISMS.contains(&word)
}

/// Whether a command line reads a secret from what is piped to it.
pub(super) fn reads_secret(line: &str) -> bool {
    READERS.iter().any(|reader| line.contains(reader))
}

/// What `echo` and `printf` say in front of a pipe, and what stands behind `<<<`.
fn piped(text: &str, from: usize) -> Vec<Range> {
    let line = &text[from..];
    let Some(reader) = READERS.iter().find_map(|reader| line.find(reader)) else { return Vec::new() };
    let mut ranges = Vec::new();
    if let Some(at) = line.find("<<<") {
        let blanks = line[at + 3..].len() - line[at + 3..].trim_start_matches(is_blank).len();
        ranges.extend(one(text, from + at + 3 + blanks));
    }
    if let Some(pipe) = line[..reader].rfind('|') {
        let said = line[..pipe].trim_end();
        let echo = ["echo ", "printf "].iter().filter_map(|name| said.rfind(name).map(|at| at + name.len())).max();
        let start = echo.and_then(|echo| {
            let value = said.trim_end_matches(QUOTES);
            let quote = said[value.len()..].chars().next();
            let word = behind_last(value, |c| quote.map_or_else(|| is_blank(c), |quote| c == quote));
            Some(value.len() - word.len()).filter(|at| *at >= echo)
        });
        ranges.extend(start.and_then(|start| one(&text[..from + said.len()], from + start)));
    }
    ranges
}

/// Operands of one line.
fn operands(text: &str, from: usize) -> Vec<Range> {
    // Cheap, and hardly ever there.
    const WORDS: [&str; 12] = [
        "htpasswd",
        "LOGIN",
        "AUTH",
        "SETUSER",
        "user ",
        "CLIENT_RANDOM",
        "TRAFFIC_SECRET",
        "net ",
        "http-basic.",
        "secrets",
        "config:set",
        "--from-literal",
    ];
    let mut known = OPERANDS.iter().map(|(words, ..)| words[0]).chain(WORDS);
    if !known.any(|word| text[from..].contains(word)) {
        return Vec::new();
    }
    let line = Line { text, words: words(text, from, |c| matches!(c, ')' | '(')).collect() };
    (0..line.words.len()).flat_map(|at| [line.tabled(at), line.asked(at), line.commanded(at)].concat()).collect()
}

/// A line, word by word.
struct Line<'a> {
    text: &'a str,
    words: Vec<Range>,
}

impl Line<'_> {
    fn said(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |(start, end)| &self.text[*start..*end])
    }

    /// The places of the operands from a place on, up to the end of the command.
    fn plain(&self, at: usize) -> impl Iterator<Item = usize> {
        let is_end = |at: &usize| matches!(self.said(*at), "" | "|" | "||" | "&&" | ";");
        (at..self.words.len())
            .take(MOST)
            .take_while(move |at| !is_end(at))
            .filter(|at| !self.said(*at).starts_with('-'))
    }

    fn is_quoted(&self, at: usize) -> bool {
        self.text[..self.words[at].0].ends_with('"')
    }

    fn values(&self, places: impl IntoIterator<Item = usize>) -> Vec<Range> {
        places.into_iter().filter_map(|at| one(self.text, self.words[at].0)).collect()
    }

    /// Behind the commands of the table.
    fn tabled(&self, at: usize) -> Vec<Range> {
        let found = OPERANDS.iter().filter_map(|(command, place, any)| {
            let is_command = command.iter().enumerate().all(|(next, word)| self.said(at + next) == *word);
            let operand = is_command.then(|| self.plain(at + command.len()).nth(*place)).flatten()?;
            (*any || is_made(self.said(operand), true)).then_some(operand)
        });
        self.values(found)
    }

    /// Behind commands of protocols.
    fn asked(&self, at: usize) -> Vec<Range> {
        match self.said(at) {
            "LOGIN" if at > 0 && is_tag(self.said(at - 1)) => self.values(self.plain(at + 1).nth(1)),
            "AUTH" if self.is_quoted(at) => {
                self.values(self.plain(at + 1).take(3).take_while(|at| self.is_quoted(*at)))
            }
            "AUTH" | "AUTHENTICATE" if is_mechanism(self.said(at + 1)) => {
                let is_encoded =
                    |word: &str| word.len() >= 4 && word.bytes().any(|b| b.is_ascii_lowercase() || b == b'=');
                self.values(self.plain(at + 2).next().filter(|at| is_encoded(self.said(*at))))
            }
            "SETUSER" | "user" if self.said(at) == "SETUSER" || matches!(self.said(at + 2), "on" | "off") => {
                self.values(self.plain(at + 2).filter(|at| self.said(*at).starts_with(['>', '<', '#'])))
            }
            _ => Vec::new(),
        }
    }

    /// Behind commands whose operands have a form of their own.
    fn commanded(&self, at: usize) -> Vec<Range> {
        let assigned =
            |from: usize| self.plain(from).filter_map(|at| assigned(self.said(at), self.words[at].1)).collect();
        match self.said(at) {
            "htpasswd" => {
                let flags = (at + 1..self.words.len())
                    .take(MOST)
                    .map(|at| self.said(at))
                    .take_while(|word| word.starts_with('-'));
                let flags: String = flags.collect();
                // Without a file the user comes first.
                let place = if flags.contains('n') { 1 } else { 2 };
                self.values(self.plain(at + 1).nth(place).filter(|_| flags.contains('b')))
            }
            "net" if matches!(self.said(at + 1), "use" | "user") => {
                let is_operand = |at: &usize| {
                    let word = self.said(*at);
                    let is_share = self.text[..self.words[*at].0].ends_with('\\') || word.ends_with(':');
                    !(is_share || word.starts_with('/') || word == "*")
                };
                let place = usize::from(self.said(at + 1) == "user");
                let has_option = (at..self.words.len()).take(MOST).any(|at| self.said(at).starts_with('/'));
                self.values(self.plain(at + 2).filter(is_operand).nth(place).filter(|_| has_option))
            }
            "config:set" => assigned(at + 1),
            "secrets" if self.said(at + 1) == "set" => assigned(at + 2),
            // Key logs of TLS (RFC 9850).
            name if name == "CLIENT_RANDOM" || name.contains("TRAFFIC_SECRET") => {
                self.values(self.plain(at + 1).take(2).filter(|at| is_made(self.said(*at), true)))
            }
            name if name.starts_with("http-basic.") => self.values(self.plain(at + 1).nth(1)),
            name => {
                let literal = name.strip_prefix("--from-literal=");
                literal.and_then(|literal| self::assigned(literal, self.words[at].1)).into_iter().collect()
            }
        }
    }
}

/// The value in `NAME=VALUE` that ends at a place.
fn assigned(word: &str, end: usize) -> Option<Range> {
    let (_, value) = word.split_once('=')?;
    let stays = value.is_empty() || is_gone(value) || is_reference(value);
    (!stays).then_some((end - value.len(), end))
}

/// Whether a word is the tag of a command of IMAP: `a1`, `A001`.
fn is_tag(word: &str) -> bool {
    word.len() <= 8
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.ends_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The value at a place, up to the quote in front of it, or the next blank.
fn one(text: &str, start: usize) -> Option<Range> {
    let quote = opening(&text[start..]);
    let start = start + quote.len();
    let front = &text[..start];
    let quote = &front[front.trim_end_matches(QUOTES).len()..];
    let value = &text[start..];
    let length = if quote.ends_with(['"', '\'']) { closed(value, quote) } else { near(value, word) };
    let found = &value[..length];
    let stays = found.is_empty() || is_gone(value) || is_reference(found) || is_sentence(found);
    (!stays).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn what_only_its_place_tells_goes() {
        hides(&[
            "htpasswd -b .htpasswd u s3cr3t dial tcp 10.0.0.1:80: refused",
            "htpasswd -nb u s3cr3t",
            "rabbitmqctl add_user u s3cr3t",
            "a1 LOGIN user s3cr3t",
            "A001 LOGIN \"user\" \"a s3cr3t\"",
            ">>> AUTH PLAIN YWs3cr3t",
            "C: AUTH CRAM-MD5 YWs3cr3t=",
            "1732600000.1 [0 127.0.0.1:5] \"AUTH\" \"default\" \"s3cr3t\"",
            "ACL SETUSER u on >s3cr3t ~*",
            "net user bob s3cr3t /add",
            "net use Z: \\\\h\\s s3cr3t /user:u",
            "ConvertTo-SecureString \"s3cr3t\" -AsPlainText -Force",
            "ConvertTo-SecureString -String 's3cr3t' -AsPlainText",
            "echo s3cr3t | docker login -u u --password-stdin",
            "printf '%s' 'a s3cr3t' | vault login -",
            "echo \"root:s3cr3t\" | chpasswd",
            "gh auth login --with-token <<< s3cr3t",
            "*2\\r\\n$4\\r\\nAUTH\\r\\n$6\\r\\ns3cr3t\\r\\n",
            "smtpd_sasl_auth_client: init response YWs3cr3t1 x",
            "exim: client_send = : bob : as3cr3t1",
            "ldap: simple bind cn=admin,dc=x with as3cr3t1",
            "cargo login s3cr3t",
            "fly secrets set FOO=s3cr3t",
            "kubectl create secret generic db --from-literal=url=s3cr3t",
        ]);
        keeps(&[
            "250-AUTH LOGIN PLAIN CRAM-MD5",
            "LOGIN failed for user2",
            "echo done2 | tee x",
            "vault login failed with status2",
            "net use failed 0x80070035",
            "500 Error: command \"AUTH\" not recognized",
            "docker login -u bob2 --password-stdin",
        ]);
    }
}
