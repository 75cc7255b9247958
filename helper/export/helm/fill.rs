//! Templates: each place is filled once, and what was put in is never taken for a place.

use super::values::{CERT_SECRET, CHART, NAMESPACE, TOKEN_SECRET, VERSION};

/// Places that are the same in each template.
const EVERYWHERE: [(&str, &str); 6] = [
    ("@CHART@", CHART),
    ("@VERSION@", VERSION),
    ("@RELEASE@", NAMESPACE),
    ("@NAMESPACE@", NAMESPACE),
    ("@TOKEN_SECRET@", TOKEN_SECRET),
    ("@CERT_SECRET@", CERT_SECRET),
];

/// A template with its places filled. Where several places begin at one spot, the first of the list counts.
pub(super) fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('@') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (place, value) =
            places.iter().chain(&EVERYWHERE).find(|(place, _)| rest.starts_with(place)).unwrap_or(&("@", "@"));
        out.push_str(value);
        rest = &rest[place.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_taken_for_a_place() {
        let places = [("@A@", "x@B@"), ("@B@", "@A@y"), ("@AB@", "z")];
        assert_eq!(fill("@ a@b @A@@B@ @AB@@C@", &places), "@ a@b x@B@@A@y z@C@");
        assert_eq!(fill("", &places), "");
    }
}
