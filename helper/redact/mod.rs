//! The redactor: no token, no key and no password of the deployment leaves the process, and foreign text is quoted in a
//! form that can neither hide nor move anything.
//!
//! `known` are the secrets that this process has seen, `whole` how they are found, `shapes`, `service_keys` and `addresses`
//! what a secret looks like, `names`, `pairs`, `members`, `elements`, `prose`, `quoted`, `programs`, `operands`, `calls`, `urls`,
//! `following`, `columns`, `values` and `schemes` what precedes it, and `said` and `sentences` what is no secret there. Each says which bytes of a text go,
//! and all of them read the same text, those of names also without its `escapes`.
//! `gate` applies them to answers and evidence, `lines` to diffs and logs.

mod addresses;
mod calls;
mod columns;
mod elements;
mod ends;
mod escapes;
#[cfg(test)]
mod expect;
mod following;
pub(crate) mod gate;
pub(crate) mod known;
mod letters;
mod lines;
mod members;
pub(crate) mod names;
mod operands;
mod pairs;
mod programs;
mod prose;
mod quoted;
mod said;
mod schemes;
mod sentences;
mod service_keys;
mod shapes;
mod text;
mod urls;
mod values;
mod whole;
mod words;

pub(crate) use gate::{evidence, excerpt, foreign, gate, has_secret_form, one_line};
pub(crate) use known::{guard, guard_named};
pub(crate) use lines::Lines;
pub(crate) use said::is_drawn;
pub(crate) use text::{REDACTED, cut, head, tail};
pub(crate) use words::{is_harmless, is_secret};
