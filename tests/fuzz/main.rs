//! One of the helper's readers under libFuzzer: `FUZZ_TARGET=redact fuzz [libFuzzer's options] [FOLDER…]`; `run.sh` next to
//! this file builds and calls it. What must hold is said in `helper/properties/targets.rs`. The helper is a program without
//! a library, so its rooms, from the lowest floor up to those that are fed, are compiled in.

#![no_main]
#![allow(dead_code, unused_imports, reason = "upper floors use the rest")]

#[path = "../../helper/answer/mod.rs"]
mod answer;
#[path = "../../helper/caller.rs"]
mod caller;
#[path = "../../helper/certs/mod.rs"]
mod certs;
#[path = "../../helper/check.rs"]
mod check;
#[path = "../../helper/config/mod.rs"]
mod config;
#[path = "../../helper/deployment/mod.rs"]
mod deployment;
#[path = "../../helper/engine/mod.rs"]
mod engine;
#[path = "../../helper/hash.rs"]
mod hash;
#[path = "../../helper/list.rs"]
mod list;
#[path = "../../helper/logs/mod.rs"]
mod logs;
#[path = "../../helper/model/mod.rs"]
mod model;
#[path = "../../helper/near.rs"]
mod near;
#[path = "../../helper/os/mod.rs"]
mod os;
#[path = "../../helper/pipe.rs"]
mod pipe;
#[path = "../../helper/privileges/mod.rs"]
mod privileges;
#[path = "../../helper/probe/mod.rs"]
mod probe;
#[path = "../../helper/redact/mod.rs"]
mod redact;
#[path = "../../helper/rules/mod.rs"]
mod rules;
#[path = "../../helper/properties/targets.rs"]
mod targets;

use std::sync::LazyLock;

use targets::{Property, TARGETS};

static TARGET: LazyLock<&Property> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("FUZZ_TARGET is one of {names:?}"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (TARGET.holds)(bytes);
    redact::known::forget();
});
