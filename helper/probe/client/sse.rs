//! Server-sent events (HTML Living Standard, 9.2.6), as far as MCP uses them.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// `message` where it has no name.
    pub(super) name: String,
    /// Its data, lines joined.
    pub(super) data: String,
}

/// The complete events at the beginning of a stream.
pub(super) fn events(bytes: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    // What follows the last blank line is not complete.
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    for block in whole.split("\n\n") {
        let mut name = "message".to_owned();
        let mut data: Vec<&str> = Vec::new();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data.push(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            events.push(Event { name, data: data.join("\n") });
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_a_blank_line() {
        let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
        for (text, expected) in [
            ("event: endpoint\ndata: /messages?x=1\n\n", vec![event("endpoint", "/messages?x=1")]),
            ("event: endpoint\r\ndata: /m\r\n\r\n: ping\r\n\r\n", vec![event("endpoint", "/m")]),
            ("data: {\ndata: }\n\ndata: rest", vec![event("message", "{\n}")]),
            ("data:x\n\ndata: y\n\n", vec![event("message", "x"), event("message", "y")]),
            ("event: endpoint\ndata: /m", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(events(text.as_bytes()), expected, "{text:?}");
        }
    }
}
