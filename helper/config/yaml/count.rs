//! How many values a YAML text has once its aliases are followed, found out without keeping one of them.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Bytes of a text that count as one value more.
const BYTES: usize = 64;

/// Whether documents have more values. What cannot be read has none from there on.
pub(super) fn is_more_than<'t>(mut documents: impl Iterator<Item = serde_yaml::Deserializer<'t>>, most: usize) -> bool {
    let left = Cell::new(most);
    let _ = documents.try_for_each(|document| Counter { left: &left }.deserialize(document));
    left.get() == 0
}

/// Takes each value off what is left.
#[derive(Clone, Copy)]
struct Counter<'a> {
    left: &'a Cell<usize>,
}

impl Counter<'_> {
    fn take<E: Error>(self, values: usize) -> Result<(), E> {
        self.left.set(self.left.get().saturating_sub(values));
        if self.left.get() == 0 { Err(E::custom("too many values")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Counter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.take(1)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.take(1)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.take(1)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.take(1)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.take(1)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.take(1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(1 + text.len() / BYTES)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(1)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.take(1)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.take(1)?;
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.take(1)?;
        while map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_, value) = tagged.variant::<IgnoredAny>()?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    fn is_more_than(text: &str, most: usize) -> bool {
        super::is_more_than(serde_yaml::Deserializer::from_str(text), most)
    }

    #[test]
    fn what_aliases_repeat_counts_each_time() {
        let bomb = |levels: usize| {
            let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
            for level in 1..levels {
                text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
            }
            text
        };
        assert!(!is_more_than(&bomb(3), 3000) && is_more_than(&bomb(4), 3000) && is_more_than(&bomb(30), 100_000));
        assert!(is_more_than(&format!("a: &a {}\nb: [{}]", "x".repeat(6400), "*a, ".repeat(100)), 5000));
        assert!(!is_more_than("a: &a !t {b: 1, c: [~, true, -1, 1.5, text]}\n<<: *a\n---\n- x\n", 100));
        assert!(!is_more_than("[", 100));
    }
}
