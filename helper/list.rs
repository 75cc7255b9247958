//! Lists of words: written as words, and shown.

/// The words of a text that are parted by blanks.
pub(crate) const fn list<const N: usize>(text: &'static str) -> [&'static str; N] {
    let (mut words, mut count, mut rest, mut at) = ([""; N], 0, text, 0);
    while at < rest.len() {
        if rest.as_bytes()[at] == b' ' {
            (words[count], rest) = (rest.split_at(at).0, rest.split_at(at + 1).1);
            (count, at) = (count + 1, 0);
        } else {
            at += 1;
        }
    }
    words[count] = rest;
    assert!(count + 1 == N, "the list has another number of words");
    words
}

/// The first ones, and how many more there are.
pub(crate) fn first<T: AsRef<str>>(items: &[T], most: usize) -> String {
    let shown = items.iter().take(most).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if items.len() > most { format!("{shown} and {} more", items.len() - most) } else { shown }
}
