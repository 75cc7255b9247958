//! The strict request reader: one JSON object, every field known, every mistake named.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::near;
use crate::pipe::{self, Patient};

/// Largest request, in bytes. The biggest sensible one, hundreds of routes, is a few kilobytes.
const LIMIT: u64 = 1 << 20;
/// How long `@FILE` may take if it is a pipe, such as a shell's `<(…)`.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);
/// Byte order mark of UTF-8, which some editors write.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A field of the request that a flag gave.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) field: String,
    /// Name of the flag, without dashes.
    pub(crate) flag: String,
    /// The field's value, JSON text.
    pub(crate) text: String,
}

/// Reads the request from where `--json` says it is (the text itself, `@FILE`, or `-` for standard input) and from flags.
///
/// # Errors
/// `request` for what is not one JSON object of the command's own fields, `io` for a file that cannot be read.
pub(crate) fn read<T: DeserializeOwned>(source: Option<&str>, flags: &[Flag]) -> Result<T, Error> {
    let bytes = match source {
        None => b"{}".to_vec(),
        Some("-") => limited(io::stdin().lock(), Path::new("standard input"))?,
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let path = Path::new(path);
                read_file(path)?
            }
            None => text.as_bytes().to_vec(),
        },
    };
    parse(&joined(bytes, flags)?)
}

/// The request with the fields of the flags behind its own, as text: a name that occurs twice stays an error.
fn joined(bytes: Vec<u8>, flags: &[Flag]) -> Result<Vec<u8>, Error> {
    let text = bytes.strip_prefix(BOM).unwrap_or(&bytes).trim_ascii();
    // What is wrong with it is for `parse` to say.
    let Ok(own) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text) else { return Ok(bytes) };
    if flags.is_empty() {
        return Ok(bytes);
    }
    if let Some(Flag { field, flag, .. }) = flags.iter().find(|flag| own.contains_key(&flag.field)) {
        return Err(Error::request(
            format!("`{field}` is given in `--json` and by `--{flag}`"),
            "give each field once, in the JSON or as a flag",
        ));
    }
    let mut all = text.strip_suffix(b"}").unwrap_or(text).to_vec();
    for (at, flag) in flags.iter().enumerate() {
        if at > 0 || !own.is_empty() {
            all.push(b',');
        }
        all.extend(format!("{}:{}", serde_json::Value::from(flag.field.as_str()), flag.text).bytes());
    }
    all.push(b'}');
    Ok(all)
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |e| Error::io("read", path, e);
    if std::fs::metadata(path).map_err(failed)?.is_file() {
        return limited(File::open(path).map_err(failed)?, path);
    }
    let mut pipe = Patient::new(pipe::open(path).map_err(failed)?, PIPE_TIMEOUT);
    let bytes = limited(&mut pipe, path)?;
    if pipe.is_late() {
        return Err(Error::request(
            format!("the request in `{}` did not end within {} s", path.display(), PIPE_TIMEOUT.as_secs()),
            "close the pipe after the request, or write the request to a file",
        ));
    }
    Ok(bytes)
}

fn limited(from: impl Read, name: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| Error::io("read", name, e))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::request("the request is larger than 1 MiB", "a request holds settings, not data"));
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    // A derived struct would also take a JSON array, field by field.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::request(
            "the request is not a JSON object",
            "pass `{…}` itself, `@FILE`, or `-` for standard input",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| explain(&error))
}

/// How serde's own messages begin, which do not name the field; all others are of our types.
const OF_VALUES: [&str; 3] = ["invalid type", "invalid value", "invalid length"];
const OF_FIELDS: [&str; 4] = ["unknown field", "unknown variant", "missing field", "duplicate field"];

fn explain(error: &serde_json::Error) -> Error {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let bare = whole.strip_suffix(&place).unwrap_or(&whole);
    if let Some(unknown) = bare.strip_suffix(", there are no fields") {
        return Error::request(format!("{unknown}: this command takes no fields"), "leave `--json` out");
    }
    let begins = |words: &[&str]| words.iter().any(|word| bare.starts_with(word));
    let fields = "`mcp-tunnels-helper schema` shows the fields of every request".to_owned();
    let (message, hint) = if !error.is_data() {
        (whole.as_str(), "fix the JSON at that place; in a shell, put it in single quotes: --json '{…}'".to_owned())
    } else if begins(&OF_VALUES) {
        (whole.as_str(), fields)
    } else if begins(&OF_FIELDS) {
        (bare, meant(bare).map_or(fields.clone(), |name| format!("did you mean `{name}`? {fields}")))
    } else {
        (bare, "correct that value, then run the command again".to_owned())
    };
    Error::request(format!("the request cannot be used: {message}"), hint)
}

/// The known name that an unknown one is close to: serde puts each between backquotes, the unknown one first.
fn meant(message: &str) -> Option<&str> {
    let (unknown, known) = message.rsplit_once("`, expected ")?;
    let unknown = unknown.split_once('`')?.1;
    near::nearest(unknown, known.split('`').skip(1).step_by(2))
}

/// A setting in a request: left out it stays, `null` puts it back to its default, a value sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Not mentioned.
    #[default]
    Keep,
    /// `null`.
    Reset,
    Set(T),
}

impl<T: Clone> Change<T> {
    /// The setting after the change: `current` where it was not mentioned, `None` where it was reset.
    pub(crate) fn over(&self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Reset => None,
            Self::Set(value) => Some(value.clone()),
        }
    }

    /// Whether the request says anything about it.
    pub(crate) fn is_mentioned(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(input)?.map_or(Self::Reset, Self::Set))
    }
}

impl<T: JsonSchema> JsonSchema for Change<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

/// A map in which a duplicate key is an error; serde would keep the last one without a word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct UniqueMap<V>(pub(crate) std::collections::BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names, such as {\"echo\": \"http://hello-mcp:9000\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = std::collections::BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, V>()? {
                    if entries.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("duplicate key `{key}`")));
                    }
                    entries.insert(key, value);
                }
                Ok(UniqueMap(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Err(serde::de::Error::custom(
                    "a list where a map of names is expected; write {\"echo\": \"http://hello-mcp:9000\"}",
                ))
            }
        }
        input.deserialize_any(Entries(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[derive(Default)]
    struct Sample {
        level: Change<String>,
        routes: UniqueMap<Option<String>>,
    }

    fn wrong(text: &str) -> String {
        parse::<Sample>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn left_out_null_and_a_value_are_three_things() {
        let read = |text: &str| parse::<Sample>(text.as_bytes()).unwrap().level;
        assert_eq!(read("{}"), Change::Keep);
        assert_eq!(read(r#"{"level":null}"#), Change::Reset);
        assert_eq!(read(r#"{"level":"x"}"#), Change::Set("x".into()));
    }

    #[test]
    fn what_is_not_an_object_of_known_fields_is_refused() {
        assert!(wrong(r#"[null,{}]"#).contains("not a JSON object"));
        assert!(wrong("").contains("not a JSON object"));
        assert!(wrong(r#"{"rotes":{}}"#).contains("unknown field `rotes`, expected `level` or `routes`"));
        assert!(wrong(r#"{"routes":{"a":"x","a":"y"}}"#).contains("duplicate key `a`"));
        assert!(wrong(r#"{"routes":["a"]}"#).contains("a list where a map"));
        assert!(wrong(r#"{} {}"#).contains("trailing characters"));
        assert!(wrong("{\"level\":\"\u{0}\"}").contains("control character"));
    }

    #[test]
    fn a_place_is_named_only_where_it_helps() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        let none = parse::<Empty>(br#"{"verbose":true}"#).unwrap_err();
        assert_eq!(none.to_string(), "unknown field `verbose`: this command takes no fields");
        assert_eq!(none.hint(), "leave `--json` out");
        for (text, placed, hint) in [
            (r#"{"routes":{"a":"x","a":"y"}}"#, false, "correct that value"),
            (r#"{"rotes":{}}"#, false, "did you mean `routes`? `mcp-tunnels-helper schema`"),
            (r#"{"Level":"x"}"#, false, "did you mean `level`?"),
            (r#"{"nonsense":1}"#, false, "`mcp-tunnels-helper schema` shows"),
            (r#"{"`, expected `x`":1}"#, false, "schema"),
            (r#"{"level":5}"#, true, "schema"),
            (r#"{"level":}"#, true, "single quotes"),
            (r#"{"level":"x""#, true, "single quotes"),
        ] {
            let error = parse::<Sample>(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string().contains(" at line "), placed, "{error}");
            assert!(error.hint().contains(hint), "{error}: {}", error.hint());
        }
    }

    #[test]
    fn a_field_comes_from_the_json_or_from_a_flag() {
        let flag = |field: &str, text: &str| Flag { field: field.into(), flag: field.into(), text: text.into() };
        let all = |json: &str, flags: &[Flag]| {
            joined(json.as_bytes().to_vec(), flags)
                .map(|bytes| String::from_utf8(bytes).unwrap())
                .map_err(|e| e.to_string())
        };
        assert_eq!(all(" {} ", &[flag("a", "1"), flag("b", "null")]).as_deref(), Ok(r#"{"a":1,"b":null}"#));
        assert_eq!(all("{\"c\":[]}\n", &[flag("a", "{}")]).as_deref(), Ok(r#"{"c":[],"a":{}}"#));
        assert_eq!(all("\u{feff}{}", &[flag("a", "1")]).as_deref(), Ok(r#"{"a":1}"#));
        assert_eq!(all("[1", &[flag("a", "1")]).as_deref(), Ok("[1"));
        assert!(all(r#"{"a":2}"#, &[flag("a", "1")]).unwrap_err().contains("`a` is given in `--json` and by `--a`"));
    }

    #[test]
    fn a_byte_order_mark_does_no_harm() {
        assert!(parse::<Sample>(b"\xef\xbb\xbf{}").is_ok());
    }

    #[test]
    fn nothing_else_than_its_routes_is_kept_of_a_map() {
        let sample = parse::<Sample>(br#"{"routes":{"a":null,"b":"x"}}"#).unwrap();
        assert_eq!(sample.routes.0.len(), 2);
    }
}
