//! `token set` and `token check`: the token goes into `.env` and is seen nowhere else.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{DOMAIN, chmod, deployment, folder, helper, mode, sha256, skip, snapshot, token, tree};

const TUNNEL: &str = "a8dfb6b4-68cf-4a03-88e7-08ee60111e8c";

pub(super) fn fingerprint(token: &str) -> String {
    sha256(token.as_bytes())[..12].to_owned()
}

pub(super) fn env(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(".env")).unwrap()
}

#[test]
fn a_token_from_standard_input_is_set_with_its_fingerprint() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    let before = env(&dir);
    let first = token("first");
    let set = helper(["token", "set"]).dir(&dir).stdin(first.clone()).secret(&first).run().expect(0);
    let data = |token: &str, changed: bool| json!({"state": "set", "fingerprint": fingerprint(token), "tunnel_id": TUNNEL, "changed": changed});
    assert_eq!(*set.data(), data(&first, true));
    let expected = before
        .replace("PASTE_TUNNEL_TOKEN_HERE", &first)
        .replace("MCP_TUNNEL_TOKEN_FINGERPRINT=\n", &format!("MCP_TUNNEL_TOKEN_FINGERPRINT={}\n", fingerprint(&first)));
    assert_eq!(env(&dir), expected);

    let again = helper(["token", "set"]).dir(&dir).stdin(first.clone()).changes_nothing().run().expect(0);
    assert_eq!(*again.data(), data(&first, false));

    let second = token("second");
    let rotated = helper(["token", "set"]).dir(&dir).stdin(second.clone()).secret(&first).run().expect(0);
    assert_eq!(*rotated.data(), data(&second, true));
    let restart = rotated.json["next"][0]["command"].as_str().unwrap();
    assert!(restart.contains(" restart "), "{restart}");
    assert_eq!(env(&dir), expected.replace(&first, &second).replace(&fingerprint(&first), &fingerprint(&second)));
}

#[test]
fn what_surrounds_a_pasted_token_does_no_harm() {
    let good = token("healthy");
    for text in [
        format!("{good}\n"),
        format!("{good}\r\n"),
        format!("\u{feff}{good}"),
        format!("  \t{good}  \n\n"),
        format!("\u{a0}{good}\u{200b}\r\n"),
    ] {
        let parent = folder();
        let dir = parent.path().join("mcp-tunnel");
        let set = helper(["token", "set"]).dir(&dir).stdin(text.clone()).secret(&good).run().expect(0);
        assert_eq!(set.data()["fingerprint"], fingerprint(&good), "{text:?}");
        assert!(env(&dir).contains(&format!("\nTUNNEL_TOKEN={good}\n")), "{text:?}");
    }
}

#[test]
fn whatever_is_pasted_instead_of_a_token_is_told_apart_and_nothing_is_written() {
    let parent = folder();
    let dir = deployment(parent.path());
    let good = token("another");
    let other = token("other-one");
    let base64 = |json: Value| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, json.to_string());
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"".to_vec(), "missing", "empty"),
        (b" \r\n\t\n".to_vec(), "missing", "empty"),
        (b"PASTE_TUNNEL_TOKEN_HERE\n".to_vec(), "placeholder", "placeholder"),
        (b"\"PASTE_TUNNEL_TOKEN_HERE\"".to_vec(), "placeholder", "placeholder"),
        (format!("\"{good}\"\n").into(), "malformed", "quotes"),
        (format!("'{good}'").into(), "malformed", "quotes"),
        (format!("“{good}”").into(), "malformed", "quotes"),
        (format!("{}\n{}", &good[..50], &good[50..]).into(), "malformed", "line break"),
        (format!("{}\r\n{}\r\n", &good[..50], &good[50..]).into(), "malformed", "line break"),
        (format!("{good}\n{other}\n").into(), "malformed", "line break"),
        (format!("TUNNEL_TOKEN: {good}").into(), "malformed", "space"),
        (format!("cloudflared tunnel run --token {good}").into(), "malformed", "space"),
        (DOMAIN.into(), "malformed", "domain"),
        (format!("https://{DOMAIN}").into(), "malformed", "domain"),
        (TUNNEL.into(), "malformed", "tunnel's ID"),
        (TUNNEL.to_ascii_uppercase().into(), "malformed", "tunnel's ID"),
        (good[..good.len() - 1].into(), "malformed", "truncated"),
        (good[..good.len() - 4].into(), "malformed", "truncated"),
        (good[..40].into(), "malformed", "truncated"),
        (good[1..].into(), "malformed", "beginning"),
        (good[40..].into(), "malformed", "beginning"),
        (b"sk-ant-api03-abcdefgh_ijklmnop-qrst".to_vec(), "malformed", "another kind of token"),
        (b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl".to_vec(), "malformed", "another kind of token"),
        (base64(json!({"a": "x", "t": TUNNEL})).into(), "malformed", "is missing"),
        (base64(json!({"a": "x", "t": "no-uuid", "s": "c2VjcmV0"})).into(), "malformed", "is missing"),
        (base64(json!({"t": TUNNEL, "s": "c2VjcmV0"})).into(), "malformed", "is missing"),
        (base64(json!({"a": "x", "t": TUNNEL, "s": "not base64!"})).into(), "malformed", "is missing"),
        (b"eyJ\xff\xfe\x00".to_vec(), "malformed", ""),
        (vec![b'x'; 200_000], "malformed", ""),
        (format!("{good}{}", "A".repeat(100_000)).into(), "malformed", ""),
        (format!("TUNNEL_TOKEN={good}").into(), "malformed", ""),
    ];
    for (input, state, words) in cases {
        let text = String::from_utf8_lossy(&input).trim().to_owned();
        let mut call = helper(["token", "set"]).dir(&dir).stdin(input).secret(&good).changes_nothing();
        // What was pasted is a secret, unless the message must name the kind.
        if state == "malformed" && text.len() < 1000 {
            call = call.secret(&text);
        }
        let refused = call.run().expect(1);
        assert_eq!(
            *refused.data(),
            json!({"state": state, "fingerprint": null, "tunnel_id": null, "changed": false}),
            "{text}"
        );
        assert_eq!(refused.findings(), [format!("token-{state}")], "{text}");
        let summary = refused.json["summary"].as_str().unwrap();
        assert!(summary.contains("nothing was written") && summary.contains(words), "{text}: {summary}");
        // Of `.env`, which may hold a good token, it says nothing else than that it stays.
        let finding = &refused.json["findings"][0];
        assert_eq!(finding["title"], "the input is not a tunnel token, so `.env` was not changed", "{text}");
        assert!(finding["cause"].as_str().unwrap().contains(words), "{text}: {finding}");
    }
}

#[test]
fn every_other_byte_of_the_env_file_stays() {
    let (old, new) = (token("old"), token("new"));
    for text in [
        format!(
            "# c\r\nA=1\r\nTUNNEL_DOMAIN={DOMAIN}\r\nTUNNEL_TOKEN={old} # mine\r\nMCP_TUNNEL_TOKEN_FINGERPRINT=x\r\nB=\"two\r\nlines\"\r\nZ=last"
        ),
        format!(
            "export TUNNEL_TOKEN = '{old}'\nMCP_TUNNEL_TOKEN_FINGERPRINT=x\n\n\n  INDENTED=ä\n#TUNNEL_TOKEN=old one\nTUNNEL_TOKEN_2=x\n"
        ),
        format!("MCP_TUNNEL_TOKEN_FINGERPRINT=x\nTUNNEL_TOKEN={old}\nTUNNEL_TOKEN={old}\n\t"),
        format!("\u{feff}TUNNEL_TOKEN=\"{old}\"\nMCP_TUNNEL_TOKEN_FINGERPRINT=\"x\""),
    ] {
        let parent = folder();
        let dir = parent.path().join("mcp-tunnel");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(".env"), &text).unwrap();
        chmod(&dir.join(".env"), 0o644);
        helper(["token", "set"]).dir(&dir).stdin(new.clone()).secret(&old).run().expect(0);
        let expected = text
            .replace(&format!("'{old}'"), &old)
            .replace(&format!("\"{old}\""), &old)
            .replace(&old, &new)
            .replace("FINGERPRINT=\"x\"", "FINGERPRINT=x")
            .replace("FINGERPRINT=x", &format!("FINGERPRINT={}", fingerprint(&new)));
        assert_eq!(env(&dir), expected);
        assert_eq!(mode(&dir.join(".env")), 0o600);
    }
}

#[test]
fn a_token_comes_first_where_there_is_no_directory_yet() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let set = helper(["token", "set"]).dir(&dir).stdin(token("x")).run().expect(0);
    assert_eq!(tree(&dir), [(String::new(), 0o700), (".env".to_owned(), 0o600), (".gitignore".to_owned(), 0o644)]);
    // Which tunnel it is for is not known: no command is made up.
    let next = &set.json["next"][0];
    assert_eq!((&next["who"], &next["command"]), (&json!("person"), &Value::Null), "{next}");
    let init = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    assert_eq!(init.data()["token"], "set");
    assert!(env(&dir).contains(&format!("TUNNEL_TOKEN={}\n", token("x"))));
    helper(["check"]).dir(&dir).run().expect(0);
}

#[test]
fn a_refused_token_makes_no_directory() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    helper(["token", "set"]).dir(&dir).stdin("nonsense").run().expect(1);
    assert_eq!(snapshot(parent.path()), []);
}

#[test]
fn standard_input_cannot_be_request_and_token_at_once() {
    let parent = folder();
    let dir = deployment(parent.path());
    let secret = token("x");
    let refused =
        helper(["token", "set", "--json", "-"]).dir(&dir).stdin(secret.clone()).secret(&secret).changes_nothing().run();
    assert_eq!(refused.expect(2).json["error"]["code"], "request");
}

#[test]
fn a_token_set_in_a_file_of_another_user_keeps_its_owner() {
    if !crate::support::is_root() {
        return skip("a_token_set_in_a_file_of_another_user_keeps_its_owner", "not root");
    }
    let parent = folder();
    let dir = deployment(parent.path());
    std::os::unix::fs::chown(dir.join(".env"), Some(1234), Some(2345)).unwrap();
    helper(["token", "set"]).dir(&dir).stdin(token("new")).run().expect(0);
    let meta = std::fs::metadata(dir.join(".env")).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (1234, 2345, 0o600));
}

/// What Compose makes of the file is what counts; `token check` reads by the same rules (and the unit tests of the
/// reader ask Compose).
#[test]
fn whatever_is_around_the_value_the_token_is_read_back() {
    let (old, new) = (token("old"), token("new"));
    for line in [
        "TUNNEL_TOKEN= # from the Console".to_owned(),
        "TUNNEL_TOKEN=# paste the token here".to_owned(),
        format!("TUNNEL_TOKEN={old}\t# a tab begins no comment"),
        format!("TUNNEL_TOKEN='{old}'# no blank"),
        format!("TUNNEL_TOKEN=\"{old}\"\t# a tab"),
        format!("TUNNEL_TOKEN='{old}' NEXT=1"),
        format!("TUNNEL_TOKEN: {old}"),
        format!("TUNNEL_TOKEN=\u{a0}{old}\u{a0}"),
        "TUNNEL_TOKEN=\"two\nlines\"".to_owned(),
        "TUNNEL_TOKEN=\"never closed".to_owned(),
        "TUNNEL_TOKEN=\"a\"\"b\"".to_owned(),
        "TUNNEL_TOKEN=${NOT CLOSED".to_owned(),
        "TUNNEL_TOKEN".to_owned(),
        "export TUNNEL_TOKEN =".to_owned(),
    ] {
        for (before, ending) in [("", "\n"), ("\u{feff}# c\r\n", "\r\n"), ("A='x\ny'\n", "")] {
            let parent = folder();
            let dir = parent.path().join("mcp-tunnel");
            std::fs::create_dir(&dir).unwrap();
            chmod(&dir, 0o700);
            let text = format!("{before}TUNNEL_DOMAIN={DOMAIN}\n{line}{ending}");
            std::fs::write(dir.join(".env"), &text).unwrap();
            helper(["token", "set"]).dir(&dir).stdin(new.clone()).secret(&old).run().expect(0);
            let look = helper(["token", "check"]).dir(&dir).secret(&new).run().expect(0);
            assert_eq!(look.data()["fingerprint"], fingerprint(&new), "{text:?} became {:?}", env(&dir));
            assert!(env(&dir).starts_with(&format!("{before}TUNNEL_DOMAIN={DOMAIN}\n")));
        }
    }
}

#[test]
fn a_file_that_compose_refuses_stays_as_it_is_and_the_line_is_named() {
    for (text, line) in [
        (format!("TUNNEL_DOMAIN={DOMAIN}\nOTHER=\"open\nTUNNEL_TOKEN=\n").into_bytes(), 2),
        (format!("TUNNEL_DOMAIN={DOMAIN}\n\nnot a line\nTUNNEL_TOKEN=\n").into_bytes(), 3),
        (b"A='x' y'\nTUNNEL_TOKEN=\n".to_vec(), 1),
        (b"A=1\nTUNNEL_TOKEN=\nB=${\n".to_vec(), 3),
        (format!("\u{feff}TUNNEL_DOMAIN={DOMAIN}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect(), 1),
    ] {
        let parent = folder();
        let dir = parent.path().join("mcp-tunnel");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(".env"), &text).unwrap();
        let set = helper(["token", "set"]).dir(&dir).stdin(token("new")).changes_nothing().run().expect(2);
        assert_eq!(set.json["error"]["code"], "env-invalid");
        let look = helper(["token", "check"]).dir(&dir).changes_nothing().run().expect(1);
        let evidence = look.finding("compose-env-invalid")["evidence"][0].as_str().unwrap();
        assert!(evidence.starts_with(&format!("line {line}:")), "{evidence}");
    }
}

#[test]
fn bytes_that_are_not_utf8_stay_and_are_told() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    std::fs::create_dir(&dir).unwrap();
    let text = [b"# caf\xe9\nTUNNEL_DOMAIN=".as_slice(), DOMAIN.as_bytes(), b"\nTUNNEL_TOKEN=\nNOTE=\xe4\n"].concat();
    std::fs::write(dir.join(".env"), &text).unwrap();
    helper(["token", "set"]).dir(&dir).stdin(token("new")).run().expect(0);
    let new = std::fs::read(dir.join(".env")).unwrap();
    assert!(new.starts_with(b"# caf\xe9\n") && new.windows(7).any(|w| w == b"NOTE=\xe4\n"));
    let look = helper(["token", "check"]).dir(&dir).run().expect(0);
    assert!(look.findings().contains(&"env-encoding"), "{:?}", look.findings());
}
