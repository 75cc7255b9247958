//! The facts of each command. What no function here knows is laid out by its shape.

use serde_json::Value;

use super::by_shape::{by_shape, list, scalar, text, title};
use super::layout::Page;

/// Shows `data` of a command.
pub(super) fn show(page: &mut Page, command: &str, data: &Value) {
    match command {
        "preflight" => preflight(page, data),
        "init" => init(page, data),
        "up" | "status" | "restart" | "probe" => stack(page, data),
        "connect" => connect(page, data),
        "render" => {
            files(page, data);
            routes(page, data);
            diffs(page, data);
        }
        "certs issue" | "certs check" | "certs renew" | "certs rotate-ca" => {
            certificates(page, data);
            by_shape(page, 0, &without(data, &["ca", "server", "new_ca", "files", "requirements"]));
            rows(page, "Requirements:", &["requirement", "of", "ok", "found"], list(&data["requirements"]));
            files(page, data);
        }
        "export" => export(page, data),
        "rules" => rules(page, data),
        "schema" => {
            page.gap();
            page.verbatim(0, &serde_json::to_string_pretty(data).unwrap_or_default());
        }
        _ => by_shape(page, 0, data),
    }
}

/// One line a program, and one a purpose of the network probes; what is not fine in its own line.
fn preflight(page: &mut Page, data: &Value) {
    page.gap();
    let mut table = Vec::new();
    for tool in list(&data["tools"]) {
        let version = tool["version"].as_str().unwrap_or("not found");
        let floor = tool["floor"].as_str().map_or_else(String::new, |floor| format!("{floor} or newer"));
        table.push(vec![text(&tool["name"]).to_owned(), version.to_owned(), floor, joined(&tool["kind"])]);
    }
    page.table(&["tool", "version", "needed", ""], table);
    let host = &data["host"];
    let system = ["os", "arch"].map(|name| text(&host[name])).join(" ");
    let free = host["disk_free_mib"].as_u64().map(|free| format!("{free} MiB free")).unwrap_or_default();
    let system = [system, joined(&host["kind"]), free].into_iter().filter(|part| !part.is_empty());
    let mut facts = vec![vec!["system".to_owned(), system.collect::<Vec<_>>().join(", ")]];
    if let Some(path) = host["directory"]["path"].as_str() {
        facts.push(vec!["directory".to_owned(), path.to_owned()]);
    }
    page.gap();
    page.table(&[], facts);
    network(page, list(&data["network"]));
}

fn network(page: &mut Page, probes: &[Value]) {
    let mut purposes: Vec<(String, Vec<&Value>)> = Vec::new();
    for row in probes {
        let name = format!("{} {}", text(&row["transport"]), row["port"]);
        match purposes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => purposes.push((name, vec![row])),
        }
    }
    let mut table = Vec::new();
    for (name, rows) in purposes {
        let failed: Vec<&Value> = rows.iter().copied().filter(|row| row["outcome"] != "ok").collect();
        let probes = |rows: &[&Value]| rows.iter().map(|row| 1 + row["more"].as_u64().unwrap_or(0)).sum::<u64>();
        let answered = format!("{} of {} ok", probes(&rows) - probes(&failed), probes(&rows));
        let slowest = rows.iter().filter(|row| row["outcome"] == "ok").filter_map(|row| row["ms"].as_u64()).max();
        let took = slowest.map_or_else(String::new, |ms| format!("{ms} ms"));
        table.push(vec![name, answered, took, targets(rows.iter().copied())]);
        // What failed in the same way is one line.
        let mut kinds: Vec<([&str; 3], Vec<&Value>)> = Vec::new();
        for row in failed {
            let kind = ["outcome", "family", "detail"].map(|name| text(&row[name]));
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, same)) => same.push(row),
                None => kinds.push((kind, vec![row])),
            }
        }
        for ([outcome, family, detail], same) in kinds {
            let mut what = targets(same.into_iter());
            for part in [family, detail].into_iter().filter(|part| !part.is_empty()) {
                what = format!("{what}; {part}");
            }
            table.push(vec![String::new(), outcome.replace('_', " "), String::new(), what]);
        }
    }
    page.gap();
    page.table(&[], table);
}

/// Name of the first host, and how many more there are.
fn targets<'a>(rows: impl Iterator<Item = &'a Value>) -> String {
    let (mut names, mut folded): (Vec<&str>, u64) = (Vec::new(), 0);
    for row in rows {
        let name = text(&row["target"]);
        if !names.contains(&name) {
            names.push(name);
        }
        folded = folded.max(row["more"].as_u64().unwrap_or(0));
    }
    let more = folded.max(names.len().saturating_sub(1) as u64);
    match (names.first(), more) {
        (None, _) => String::new(),
        (Some(first), 0) => (*first).to_owned(),
        (Some(first), more) => format!("{first} and {more} more"),
    }
}

/// The state of a deployment.
fn init(page: &mut Page, data: &Value) {
    page.gap();
    let own = ["dir", "domain", "made_by", "replica_of", "token", "step"];
    let facts = own.iter().filter_map(|name| Some(vec![title(name), data[*name].as_str()?.to_owned()])).collect();
    page.table(&[], facts);
    certificates(page, data);
    routes(page, data);
    let steps = list(&data["steps"]).iter().map(|step| {
        let state = match text(&step["state"]) {
            "done" => "done",
            "unknown" => "unknown",
            _ if step["who"] == "person" => "you",
            _ => "to do",
        };
        vec![format!("[{state}]"), text(&step["id"]).to_owned(), text(&step["what"]).to_owned()]
    });
    page.part("Steps:", &[], steps.collect());
    files(page, data);
    diffs(page, data);
}

/// Connections, containers, routes with what their servers answered, certificates, token.
fn stack(page: &mut Page, data: &Value) {
    let said = |name: &str| data[name].as_str().map(str::to_owned);
    let is_ready = |ready: &Value| ready.as_bool().map_or("not known", |ready| if ready { "yes" } else { "no" });
    let connections = |connections: &Value| {
        let registered = connections["registered"].as_u64().map_or_else(|| "not known".to_owned(), |n| n.to_string());
        let protocol = said("protocol").map_or_else(String::new, |protocol| format!(" over {protocol}"));
        format!("{registered} of {}{protocol}", connections["wanted"])
    };
    let calls = |calls: &Value| {
        let errors = calls["errors"].as_u64().unwrap_or(0);
        Some(format!("{} in the last {} s, {errors} failed", calls["total"].as_u64()?, calls["since_seconds"]))
    };
    let facts = [
        ("project", said("project")),
        ("ready", data.get("ready").map(|ready| is_ready(ready).to_owned())),
        ("connections", data.get("connections").map(connections)),
        ("calls", calls(&data["calls"])),
        ("replica of", said("replica_of")),
        ("token", said("token")),
    ];
    page.gap();
    page.table(&[], facts.into_iter().filter_map(|(name, value)| Some(vec![name.to_owned(), value?])).collect());
    certificates(page, data);
    let containers = list(&data["containers"]).iter().map(container).collect();
    page.part("", &["service", "state", "health", "restarts", "up"], containers);
    let mut routes: Vec<Vec<String>> = list(&data["routes"]).iter().map(route).collect();
    // A server that is not a route yet is called by its URL.
    if routes.iter().any(|row| row.first() != row.get(2)) {
        page.part("", &["route", "state", "upstream", "server"], routes);
    } else {
        routes.iter_mut().for_each(|row| drop(row.remove(2)));
        page.part("", &["server", "state", "answer"], routes);
    }
    page.part("Ended before:", &[], list(&data["ended"]).iter().map(ended).collect());
    page.list("Done:", list(&data["done"]).iter().map(text));
    page.list("", list(&data["notes"]).iter().map(text));
}

/// How a container had ended: its service, how, and its last line.
fn ended(ended: &Value) -> Vec<String> {
    let memory = if ended["out_of_memory"] == true { ", out of memory" } else { "" };
    let how = match ended["exit_code"].as_i64() {
        Some(code) => format!("exit code {code}{memory}"),
        None => format!("restarted {} times{memory}", ended["restarts"]),
    };
    let last = list(&ended["last_lines"]).last().map_or("-", text);
    vec![text(&ended["service"]).to_owned(), how, last.to_owned()]
}

fn container(container: &Value) -> Vec<String> {
    let health = container["health"].as_str().unwrap_or("-");
    let up = container["up_seconds"].as_u64().map_or_else(|| "-".to_owned(), duration);
    let restarts = container["restarts"].as_u64().unwrap_or(0);
    vec![text(&container["service"]).into(), text(&container["state"]).into(), health.into(), restarts.to_string(), up]
}

fn route(route: &Value) -> Vec<String> {
    let state = match (route["state"].as_str(), route["configured"].as_bool(), route["upstream_up"].as_bool()) {
        (Some(state), ..) => state,
        (None, Some(false), _) => "not applied",
        (None, _, Some(false)) => "upstream down",
        (None, Some(true), Some(true)) => "upstream up",
        (None, ..) => "not known",
    };
    let server = &route["server"];
    let mut answered = [&server["name"], &server["version"]].map(text).join(" ").trim().to_owned();
    if let Some(tools) = server["tools"].as_u64() {
        answered.push_str(&format!(", {tools} tool{}", if tools == 1 { "" } else { "s" }));
    }
    if let Some(seconds) = server["asked_seconds_ago"].as_u64() {
        answered.push_str(&format!(", asked {seconds} s ago"));
    }
    let reason = text(&route["reason"]);
    let server = if answered.is_empty() { reason.to_owned() } else { answered };
    vec![text(&route["name"]).into(), state.into(), text(&route["upstream"]).into(), server]
}

/// `95` is `1 min`: the larger unit is enough.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn certificates(page: &mut Page, data: &Value) {
    let certificate = |name: &str, label: &str| {
        let one = &data[name];
        let days = one["days_left"].as_i64()?;
        let until = text(&one["not_after"]).split('T').next().unwrap_or_default();
        let fingerprint = one["fingerprint_sha256"].as_str().map_or_else(String::new, |f| format!("SHA-256 {f}"));
        Some(vec![label.to_owned(), format!("{days} days left, until {until}"), fingerprint])
    };
    let known = [("ca", "CA"), ("new_ca", "new CA"), ("server", "server certificate")];
    let rows: Vec<Vec<String>> = known.iter().filter_map(|(name, label)| certificate(name, label)).collect();
    if !rows.is_empty() {
        page.gap();
        for row in rows {
            page.table(&[], vec![vec![format!("{:18}", row[0]), row[1].clone()]]);
            if !row[2].is_empty() {
                page.verbatim(22, &row[2]);
            }
        }
    }
}

/// Routes as a map from name to upstream.
fn routes(page: &mut Page, data: &Value) {
    let routes = data["routes"].as_object().into_iter().flatten();
    let rows = routes.map(|(name, upstream)| vec![name.clone(), text(upstream).to_owned()]).collect();
    page.part("", &["route", "upstream"], rows);
}

/// Files that were written or kept; those that were left alone are counted.
fn files(page: &mut Page, data: &Value) {
    let all = list(&data["files"]);
    let changed = all.iter().filter(|file| file["action"] != "unchanged");
    let rows: Vec<Vec<String>> =
        changed.map(|file| ["action", "mode", "path"].map(|name| text(&file[name]).to_owned()).to_vec()).collect();
    let unchanged = all.len() - rows.len();
    if rows.is_empty() {
        return;
    }
    page.heading("Files:");
    page.table(&[], rows);
    if unchanged > 0 {
        page.paragraph(2, &format!("{unchanged} unchanged"));
    }
}

fn diffs(page: &mut Page, data: &Value) {
    for diff in list(&data["diffs"]) {
        page.gap();
        page.verbatim(0, text(&diff["diff"]));
    }
}

/// What can be pasted, as it is.
fn connect(page: &mut Page, data: &Value) {
    for route in list(&data["routes"]) {
        page.heading(text(&route["name"]));
        page.verbatim(2, text(&route["url"]));
        let clicks = list(&route["console"]);
        if !clicks.is_empty() {
            page.heading("In the Console:");
            for (at, click) in clicks.iter().enumerate() {
                page.item(&format!("{}.", at + 1), text(click));
            }
        }
        for (name, label) in [("curl", "curl"), ("python", "Python"), ("typescript", "TypeScript")] {
            if let Some(code) = route[name].as_str() {
                page.heading(&format!("{label}:"));
                page.gap();
                page.verbatim(0, code);
            }
        }
    }
    page.list("Notes:", list(&data["notes"]).iter().map(text));
}

/// Files, routes with what to write instead, and what stays behind.
fn export(page: &mut Page, data: &Value) {
    files(page, data);
    rows(page, "Routes:", &["name", "state", "upstream", "instead"], list(&data["routes"]));
    page.list("In the bundle:", list(&data["entries"]).iter().map(text));
    rows(page, "Not in it:", &["what", "why"], list(&data["left_out"]));
}

/// One line a rule; all of it where there is only one.
fn rules(page: &mut Page, data: &Value) {
    match list(&data["rules"]) {
        [one] => by_shape(page, 0, one),
        many => rows(page, "", &["id", "severity", "title"], many),
    }
}

/// These fields of objects as a table.
fn rows(page: &mut Page, heading: &str, names: &[&str], objects: &[Value]) {
    let cells = |object: &Value| names.iter().map(|name| scalar(&object[*name]).unwrap_or_default()).collect();
    page.part(heading, names, objects.iter().map(cells).collect());
}

fn without(data: &Value, names: &[&str]) -> Value {
    let fields = data.as_object().into_iter().flatten().filter(|(name, _)| !names.contains(&name.as_str()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn joined(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(", ")
}
