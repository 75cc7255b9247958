//! The stack on a real Docker engine, with containers that play the proxy and cloudflared.

pub(crate) mod advice;
mod bundle;
mod by_hand;
pub(crate) mod call;
mod changes;
mod confined;
mod diagnose;
mod dns;
mod edge;
mod faults;
mod heal;
mod outage;
mod separate;
mod start;
mod start_apart;

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::Answer;
use crate::support::engine::{CLOUDFLARED, PROXY, Stack};

/// One line of a list of objects by the value of a key.
fn row<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let rows = list.as_array().unwrap();
    rows.iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no `{value}` in {list}"))
}

fn route<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    row(&answer.data()["routes"], "name", name)
}

fn container<'a>(answer: &'a Answer, service: &str) -> &'a Value {
    row(&answer.data()["containers"], "service", service)
}

/// The evidence of a finding as one text.
/// What was waited for, in seconds.
fn seconds(answer: &Answer) -> u64 {
    answer.data()["elapsed_ms"].as_u64().unwrap() / 1000
}

fn chmod(stack: &Stack, inside: &str, mode: u32) {
    std::fs::set_permissions(stack.dir.join(inside), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A stack as the quickstart has people write it, with the stand-ins.
fn quickstart() -> String {
    include_str!("quickstart.yaml").replace("PROXY", PROXY).replace("CLOUDFLARED", CLOUDFLARED)
}
