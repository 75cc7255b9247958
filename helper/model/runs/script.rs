//! What the text of a script says of where its server listens: a likely cause at most. Nothing of the text is kept but
//! the line.

use super::code::{arguments, bare, literal, split};
use super::image::Files;
use super::listening::{Bind, Certainty, Cure, Listening, Place, bind};
use super::settings::{self, Settings};
use super::shell::{Invocation, is_python};

/// A call in Python that makes a server.
struct Listener {
    call: &'static str,
    /// What else is in the script.
    needs: &'static str,
    /// Whether the first argument is host and port together.
    is_pair: bool,
    /// The names of host and port.
    keys: (&'static str, &'static str),
    /// Where they are among the arguments without a name.
    at: Option<usize>,
    default: (Bind, Option<u16>),
    cure: &'static str,
}

const KEYWORDS: Listener = Listener {
    call: "",
    needs: "",
    is_pair: false,
    keys: ("host", "port"),
    at: None,
    default: (Bind::Loopback, Some(8000)),
    cure: "host=\"0.0.0.0\", port=PORT",
};
const PAIR: Listener =
    Listener { is_pair: true, default: (Bind::Unknown, None), cure: "(\"0.0.0.0\", PORT)", ..KEYWORDS };

const LISTENERS: &[Listener] = &[
    // https://www.uvicorn.org/settings/
    Listener { call: "uvicorn.run", ..KEYWORDS },
    Listener { call: "uvicorn.Config", ..KEYWORDS },
    // https://docs.aiohttp.org/en/stable/web_reference.html#aiohttp.web.run_app
    Listener { call: "web.run_app", default: (Bind::Beyond, Some(8080)), ..KEYWORDS },
    // https://flask.palletsprojects.com/en/stable/api/#flask.Flask.run
    Listener { call: ".run", needs: "Flask(", at: Some(0), default: (Bind::Loopback, Some(5000)), ..KEYWORDS },
    // https://www.gradio.app/docs/gradio/blocks#blocks-launch
    Listener {
        call: ".launch",
        needs: "gradio",
        keys: ("server_name", "server_port"),
        default: (Bind::Loopback, Some(7860)),
        cure: "server_name=\"0.0.0.0\", server_port=PORT",
        ..KEYWORDS
    },
    // https://docs.python.org/3/library/wsgiref.html#wsgiref.simple_server.make_server
    Listener { call: "make_server", at: Some(0), default: (Bind::Unknown, None), ..KEYWORDS },
    // https://docs.python.org/3/library/socketserver.html
    Listener { call: "HTTPServer", ..PAIR },
    Listener { call: "ThreadingHTTPServer", ..PAIR },
    Listener { call: "TCPServer", ..PAIR },
];

impl Listener {
    /// Whether it makes a server without a framework.
    fn is_bare(&self) -> bool {
        self.is_pair || self.call == "make_server"
    }
}

/// Reads the script that a program runs.
pub(super) fn read(files: &Files<'_>, invocation: &Invocation) -> Option<Listening> {
    let is_js = ["node", "bun", "deno", "tsx", "ts-node"].contains(&invocation.program.as_str());
    let is_script = |arg: &&String| {
        let endings: &[&str] = if is_js { &[".js", ".mjs", ".cjs", ".ts", ".mts"] } else { &[".py"] };
        endings.iter().any(|ending| arg.ends_with(ending))
    };
    let by_name = || Some(&invocation.program).filter(is_script);
    let script =
        if is_js || is_python(&invocation.program) { invocation.args.iter().find(is_script) } else { by_name() };
    let (file, text) = files.read(invocation.folder.as_deref(), script?)?;
    let code = Code::of(files, invocation, &text, is_js);
    Some(if is_js { code.of_node(&file) } else { code.of_python(&file) })
}

/// A script of Python in a folder of the container: its path inside the directory, and its code.
pub(super) fn code_of(
    files: &Files<'_>,
    invocation: &Invocation,
    folder: Option<&str>,
    path: &str,
) -> Option<(String, Code)> {
    let (file, text) = files.read(folder, path)?;
    let code = Code::of(files, invocation, &text, false);
    Some((file, code))
}

/// A script without its comments, each line where it was.
pub(super) struct Code {
    text: String,
    settings: Settings,
}

/// A call: the receiver and name in front of it, where it begins, and its arguments.
#[derive(Clone)]
pub(super) struct Call<'a> {
    name: &'a str,
    pub(super) at: usize,
    pub(super) args: Vec<&'a str>,
}

impl Call<'_> {
    /// The argument of a name: `name=VALUE`.
    pub(super) fn keyword(&self, name: &str) -> Option<&str> {
        self.args.iter().find_map(|arg| {
            let (key, value) = arg.split_once('=')?;
            (key.trim() == name && !value.starts_with('=')).then(|| value.trim())
        })
    }

    /// The argument at a place, which has no name.
    pub(super) fn positional(&self, at: usize) -> Option<&str> {
        self.args.get(at).copied().filter(|arg| !arg.contains('=') || arg.starts_with(['"', '\'']))
    }

    /// Whether arguments come from somewhere else.
    pub(super) fn is_open(&self) -> bool {
        self.args.iter().any(|arg| arg.starts_with("**") || arg.starts_with("..."))
    }
}

impl Code {
    fn of(files: &Files<'_>, invocation: &Invocation, text: &str, is_js: bool) -> Self {
        let text = bare(text, is_js);
        let settings = settings::read(files, invocation, &text);
        Self { text, settings }
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.text.contains(word)
    }

    /// A variable that it has.
    pub(super) fn env(&self, name: &str) -> Option<&str> {
        self.settings.env.get(name).map(String::as_str)
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    /// All calls of functions whose name ends like this.
    pub(super) fn calls(&self, name: &str) -> Vec<Call<'_>> {
        let head = format!("{name}(");
        let found = self.text.match_indices(head.as_str()).filter_map(|(at, head)| {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
            let begin = self.text[..at].rfind(|c| !is_part(c)).map_or(0, |begin| begin + 1);
            let is_whole = name.starts_with('.') || begin == at || self.text[..at].ends_with('.');
            let args = arguments(&self.text[at + head.len()..])?;
            is_whole.then(|| Call { name: &self.text[begin..at + name.len()], at, args })
        });
        found.collect()
    }

    /// Whether a call is `NAME.run(…)` of the server that another one makes, and binds to this name.
    pub(super) fn is_run_of(&self, made: &Call<'_>, run: &Call<'_>) -> bool {
        let line = self.text[..made.at].rsplit('\n').next().unwrap_or_default();
        let name = line.split('=').next().unwrap_or_default().split(':').next().unwrap_or_default().trim();
        run.name.strip_suffix(".run").is_some_and(|of| !of.is_empty() && of == name && line.contains('='))
    }

    /// The value of an expression: a literal, a variable of the environment with its default, or a name for one of them.
    pub(super) fn value(&self, expression: &str, left: u8) -> Option<String> {
        self.said(expression, left).map(|(value, _)| value)
    }

    /// The same, with the variable that has it.
    fn said(&self, expression: &str, left: u8) -> Option<(String, Option<String>)> {
        let text = expression.trim();
        let set = |name: &str| Some((self.settings.env.get(name)?.clone(), Some(name.to_owned())));
        for wrapper in ["int(", "str(", "Number(", "parseInt(", "String("] {
            if let Some(inner) = text.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix(')')) {
                let inner = inner.strip_suffix(", 10").unwrap_or(inner);
                return self.said(inner, left.checked_sub(1)?);
            }
        }
        for call in ["os.environ.get(", "os.getenv(", "environ.get(", "getenv("] {
            if let Some(args) = text.strip_prefix(call).and_then(arguments) {
                let name = args.first().and_then(|name| literal(name))?;
                return set(&name).or_else(|| self.said(args.get(1)?, left.checked_sub(1)?));
            }
        }
        if let Some(rest) = text.strip_prefix("process.env.") {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let default = rest[end..].trim().trim_start_matches(['|', '?']).trim();
            return set(&rest[..end]).or_else(|| self.said(default, left.checked_sub(1)?));
        }
        let is_name = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        match literal(text) {
            Some(value) => Some((value, None)),
            None if is_name => {
                let mut bound = self.text.lines().filter_map(|line| {
                    let line = line
                        .trim()
                        .trim_start_matches("const ")
                        .trim_start_matches("let ")
                        .trim_start_matches("export ");
                    let (name, value) = line.split_once('=')?;
                    let name = name.split(':').next().unwrap_or_default().trim();
                    (name == text).then(|| value.trim().trim_end_matches(';'))
                });
                let one = bound.next()?;
                if bound.next().is_some() {
                    return None;
                }
                self.said(one, left.checked_sub(1)?)
            }
            None => None,
        }
    }

    fn place(&self, file: &str, at: usize, words: &str, cure: &str) -> Place {
        let cure = if cure.is_empty() { Cure::Unknown } else { Cure::Code(cure.to_owned()) };
        Place::new(words, Certainty::Likely).cured(cure).in_line(file, Some(self.line(at)))
    }

    /// Host and port as two expressions say them, with what holds where one is not there.
    fn address(
        &self,
        (file, at): (&str, usize),
        (host, port): (Option<&str>, Option<&str>),
        default: (Bind, Option<u16>),
        cure: &str,
    ) -> Listening {
        let said = host.map(|host| self.said(host, 4));
        let bound = match &said {
            Some(said) => said.as_ref().map_or(Bind::Unknown, |(host, _)| bind(host)),
            None => default.0,
        };
        let (port, of_port) = match port.map(|port| self.said(port, 4)) {
            Some(said) => said.map_or((None, None), |(port, variable)| (port.parse().ok(), variable)),
            None => (default.1, None),
        };
        let words = if host.is_some() { "the script" } else { "the script, which names no host" };
        let place = |words: &str, variable: Option<String>| {
            let place = self.place(file, at, words, cure);
            match variable.and_then(|name| self.settings.place(&name)) {
                Some(of_variable) => of_variable,
                None => place,
            }
        };
        Listening {
            loopback: (bound == Bind::Loopback)
                .then(|| place(words, said.flatten().and_then(|(_, variable)| variable))),
            port: port.map(|port| (port, place("the script", of_port))),
            ..Listening::default()
        }
    }

    fn of_python(&self, file: &str) -> Listening {
        let calls =
            |listener: &'static Listener| self.calls(listener.call).into_iter().map(move |call| (listener, call));
        let known = LISTENERS.iter().filter(|listener| self.text.contains(listener.needs));
        let all: Vec<(&Listener, Call<'_>)> = known.flat_map(calls).collect();
        // A bare server in addition to one of a framework, or to MCP's own, answers health checks or a sign-in.
        let (bare, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|(listener, _)| listener.is_bare());
        let runs = self.runs();
        let over_http = |run: &Call<'_>| {
            run.keyword("transport").is_some_and(|said| self.value(said, 4).as_deref() != Some("stdio"))
        };
        match (own.as_slice(), bare.as_slice()) {
            ([], bare) if bare.is_empty() || !runs.is_empty() => self.of_fastmcp(file),
            ([_], _) if runs.iter().any(over_http) => Listening::default(),
            ([(listener, call)], _) | ([], [(listener, call)]) => {
                let pair = call.positional(0).filter(|_| listener.is_pair);
                let pair = pair.and_then(|pair| pair.strip_prefix('(')?.strip_suffix(')')).map(split);
                let (host, port) = match &pair {
                    Some(pair) => (pair.first().copied(), pair.get(1).copied()),
                    None if listener.is_pair => return Listening::default(),
                    None => {
                        let said = |key, at: Option<usize>| call.keyword(key).or_else(|| call.positional(at?));
                        (said(listener.keys.0, listener.at), said(listener.keys.1, listener.at.map(|at| at + 1)))
                    }
                };
                let usual = if call.is_open() { (Bind::Unknown, None) } else { listener.default };
                self.address((file, call.at), (host, port), usual, listener.cure)
            }
            _ => Listening::default(),
        }
    }

    /// The calls that start a server of MCP.
    pub(super) fn runs(&self) -> Vec<Call<'_>> {
        const OTHERS: [&str; 7] =
            ["asyncio.run", "anyio.run", "subprocess.run", "trio.run", "hypercorn.run", "uvicorn.run", "app.run"];
        const RUNS: [&str; 6] = [
            ".run",
            ".run_async",
            ".run_http_async",
            ".run_streamable_http_async",
            ".run_sse_async",
            ".run_stdio_async",
        ];
        let runs = RUNS.iter().flat_map(|name| self.calls(name));
        runs.filter(|call| !OTHERS.contains(&call.name)).collect()
    }

    fn of_fastmcp(&self, file: &str) -> Listening {
        let made = [self.calls("FastMCP"), self.calls("MCPServer")].concat();
        let runs = self.runs();
        // https://github.com/modelcontextprotocol/python-sdk: the server without FastMCP.
        let has_http = ["streamable", "Sse", "sse", "http"].iter().any(|word| self.text.contains(word));
        if let ([], [stdio], false) = (made.as_slice(), self.calls("stdio_server").as_slice(), has_http) {
            return Listening { stdio: Some(self.place(file, stdio.at, "the script", "")), ..Listening::default() };
        }
        let ([made], [run]) = (made.as_slice(), runs.as_slice()) else { return Listening::default() };
        // `http_app` and its kind make what another program serves.
        let is_elsewhere = ["_app(", ".settings"].iter().any(|word| self.text.contains(word));
        if made.is_open() || run.is_open() || is_elsewhere || run.name.matches('_').count() > 1 {
            return Listening::default();
        }
        // Version 1 of the SDK has host and port where the server is made, the others where it runs.
        let is_first = self.text.contains("mcp.server.fastmcp");
        let transport = run.keyword("transport").or_else(|| run.positional(0));
        match transport.map(|said| self.value(said, 4)) {
            Some(None) => return Listening::default(),
            Some(Some(said)) if said != "stdio" => {}
            _ if self.settings.env.contains_key("FASTMCP_TRANSPORT") => return Listening::default(),
            _ => {
                let cure = if is_first {
                    "run(transport=\"streamable-http\")` and `FastMCP(…, host=\"0.0.0.0\", port=PORT)"
                } else {
                    "run(transport=\"streamable-http\", host=\"0.0.0.0\", port=PORT)"
                };
                return Listening { stdio: Some(self.place(file, run.at, "the script", cure)), ..Listening::default() };
            }
        }
        let host = run.keyword("host").or_else(|| made.keyword("host"));
        let port = run.keyword("port").or_else(|| made.keyword("port"));
        let has = |name: &str| self.settings.env.contains_key(name);
        let usual =
            (if has("FASTMCP_HOST") { Bind::Unknown } else { Bind::Loopback }, (!has("FASTMCP_PORT")).then_some(8000));
        let at = if host.map_or(is_first, |host| made.keyword("host") == Some(host)) { made.at } else { run.at };
        self.address((file, at), (host, port), usual, "host=\"0.0.0.0\", port=PORT")
    }

    fn of_node(&self, file: &str) -> Listening {
        // https://nodejs.org/api/net.html#serverlisten, https://docs.deno.com/api/deno/~/Deno.serve,
        // https://bun.sh/docs/api/http, https://github.com/honojs/node-server
        let listens = [self.calls(".listen"), self.calls("serve")].concat();
        let has = |word: &str| self.text.contains(word);
        if let Some(at) = self.text.find("new StdioServerTransport").filter(|_| listens.is_empty()) {
            let speaks_http = ["HTTPServerTransport", "HttpServerTransport", "SSEServerTransport", "createServer"];
            let stdio = (!speaks_http.iter().any(|word| has(word))).then(|| self.place(file, at, "the script", ""));
            return Listening { stdio, ..Listening::default() };
        }
        let [listen] = listens.as_slice() else { return Listening::default() };
        let is_serve = listen.name.ends_with("serve");
        let Some(first) = listen.args.first() else { return Listening::default() };
        let options = first.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let (host, port) = match options {
            Some(options) => {
                let fields = split(options);
                let field = |name: &str| {
                    let pairs = fields.iter().filter_map(|field| field.split_once(':'));
                    let value = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).next();
                    value.or_else(|| fields.iter().copied().find(|field| *field == name))
                };
                (field(if is_serve { "hostname" } else { "host" }), field("port"))
            }
            None if is_serve => return Listening::default(),
            None => {
                let second =
                    listen.args.get(1).copied().filter(|arg| !arg.contains("=>") && !arg.starts_with("function"));
                (second, Some(*first))
            }
        };
        // Fastify listens on localhost unless it is told otherwise, Node on every address.
        let is_fastify = options.is_some() && has("fastify");
        let usual = if is_fastify && !listen.is_open() { Bind::Loopback } else { Bind::Unknown };
        let cure = match (options.is_some(), is_serve) {
            (true, true) => "hostname: \"0.0.0.0\", port: PORT",
            (true, false) => "{ port: PORT, host: \"0.0.0.0\" }",
            (false, _) => "listen(PORT, \"0.0.0.0\")",
        };
        self.address((file, listen.at), (host, port), (usual, None), cure)
    }
}
