//! A request of the Messages API that calls a route, in each language.

use serde_json::{Value, json};

const ENDPOINT: &str = "https://api.anthropic.com/v1/messages";
const VERSION: &str = "2023-06-01";
const BETA: &str = "mcp-client-2025-11-20";

/// What a request says. Every value is plain ASCII without quotes or backslashes, so a JSON string is one of Python and
/// of TypeScript, too.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) url: &'a str,
    pub(super) prompt: &'a str,
    pub(super) model: &'a str,
}

impl Request<'_> {
    /// A shell command; the key comes from the shell's ANTHROPIC_API_KEY.
    pub(super) fn curl(&self) -> String {
        let Self { name, url, prompt, model } = self;
        // A line for each field: short, and easy to change.
        let fields = [
            ("model", json!(model)),
            ("max_tokens", json!(1024)),
            ("messages", json!([{ "role": "user", "content": prompt }])),
            ("mcp_servers", json!([{ "type": "url", "url": url, "name": name }])),
            ("tools", json!([{ "type": "mcp_toolset", "mcp_server_name": name }])),
        ];
        let body = fields.map(|(field, value)| format!("  \"{field}\": {value}")).join(",\n");
        format!(
            "curl {ENDPOINT} \\\n  -H \"x-api-key: $ANTHROPIC_API_KEY\" \\\n  -H \"anthropic-version: {VERSION}\" \\\n  -H \"anthropic-beta: {BETA}\" \\\n  -H \"content-type: application/json\" \\\n  -d '{{\n{body}\n}}'\n"
        )
    }

    /// The four values as strings of a language.
    fn quoted(&self) -> [String; 4] {
        [self.model, self.prompt, self.url, self.name].map(|text| Value::from(text).to_string())
    }

    /// A program for the Python SDK.
    pub(super) fn python(&self) -> String {
        let [model, prompt, url, name] = self.quoted();
        format!(
            "import anthropic\n\nclient = anthropic.Anthropic()  # reads ANTHROPIC_API_KEY\n\nmessage = client.beta.messages.create(\n    model={model},\n    max_tokens=1024,\n    messages=[{{\"role\": \"user\", \"content\": {prompt}}}],\n    mcp_servers=[{{\"type\": \"url\", \"url\": {url}, \"name\": {name}}}],\n    tools=[{{\"type\": \"mcp_toolset\", \"mcp_server_name\": {name}}}],\n    betas=[\"{BETA}\"],\n)\nprint(message.content)\n"
        )
    }

    /// A module for the TypeScript SDK.
    pub(super) fn typescript(&self) -> String {
        let [model, prompt, url, name] = self.quoted();
        format!(
            "import Anthropic from \"@anthropic-ai/sdk\";\n\nconst client = new Anthropic(); // reads ANTHROPIC_API_KEY\n\nconst message = await client.beta.messages.create({{\n  model: {model},\n  max_tokens: 1024,\n  messages: [{{ role: \"user\", content: {prompt} }}],\n  mcp_servers: [{{ type: \"url\", url: {url}, name: {name} }}],\n  tools: [{{ type: \"mcp_toolset\", mcp_server_name: {name} }}],\n  betas: [\"{BETA}\"],\n}});\nconsole.log(message.content);\n"
        )
    }
}
