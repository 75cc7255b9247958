//! An answer as text for a person at a terminal: a pure function from its JSON. Nothing is in it that is not in the JSON.

mod by_shape;
mod data;
mod layout;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::caller::Screen;
use by_shape::{list, text};
use layout::Page;
pub(crate) use layout::wrap;

/// Lays out an answer: summary, the command's own facts, findings, what was not checked, what to do next.
pub(crate) fn render(answer: &Value, screen: Screen) -> String {
    let mut page = Page::new(screen);
    if let Some(error) = answer.get("error").filter(|error| error.is_object()) {
        page.labelled("error:", "error", text(&error["message"]));
        page.labelled("fix:", "", text(&error["hint"]));
        return page.finish();
    }
    page.paragraph(0, text(&answer["summary"]));
    data::show(&mut page, text(&answer["command"]), &answer["data"]);
    for finding in list(&answer["findings"]) {
        show_finding(&mut page, finding);
    }
    let skipped = list(&answer["skipped"]);
    if !skipped.is_empty() {
        page.heading("Not checked:");
        let rows = skipped.iter().map(|s| vec![text(&s["id"]).to_owned(), text(&s["reason"]).to_owned()]).collect();
        page.table(&[], rows);
    }
    let next = list(&answer["next"]);
    if !next.is_empty() {
        page.heading("Next:");
        for (at, step) in next.iter().enumerate() {
            page.item(&format!("{}.", at + 1), text(&step["what"]));
            if let Some(command) = step["command"].as_str() {
                page.verbatim(5, command);
            }
        }
    }
    page.finish()
}

fn show_finding(page: &mut Page, finding: &Value) {
    let severity = text(&finding["severity"]);
    page.gap();
    page.labelled(
        &format!("{severity}:"),
        severity,
        &format!("{} [{}]", text(&finding["title"]), text(&finding["id"])),
    );
    let cause = text(&finding["cause"]);
    if !cause.is_empty() {
        page.field("cause", cause);
    }
    for seen in list(&finding["evidence"]) {
        // Evidence is a text, or an object with its text and time.
        let seen = seen.as_str().unwrap_or_else(|| text(&seen["text"]));
        page.field("seen", seen);
    }
    page.field("fix", text(&finding["fix"]));
    if let Some(cause) = finding["consequence_of"].as_str() {
        page.field("from", &format!("consequence of {cause}"));
    }
    let docs = text(&finding["docs"]);
    if !docs.is_empty() {
        page.field("docs", docs);
    }
}
