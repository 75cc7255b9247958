//! An image that its registry does not have: whose it is, and where it is named.

use serde_json::json;

use super::declared::Declared;
use crate::answer::Finding;
use crate::config::yaml;
use crate::model::found::Found;
use crate::rules::{Remedy, RuleId, Subject};

/// Says of a missing image which service needs it, by what docker printed: its reference, or Compose's row of the service.
pub(super) fn owned(finding: Finding, printed: &str, declared: &Declared) -> Finding {
    if finding.id != RuleId::ImageNotFound {
        return finding;
    }
    let found = &declared.found;
    let names = found.service_names();
    let is_quoted = |name: &&String| found.text(name, "image").is_some_and(|image| printed.contains(&image));
    // Compose ends the other pulls with the words of the first that failed.
    let first = || names.get(printed.lines().find_map(failed)?);
    let Some(service) = names.iter().find(is_quoted).or_else(first).cloned() else { return finding };
    let roles = [(&declared.services.proxy, "proxy"), (&declared.services.cloudflared, "cloudflared")];
    let setting = roles.into_iter().find(|(name, _)| **name == service && is_rendered(found, name));
    let finding = finding.about(Subject::service(&service));
    match setting {
        Some((_, setting)) => finding.with_remedy(Remedy::OwnImage { request: &json!({"images": {setting: null}}) }),
        None => finding.with_remedy(Remedy::OTHER_IMAGE),
    }
}

/// The service of a row such as ` cloudflared Error manifest unknown`.
fn failed(row: &str) -> Option<&str> {
    let mut words = row.split_whitespace();
    words.next().filter(|_| words.next() == Some("Error"))
}

/// Whether a service has the image that `render` wrote.
fn is_rendered(found: &Found, service: &str) -> bool {
    let written = found.main.as_ref().and_then(|main| main.value.as_ref().ok());
    let written = written.and_then(|main| yaml::at(main, &["services", service, "image"])).and_then(yaml::scalar);
    found.is_ours() && written.is_some() && written == found.text(service, "image")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::current::Current;
    use crate::rules;

    #[test]
    fn the_service_of_a_missing_image_is_known_by_its_reference_or_by_the_first_row() {
        let compose = "services:\n  mcp-gateway: { image: 'mirror:5000/mcp-proxy:1' }\n  \
                       cloudflared: { image: 'mirror:5000/cloudflared:2' }\n  own: { image: 'mirror:5000/own:3' }\n";
        let current = Current::of_texts(Found::of_text(compose), "");
        let declared = Declared { project: "x".into(), current };
        let subject = |printed: &str| {
            owned(rules::finding(RuleId::ImageNotFound), printed, &declared)
                .subject
                .map(|subject| subject.name().to_owned())
        };
        let rows = " own Error manifest unknown\n cloudflared Error manifest unknown\n";
        assert_eq!(subject(&format!("{rows}Error response from daemon: manifest unknown")).as_deref(), Some("own"));
        let named = "Error response from daemon: manifest for mirror:5000/cloudflared:2 not found: manifest unknown";
        assert_eq!(subject(&format!(" cloudflared Error \n own Interrupted\n{named}")).as_deref(), Some("cloudflared"));
        assert_eq!(subject(&format!(" own Interrupted\n{named}")).as_deref(), Some("cloudflared"));
        assert_eq!(subject("Error response from daemon: manifest unknown"), None);
        let other = owned(rules::finding(RuleId::DiskFull), rows, &declared);
        assert_eq!(other.subject, None, "only where an image is missing");
    }
}
