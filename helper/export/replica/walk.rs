//! The files of a deployment directory, each with what speaks against handing it on.

use std::borrow::Cow;

use crate::answer::Error;
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::{Deployment, Token, path, scaffold, token};
use crate::export::parts::LeftOut;
use crate::os::archive::{Entry, LARGEST, LARGEST_FILE, MOST_FILES};
use crate::os::files;

/// Folders inside folders.
const DEEPEST: usize = 12;
/// Names of one folder that are looked at.
const MOST_NAMES: usize = 5000;
/// Hidden files that belong to a deployment; with `.env` those that services take variables from.
const KNOWN_HIDDEN: [&str; 3] = [path::ENV, path::GITIGNORE, ".dockerignore"];
/// Endings of files that hold keys in a form that is not looked into.
const KEY_STORES: [&str; 6] = [".key", ".p12", ".pfx", ".jks", ".kdbx", ".der"];

/// What goes along and what does not.
#[derive(Default)]
pub(super) struct Walk {
    /// The files, sorted by name, `.gitignore` first: git never sees what it keeps out.
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<LeftOut>,
    /// Files without which nothing would start, and which hold the token.
    pub(super) with_token: Vec<String>,
    /// More files, or more bytes, than a bundle holds.
    pub(super) is_too_much: bool,
    /// The text in the token's place.
    token: Option<String>,
}

/// Reads the directory. `server_key` is the only private key that goes along; without `needed` nothing starts.
pub(super) fn walk(deployment: &Deployment, server_key: &str, needed: &[String]) -> Walk {
    let env = scaffold::read_env(deployment).ok().flatten();
    let token = env.and_then(|env| env.get(env_file::TOKEN)).filter(|token| token.len() > 15);
    let mut walk = Walk { token: token.filter(|token| token != token::PLACEHOLDER), ..Walk::default() };
    let mut open = vec![(String::new(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for name in names(deployment, &folder) {
            let inside = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let meta = files::metadata(deployment, &inside).ok().flatten();
            let is_dir = meta.is_some_and(|meta| meta.is_dir());
            if is_passed_over(&name, &inside) {
                continue;
            }
            if name.starts_with('.') && !is_known_hidden(&name) {
                walk.left_out.push(LeftOut::new(&inside, "a hidden file or folder"));
            } else if is_dir && depth < DEEPEST {
                open.push((inside, depth + 1));
            } else if is_dir {
                walk.left_out.push(LeftOut::new(&inside, "it is too deep inside"));
            } else {
                let mode = meta.map_or(0, |meta| meta.mode());
                walk.take(deployment, inside, mode, server_key, needed);
            }
            if walk.is_too_much {
                return walk;
            }
        }
    }
    walk.entries.sort_by(|a, b| (a.name != path::GITIGNORE, &a.name).cmp(&(b.name != path::GITIGNORE, &b.name)));
    walk.left_out.sort_by(|a, b| a.what.cmp(&b.what));
    walk
}

fn names(deployment: &Deployment, folder: &str) -> Vec<String> {
    files::names(deployment, folder, MOST_NAMES).unwrap_or_default()
}

/// What is not part of a deployment, or is named once for all.
fn is_passed_over(name: &str, inside: &str) -> bool {
    // During a CA change, the CA is where the keys are.
    let own = [path::CA_KEY, path::CA_NEXT_CRT, path::CA_OLD_CRT, path::SETUP_TOKEN, path::REPLICA];
    matches!(name, ".git" | ".DS_Store") || own.contains(&inside) || name.starts_with('.') && name.ends_with(".tmp")
}

/// Whether a hidden file belongs to a deployment.
pub(super) fn is_known_hidden(name: &str) -> bool {
    KNOWN_HIDDEN.contains(&name) || name.starts_with(".env.")
}

impl Walk {
    fn take(&mut self, deployment: &Deployment, inside: String, mode: u32, server_key: &str, needed: &[String]) {
        let bytes = match read(deployment, &inside, server_key) {
            Ok(bytes) => bytes,
            Err(why) => return self.left_out.push(LeftOut::new(&inside, why)),
        };
        let bytes = match without_token(&inside, bytes, self.token.as_deref()) {
            Some(bytes) => bytes,
            None if needed.contains(&inside) => return self.with_token.push(inside),
            None => return self.left_out.push(LeftOut::new(&inside, "it contains the token")),
        };
        self.entries.push(Entry { name: inside, mode: super::plain_mode(mode), bytes });
        let total: usize = self.entries.iter().map(|entry| entry.bytes.len() + 1024).sum();
        // Room for what describes the bundle.
        self.is_too_much = self.entries.len() + 1 >= MOST_FILES || total > LARGEST - (1 << 20);
    }
}

/// # Errors
/// Why a file stays behind.
fn read(deployment: &Deployment, inside: &str, server_key: &str) -> Result<Vec<u8>, String> {
    if inside.chars().any(|c| c.is_control() || matches!(c, '\\' | '\u{fffd}')) {
        return Err("its name has characters that no path of a bundle has".into());
    }
    let meta = match files::metadata(deployment, inside) {
        Ok(Some(meta)) => meta,
        Err(Error::Unexpected { .. }) => return Err("a symbolic link".into()),
        Ok(None) | Err(_) => return Err("it cannot be looked at".into()),
    };
    if !meta.is_file() {
        return Err("neither a file nor a folder".into());
    }
    if meta.len() > LARGEST_FILE as u64 {
        return Err(format!("it is larger than {} MiB", LARGEST_FILE >> 20));
    }
    let is_copy = |name: &str| name.contains(".bak-");
    if inside.split('/').any(is_copy) {
        return Err("an older version that was kept aside".into());
    }
    let bytes = files::read(deployment, inside).ok().flatten().ok_or("it cannot be read")?;
    if inside == server_key {
        return Ok(bytes);
    }
    // The CA's key under any name and in any form; UTF-16 of ASCII, too.
    let text = String::from_utf8_lossy(&bytes).replace('\0', "");
    let name = inside.to_lowercase();
    if text.contains("PRIVATE KEY-----") || KEY_STORES.iter().any(|ending| name.ends_with(ending)) {
        return Err("it is or contains a private key".into());
    }
    let in_data = inside.strip_prefix(path::DATA).is_some_and(|rest| rest.starts_with('/'));
    if in_data && !text.contains("-----BEGIN CERTIFICATE-----") && !is_harmless_data(&name) {
        return Err("it is in `data/` and is not a certificate".into());
    }
    Ok(bytes)
}

/// Files in `data` other than certificates that may be packed.
fn is_harmless_data(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    matches!(name, ".gitkeep" | "tunnel-domain" | "tunnel-id")
}

/// A file without the token: in a file of variables the placeholder takes its place, and comments with one go; `None`
/// where it would still be there.
fn without_token(inside: &str, bytes: Vec<u8>, known: Option<&str>) -> Option<Vec<u8>> {
    let has_token = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace('\0', "");
        Token::is_within(&text) || known.is_some_and(|known| text.contains(known))
    };
    let name = inside.rsplit('/').next().unwrap_or_default();
    let is_variables = name == path::ENV || name.starts_with(".env.") || name.ends_with(".env");
    if inside != path::ENV && !has_token(&bytes) {
        return Some(bytes);
    }
    if !is_variables {
        return None;
    }
    let lines = bytes.split_inclusive(|b| *b == b'\n');
    let kept = lines.filter(|line| !(line.trim_ascii_start().starts_with(b"#") && has_token(line)));
    let mut env = EnvFile::new(kept.flatten().copied().collect::<Vec<u8>>());
    let new = |(variable, value): (Cow<'_, str>, Cow<'_, str>)| match &*variable {
        env_file::TOKEN_FINGERPRINT => Some((variable.into_owned(), "")),
        env_file::TOKEN => Some((variable.into_owned(), token::PLACEHOLDER)),
        _ => has_token(value.as_bytes()).then(|| (variable.into_owned(), token::PLACEHOLDER)),
    };
    for (variable, value) in env.values().into_iter().filter_map(new).collect::<Vec<_>>() {
        env.set(&variable, value).ok()?;
    }
    (!has_token(env.as_bytes())).then(|| env.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn a_token() -> String {
        STANDARD
            .encode(r#"{"a":"1f2e3d","t":"a8dfb6b4-68cf-4a03-88e7-08ee60111e8c","s":"c2VjcmV0LXNlY3JldC1zZWNyZXQ="}"#)
    }

    #[test]
    fn a_file_of_variables_loses_its_token_and_nothing_else() {
        let token = a_token();
        let before = format!(
            "# old {token}\nA=1 # x\nTUNNEL_TOKEN=\"{token}\"\nOTHER='{token}'\nexport TUNNEL_TOKEN={token}\nB=2\n"
        );
        let after = String::from_utf8(without_token(".env", before.into_bytes(), None).unwrap()).unwrap();
        assert!(!after.contains(&token) && !after.contains("old"), "{after}");
        let env = EnvFile::new(after);
        for (name, value) in
            [("A", "1"), ("B", "2"), ("TUNNEL_TOKEN", token::PLACEHOLDER), ("OTHER", token::PLACEHOLDER)]
        {
            assert_eq!(env.get(name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn another_file_with_the_token_does_not_go_along() {
        let text = format!("services: {{a: {{environment: [\"TUNNEL_TOKEN={}\"]}}}}", a_token());
        assert_eq!(without_token("docker-compose.yaml", text.into_bytes(), None), None);
        assert_eq!(without_token("a.txt", b"x".to_vec(), None), Some(b"x".to_vec()));
        assert_eq!(without_token("a.txt", b"x odd-token-text".to_vec(), Some("odd-token-text")), None);
    }
}
