//! Secrets among the arguments of calls, as traces and statements of SQL show them.

use super::letters::{LONGEST, closed, opening};
use super::said::is_made;
use super::text::{REDACTED, Range, tail};
use super::words::is_secret;

/// Arguments that are read of a call.
const MOST: usize = 40;
/// Which argument is the password, and of which calls.
const CALLS: &[(usize, &str)] = &[
    (0, "password_verify( PASSWORD("),
    (
        1,
        "login( authenticate( auth=( BasicAuth( basic_auth( PasswordAuthentication( credentials=( .auth( \
         jwt.sign( jwt.verify( jwt.encode( jwt.decode( pgp_sym_encrypt( pgp_sym_decrypt( simple_bind( \
         simple_bind_s( auth.basic(",
    ),
    (
        2,
        "PDO->__construct( PDO( mysqli->__construct( mysqli( mysqli_connect( real_connect( ldap_bind( \
         imap_open( ftp_login(",
    ),
];
/// Calls that connect, of which any argument may be the password.
const CONNECTS: [&str; 5] = ["connect(", "Connect(", "getConnection(", "SMTP.start(", "pconnect("];

/// The passwords.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    if !text.contains('(') {
        return Vec::new();
    }
    let found = CALLS.iter().flat_map(|(place, calls)| {
        let begins = calls.split(' ').flat_map(|call| text.match_indices(call));
        begins.filter_map(|(at, call)| arguments(text, at + call.len()).nth(*place))
    });
    let found = found.filter(|(start, end)| start < end && &text[*start..*end] != REDACTED);
    found.chain(connected(text)).chain(inserted(text)).collect()
}

/// What is no word among the arguments of a call that connects: `connect('mysql:host=x', 'root', 'X')`. With two of them
/// they are a host and a port.
fn connected(text: &str) -> Vec<Range> {
    let found = CONNECTS.iter().flat_map(|call| text.match_indices(call));
    let made = found.flat_map(|(at, call)| {
        let all = arguments(text, at + call.len()).take(6).collect::<Vec<_>>();
        let least = if all.len() > 2 { 1 } else { all.len() };
        let is_quoted = |start: &usize| text[..*start].ends_with(['"', '\'']);
        all.into_iter().skip(least).filter(move |(start, end)| is_quoted(start) && is_made(&text[*start..*end], false))
    });
    made.collect()
}

/// The arguments in quotes that begin at a place, and numbers between them.
fn arguments(text: &str, mut at: usize) -> impl Iterator<Item = Range> {
    std::iter::from_fn(move || {
        let value = text.get(at..)?.trim_start();
        let quote = opening(value);
        let start = text.len() - value.len() + quote.len();
        let value = &text[start..];
        // `jwt.sign({id: 1, name: 'u'}, 'X')`.
        let inside = value.find('}').filter(|_| value.starts_with('{')).unwrap_or_default();
        let length = if quote.is_empty() {
            inside + value[inside..].find([',', ')', '(', '\'', '"'])?
        } else {
            closed(value, quote)
        };
        let next = value.get(length + quote.len()..)?.trim_start().strip_prefix(',');
        at = next.map_or(text.len() + 1, |next| text.len() - next.len());
        Some((start, start + length))
    })
    .take(MOST)
}

/// The values of a statement of SQL whose columns are those of secrets: `(name, password) VALUES ('a', 'X')`.
fn inserted(text: &str) -> Vec<Range> {
    let found = text
        .match_indices(['v', 'V'])
        .filter(|(at, _)| text[*at..].get(..6).is_some_and(|word| word.eq_ignore_ascii_case("values")));
    let values = found.filter_map(|(at, _)| {
        let front = text[..at].trim_end().strip_suffix(')')?;
        let front = tail(front, LONGEST);
        let names = &front[front.rfind('(')? + 1..];
        let values = text[at + 6..].trim_start().strip_prefix('(')?;
        let secret = |name: &str| is_secret(name.trim().trim_matches(['`', '"', '[', ']']));
        let values = arguments(text, text.len() - values.len()).zip(names.split(','));
        Some(
            values
                .filter(move |((start, end), name)| start < end && secret(name))
                .map(|(value, _)| value)
                .collect::<Vec<_>>(),
        )
    });
    values.flatten().filter(|(start, end)| &text[*start..*end] != REDACTED).collect()
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_password_among_arguments_goes() {
        hides(&[
            "#0 /app/db.php(12): PDO->__construct('mysql:host=x', 'root', 's3cr3t')",
            "mysqli_connect('db', 'app', 's3cr3t', 'x')",
            "login('bob', 's3cr3t') failed",
            "requests.get(url, auth=('u', 's3cr3t'))",
            "INSERT INTO users (name, password) VALUES ('bob', 's3cr3t')",
            "connect('mysql:dbname=a', 'root', 'as3cr3t1')",
            "psycopg2.connect(\"h\", \"app\", \"as3cr3t1\", \"d\")",
            "DriverManager.getConnection(\"jdbc:mysql://h/d\", \"root\", \"as3cr3t1\")",
            "ssh.connect('h', 22, 'root', 'as3cr3t1')",
            "cx_Oracle.connect(\"scott\", \"as3cr3t1\", \"db/orcl\")",
            "conn.simple_bind_s('cn=a,dc=x', 'as3cr3t1')",
        ]);
        keeps(&[
            "login('bob2') returned 401",
            "INSERT INTO users (name, created) VALUES ('bob', 'today1')",
            "connect('db2prod', 5432) timed out",
            "connect('db', 5432, 'app-db-2')",
            "DBI connect('dbname=app;host=db','app',...) failed: FATAL",
            "java.sql.DriverManager.getConnection(DriverManager.java:683)",
        ]);
    }
}
