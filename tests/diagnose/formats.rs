//! The same log as other viewers and other versions print it says the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::{Case, Said, corpus, diagnose, each, findings};
use crate::support::{is_long, real_tools_required};

/// A line, and the service in front of it.
type Line<'a> = (Option<&'a str>, &'a str);

/// Services and lines of a log as Compose 1 or 2 prints it.
fn lines(text: &str) -> Vec<Line<'_>> {
    text.lines()
        .map(|line| {
            let bar = line.split_once('|').filter(|(name, _)| {
                let name = name.trim_end();
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
            });
            match bar {
                Some((name, rest)) => {
                    let name = name.trim_end().trim_end_matches("-1").trim_end_matches("_1");
                    (Some(name), rest.strip_prefix(' ').unwrap_or(rest))
                }
                None => (None, line),
            }
        })
        .collect()
}

/// Prints lines with what `prefix` makes of the service.
fn print<'a>(lines: impl IntoIterator<Item = (Option<String>, &'a str)>, colour: bool) -> String {
    let lines: Vec<_> = lines.into_iter().collect();
    let width = lines.iter().filter_map(|(name, _)| name.as_ref()).map(String::len).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in lines {
        match name {
            Some(name) if colour => writeln!(out, "\u{1b}[36m{name:width$}  |\u{1b}[0m {text}").unwrap(),
            Some(name) => writeln!(out, "{name:width$}  | {text}").unwrap(),
            None => writeln!(out, "{text}").unwrap(),
        }
    }
    out
}

fn as_v2<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> String {
    print(lines.into_iter().map(|(name, text)| (name.map(|name| format!("{name}-1")), text)), false)
}

fn named(text: &str, name: impl Fn(&str) -> String) -> String {
    print(lines(text).into_iter().map(|(service, text)| (service.map(&name), text)), false)
}

fn compose_1(text: &str) -> Option<String> {
    Some(named(text, |service| format!("{service}_1")))
}

fn container_name(text: &str) -> Option<String> {
    Some(named(text, str::to_owned))
}

/// A name says nothing of what runs under it. (A table of containers would name them, too.)
fn renamed(text: &str) -> Option<String> {
    let other = |service: &str| match service {
        "mcp-proxy" => "gate-1".to_owned(),
        "cloudflared" => "tunnel-1".to_owned(),
        "hello-mcp" => "tools-1".to_owned(),
        other => format!("{other}-1"),
    };
    (!text.contains(" STATUS") && !text.contains(" State ")).then(|| named(text, other))
}

fn coloured(text: &str) -> Option<String> {
    Some(print(lines(text).into_iter().map(|(name, text)| (name.map(|name| format!("{name}-1")), text)), true))
}

/// The moment in a line, of any of the programs.
fn moment(line: &str) -> Option<OffsetDateTime> {
    let at = line.char_indices().map(|(at, _)| at).take(60).find(|at| {
        let text = &line.as_bytes()[*at..];
        text.len() >= 19 && text[..4].iter().all(u8::is_ascii_digit) && text[13] == b':' && text[16] == b':'
    })?;
    let text = line.get(at..at + 19)?.replace('/', "-").replace(' ', "T");
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    PrimitiveDateTime::parse(&text, &format).ok().map(PrimitiveDateTime::assume_utc)
}

/// `--timestamps`: the engine's, later with every line of a service.
fn timestamps(text: &str) -> Option<String> {
    let all = lines(text);
    let first = all.iter().find_map(|(_, line)| moment(line)).unwrap_or(time::macros::datetime!(2026-11-22 20:45 UTC));
    let mut last: std::collections::BTreeMap<&str, OffsetDateTime> = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for (service, line) in &all {
        let Some(service) = service else {
            out.push((None, (*line).to_owned()));
            continue;
        };
        let before = last.get(service).copied();
        let own = moment(line).or(before.map(|at| at + Duration::milliseconds(700))).unwrap_or(first);
        let at = before.map_or(own, |before| own.max(before + Duration::milliseconds(1)));
        last.insert(service, at);
        out.push((Some(format!("{service}-1")), format!("{} {line}", at.format(&Rfc3339).unwrap())));
    }
    Some(print(out.iter().map(|(name, text)| (name.clone(), text.as_str())), false))
}

fn no_prefix(text: &str) -> Option<String> {
    Some(lines(text).into_iter().map(|(_, text)| format!("{text}\n")).collect())
}

fn crlf(text: &str) -> Option<String> {
    Some(text.replace('\n', "\r\n"))
}

/// A mail's answer.
fn quoted(text: &str) -> Option<String> {
    Some(text.lines().map(|line| if line.is_empty() { ">\n".to_owned() } else { format!("> {line}\n") }).collect())
}

/// A block of Markdown.
fn indented(text: &str) -> Option<String> {
    Some(text.lines().map(|line| format!("    {line}\n")).collect())
}

/// `journalctl -u UNIT -u UNIT …`, where each program is a unit of its name. Docker's own lines are not in it.
fn journal(text: &str) -> Option<String> {
    let mut out = String::new();
    for (at, (name, line)) in lines(text).into_iter().enumerate() {
        let name = name?;
        writeln!(out, "Nov 26 09:{:02}:{:02} vm1 {name}[812]: {line}", at / 60 % 60, at % 60).unwrap();
    }
    Some(out)
}

/// The fields behind a message: ` name=value` and ` name="value"` to the end of the line.
fn fields(text: &str) -> Option<Map<String, Value>> {
    let mut rest = text;
    let mut all = Map::new();
    while let Some(pair) = rest.strip_prefix(' ').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
            return None;
        }
        let (value, after) = if value.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
            let parsed = values.next()?.ok()?;
            (parsed, &value[values.byte_offset()..])
        } else {
            let end = value.find(' ').unwrap_or(value.len());
            (value[..end].parse::<u64>().map_or_else(|_| json!(value[..end]), |n| json!(n)), &value[end..])
        };
        all.insert(name.to_owned(), value);
        rest = after;
    }
    Some(all)
}

/// `--output json` of cloudflared: keys sorted, a message that is empty left out.
fn json_output(text: &str) -> Option<String> {
    let levels = [(" INF ", "info"), (" WRN ", "warn"), (" ERR ", "error"), (" DBG ", "debug")];
    let convert = |line: &str| {
        let (stamp, rest) = line.split_at_checked(20)?;
        let (_, level) = levels.iter().find(|(short, _)| rest.starts_with(short)).filter(|_| stamp.ends_with('Z'))?;
        let rest = &rest[4..];
        let (message, mut all) = rest
            .match_indices(' ')
            .find_map(|(at, _)| fields(&rest[at..]).map(|all| (rest[..at].trim(), all)))
            .unwrap_or((rest.trim(), Map::new()));
        all.insert("level".into(), json!(level));
        all.insert("time".into(), json!(stamp));
        if !message.is_empty() {
            all.insert("message".into(), json!(message));
        }
        Some(Value::Object(all).to_string())
    };
    let converted: Vec<(Option<&str>, String)> =
        lines(text).into_iter().map(|(name, line)| (name, convert(line).unwrap_or_else(|| line.to_owned()))).collect();
    Some(as_v2(converted.iter().map(|(name, line)| (*name, line.as_str()))))
}

/// The lines with prefixes, by service, and what surrounds them.
struct Parts<'a> {
    before: &'a [Line<'a>],
    services: Vec<Vec<Line<'a>>>,
    after: &'a [Line<'a>],
}

/// `None` where other lines stand between those with prefixes.
fn parts<'a>(all: &'a [Line<'a>]) -> Option<Parts<'a>> {
    let first = all.iter().position(|(name, _)| name.is_some())?;
    let end = all.iter().rposition(|(name, _)| name.is_some())? + 1;
    let middle = &all[first..end];
    let mut services: Vec<Vec<Line<'a>>> = Vec::new();
    for line in middle {
        line.0?;
        match services.iter_mut().find(|service| service[0].0 == line.0) {
            Some(service) => service.push(*line),
            None => services.push(vec![*line]),
        }
    }
    Some(Parts { before: &all[..first], services, after: &all[end..] })
}

fn other_order(text: &str) -> Option<String> {
    let all = lines(text);
    let Parts { before, services, after } = parts(&all)?;
    let middle = services.iter().rev().flatten();
    Some(as_v2(before.iter().chain(middle).chain(after).copied()))
}

fn interleaved(text: &str) -> Option<String> {
    let all = lines(text);
    let Parts { before, services, after } = parts(&all)?;
    let longest = services.iter().map(Vec::len).max()?;
    let middle = (0..longest).flat_map(|at| services.iter().filter_map(move |service| service.get(at)));
    Some(as_v2(before.iter().chain(middle).chain(after).copied()))
}

/// One lost session is nothing, and two are.
fn loses_a_session(text: &str) -> bool {
    text.contains("Session not found")
}

fn each_line_twice(text: &str) -> Option<String> {
    (!loses_a_session(text)).then(|| text.lines().map(|line| format!("{line}\n{line}\n")).collect())
}

fn twice(text: &str) -> Option<String> {
    (!loses_a_session(text)).then(|| text.repeat(2))
}

fn all_at_once(text: &str) -> Option<String> {
    crlf(&coloured(&timestamps(&interleaved(text)?)?)?)
}

type Format = (&'static str, fn(&str) -> Option<String>);

const FORMATS: [Format; 16] = [
    ("Compose 1", compose_1),
    ("container_name", container_name),
    ("other services", renamed),
    ("colours", coloured),
    ("--timestamps", timestamps),
    ("--no-log-prefix", no_prefix),
    ("CRLF", crlf),
    ("cloudflared's JSON", json_output),
    ("services in another order", other_order),
    ("interleaved", interleaved),
    ("each line twice", each_line_twice),
    ("the whole log twice", twice),
    ("many at once", all_at_once),
    ("a quote", quoted),
    ("an indented block", indented),
    ("a journal of units", journal),
];

#[test]
fn the_format_changes_nothing() {
    let mut work: Vec<(&Case, &str, String)> = Vec::new();
    let mut roots = BTreeSet::new();
    for (at, case) in corpus().iter().enumerate() {
        // Every format for one log a rule; the others share them out, thinner where no gate runs, but in the long run.
        let whole = roots.insert(case.expected.first().map(|(id, ..)| id));
        let share = match () {
            () if is_long() => 1,
            () if real_tools_required() => 3,
            () => FORMATS.len(),
        };
        let formats = FORMATS.iter().enumerate().filter(|(number, _)| whole || (at + number) % share == 0);
        for (_, (name, format)) in formats {
            work.extend(format(&case.text).filter(|text| *text != case.text).map(|text| (case, *name, text)));
        }
    }
    assert!(work.len() > 2 * corpus().len(), "{}", work.len());
    each(&work, |(case, format, text)| {
        let answer = diagnose(text.as_str());
        let sorted = |mut all: Vec<Said>| {
            all.sort();
            all
        };
        let (now, then) = (sorted(findings(&answer)), sorted(case.expected.clone()));
        assert_eq!(now, then, "{} as {format}:\n{text}", case.name);
        assert_eq!(answer.data()["healthy"], case.healthy, "{} as {format}:\n{text}", case.name);
        // The root stays where it was.
        assert_eq!(
            answer.findings().first().copied(),
            case.expected.first().map(|(id, ..)| id.as_str()),
            "{} as {format}",
            case.name
        );
    });
}
