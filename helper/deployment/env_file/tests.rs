//! The reader against fixed cases, against properties, and against Compose itself where there is one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;

fn get(text: &str) -> Option<String> {
    EnvFile::new(text).get(TOKEN)
}

fn set(text: &str, value: &str) -> Result<String, EnvFault> {
    let mut file = EnvFile::new(text);
    file.set(TOKEN, value)?;
    Ok(String::from_utf8(file.bytes).unwrap())
}

#[test]
fn values_are_read_as_compose_reads_them() {
    for (text, value) in [
        ("TUNNEL_TOKEN=abc\n", "abc"),
        ("\u{feff}TUNNEL_TOKEN=abc", "abc"),
        ("  export TUNNEL_TOKEN = abc  # why\r\n", "abc"),
        ("export\tTUNNEL_TOKEN=abc\n", "abc"),
        ("TUNNEL_TOKEN: abc\n", "abc"),
        ("TUNNEL_TOKEN=a#b\n", "a#b"),
        ("TUNNEL_TOKEN=a\t# b\n", "a\t# b"),
        ("TUNNEL_TOKEN=# c\n", "# c"),
        ("TUNNEL_TOKEN= # c\n", "# c"),
        ("TUNNEL_TOKEN=\u{a0}abc\u{a0}\n", "abc"),
        ("TUNNEL_TOKEN=\u{2003}abc\u{2003}\n", "\u{2003}abc"),
        ("TUNNEL_TOKEN=\"a b\" # why\n", "a b"),
        ("TUNNEL_TOKEN='a\nb'\n", "a\nb"),
        ("TUNNEL_TOKEN='a\\'b'\n", "a'b"),
        ("TUNNEL_TOKEN='a\\nb'\n", "a\\nb"),
        ("TUNNEL_TOKEN=\"a\\tb\\\"\\\\\"\n", "a\tb\"\\"),
        ("TUNNEL_TOKEN=\"\\0101\\07\\$A\"\n", "A\\7$A"),
        ("TUNNEL_TOKEN='a' TUNNEL_TOKEN=b\n", "b"),
        ("TUNNEL_TOKEN=a\nTUNNEL_TOKEN=b\n", "b"),
        ("TUNNEL_TOKEN=\nB=1\n", ""),
        ("TUNNEL_TOKEN= \r\nB=1\r\n", ""),
        ("A=x\nTUNNEL_TOKEN=$A-${A}-$$A-${B:-d}-${A:+s}-$1\n", "x-x-$A-d-s-$1"),
        ("A=x\nTUNNEL_TOKEN='$A'\n", "$A"),
        // The shell may have it: not ours to say.
        ("TUNNEL_TOKEN=${B:?none}\n", ""),
        ("TUNNEL_TOKEN=${B:-${C:-deep}} tail\n", "deep tail"),
    ] {
        assert_eq!(get(text).as_deref(), Some(value), "{text:?}");
        assert_eq!(EnvFile::new(text).faults(), [], "{text:?}");
    }
    for text in ["#TUNNEL_TOKEN=a\nTUNNEL_TOKEN_OLD=b\n", "X=\"\nTUNNEL_TOKEN=inside\n\"\n", "TUNNEL_TOKEN\n", ""] {
        assert_eq!(get(text), None, "{text:?}");
    }
}

#[test]
fn what_compose_refuses_is_a_fault_with_its_line() {
    let name = |line, character| EnvFault::BadName { line, character };
    let key = || TOKEN.to_owned();
    for (text, fault) in [
        ("A=1\n\nTUNNEL_TOKEN=\"abc\nB=2\n", EnvFault::OpenQuote { line: 3, key: key() }),
        ("A=1\nnot one\nC=3\n", EnvFault::BadLine { line: 2 }),
        ("B C=2\n", EnvFault::BadLine { line: 1 }),
        ("A=1\nexport ", EnvFault::BadLine { line: 2 }),
        ("A=1\n=2\n", EnvFault::BadLine { line: 2 }),
        ("A=1\nB", EnvFault::BadLine { line: 2 }),
        ("TUNNEL_TOKEN='a\0b'\n", EnvFault::Nul { line: 1, key: key() }),
        ("A='1'\nB(=2\n", name(2, '(')),
        ("A='1''2'\n", name(1, '\'')),
        ("A=\"1\n2\"3\"\n", name(2, '"')),
        ("TUNNEL_TOKEN=${B\n", EnvFault::BadTemplate { line: 1, key: key() }),
        ("TUNNEL_TOKEN=\"a\n${1}\"\n", EnvFault::BadTemplate { line: 1, key: key() }),
    ] {
        assert_eq!(EnvFile::new(text).faults().first(), Some(&fault), "{text:?}");
    }
    assert_eq!(EnvFile::new(b"A=1\nB\xe4=2\n".as_slice()).faults(), [name(2, '\u{fffd}')]);
    assert_eq!(EnvFile::new("a\0=1\n").faults(), [name(1, '\0')]);
}

#[test]
fn references_to_references_do_not_grow_for_ever() {
    let mut text = "V0=0123456789\n".to_owned();
    (0..60).for_each(|n| writeln!(text, "V{}=${{V{n}}}$V{n}", n + 1).unwrap());
    let env = EnvFile::new(text);
    assert!(env.values().values().map(|value| value.len()).sum::<usize>() < 8 << 20);
    assert!(matches!(env.faults().first(), Some(EnvFault::TooLong { line: 12.., .. })), "{:?}", env.faults().first());
}

#[test]
fn a_file_in_another_encoding_still_says_what_it_says() {
    let units = "\u{feff}A=1\nTUNNEL_TOKEN=abc\n".encode_utf16();
    let mut file = EnvFile::new(units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    assert_eq!(file.faults(), [EnvFault::Utf16]);
    assert_eq!(file.get(TOKEN).as_deref(), Some("abc"));
    assert_eq!(file.set(TOKEN, "new"), Err(EnvFault::Utf16));

    // Three bytes in UTF-8, two there.
    let units = "\u{feff}TUNNEL_TOKEN=\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d} x".encode_utf16();
    let mut file = EnvFile::new(units.flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    assert_eq!(file.set(TOKEN, "new"), Err(EnvFault::Utf16));

    let mut file = EnvFile::new(b"# caf\xe9\nNOTE=\xe9\nTUNNEL_TOKEN=abc\n".as_slice());
    assert_eq!((file.faults(), file.not_utf8()), (vec![], Some(1)));
    assert_eq!(file.set(TOKEN, "new"), Ok(true));
    assert_eq!(file.as_bytes(), b"# caf\xe9\nNOTE=\xe9\nTUNNEL_TOKEN=new\n");
}

#[test]
fn everything_but_the_value_stays_byte_for_byte() {
    for (old, new) in [
        ("# c\r\nA=1\r\nTUNNEL_TOKEN=old # mine\r\nB=2", "# c\r\nA=1\r\nTUNNEL_TOKEN=new # mine\r\nB=2"),
        ("export TUNNEL_TOKEN = \"old\"\nB='x\ny'\n", "export TUNNEL_TOKEN = new\nB='x\ny'\n"),
        ("TUNNEL_TOKEN='old'# c\nB=2\n", "TUNNEL_TOKEN='new'# c\nB=2\n"),
        ("TUNNEL_TOKEN=\"old\"\t# c\n", "TUNNEL_TOKEN=\"new\"\t# c\n"),
        ("TUNNEL_TOKEN='old' B=2\n", "TUNNEL_TOKEN='new' B=2\n"),
        ("TUNNEL_TOKEN= # from the Console\nB=2\n", "TUNNEL_TOKEN=new\nB=2\n"),
        ("TUNNEL_TOKEN=# paste it here\r\nB=2\n", "TUNNEL_TOKEN=new\r\nB=2\n"),
        ("TUNNEL_TOKEN=old\t# c\n", "TUNNEL_TOKEN=new\n"),
        ("TUNNEL_TOKEN=\n", "TUNNEL_TOKEN=new\n"),
        ("TUNNEL_TOKEN=  \r\nB=2\n", "TUNNEL_TOKEN=new  \r\nB=2\n"),
        ("A=1", "A=1\nTUNNEL_TOKEN=new\n"),
        ("A=1\r\n", "A=1\r\nTUNNEL_TOKEN=new\r\n"),
        ("TUNNEL_TOKEN=a\nTUNNEL_TOKEN=b\n", "TUNNEL_TOKEN=new\nTUNNEL_TOKEN=new\n"),
        // Files that Compose refuses, cured by the new value.
        ("TUNNEL_TOKEN=\"abc\nB=2\n", "TUNNEL_TOKEN=new\nB=2\n"),
        ("TUNNEL_TOKEN=\"a\"\"b\"\nB=2\n", "TUNNEL_TOKEN=new\nB=2\n"),
    ] {
        assert_eq!(set(old, "new").as_deref(), Ok(new), "{old:?}");
    }
    assert_eq!(set("TUNNEL_TOKEN=old # c\n", "").as_deref(), Ok("TUNNEL_TOKEN=\"\" # c\n"));
}

#[test]
fn nothing_is_set_that_would_not_be_read_back() {
    assert_eq!(set("A(=1\n", "new"), Err(EnvFault::BadName { line: 1, character: '(' }));
    assert_eq!(set("A=\"1\n", "new"), Err(EnvFault::OpenQuote { line: 1, key: "A".into() }));
    for value in ["two\nlines", " blank ", "a # b", "${X", "$X", "\"", "a\"b'c"] {
        let mut file = EnvFile::new("TUNNEL_TOKEN=old # c\nB=2\n");
        let before = file.clone();
        match file.set(TOKEN, value) {
            Ok(_) => assert_eq!(file.get(TOKEN).as_deref(), Some(value)),
            Err(_) => assert_eq!(file, before, "{value:?}"),
        }
    }
}

/// Pieces that mean something to the grammar, and some that do not.
const PIECES: &[&str] = &[
    "a",
    "B1",
    "=",
    ":",
    "#",
    " #",
    "\t#",
    " ",
    "\t",
    "\r",
    "\u{a0}",
    "\u{85}",
    "\u{2003}",
    "é",
    "\"",
    "'",
    "\\",
    "\\n",
    "\\\"",
    "\\'",
    "\\\\",
    "\\t",
    "\\c",
    "\\0101",
    "\\0400",
    "\\09",
    "\\0",
    "\\$",
    "$",
    "$$",
    "$a",
    "$FIRST",
    "${FIRST}",
    "${FIRST:-x}",
    "${NONE:-y}",
    "${NONE-z}",
    "${FIRST:+s}",
    "${NONE+t}",
    "${EMPTY:-e}",
    "${EMPTY-f}",
    "${EMPTY:+g}",
    "${EMPTY+h}",
    "${FIRST?m}",
    "${NONE:-",
    "${",
    "}",
    "{",
    "-",
    ".",
    "[",
    ";",
    "(",
    "eyJhIjoi",
];

fn line() -> impl Strategy<Value = String> {
    let piece = || prop::sample::select(PIECES);
    let value = prop::collection::vec(piece(), 0..7).prop_map(|pieces| pieces.concat());
    let quoted = (prop::sample::select(&["", "", "\"", "'"][..]), value, prop::collection::vec(piece(), 0..2));
    let start = prop::sample::select(&["", "export ", " ", "export\t"][..]);
    let sign = prop::sample::select(&["=", "=", "= ", " =", ": ", ":", "=\u{a0}", "=\t", "=\n"][..]);
    (start, prop::sample::select(&[TOKEN, TOKEN, "OTHER", "b"][..]), sign, quoted).prop_map(
        |(start, key, sign, (quote, value, tail))| format!("{start}{key}{sign}{quote}{value}{quote}{}", tail.concat()),
    )
}

fn file() -> impl Strategy<Value = String> {
    let end = prop::sample::select(&["\n", "\r\n", "\n\n", "\n# c\n"][..]);
    (prop::sample::select(&["", "\u{feff}", "# c\r\n"][..]), prop::collection::vec((line(), end), 0..5), any::<bool>())
        .prop_map(|(start, lines, whole)| {
            let mut text = start.to_owned();
            lines.iter().for_each(|(line, end)| text.extend([line.as_str(), end]));
            if whole { text } else { text.trim_end().to_owned() }
        })
}

/// A value that the helper writes: a domain, a token, a digest.
fn plain_value() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[A-Za-z0-9+/=._-]{1,40}"]
}

proptest! {
    #![proptest_config(crate::properties::config(10_000))]

    /// What was set is read back, and nothing else changes; or nothing changes at all.
    #[test]
    fn what_is_set_is_what_is_read(text in file(), value in plain_value()) {
        let (was, mut env) = (EnvFile::new(text.clone()), EnvFile::new(text.clone()));
        let before = was.values();
        let was_sound = env.faults().is_empty();
        match env.set(TOKEN, &value) {
            Ok(changed) => {
                prop_assert_eq!(env.get(TOKEN), Some(value));
                prop_assert_eq!(env.faults(), []);
                prop_assert_eq!(changed, env.as_bytes() != text.as_bytes());
                let others = |values: &Variables<'_>| -> Vec<(String, String)> {
                    values.iter().filter(|(key, _)| *key != TOKEN).map(|(k, v)| (k.to_string(), v.to_string())).collect()
                };
                // No piece refers to the token, so every other value is untouched by interpolation, too.
                if was_sound {
                    prop_assert_eq!(others(&before), others(&env.values()));
                }
                let again = env.clone();
                prop_assert_eq!(env.set(TOKEN, &again.get(TOKEN).unwrap_or_default()), Ok(false));
            }
            Err(_) => {
                prop_assert!(!was_sound, "a sound file takes every plain value");
                prop_assert_eq!(env.as_bytes(), text.as_bytes());
            }
        }
    }

    /// Any bytes at all are read without a panic, and a fault's line is one of the file's.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut env = EnvFile::new(bytes.clone());
        let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
        for fault in env.faults() {
            let line = fault.line().unwrap_or_default();
            prop_assert!((1..=lines).contains(&line));
        }
        let _ = (env.not_utf8(), env.keys(), env.set(TOKEN, "new"));
    }
}

/// What the real Compose makes of a `.env`: the values of some variables, or nothing where it refuses the file.
fn compose_reads(folder: &Path, env: &[u8], keys: &[String]) -> Option<BTreeMap<String, String>> {
    let mut stack = "services:\n  s:\n    image: x\n    environment:\n".to_owned();
    keys.iter().for_each(|key| writeln!(stack, "      {key}:").unwrap());
    std::fs::write(folder.join("compose.yaml"), stack).unwrap();
    std::fs::write(folder.join(".env"), env).unwrap();
    let mut command = Command::new("docker");
    command.args(["compose", "config", "--format", "json"]).current_dir(folder).env_clear();
    command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = command.output().unwrap();
    if !output.status.success() {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let values = answer["services"]["s"]["environment"].as_object().unwrap();
    // `config` prints what can be read again: a `$` is doubled.
    Some(values.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.replace("$$", "$")))).collect())
}

fn has_compose() -> bool {
    let version = Command::new("docker").args(["compose", "version"]).output();
    let found = version.is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("MCP_TUNNELS_REQUIRE_REAL").is_none(), "there is no docker compose");
    if !found {
        eprintln!("SKIPPED compose reads .env in the same way: there is no docker compose");
    }
    found
}

/// Two hundred variables a run, because a run takes a tenth of a second; what is refused has its own file.
#[test]
fn compose_reads_env_in_the_same_way() {
    if !has_compose() {
        return;
    }
    const FIRST: &str = "FIRST=one\nEMPTY=\n";
    let count = |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (batches, alone) = (count("DOTENV_BATCHES", 5), count("DOTENV_FILES", 30_usize));
    let folder = tempfile::tempdir().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = || line().new_tree(&mut runner).unwrap().current();
    let mut odd = Vec::new();
    for _ in 0..batches {
        let mut batch = FIRST.to_owned();
        let mut keys = Vec::new();
        while keys.len() < 200 {
            let key = format!("V{}", keys.len());
            let text = draw().replacen(TOKEN, &key, 1);
            let env = EnvFile::new(format!("{FIRST}{text}\n"));
            // Any other name among them would be one of the batch.
            if env.faults().is_empty() && env.keys().iter().skip(2).eq([&key]) {
                writeln!(batch, "{text}").unwrap();
                keys.push(key);
            } else {
                odd.push(text);
            }
        }
        let ours = EnvFile::new(batch.clone());
        let theirs = compose_reads(folder.path(), batch.as_bytes(), &keys).expect(&batch);
        for key in &keys {
            let line = batch.lines().find(|line| line.contains(&format!("{key}="))).unwrap_or_default();
            assert_eq!(ours.get(key).as_ref(), theirs.get(key), "{key}: {line:?}");
        }
    }
    let odd = odd.into_iter().take(alone).map(|text| format!("{FIRST}{text}\nLAST=1\n").into_bytes());
    odd.chain(of_the_fuzzer(alone)).for_each(|bytes| is_read_alike(folder.path(), &bytes));
}

/// What the fuzzer begins with, and some of what it found where it ran.
fn of_the_fuzzer(most: usize) -> impl Iterator<Item = Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let files = move |folder: &str, most| {
        let entries = std::fs::read_dir(fuzz.join(folder)).into_iter().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().take(most).map(|file| std::fs::read(file).unwrap())
    };
    files("seeds/env", usize::MAX).chain(files("corpus/env", most))
}

fn is_read_alike(folder: &Path, bytes: &[u8]) {
    let env = EnvFile::new(bytes);
    let text = String::from_utf8_lossy(bytes);
    let keys: Vec<String> = env.values().into_keys().map(Cow::into_owned).collect();
    // Compose obeys some of its own, and not every name is one in YAML.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    if keys.iter().any(|key| key.starts_with("COMPOSE_") || key.starts_with("DOCKER_")) {
        return;
    }
    let mut keys: Vec<String> = keys
        .into_iter()
        .filter(|key| key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(is_plain))
        .collect();
    // A list may not be empty.
    keys.push("NOT_SET".to_owned());
    match compose_reads(folder, bytes, &keys) {
        None => assert_ne!(env.faults(), [], "{text:?}"),
        Some(theirs) => {
            assert_eq!(env.faults(), [], "{text:?}");
            for key in keys.iter().filter(|_| env.not_utf8().is_none()) {
                assert_eq!(env.get(key).as_ref(), theirs.get(key), "{key} of {text:?}");
            }
        }
    }
}
