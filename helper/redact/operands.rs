//! Secrets that only their place tells: operands of commands and of protocols, what is piped to a program, arguments of
//! calls.

use super::ends::{is_gone, word};
use super::letters::{QUOTES, closed, is_blank, near, opening};
use super::said::is_sentence;
use super::text::{REDACTED, Range};
use super::values::is_reference;

/// Mechanisms of SASL behind which a credential stands.
const MECHANISMS: [&str; 12] = [
    "PLAIN",
    "LOGIN",
    "XOAUTH2",
    "OAUTHBEARER",
    "CRAM-MD5",
    "DIGEST-MD5",
    "NTLM",
    "GSSAPI",
    "EXTERNAL",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
];
/// Commands that read a secret from their standard input.
const READERS: [&str; 11] = [
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
/// Calls, and which of their arguments is the password.
const CALLS: [(&str, usize); 12] = [
    ("PDO->__construct(", 2),
    ("PDO(", 2),
    ("mysqli->__construct(", 2),
    ("mysqli(", 2),
    ("mysqli_connect(", 2),
    ("real_connect(", 2),
    ("ldap_bind(", 2),
    ("imap_open(", 2),
    ("ftp_login(", 2),
    ("login(", 1),
    ("authenticate(", 1),
    ("password_verify(", 0),
];

/// The secrets.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = calls(text);
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let end = from + line.len();
        ranges.extend(piped(&text[..end], from));
        ranges.extend(operands(&text[..end], from));
        from = end;
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
            let begins = quote.map_or_else(|| value.rfind(is_blank), |quote| value.rfind(quote));
            begins.map(|at| at + 1).filter(|at| *at >= echo)
        });
        ranges.extend(start.and_then(|start| one(&text[..from + said.len()], from + start)));
    }
    ranges
}

/// Operands of one line.
fn operands(text: &str, from: usize) -> Vec<Range> {
    // Cheap, and hardly ever there.
    const WORDS: [&str; 8] =
        ["htpasswd", "add_user", "change_password", "LOGIN", "AUTH", "SETUSER", "net ", "ConvertTo-SecureString"];
    if !WORDS.iter().any(|word| text[from..].contains(word)) {
        return Vec::new();
    }
    let words: Vec<Range> = words(text, from).collect();
    let said = |at: usize| words.get(at).map_or("", |(start, end)| &text[*start..*end]);
    let is_end = |at: usize| matches!(said(at), "" | "|" | "||" | "&&" | ";");
    let plain = |at: usize| (at..words.len()).take_while(|at| !is_end(*at)).filter(|at| !said(*at).starts_with('-'));
    let mut ranges = Vec::new();
    let mut take = |at: Option<usize>| ranges.extend(at.and_then(|at| one(text, words[at].0)));
    for at in 0..words.len() {
        let quoted = text[..words[at].0].ends_with('"');
        match said(at) {
            "htpasswd" => {
                let is_batch = (at..words.len()).any(|at| said(at).starts_with('-') && said(at).contains('b'));
                take(plain(at + 1).last().filter(|_| is_batch && plain(at + 1).count() >= 2));
            }
            "add_user" | "change_password" => take(plain(at + 1).nth(1)),
            "LOGIN" if at > 0 && is_tag(said(at - 1)) => take(plain(at + 1).nth(1)),
            "AUTH" if quoted => plain(at + 1).for_each(|at| take(Some(at))),
            "AUTH" | "AUTHENTICATE" if is_mechanism(said(at + 1)) => {
                let is_encoded =
                    |at: &usize| said(*at).len() >= 4 && said(*at).bytes().any(|b| b.is_ascii_lowercase() || b == b'=');
                take(plain(at + 2).next().filter(is_encoded));
            }
            "SETUSER" => {
                plain(at + 2).filter(|at| said(*at).starts_with(['>', '<', '#'])).for_each(|at| take(Some(at)))
            }
            "net" if matches!(said(at + 1), "use" | "user") => {
                let is_operand = |at: &usize| {
                    let front = &text[..words[*at].0];
                    !(front.ends_with('\\')
                        || said(*at).starts_with('/')
                        || said(*at).ends_with(':')
                        || said(*at) == "*")
                };
                let place = usize::from(said(at + 1) == "user");
                let has_option = (at..words.len()).any(|at| said(at).starts_with('/'));
                take(plain(at + 2).filter(is_operand).nth(place).filter(|_| has_option));
            }
            name if name.eq_ignore_ascii_case("ConvertTo-SecureString") => take(plain(at + 1).next()),
            _ => {}
        }
    }
    ranges
}

/// Whether a word is the tag of a command of IMAP: `a1`, `A001`.
fn is_tag(word: &str) -> bool {
    word.len() <= 8
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.ends_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The words of a line. Quotes are none.
fn words(text: &str, from: usize) -> impl Iterator<Item = Range> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ')' | '(');
    let mut at = from;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(|c| !is_end(c))?;
        let end = text[start..].find(is_end).map_or(text.len(), |length| start + length);
        at = end;
        Some((start, end))
    })
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

/// Arguments of calls, as they are shown in a trace.
fn calls(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    if !text.contains('(') {
        return ranges;
    }
    for (call, place) in CALLS {
        for (at, _) in text.match_indices(call) {
            let mut rest = &text[at + call.len()..];
            for argument in 0..=place {
                let value = rest.trim_start();
                let quote = opening(value);
                let value = &value[quote.len()..];
                let length = closed(value, quote);
                if quote.is_empty() {
                    break;
                }
                let start = text.len() - value.len();
                if argument == place && length > 0 && &value[..length] != REDACTED {
                    ranges.push((start, start + length));
                }
                let Some(next) = value.get(length + quote.len()..).and_then(|rest| rest.trim_start().strip_prefix(','))
                else {
                    break;
                };
                rest = next;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;

    #[test]
    fn what_only_its_place_tells_goes() {
        for said in [
            "htpasswd -b .htpasswd u s3cr3t",
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
            "#0 /app/db.php(12): PDO->__construct('mysql:host=x', 'root', 's3cr3t')",
            "mysqli_connect('db', 'app', 's3cr3t', 'x')",
            "login('bob', 's3cr3t') failed",
        ] {
            let shown = evidence(said);
            assert!(!shown.contains("s3cr3t"), "{said}: {shown}");
            assert_eq!(evidence(&shown), shown);
        }
        for said in [
            "250-AUTH LOGIN PLAIN CRAM-MD5",
            "LOGIN failed for user2",
            "login('bob2') returned 401",
            "echo done2 | tee x",
            "net use failed 0x80070035",
            "docker login -u bob2 --password-stdin",
        ] {
            assert_eq!(evidence(said), said);
        }
    }
}
