//! Keeps an answer short enough for a model to read, however much the files of a deployment contain.

use serde_json::{Value, json};

use crate::redact;

/// Largest answer, in bytes, from which on the data are cut.
const LARGEST: usize = 60_000;
/// Entries of a list or a map that are kept, fewer and fewer until the answer is short enough. No command's own fields are
/// that many.
const KEPT: [usize; 6] = [200, 100, 50, 20, 10, 5];
/// Longest text, in bytes.
const LONGEST: usize = 8_000;

/// Cuts the data of an answer, and says in `skipped` how much is not there.
pub(super) fn cut(answer: &mut Value) {
    let mut left_out = 0;
    for most in KEPT {
        if answer.to_string().len() <= LARGEST {
            break;
        }
        left_out += cut_to(&mut answer["data"], most);
    }
    if left_out > 0
        && let Some(skipped) = answer["skipped"].as_array_mut()
    {
        skipped.push(json!({"id": "data", "reason": format!("{left_out} more entries of `data` are not listed")}));
    }
}

fn cut_to(value: &mut Value, most: usize) -> usize {
    match value {
        Value::Array(list) => {
            let left_out = list.len().saturating_sub(most);
            list.truncate(most);
            left_out + list.iter_mut().map(|entry| cut_to(entry, most)).sum::<usize>()
        }
        Value::Object(map) => {
            let names: Vec<String> = map.keys().skip(most).cloned().collect();
            for name in &names {
                map.remove(name);
            }
            names.len() + map.values_mut().map(|entry| cut_to(entry, most)).sum::<usize>()
        }
        Value::String(text) => {
            if text.len() > LONGEST {
                *text = redact::cut(text, LONGEST);
            }
            0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_data_are_cut_and_counted_and_short_ones_are_not() {
        let routes: serde_json::Map<String, Value> =
            (0..5000).map(|n| (format!("r{n:04}"), json!("http://x:1"))).collect();
        let long =
            json!({"data": {"routes": routes, "domain": "x", "rows": vec!["y".repeat(500); 900]}, "skipped": []});
        let mut answer = long.clone();
        cut(&mut answer);
        assert!(answer.to_string().len() <= LARGEST);
        assert_eq!(answer["data"]["domain"], "x");
        let (routes, rows) =
            (answer["data"]["routes"].as_object().unwrap(), answer["data"]["rows"].as_array().unwrap());
        assert!(routes.len() >= 20 && rows.len() >= 20);
        let left_out = 5900 - routes.len() - rows.len();
        assert_eq!(answer["skipped"][0]["reason"], format!("{left_out} more entries of `data` are not listed"));
        let short = json!({"data": {"rows": vec!["y"; 900]}, "skipped": []});
        let mut answer = short.clone();
        cut(&mut answer);
        assert_eq!(answer, short);
    }
}
