//! Names and hashes of what determined scores.

use serde_json::{Map, Value};

/// Different ones that are kept; rows of more are of no one judge anyway.
const KEPT: usize = 16;

/// Name and hash of a judge, a template or an embedder, as rows tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    pub hash: String,
}

/// Adds what a row tells of this part, where it is new.
pub(super) fn note(known: &mut Vec<Origin>, row: &Map<String, Value>, part: &str) {
    let text = |name: &str| row.get(part)?.get(name)?.as_str();
    let (name, hash) = (
        text("name").unwrap_or_default(),
        text("hash").unwrap_or_default(),
    );
    let is_known = known.iter().any(|o| o.name == name && o.hash == hash);
    if is_known || known.len() >= KEPT || name.is_empty() && hash.is_empty() {
        return;
    }
    known.push(Origin {
        name: name.to_owned(),
        hash: hash.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_noted_once() {
        let mut known = Vec::new();
        for (name, hash) in [("a", "1"), ("a", "1"), ("a", "2"), ("", "")] {
            let row = serde_json::json!({"judge": {"name": name, "hash": hash}});
            note(&mut known, row.as_object().unwrap(), "judge");
            note(&mut known, row.as_object().unwrap(), "embedder");
        }
        let found: Vec<_> = known.iter().map(|o| (&*o.name, &*o.hash)).collect();
        assert_eq!(found, [("a", "1"), ("a", "2")]);
    }
}
