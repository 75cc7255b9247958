//! Lines as evidence, and names of services in tables.

use time::OffsetDateTime;

use super::fault::Fault;
use super::life::Kept;
use crate::answer::{Evidence, Finding, Subject};

/// Starts in a row of which nothing came; fewer may be one, pasted twice.
pub(super) const SILENT: u32 = 3;

/// A line as evidence. A line of a running container has no number.
pub(super) fn quote_line(stream: &str, number: u64, text: impl Into<String>) -> Evidence {
    Evidence { line: (number > 0).then_some(number), ..Evidence::of(stream, text) }
}

/// A fault as evidence.
pub(crate) fn quote(stream: &str, fault: &Fault) -> Evidence {
    let times = (fault.count > 1).then_some(fault.count);
    Evidence { times, at: moment(fault.at), ..quote_line(stream, fault.number, fault.excerpt()) }
}

/// A line that was kept, as evidence.
pub(super) fn quote_kept(stream: &str, kept: &Kept) -> Evidence {
    let (at, text) = kept.read();
    Evidence { at: moment(at), ..quote_line(stream, kept.number, text) }
}

/// A finding about a service, where the log tells its name.
pub(super) fn about_service(finding: Finding, name: &str) -> Finding {
    if name.is_empty() { finding } else { finding.about(Subject::service(name)) }
}

fn moment(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}

/// Whether a stream and a row of a table are the same service; one of both may have the project in front.
pub(super) fn same_service(stream: &str, row: &str) -> bool {
    let row = super::kind::service(row);
    !stream.is_empty() && (stream == row || stream.ends_with(row) || row.ends_with(stream))
}
