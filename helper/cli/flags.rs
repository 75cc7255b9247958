//! Fields of a request as flags, made from its JSON Schema.
//!
//! A field's flag is its name in kebab-case. Lists and maps use the singular and repeat (`--allowed-ip`, `--route
//! NAME=VALUE`), as does an object whose fields all have the same plain type (`--image proxy=…`); fields of other
//! objects are joined (`--upstream-tls-ca-file`). An empty value is `null`: it removes an entry or resets a setting.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches};
use schemars::Schema;
use serde_json::Value;

use crate::answer::Error;
use crate::answer::request::Flag;

#[derive(Debug)]
pub(crate) struct Field {
    name: String,
    about: String,
    kind: FieldKind,
    /// Whether `null` is a value.
    nullable: bool,
}

#[derive(Debug, PartialEq)]
enum FieldKind {
    Switch,
    Number,
    Text,
    /// One of these, each with what it means.
    Choice(Vec<(String, String)>),
    List(Box<FieldKind>),
    /// Name to value, with the names where they are fixed.
    Map(Box<FieldKind>, Vec<String>),
    Object(Vec<Field>),
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.kind == other.kind
    }
}

/// The fields of a request, in the order of its type.
pub(crate) fn fields(request: &Schema) -> Vec<Field> {
    let root = request.as_value();
    properties(root, root)
}

fn properties(object: &Value, root: &Value) -> Vec<Field> {
    let fields = object["properties"].as_object();
    fields.into_iter().flatten().filter_map(|(name, schema)| field(name, schema, root)).collect()
}

/// The definition that a `$ref` names, or the schema itself.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next());
    name.map_or(schema, |name| &root["$defs"][name])
}

fn field(name: &str, schema: &Value, root: &Value) -> Option<Field> {
    let (inner, nullable) = without_null(schema, root);
    let about = schema["description"].as_str().or(inner["description"].as_str()).unwrap_or_default();
    // Markdown of the reference; a line of help is plain.
    let about = about.replace('\n', " ");
    Some(Field { name: name.to_owned(), about, kind: kind(inner, root)?, nullable })
}

/// The schema of the values other than `null`, and whether `null` is one.
fn without_null<'a>(schema: &'a Value, root: &'a Value) -> (&'a Value, bool) {
    if let Some(variants) = schema["anyOf"].as_array() {
        let rest: Vec<&Value> = variants.iter().filter(|v| v["type"] != "null").collect();
        if let [one] = rest.as_slice() {
            return (resolve(one, root), rest.len() < variants.len());
        }
    }
    let is_null = |kind: &Value| kind.as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "null"));
    let schema = resolve(schema, root);
    (schema, is_null(&schema["type"]))
}

fn kind(schema: &Value, root: &Value) -> Option<FieldKind> {
    if let Some(variants) = schema["oneOf"].as_array() {
        let choice = |v: &Value| {
            Some((v["const"].as_str()?.to_owned(), v["description"].as_str().unwrap_or_default().to_owned()))
        };
        return variants.iter().map(choice).collect::<Option<Vec<_>>>().map(FieldKind::Choice);
    }
    if let Some(values) = schema["enum"].as_array() {
        let choice = |v: &Value| Some((v.as_str()?.to_owned(), String::new()));
        return values.iter().filter(|v| !v.is_null()).map(choice).collect::<Option<Vec<_>>>().map(FieldKind::Choice);
    }
    let name = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null")?.as_str()?,
        kind => kind.as_str()?,
    };
    let item = |schema: &Value| kind(without_null(schema, root).0, root).map(Box::new);
    match name {
        "boolean" => Some(FieldKind::Switch),
        "integer" | "number" => Some(FieldKind::Number),
        "string" => Some(FieldKind::Text),
        "array" => item(&schema["items"]).map(FieldKind::List),
        "object" if schema["additionalProperties"].is_object() => {
            item(&schema["additionalProperties"]).map(|item| FieldKind::Map(item, Vec::new()))
        }
        "object" => {
            let fields = properties(schema, root);
            let is_plain = |kind: &FieldKind| {
                matches!(kind, FieldKind::Switch | FieldKind::Number | FieldKind::Text | FieldKind::Choice(_))
            };
            match fields.as_slice() {
                [first, rest @ ..]
                    if !rest.is_empty() && is_plain(&first.kind) && rest.iter().all(|f| f.kind == first.kind) =>
                {
                    let names = fields.iter().map(|field| field.name.clone()).collect();
                    Some(FieldKind::Map(Box::new(fields.into_iter().next()?.kind), names))
                }
                _ => Some(FieldKind::Object(fields)),
            }
        }
        _ => None,
    }
}

/// `routes` is `route`, `allowed_ips` is `allowed-ip`.
fn singular(name: &str) -> String {
    let name = name
        .strip_suffix("ies")
        .map_or_else(|| name.strip_suffix('s').unwrap_or(name).to_owned(), |stem| format!("{stem}y"));
    name.replace('_', "-")
}

impl Field {
    /// Name of the flag; the fields of an object have their own flags.
    fn flag(&self, prefix: &str) -> String {
        let own = match self.kind {
            FieldKind::List(_) | FieldKind::Map(..) => singular(&self.name),
            _ => self.name.replace('_', "-"),
        };
        if prefix.is_empty() { own } else { format!("{prefix}-{own}") }
    }

    pub(crate) fn takes_routes(&self) -> bool {
        matches!(self.kind, FieldKind::Map(..)) && self.name == "routes"
    }

    /// Its help: what is `null` in the JSON is an empty value here, and a list is a flag that repeats.
    fn help(&self) -> String {
        let about = self.about.replace("`null`", "an empty VALUE");
        match self.kind {
            FieldKind::List(_) | FieldKind::Map(..) => format!("{about} Repeat it for several."),
            _ => about,
        }
    }

    pub(crate) fn args(&self, prefix: &str, into: &mut Vec<Arg>) {
        let flag = self.flag(prefix);
        if let FieldKind::Object(fields) = &self.kind {
            for field in fields {
                field.args(&flag, into);
            }
            return;
        }
        let arg = Arg::new(flag.clone()).long(flag).help(self.help()).help_heading("Fields of the request");
        into.push(match &self.kind {
            FieldKind::Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("true|false")
                .value_parser(choices(
                    &[("true".into(), String::new()), ("false".into(), String::new())],
                    self.nullable,
                ))
                .hide_possible_values(true),
            FieldKind::Number => arg.value_name("NUMBER").allow_negative_numbers(true),
            FieldKind::Text | FieldKind::Object(_) => arg.value_name("TEXT"),
            FieldKind::Choice(values) => {
                let name = values.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join("|");
                arg.value_name(name).value_parser(choices(values, self.nullable)).hide_possible_values(true)
            }
            FieldKind::List(_) => arg.value_name("TEXT").action(ArgAction::Append),
            FieldKind::Map(_, names) if names.is_empty() => arg.value_name("NAME=VALUE").action(ArgAction::Append),
            FieldKind::Map(_, names) => arg.value_name(format!("{}=VALUE", names.join("|"))).action(ArgAction::Append),
        });
    }

    /// The JSON text of this field, if a flag gave it.
    fn text(&self, prefix: &str, matches: &ArgMatches) -> Result<Option<String>, Error> {
        let flag = self.flag(prefix);
        if let FieldKind::Object(fields) = &self.kind {
            let mut given = Vec::new();
            for field in fields {
                if let Some(text) = field.text(&flag, matches)? {
                    given.push((&field.name, text));
                }
            }
            let all_reset = given.iter().all(|(_, text)| text == "null");
            let parts: Vec<String> = given.iter().map(|(name, text)| format!("{}:{text}", quoted(name))).collect();
            return Ok(match (parts.is_empty(), all_reset && self.nullable) {
                (true, _) => None,
                (false, true) => Some("null".into()),
                (false, false) => Some(format!("{{{}}}", parts.join(","))),
            });
        }
        let Some(values) = matches.get_many::<String>(&flag) else { return Ok(None) };
        let values: Vec<&String> = values.collect();
        let text = match &self.kind {
            FieldKind::List(_) if self.nullable && matches!(values.as_slice(), [only] if only.is_empty()) => {
                "null".into()
            }
            FieldKind::List(item) => {
                let items: Result<Vec<String>, Error> = values.iter().map(|v| value(item, v, false, &flag)).collect();
                format!("[{}]", items?.join(","))
            }
            FieldKind::Map(item, names) => {
                let entry = |given: &&String| {
                    let shown = if names.is_empty() { "NAME".into() } else { names.join("|") };
                    let (name, text) = given.split_once('=').ok_or_else(|| {
                        Error::Usage(format!("`--{flag}` takes {shown}=VALUE; an empty VALUE removes it"))
                    })?;
                    Ok(format!("{}:{}", quoted(name), value(item, text, true, &flag)?))
                };
                let entries: Result<Vec<String>, Error> = values.iter().map(entry).collect();
                format!("{{{}}}", entries?.join(","))
            }
            kind => value(kind, values.first().map_or("", |v| v.as_str()), self.nullable, &flag)?,
        };
        Ok(Some(text))
    }
}

/// The fields that were given as flags.
///
/// # Errors
/// `usage` for a value that is not of the field's type.
pub(crate) fn given(fields: &[Field], matches: &ArgMatches) -> Result<Vec<Flag>, Error> {
    let mut flags = Vec::new();
    for field in fields {
        if let Some(text) = field.text("", matches)? {
            flags.push(Flag { field: field.name.clone(), flag: field.flag(""), text });
        }
    }
    Ok(flags)
}

fn choices(values: &[(String, String)], nullable: bool) -> Vec<PossibleValue> {
    let mut all: Vec<PossibleValue> =
        values.iter().map(|(value, about)| PossibleValue::new(value.clone()).help(about.clone())).collect();
    if nullable {
        all.push(PossibleValue::new("").hide(true));
    }
    all
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn value(kind: &FieldKind, text: &str, nullable: bool, flag: &str) -> Result<String, Error> {
    match kind {
        _ if text.is_empty() && nullable => Ok("null".into()),
        FieldKind::Switch if matches!(text, "true" | "false") => Ok(text.into()),
        FieldKind::Switch => Err(Error::Usage(format!("`--{flag}` takes true or false"))),
        // A float is left to the type of the request, which names what it expects.
        FieldKind::Number => match text.parse::<serde_json::Number>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(Error::Usage(format!("`--{flag}` takes a number, not `{text}`"))),
        },
        _ => Ok(quoted(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::COMMANDS;

    fn args(words: &str) -> Vec<Arg> {
        let command = COMMANDS.iter().find(|c| c.words == words).unwrap();
        let mut args = Vec::new();
        fields(&(command.request)()).iter().for_each(|field| field.args("", &mut args));
        args
    }

    fn json(words: &str, given_args: &[&str]) -> Result<String, String> {
        let command = COMMANDS.iter().find(|c| c.words == words).unwrap();
        let parser = clap::Command::new("x").no_binary_name(true).args(args(words));
        let matches = parser.try_get_matches_from(given_args).map_err(|e| e.to_string())?;
        let flags = given(&fields(&(command.request)()), &matches).map_err(|e| e.to_string())?;
        Ok(flags.iter().map(|f| format!("{}={}", f.field, f.text)).collect::<Vec<_>>().join(" "))
    }

    /// No field is left without a flag, and no flag hides another or one of the helper's own.
    #[test]
    fn every_field_of_every_request_has_a_flag_of_its_own() {
        const OWN: [&str; 8] = ["dir", "json", "pretty", "output", "progress", "quiet", "help", "version"];
        for command in COMMANDS {
            let schema = (command.request)();
            let properties = schema.as_value()["properties"].as_object();
            let names: Vec<String> = properties.into_iter().flatten().map(|(name, _)| name.clone()).collect();
            let found = fields(&schema);
            assert_eq!(found.iter().map(|f| f.name.clone()).collect::<Vec<_>>(), names, "{}", command.words);
            let mut flags: Vec<String> = args(command.words).iter().map(|a| a.get_id().to_string()).collect();
            assert!(flags.iter().all(|flag| !OWN.contains(&flag.as_str())), "{}: {flags:?}", command.words);
            flags.sort();
            let count = flags.len();
            flags.dedup();
            assert_eq!(flags.len(), count, "{}", command.words);
        }
    }

    #[test]
    fn a_flag_is_the_json_of_its_field() {
        for (words, given, expected) in [
            ("render", &["--route", "wiki=http://wiki:8000"][..], r#"routes={"wiki":"http://wiki:8000"}"#),
            ("render", &["--route", "a=http://a:1", "--route=b="], r#"routes={"a":"http://a:1","b":null}"#),
            ("render", &["--path", "a=/sse"], r#"paths={"a":"/sse"}"#),
            (
                "render",
                &["--allowed-ip", "10.0.0.0/8", "--allowed-ip", "10.1.2.3"],
                r#"allowed_ips=["10.0.0.0/8","10.1.2.3"]"#,
            ),
            ("render", &["--network="], "networks=null"),
            ("render", &["--image", "proxy=a/b:c", "--image", "python="], r#"images={"proxy":"a/b:c","python":null}"#),
            ("render", &["--upstream-tls-ca-file", "/data/x"], r#"upstream={"tls":{"ca_file":"/data/x"}}"#),
            ("render", &["--upstream-tls-ca-file="], "upstream=null"),
            (
                "render",
                &["--upstream-tls-ca-file", "/data/x", "--upstream-tls-include-system-cas"],
                r#"upstream={"tls":{"ca_file":"/data/x","include_system_cas":true}}"#,
            ),
            ("render", &["--sample=false", "--dry-run"], "dry_run=true sample=false"),
            ("render", &["--sample="], "sample=null"),
            ("render", &["--protocol", "http2", "--log-level="], "protocol=\"http2\" log_level=null"),
            ("init", &["--domain", "a\"b"], r#"domain="a\"b""#),
            ("status", &["--wait-seconds", "-1"], "wait_seconds=-1"),
            ("restart", &["--service", "a", "--service", "b"], r#"services=["a","b"]"#),
        ] {
            assert_eq!(json(words, given).as_deref(), Ok(expected), "{given:?}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (words, given) in [
            ("render", &["--route", "wiki"][..]),
            ("render", &["--protocol", "tcp"]),
            ("render", &["--sample=yes"]),
            ("render", &["--sample", "false"]),
            ("render", &["--rotue", "x=y"]),
            ("status", &["--wait-seconds", "soon"]),
            ("preflight", &["--offline="]),
        ] {
            assert!(json(words, given).is_err(), "{given:?}");
        }
    }
}
