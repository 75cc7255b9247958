//! Templates: each place is filled once, and what was put in is never taken for a place.

/// A template with its places filled. Where several places begin at one spot, the first of the list counts.
pub(super) fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('@') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match places.iter().find(|(place, _)| rest.starts_with(place)) {
            Some((place, value)) => {
                out.push_str(value);
                place.len()
            }
            None => {
                out.push('@');
                1
            }
        };
        rest = &rest[taken..];
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
