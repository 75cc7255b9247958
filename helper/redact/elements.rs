//! What is in an element of XML that is called like a secret, or has an attribute that names one: `<password>`,
//! `<wsse:Password Type="…">`, `<entry key="password">`, or stands
//! behind one whose content is the name: `<key>password</key><string>`.

use super::letters::{LONGEST, QUOTES, name_length};
use super::said::is_made;
use super::text::{REDACTED, Range, head, tail};
use super::values::is_reference;
use super::words::is_secret;

/// No tag that is looked at is longer, in bytes.
const TAG: usize = 300;
/// What a session is known by is no shorter, in bytes.
const SHORTEST: usize = 12;
/// What an element's name is called where it is an attribute.
const NAMES: [&str; 5] = ["name=", "key=", "id=", "property=", "Name="];

/// The contents.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    text.match_indices('>').filter_map(|(at, _)| content(text, at)).collect()
}

/// What is behind the end of a tag, up to the next one.
fn content(text: &str, at: usize) -> Option<Range> {
    let front = tail(&text[..at], TAG);
    let tag = &front[front.rfind('<')? + 1..];
    if tag.starts_with(['/', '!', '?']) || tag.ends_with('/') {
        return None;
    }
    let before = &text[..at - tag.len() - 1];
    let is_secret = is_secret_tag(tag) || names(before.trim_end());
    if !is_secret && !is_session(tag) {
        return None;
    }
    let read = head(&text[at + 1..], LONGEST);
    let inside = &read[..read.find("</")?];
    let (front, inside) = inside.split_at(inside.find("<![CDATA[").map_or(0, |at| at + "<![CDATA[".len()));
    if inside.contains('<') || !front.trim().trim_end_matches("<![CDATA[").is_empty() {
        return None;
    }
    let inside = inside.trim_end().trim_end_matches("]]>").trim_end();
    let start = at + 1 + front.len() + (inside.len() - inside.trim_start().len());
    let inside = inside.trim_start();
    // `<sid>S-1-5-21-1</sid>` of Windows says which account it is.
    let counts = is_secret || inside.len() >= SHORTEST && is_made(inside, true) && !inside.starts_with("S-1-");
    (counts && inside != REDACTED && !is_reference(inside)).then_some((start, start + inside.len()))
}

/// Whether a text ends with an element that says what the next one is called: `<key>APIToken</key>`,
/// `<param-name>password</param-name>`.
pub(super) fn names(text: &str) -> bool {
    let Some((front, tag)) = text.strip_suffix('>').and_then(|text| tail(text, TAG).rsplit_once("</")) else {
        return false;
    };
    let name = front.rsplit_once('>').map_or("", |(_, name)| name.trim());
    let tag = tag.to_ascii_lowercase();
    (tag.ends_with("key") || tag.ends_with("name")) && name_length(name) == name.len() && is_secret(name)
}

/// Whether an element is what a session is known by: `<SessionId>`, `<ns:sid>`.
fn is_session(tag: &str) -> bool {
    let local = local_name(tag).replace(['_', '-'], "").to_ascii_lowercase();
    local == "sid" || ["sessionid", "sessionindex", "ticket"].iter().any(|end| local.ends_with(end))
}

/// The name of an element without its namespace.
fn local_name(tag: &str) -> &str {
    let name = tag.split(char::is_whitespace).next().unwrap_or_default();
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_secret_tag(tag: &str) -> bool {
    let local = local_name(tag);
    let named = |label: &str| {
        tag.match_indices(label).any(|(at, _)| {
            let value = tag[at + label.len()..].trim_start_matches(QUOTES);
            tag[..at].ends_with(char::is_whitespace) && is_secret(&value[..name_length(value)])
        })
    };
    name_length(local) == local.len() && is_secret(local) || NAMES.iter().any(|label| named(label))
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_content_of_an_element_goes() {
        hides(&[
            "<password>s3cr3t</password>",
            "<password>correct s3cr3t horse</password>",
            "<password><![CDATA[s3cr3t]]></password>",
            "<entry key=\"password\">s3cr3t</entry>",
            "<property name=\"hibernate.connection.password\">s3cr3t</property>",
            "<soap:SessionId>a1s3cr3tabcd</soap:SessionId>",
            "<string name='api_key' x=\"y\">s3cr3t</string>",
            "<wsse:Password Type=\"http://docs.example/x#PasswordText\">s3cr3t</wsse:Password>",
            "&lt;entry key=&quot;password&quot;&gt;s3cr3t&lt;/entry&gt;",
        ]);
        keeps(&[
            "<entry key=\"timeout\">30</entry><b>x</b>",
            "<secret><name>x</name></secret>",
            "Usage: login <token> <url>",
            "<sid>S-1-5-21-3623811015-3361044348</sid><SessionId>42</SessionId>",
            "<SessionTimeout>30</SessionTimeout><RequestId>4442587FB7D0A2F9</RequestId>",
            "<password>${DB_PASSWORD}</password>",
        ]);
    }
}
