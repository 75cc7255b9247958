//! Names and values that are next to each other: `("x-api-key", "…")`, and the attributes of one record, whatever it is
//! written in: `{"name":"x-api-key","value":"…"}`, `<add value="…" key="ApiKey"/>`, `- name: DB_PASSWORD`, `  value: …`.

use super::letters::{QUOTES, in_quotes, is_blank, is_letter, name_before, name_length, opening};
use super::said::is_drawn;
use super::text::{REDACTED, Range, head, tail};
use super::values::{Behind, end_of_line, value};
use super::words::{is_secret, weak};

/// No other attributes between a name and its value are longer, in bytes.
const APART: usize = 300;

/// The values.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = behind_commas(text);
    ranges.extend(in_records(text));
    ranges
}

/// `("x-api-key", "…")`, `(b'x-api-key', b'…')`.
fn behind_commas(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (at, _) in text.match_indices(',') {
        let before = text[..at].trim_end();
        let named = before.trim_end_matches(QUOTES);
        let name = name_before(named);
        let front = &named[..named.len() - name.len()];
        // `{password,"…"}` of Erlang, where texts may be `<<"…">>`.
        let is_tuple = named.len() == before.len() && front.ends_with('{');
        let is_quoted = is_tuple || named.len() < before.len() && front.ends_with(QUOTES);
        let weak = weak(name).filter(|_| !is_secret(name));
        if !is_quoted || weak.is_none() && !is_secret(name) {
            continue;
        }
        let after = text[at + 1..].trim_start();
        // Prefixes of Python.
        let after = after.strip_prefix(['b', 'u', 'r']).filter(|rest| rest.starts_with(['"', '\''])).unwrap_or(after);
        let after = after.strip_prefix("<<").filter(|_| is_tuple).unwrap_or(after);
        let Some((value, length)) = in_quotes(after) else { continue };
        // A sign behind it makes it the next name.
        let is_name = value[length..].trim_start_matches(QUOTES).trim_start().starts_with([':', '=']);
        let counts = weak.is_none_or(|least| is_drawn(&value[..length], least));
        if counts && &value[..length] != REDACTED && !value.starts_with("--") && !is_name {
            let start = text.len() - value.len();
            ranges.push((start, start + length));
        }
    }
    ranges
}

/// Values of attributes called `value` in a record of which another attribute is the name of a secret.
fn in_records(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut names = None;
    for (at, label) in labels(text) {
        let behind = text[at + label..].trim_start_matches(QUOTES).trim_start_matches(is_blank);
        let sign = text.len() - behind.len();
        // `<value>…</value>`.
        let is_element = behind.starts_with('>') && text[..at].ends_with('<');
        if !behind.starts_with([':', '=']) && !is_element {
            continue;
        }
        let names = names.get_or_insert_with(|| named(text));
        let next = names.partition_point(|(start, _)| *start < at);
        let before = next.checked_sub(1).map(|place| names[place]).filter(|name| is_one_record(text, name.1, at));
        let line = &text[sign + 1..end_of_line(text, at).max(sign + 1)];
        let line = if is_element { line.split('<').next().unwrap_or_default() } else { line };
        let found = |name: Range| value(line, sign + 1, &Behind::pair(&text[name.0..name.1]), &[]);
        let beside = beside(text, at).and_then(found);
        let range =
            beside.or_else(|| before.and_then(found)).or_else(|| around(text, at).and_then(found)).or_else(|| {
                let after = names.get(next).copied()?;
                let range = found(after)?;
                is_one_record(text, range.1, after.0).then_some(range)
            });
        ranges.extend(range);
    }
    ranges
}

/// Where `value` or `val` is a separate word, and its length.
fn labels(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices(['v', 'V']).filter_map(|(at, _)| {
        let length = name_length(head(&text[at..], 8));
        let is_label = ["value", "val"].iter().any(|label| text[at..at + length].eq_ignore_ascii_case(label));
        (is_label && !text[..at].ends_with(is_letter)).then_some((at, length))
    })
}

/// The name directly before a place: `DB_PASSWORD value: …`.
fn beside(text: &str, at: usize) -> Option<Range> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | ';') || QUOTES.contains(&c);
    let named = text[..at].trim_end_matches(is_between);
    let name = name_before(named);
    (named.len() < at && is_secret(name)).then(|| (named.len() - name.len(), named.len()))
}

/// The name of the object that a place is in: `"db_password":{"type":"string","value":…}`.
fn around(text: &str, at: usize) -> Option<Range> {
    let front = tail(&text[..at], APART);
    let open = front.rfind('{').filter(|open| !front[*open..].contains('}'))?;
    let named =
        front[..open].trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '=')).trim_end_matches(QUOTES);
    let name = name_before(named);
    let end = at - front.len() + named.len();
    is_secret(name).then(|| (end - name.len(), end))
}

/// Names of secrets that are themselves values, `name="ApiKey"`, `Name:API_KEY`, in order.
fn named(text: &str) -> Vec<Range> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices([':', '=']) {
        let after = text[at + 1..].trim_start_matches(is_blank);
        let opening = opening(after);
        let start = text.len() - after.len() + opening.len();
        // `/prod/db/password`.
        let path = text[start..].find(|c| !(c == '/' || is_letter(c))).unwrap_or(text.len() - start);
        let start = text[start..start + path].rfind('/').map_or(start, |last| start + last + 1);
        let end = start + name_length(&text[start..]);
        let behind = &text[end..];
        let closes = behind.trim_start_matches(is_blank).starts_with([',', ';', '}', '/', '>', '\n', '\r']);
        let ends =
            if opening.is_empty() { behind.starts_with(is_blank) || closes } else { behind.starts_with(opening) };
        if (ends || behind.is_empty() || behind.starts_with(QUOTES)) && is_secret(&text[start..end]) {
            names.push((start, end));
        }
    }
    names
}

/// Whether a part of a text is within one record: no bracket, and no item of a list, begins or ends there. An element
/// that begins where another one ends is a part of it.
fn is_one_record(text: &str, from: usize, to: usize) -> bool {
    let Some(between) = text.get(from..to).filter(|between| between.len() <= APART) else { return false };
    let joined = between.strip_suffix('<').map(str::trim_end).and_then(|rest| rest.strip_suffix('>'));
    let between = joined.unwrap_or(between);
    let is_item = |(at, _): (usize, &str)| {
        let front = tail(&between[..at], APART).trim_end_matches(is_blank);
        front.ends_with('\n') && between[at + 1..].starts_with(is_blank)
    };
    !between.contains(['{', '}', '<', '>']) && !between.match_indices('-').any(is_item)
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_value_of_a_record_goes_wherever_its_name_stands() {
        hides(&[
            "<add name=\"ApiKey\" value=\"s3cr3t\"/>",
            "<add key=\"Db:Password\" value=\"s3cr3t\" />",
            "<add value=\"s3cr3t\" name=\"ApiKey\"/>",
            "<add name='ApiKey' type='string' value='s3cr3t'>",
            "<add name=\"Db\" connectionString=\"Server=h;Password=s3cr3t;Database=x\" providerName=\"x\"/>",
            "<add name=\"Db\" connectionString='s3cr3t'/>",
            "<setting name=\"ApiKey\" serializeAs=\"String\"><value>s3cr3t</value></setting>",
            "<setting name=\"ApiKey\">\n  <value>s3cr3t</value>",
            "{\"value\":\"s3cr3t\",\"name\":\"x-api-key\"}",
            "{\"name\":\"API_KEY\",\"type\":\"string\",\"value\":\"s3cr3t\"}",
            "{\"value\":\"s3cr3t\",\"type\":\"string\",\"key\":\"API_KEY\"}",
            "{\\\"value\\\":\\\"s3cr3t\\\",\\\"name\\\":\\\"x-api-key\\\"}",
            "{Value:s3cr3t Name:DB_PASSWORD}",
            "{Name:DB_PASSWORD Type:string Value:s3cr3t}",
            "name=DB_PASSWORD val=s3cr3t",
            "- value: s3cr3t\n  name: DB_PASSWORD",
            "- name: DB_PASSWORD\n  value: s3cr3t",
            "DB_PASSWORD, value: s3cr3t",
            "{\"db_password\":{\"sensitive\":true,\"value\":\"s3cr3t\"}}",
        ]);
    }

    #[test]
    fn the_value_of_another_record_stays() {
        keeps(&[
            "<add name=\"Timeout\" value=\"30\"/><add name=\"Retries\" value=\"3\"/>",
            "[{\"name\":\"token\"},{\"name\":\"ttl\",\"value\":\"30\"}]",
            "{\"value\":\"30\",\"description\":\"how long the token lives\"}",
            "{\"value\":\"30\",\"name\":\"token_type\"}",
            "<add key=\"ApiKeyFile\" value=\"/etc/x\"/>",
            "invalid value: 30 for key=timeout",
        ]);
        let said = "- name: A_TOKEN\n  valueFrom: x\n- name: TZ\n  value: UTC";
        assert!(evidence(said).contains("UTC"), "{}", evidence(said));
    }
}
