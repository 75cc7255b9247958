//! Text that breaks readers; the tests of the whole program draw from it, too.

use proptest::prelude::*;

/// Pieces that mean something to YAML, `.env`, a shell, a URL, a log or a terminal, parted by blanks here.
const WORDS: &str = "\" ' ` $ ${X} $(id) \\ # : = / // .. [::1] @ * - _ \u{feff} \u{202e} ä 💥 http:// https:// HTTPS:// eyJ . :80 :0 \
    :65536 10.0.0.1 127.0.0.1 /33 /8 anthropic.com tunnel TUNNEL_TOKEN= TUNNEL_DOMAIN= -----BEGIN {{ %s &a *a << !! { } [ ] | > %";
const BLANKS: &[&str] = &["\n", "\r\n", "\0", " ", "\t", "export ", "&a ", "- ", ": ", "? "];

/// Free text with such pieces in it.
pub(crate) fn nasty() -> impl Strategy<Value = String> {
    let words: Vec<&str> = WORDS.split_ascii_whitespace().chain(BLANKS.iter().copied()).collect();
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z0-9.-]{0,12}",
        prop::sample::select(words).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}
