//! The ports that a server says it listens on.

/// Start lines that are remembered of one life: more than one port is no longer compared.
const MOST: usize = 4;
/// What a server listens on besides.
const BESIDES: [&str; 8] =
    ["metric", "prometheus", "health", "admin", "debugger", "inspector", "actuator", "management"];
/// What is in front of a port in a server's own address.
const OWN: [&str; 5] = ["://0.0.0.0:", "://localhost:", "://127.0.0.1:", "://[::]:", " port "];

/// A start line.
#[derive(Clone, Debug)]
pub(in crate::logs) struct Said {
    /// Where the line tells it.
    port: Option<u16>,
    pub(in crate::logs) number: u64,
    pub(in crate::logs) text: String,
}

/// The ports of one life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports {
    said: Vec<Said>,
    /// Ports of its own addresses in other lines.
    mentioned: Vec<u16>,
}

impl Ports {
    /// Takes a line by which the server says that it listens; `first`: the first of a life.
    pub(in crate::logs) fn listens(&mut self, first: bool, number: u64, text: &str) {
        if first {
            self.said.clear();
        }
        if !is_beside(text) && self.said.len() < MOST {
            self.said.push(Said { port: port(text), number, text: text.trim().to_owned() });
        }
    }

    /// Takes another line.
    pub(in crate::logs) fn mention(&mut self, text: &str) {
        let found = OWN.iter().find_map(|front| Some(&text[text.find(front)? + front.len()..]));
        if let Some(port) = found.and_then(leading).filter(|_| self.mentioned.len() < MOST) {
            self.mentioned.push(port);
        }
    }

    /// Whether the port of a line is one of these; also where either is not known.
    pub(in crate::logs) fn has(&self, text: &str) -> bool {
        let port = port(text);
        port.is_none() || self.said.iter().any(|said| said.port.is_none() || said.port == port)
    }

    /// The only port, unless it is this one.
    pub(in crate::logs) fn only_other(&self, dialled: u16) -> Option<(u16, &Said)> {
        let first = self.said.first()?;
        let port = first.port?;
        let is_only = self.said.iter().all(|said| said.port == Some(port)) && !self.mentioned.contains(&dialled);
        (is_only && port != dialled).then_some((port, first))
    }
}

/// Whether a line is of what a server listens on besides: its metrics, a debugger.
pub(in crate::logs) fn is_beside(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    BESIDES.iter().any(|word| lower.contains(word))
}

/// The number at the beginning.
pub(in crate::logs) fn leading(text: &str) -> Option<u16> {
    let text = text.trim_start();
    text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

/// The port in a start line: of its URL, behind `port`, or behind the colon of an address.
fn port(text: &str) -> Option<u16> {
    let text = ["isten", "unning on", "ound to"].iter().find_map(|word| text.find(word)).map_or(text, |at| &text[at..]);
    if let Some((_, url)) = text.split_once("://") {
        let authority = url.split(|c: char| c.is_whitespace() || "/,)\"'".contains(c)).next()?;
        return leading(authority.rsplit_once(':')?.1);
    }
    let named = ["port(s): ", "port(s) ", "port "].iter().find_map(|word| leading(text.split_once(word)?.1));
    let address = || text.split_whitespace().find_map(|word| leading(word.rsplit_once(':')?.1));
    named.or_else(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_start_lines() {
        let lines = [
            ("Uvicorn running on http://0.0.0.0:9000 (Press CTRL+C to quit)", Some(9000)),
            ("[GIN-debug] Listening and serving HTTP on :3000", Some(3000)),
            ("Listening on port 3000", Some(3000)),
            ("Tomcat started on port(s): 8080 (http) with context path ''", Some(8080)),
            ("20:45:20 INFO listening on [::]:8000", Some(8000)),
            ("Started ServerConnector@7a{HTTP/1.1, (http/1.1)}{0.0.0.0:8081}", Some(8081)),
            ("Server running at http://localhost:8000/mcp (bound to 127.0.0.1:8000)", Some(8000)),
            ("Uvicorn running on unix socket /run/mcp.sock", None),
            ("Listening on http://wiki", None),
        ];
        for (line, expected) in lines {
            assert_eq!(port(line), expected, "{line}");
        }
    }

    #[test]
    fn only_one_port_that_is_not_the_dialled_one_is_another() {
        let of = |lines: &[&str]| {
            let mut ports = Ports::default();
            lines.iter().for_each(|line| ports.listens(false, 1, line));
            ports.only_other(8000).map(|(port, _)| port)
        };
        assert_eq!(of(&["Listening on port 3000"]), Some(3000));
        assert_eq!(of(&["Listening on port 3000", "metrics listening on :9090"]), Some(3000));
        assert_eq!(of(&["Listening on port 8000"]), None);
        assert_eq!(of(&["Listening on port 3000", "Listening on port 4000"]), None);
        assert_eq!(of(&["metrics listening on :9090"]), None);
        assert_eq!(of(&[]), None);
    }
}
