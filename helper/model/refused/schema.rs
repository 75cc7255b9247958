//! Keys and types that Compose takes.

use super::refusal::Refusal;
use crate::config::yaml::{self, Value, at};
use crate::model::found::Found;
use crate::model::sources::ComposeFile;
use crate::near::nearest;
use crate::rules::{Refused, Severity};

/// What Compose takes for keys, of compose-spec's `schema/compose-spec.json` (2026): the types of the value, of the entries
/// of a list, and of the values of a map. `s` is a text, `n` a number, `b` a boolean, `l` a list, `m` a map, `0` nothing;
/// where there is no letter, nothing is looked at.
struct Row(&'static str, &'static str, &'static str, &'static str);

impl Row {
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.split(' ')
    }
}

const SERVICE: &[Row] = &[
    Row("environment labels annotations sysctls", "lm", "s", "snb0"),
    Row("extra_hosts", "lm", "s", "sl"),
    Row("networks", "lm", "s", "m0"),
    Row("depends_on", "lm", "s", "m"),
    Row("models", "lm", "s", "m0"),
    Row("command entrypoint", "sl0", "s", ""),
    Row("dns dns_search tmpfs", "sl", "s", ""),
    Row("env_file label_file", "sl", "sm", ""),
    Row("gpus", "sl", "", ""),
    Row("build extends", "sm", "", ""),
    Row("ports", "l", "snm", ""),
    Row("expose group_add", "l", "sn", ""),
    Row("volumes secrets configs devices", "l", "sm", ""),
    Row("cap_add cap_drop security_opt device_cgroup_rules", "l", "s", ""),
    Row("dns_opt external_links links profiles volumes_from", "l", "s", ""),
    Row("post_start pre_start pre_stop", "l", "", ""),
    Row("healthcheck logging storage_opt ulimits blkio_config credential_spec provider", "m", "", ""),
    Row("deploy develop", "m0", "", ""),
    Row("attach init oom_kill_disable privileged read_only stdin_open tty use_api_socket", "bs", "", ""),
    Row("cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus", "ns", "", ""),
    Row("mem_limit mem_reservation mem_swappiness memswap_limit shm_size", "ns", "", ""),
    Row("oom_score_adj pids_limit scale", "ns", "", ""),
    Row("cgroup cgroup_parent cpuset ipc isolation platform runtime userns_mode uts", "s", "", ""),
    Row("container_name domainname hostname mac_address network_mode", "s", "", ""),
    Row("image pull_policy pull_refresh_after restart stop_grace_period stop_signal user working_dir", "s", "", ""),
    Row("pid", "s0", "", ""),
];

const TOP: &[Row] = &[
    Row("services networks volumes secrets configs models", "m", "", ""),
    Row("include", "l", "sm", ""),
    Row("name version", "s", "", ""),
];

const HEALTHCHECK: &[Row] = &[
    Row("test", "sl", "s", ""),
    Row("interval timeout start_period start_interval", "s", "", ""),
    Row("retries", "ns", "", ""),
    Row("disable", "bs", "", ""),
];

const BUILD: &[Row] = &[
    Row("context dockerfile dockerfile_inline network target isolation", "s", "", ""),
    Row("args labels ssh additional_contexts extra_hosts", "", "", ""),
    Row("cache_from cache_to entitlements platforms secrets tags", "l", "", ""),
    Row("no_cache privileged pull provenance sbom", "", "", ""),
    Row("shm_size", "ns", "", ""),
    Row("ulimits", "m", "", ""),
];

/// The files that Compose takes as they are written; of a file that others only extend, nothing but that service.
pub(super) fn faults(found: &Found) -> Vec<Refusal> {
    let mut all = Vec::new();
    for file in found.parts_of_stack() {
        let Ok(value) = &file.value else { continue };
        let top = Judge { found, file, path: Vec::new() };
        top.keys(value, TOP, &mut all);
        let services = at(value, &["services"]).and_then(Value::as_mapping).into_iter().flatten();
        for (name, service) in services.filter_map(|(name, service)| Some((yaml::scalar(name)?, service))) {
            let judge = |keys: &[&str]| {
                let path = ["services", &name].into_iter().chain(keys.iter().copied()).map(str::to_owned).collect();
                Judge { found, file, path }
            };
            // `!reset` removes a service, and what is invalid is no service.
            if matches!(service, Value::Tagged(_)) || !crate::redact::names::is_valid(&name) {
                continue;
            }
            judge(&[]).is_a(service, "m", &mut all);
            judge(&[]).keys(service, SERVICE, &mut all);
            for (key, rows) in [("healthcheck", HEALTHCHECK), ("build", BUILD)] {
                at(service, &[key]).into_iter().for_each(|value| judge(&[key]).keys(value, rows, &mut all));
            }
        }
    }
    all
}

/// A place in a file.
struct Judge<'a> {
    found: &'a Found,
    file: &'a ComposeFile,
    path: Vec<String>,
}

impl Judge<'_> {
    fn refusal(&self, word: &str, why: Refused) -> Refusal {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let line = self.found.place_in(self.file, &path, word);
        Refusal { file: self.file.name.clone(), line, severity: Severity::Error, why }
    }

    fn below(&self, key: &str) -> Self {
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        Self { path, ..*self }
    }

    /// The keys of a map, and their values.
    fn keys(&self, value: &Value, rows: &[Row], all: &mut Vec<Refusal>) {
        for (key, value) in value.as_mapping().into_iter().flatten() {
            let Some(key) = yaml::scalar(key).filter(|key| !key.starts_with("x-")) else { continue };
            match rows.iter().find(|row| row.keys().any(|own| own == key)) {
                Some(row) => self.below(&key).value(value, row, all),
                None => {
                    let near = nearest(&key, rows.iter().flat_map(Row::keys));
                    all.push(self.refusal(&key, Refused::Key { place: self.path.join("."), key: key.clone(), near }));
                }
            }
        }
    }

    fn value(&self, value: &Value, Row(_, types, entries, values): &Row, all: &mut Vec<Refusal>) {
        if !self.is_a(value, types, all) {
            return;
        }
        let wrong = |types: &str, value: &Value| !types.is_empty() && !is_a(value, types);
        let (list, map) = (value.as_sequence(), value.as_mapping());
        if let Some(at) = list.and_then(|list| list.iter().position(|entry| wrong(entries, entry))) {
            let entry = list.and_then(|list| list.get(at)).unwrap_or(&Value::Null);
            let word =
                entry.as_mapping().and_then(|map| yaml::scalar(map.keys().next()?)).or_else(|| yaml::scalar(entry));
            self.wrong(&word.unwrap_or_default(), entry, &format!("{}.{at}", self.path.join(".")), entries, all);
        }
        let mut pairs = map.into_iter().flatten();
        if let Some((key, entry)) = pairs.find(|(_, entry)| wrong(values, entry)) {
            let key = yaml::scalar(key).unwrap_or_default();
            self.wrong(&key, entry, &format!("{}.{key}", self.path.join(".")), values, all);
        }
    }

    /// Whether a value is of one of these types; otherwise that is a fault.
    fn is_a(&self, value: &Value, types: &str, all: &mut Vec<Refusal>) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        // What is empty in one file may have a value from another.
        let is_filled = || value.is_null() && at(self.found.tree(), &path).is_some_and(|merged| !merged.is_null());
        let is_right = types.is_empty() || is_a(value, types) || is_filled();
        if !is_right {
            self.wrong("", value, &self.path.join("."), types, all);
        }
        is_right
    }

    fn wrong(&self, word: &str, value: &Value, place: &str, types: &str, all: &mut Vec<Refusal>) {
        let why = Refused::Type { place: place.to_owned(), is: kind_of(value).1, takes: takes(types) };
        all.push(self.refusal(word, why));
    }
}

/// A tag changes how a value is merged, and what it is then is not looked at.
fn is_a(value: &Value, types: &str) -> bool {
    matches!(value, Value::Tagged(_)) || types.contains(kind_of(value).0)
}

fn kind_of(value: &Value) -> (char, &'static str) {
    match value {
        Value::Null => ('0', "empty"),
        Value::Bool(_) => ('b', "a boolean"),
        Value::Number(_) => ('n', "a number"),
        Value::String(_) => ('s', "a text"),
        Value::Sequence(_) => ('l', "a list"),
        Value::Mapping(_) | Value::Tagged(_) => ('m', "a map"),
    }
}

fn takes(types: &str) -> &'static str {
    match types.trim_end_matches('0') {
        "lm" => "a list or a map",
        "sl" => "a text or a list",
        "sm" => "a text or a map",
        "l" => "a list (lines that begin with `- `)",
        "m" => "a map (lines of `KEY: VALUE`)",
        "s" => "a text (in quotes, where it looks like a number or a boolean)",
        "bs" => "`true` or `false`",
        "ns" | "sn" => "a number or a text",
        "snm" => "a number, a text or a map",
        _ => "a text, a number or a boolean",
    }
}
