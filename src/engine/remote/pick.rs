//! Tokens that are not among the likeliest, asked for by their ids in the server's vocabulary or by their texts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::model::served::Picks;

/// The ids of texts that are one token each; `None` for those that are not.
#[derive(Debug, Default)]
pub(super) struct Ids {
    known: Mutex<HashMap<String, Option<u64>>>,
}

impl Ids {
    /// The id of a text, asked for once.
    ///
    /// # Errors
    /// What `ask` says.
    pub fn of(
        &self,
        text: &str,
        ask: impl FnOnce() -> Result<Option<u64>, Trouble>,
    ) -> Result<Option<u64>, Trouble> {
        // A map that a thread left in the middle of a panic is whole all the same.
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = lock().get(text) {
            return Ok(*id);
        }
        // Two may ask at once; they are told the same.
        let id = ask()?;
        lock().insert(text.to_owned(), id);
        Ok(id)
    }
}

/// A request for the tokens of a text.
pub(super) fn tokens_of(model: &str, text: &str) -> Value {
    json!({"model": model, "prompt": text, "add_special_tokens": false})
}

/// The only token of an answer to that; `None` where there are more, or none.
///
/// # Errors
/// Another shape.
pub(super) fn only_token(answer: &Value) -> Result<Option<u64>, String> {
    let tokens = answer["tokens"].as_array();
    let tokens = tokens.ok_or("the answer has no tokens")?;
    match tokens.as_slice() {
        [only] => Ok(Some(only.as_u64().ok_or("a token that is no number")?)),
        _ => Ok(None),
    }
}

/// Adds such fields to a request.
pub(super) fn add(body: &mut Value, which: &Value) {
    for (name, value) in which.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
}

impl Picks {
    /// The requests that ask for texts that are one token each; `id` finds those. Each is a request's further fields, see
    /// [`add`].
    ///
    /// # Errors
    /// What `id` says.
    pub(super) fn requests<E>(
        self,
        texts: &[String],
        mut id: impl FnMut(&str) -> Result<Option<u64>, E>,
    ) -> Result<Vec<Value>, E> {
        if self == Picks::Choice {
            let choice = |text| json!({"structured_outputs": {"choice": [text]}});
            return Ok(texts.iter().map(choice).collect());
        }
        let mut ids = Vec::new();
        for text in texts {
            ids.extend(id(text)?);
        }
        Ok(match self {
            _ if ids.is_empty() => Vec::new(),
            Picks::Many => vec![json!({"logprob_token_ids": ids})],
            _ => {
                let one = |id| json!({"allowed_token_ids": [id]});
                ids.iter().map(one).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_asked_for_once_and_a_failure_is_not_kept() {
        let ids = Ids::default();
        let fails = || Err(Trouble::Passing("busy".into()));
        assert!(ids.of("7", fails).is_err());
        assert_eq!(ids.of("7", || Ok(Some(22))), Ok(Some(22)));
        assert_eq!(ids.of("7", fails), Ok(Some(22)));
        assert_eq!(ids.of("10", || Ok(None)), Ok(None));
        assert_eq!(ids.of("10", fails), Ok(None));
    }

    #[test]
    fn a_text_of_several_tokens_has_no_id() {
        assert_eq!(only_token(&json!({"tokens": [5]})), Ok(Some(5)));
        assert_eq!(only_token(&json!({"tokens": [5, 6]})), Ok(None));
        assert_eq!(only_token(&json!({"tokens": []})), Ok(None));
        assert!(only_token(&json!({"tokens": ["5"]})).is_err());
        assert!(only_token(&json!({})).is_err());
    }

    #[test]
    fn many_are_one_request_and_others_one_each() {
        let texts = ["1", "10", "2"].map(str::to_owned);
        // One of them is two tokens.
        let id = |text: &str| Ok::<_, ()>(text.parse().ok().filter(|_| text.len() == 1));
        let of = |picks: Picks| picks.requests(&texts, id).unwrap();
        assert_eq!(of(Picks::Many), [json!({"logprob_token_ids": [1, 2]})]);
        assert_eq!(of(Picks::One)[1], json!({"allowed_token_ids": [2]}));
        let choice = of(Picks::Choice);
        assert_eq!(choice[1], json!({"structured_outputs": {"choice": ["10"]}}));
        assert!(Picks::Many.requests(&texts[1..2], id).unwrap().is_empty());
        assert!(Picks::One.requests(&texts, |_| Err("busy")).is_err());
    }
}
