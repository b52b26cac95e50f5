//! What servers answer, in the shapes that they give it: read once, here.

use serde_json::{Value, json};

use crate::model::served::PromptLogProbs;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    /// As the server counts; not all do.
    pub prompt_tokens: Option<usize>,
    pub written_tokens: Option<usize>,
    /// Whether it broke off at its longest length.
    pub is_cut: bool,
}

/// A token that may come next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Likely {
    pub text: String,
    pub probability: f64,
}

/// Tokens that an answer took, as the server counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub prompt: Option<usize>,
    pub written: Option<usize>,
}

pub(super) fn counted(answer: &Value) -> Counted {
    let count = |name: &str| answer["usage"][name].as_u64().map(|n| n as usize);
    Counted {
        prompt: count("prompt_tokens"),
        written: count("completion_tokens"),
    }
}

fn choice(answer: &Value) -> Result<&Value, String> {
    answer["choices"]
        .get(0)
        .ok_or_else(|| "the answer has no choices".to_owned())
}

/// An answer's text and figures, of either endpoint; `None` where it has no text.
pub(super) fn written(answer: &Value) -> Result<Option<Written>, String> {
    let choice = choice(answer)?;
    let text = choice["message"]["content"]
        .as_str()
        .or(choice["text"].as_str());
    let counted = counted(answer);
    Ok(text.map(|text| Written {
        text: text.to_owned(),
        prompt_tokens: counted.prompt,
        written_tokens: counted.written,
        is_cut: choice["finish_reason"] == "length",
    }))
}

/// The likeliest first tokens of an answer: a list of objects (chats, and completions of llama.cpp's server), or an
/// object of tokens and logarithms (completions of others). The drawn token is among them.
pub(super) fn first_tokens(answer: &Value) -> Result<Vec<Likely>, String> {
    let told = &choice(answer)?["logprobs"];
    let none = || "the answer has no top_logprobs of its first token".to_owned();
    let mut all: Vec<Likely> = Vec::new();
    let mut add = |text: &Value, log: &Value| -> Result<(), String> {
        let (Some(text), Some(log)) = (text.as_str(), log.as_f64()) else {
            return Err("top_logprobs of another shape than tokens and numbers".to_owned());
        };
        // A little more than one is how a server rounds.
        if log.is_nan() || log > 1e-3 {
            return Err(format!("the log-probability {log} is none"));
        }
        if all.iter().all(|known| known.text != text) {
            all.push(Likely {
                text: text.to_owned(),
                probability: log.min(0.0).exp(),
            });
        }
        Ok(())
    };
    match (&told["content"], &told["top_logprobs"]) {
        (Value::Array(content), _) => {
            let first = content.first().ok_or_else(none)?;
            for one in first["top_logprobs"].as_array().ok_or_else(none)? {
                add(&one["token"], &one["logprob"])?;
            }
            add(&first["token"], &first["logprob"])?;
        }
        (_, Value::Array(content)) => {
            let first = content
                .first()
                .and_then(Value::as_object)
                .ok_or_else(none)?;
            for (text, log) in first {
                add(&Value::String(text.clone()), log)?;
            }
            let (token, log) = (&told["tokens"][0], &told["token_logprobs"][0]);
            if !token.is_null() && !log.is_null() {
                add(token, log)?;
            }
        }
        _ => return Err(none()),
    }
    match all.is_empty() {
        true => Err(none()),
        false => Ok(all),
    }
}

/// The log-probabilities of a prompt's own tokens that begin in a range of its characters. Those that nothing predicts
/// have none, and what the server put before the prompt (BOS) is no part of it.
pub(super) fn echoed(
    answer: &Value,
    prompt: &str,
    within: std::ops::Range<usize>,
) -> Result<Vec<f64>, String> {
    let told = &choice(answer)?["logprobs"];
    let list = |name: &str| {
        told[name]
            .as_array()
            .ok_or_else(|| format!("the answer has no {name} of its prompt"))
    };
    let (logs, offsets) = (list("token_logprobs")?, list("text_offset")?);
    if logs.len() != offsets.len() {
        return Err("as many text_offset as token_logprobs expected".to_owned());
    }
    let tokens = told["tokens"].as_array().map(Vec::as_slice);
    let places = match tokens.and_then(|tokens| places(tokens, prompt)) {
        Some(places) => places,
        None => {
            let number = |offset: &Value| offset.as_u64().map(|at| Some(at as usize));
            let all: Option<Vec<Option<usize>>> = offsets.iter().map(number).collect();
            all.ok_or("a text_offset that is no number")?
        }
    };
    let of_prompt = logs.iter().zip(places).filter_map(|(log, place)| {
        let is_within = within.contains(&place?);
        is_within.then(|| log.as_f64()).flatten()
    });
    Ok(of_prompt.collect())
}

/// The same where they stand beside the answer (vLLM's `prompt_logprobs` of 0): for each token an object of itself alone,
/// none for the first, whose text is what the others leave of the prompt.
pub(super) fn beside(
    answer: &Value,
    prompt: &str,
    within: std::ops::Range<usize>,
) -> Result<Vec<f64>, String> {
    let told = choice(answer)?["prompt_logprobs"].as_array();
    let told = told.ok_or("the answer has no prompt_logprobs")?;
    let only = |token: &Value| -> Option<(String, f64)> {
        let all = token.as_object().filter(|all| all.len() == 1)?;
        let one = all.values().next()?;
        let text = one["decoded_token"].as_str()?.to_owned();
        Some((text, one["logprob"].as_f64()?))
    };
    let tokens: Option<Vec<_>> = told.iter().skip(1).map(only).collect();
    let tokens = tokens.ok_or("prompt_logprobs of another shape than a token and a number each")?;
    let byte = |character: usize| {
        let mut all = prompt.char_indices().map(|(byte, _)| byte);
        all.nth(character).unwrap_or(prompt.len())
    };
    let within = byte(within.start)..byte(within.end);
    // From the end, for what the first one is only the others tell. Some vocabularies drop the space before a word.
    let (mut rest, mut found) = (prompt.len(), Vec::new());
    let mut parts: Vec<f64> = Vec::new();
    for (text, log) in tokens.iter().rev() {
        let before = &prompt[..rest];
        // A part of a character has no text of its own: it begins where the whole token before it ends.
        if text.contains('\u{fffd}') && !before.ends_with(text) {
            parts.push(*log);
            continue;
        }
        let at = match parts.is_empty() {
            true => [before, before.strip_suffix(' ').unwrap_or(before)]
                .into_iter()
                .find_map(|before| Some(before.strip_suffix(text.as_str())?.len())),
            false => before.rfind(text),
        };
        let at = at.ok_or("prompt_logprobs of tokens that do not spell the prompt")?;
        let all = parts.drain(..).map(|log| (at + text.len(), log));
        found.extend(all.chain([(at, *log)]));
        rest = at;
    }
    found.extend(parts.into_iter().map(|log| (0, log)));
    let own = found.iter().rev().filter(|(at, _)| within.contains(at));
    Ok(own.map(|(_, log)| *log).collect())
}

impl PromptLogProbs {
    /// Further fields of a request.
    pub(super) fn request(self) -> Value {
        match self {
            PromptLogProbs::Echo => json!({"echo": true, "logprobs": 1}),
            PromptLogProbs::Beside => json!({"prompt_logprobs": 0}),
        }
    }

    /// What the answer to that says of the prompt's tokens that begin in a range of its characters.
    ///
    /// # Errors
    /// Another shape.
    pub(super) fn read(
        self,
        answer: &Value,
        prompt: &str,
        within: std::ops::Range<usize>,
    ) -> Result<Vec<f64>, String> {
        match self {
            PromptLogProbs::Echo => echoed(answer, prompt, within),
            PromptLogProbs::Beside => beside(answer, prompt, within),
        }
    }
}

/// In which character of a prompt each token begins, found by its text: servers count what they put before the prompt, and
/// drop spaces that some vocabularies write before words. Nothing for what is not in the prompt; `None` where the tokens do
/// not spell it.
fn places(tokens: &[Value], prompt: &str) -> Option<Vec<Option<usize>>> {
    let mut rest = prompt;
    let mut at = 0;
    let mut places = Vec::with_capacity(tokens.len());
    for token in tokens {
        let token = token.as_str()?;
        let space = match token.starts_with([' ', '\n', '\t']) {
            true => 0,
            // The one that was dropped.
            false => rest.len() - rest.strip_prefix(' ').unwrap_or(rest).len(),
        };
        let found = [0, space]
            .into_iter()
            .find(|space| !token.is_empty() && rest[*space..].starts_with(token));
        match found {
            Some(space) => {
                places.push(Some(at));
                at += space + token.chars().count();
                rest = &rest[space + token.len()..];
            }
            None => places.push(None),
        }
    }
    rest.is_empty().then_some(places)
}

/// The vector of the only text.
pub(super) fn embedding(answer: &Value) -> Result<Vec<f32>, String> {
    let vector = answer["data"][0]["embedding"].as_array();
    let vector = vector.ok_or("the answer has no embedding")?;
    let numbers: Option<Vec<f32>> = vector
        .iter()
        .map(|x| x.as_f64().map(|x| x as f32))
        .collect();
    match numbers {
        Some(vector)
            if vector.iter().any(|x| *x != 0.0) && vector.iter().all(|x| x.is_finite()) =>
        {
            Ok(vector)
        }
        Some(_) => Err("the embedding has no direction".to_owned()),
        None => Err(
            "the embedding is no list of numbers: the model has to pool its tokens' vectors"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let body = json!({"choices":[{"message":{"content":"Hm."},"finish_reason":"length"}],"usage":{"prompt_tokens":3}});
        let found = written(&body).unwrap().unwrap();
        assert_eq!((found.text.as_str(), found.is_cut), ("Hm.", true));
        assert_eq!((found.prompt_tokens, found.written_tokens), (Some(3), None));
        let text = json!({"choices":[{"text":"Hm.","finish_reason":"stop"}]});
        assert_eq!(written(&text).unwrap().unwrap().text, "Hm.");
        assert_eq!(
            written(&json!({"choices":[{"message":{"content":null}}]})),
            Ok(None)
        );
        assert!(written(&json!({})).is_err());
    }

    #[test]
    fn what_stands_beside_the_answer_is_of_the_prompts_own_tokens() {
        let token = |text: &str, log: f64| json!({"17": {"logprob": log, "rank": 3, "decoded_token": text}});
        let of = |tokens: Vec<Value>, within| {
            let body = json!({"choices": [{"text": "", "prompt_logprobs": tokens}]});
            beside(&body, "Grüße to all", within)
        };
        let plain = vec![Value::Null, token(" to", -1.5), token(" all", -0.5)];
        assert_eq!(of(plain.clone(), 0..12), Ok(vec![-1.5, -0.5]));
        assert_eq!(of(plain, 6..12), Ok(vec![-0.5]));
        // A space that the vocabulary writes before words is not told.
        let dropped = vec![Value::Null, token("to", -1.5), token("all", -0.5)];
        assert_eq!(of(dropped, 0..12), Ok(vec![-1.5, -0.5]));
        // What the server put before the prompt is no part of it.
        let begun = vec![Value::Null, token("Grüße", -3.0), token(" to all", -0.5)];
        assert_eq!(of(begun, 0..12), Ok(vec![-3.0, -0.5]));
        // Parts of a character.
        let parts = [
            ("\u{fffd}", -2.0),
            ("\u{fffd}", -1.0),
            ("ße to", -0.7),
            (" all", -0.5),
        ];
        let parts: Vec<Value> = parts.map(|(text, log)| token(text, log)).into();
        let odd = [vec![Value::Null, token("Gr", -3.0)], parts].concat();
        assert_eq!(
            of(odd.clone(), 0..12),
            Ok(vec![-3.0, -2.0, -1.0, -0.7, -0.5])
        );
        assert_eq!(of(odd, 2..8), Ok(vec![-2.0, -1.0, -0.7]));
        let mut two = token(" all", -0.5);
        two["18"] = two["17"].clone();
        for wrong in [two, token(" others", -0.5), json!({"17": {}}), Value::Null] {
            assert!(of(vec![Value::Null, wrong], 0..12).is_err());
        }
        assert!(beside(&json!({"choices": [{"text": ""}]}), "", 0..1).is_err());
    }

    fn read(logprobs: Value) -> Result<Vec<(String, f64)>, String> {
        let all = first_tokens(&json!({"choices": [{"logprobs": logprobs}]}))?;
        Ok(all.into_iter().map(|l| (l.text, l.probability)).collect())
    }

    #[test]
    fn both_shapes_of_likely_tokens_are_read() {
        let log = |p: f64| p.ln();
        let chat = json!({"content": [{"token": "7", "logprob": log(0.5), "top_logprobs": [
            {"token": "7", "logprob": log(0.5)}, {"token": " 7", "logprob": log(0.25)}]}]});
        let completions = json!({"tokens": ["7"], "token_logprobs": [log(0.5)],
                                 "top_logprobs": [{"7": log(0.5), " 7": log(0.25)}]});
        for shape in [chat, completions] {
            let mut all = read(shape).unwrap();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            assert_eq!((all.len(), all[1].0.as_str()), (2, " 7"));
            assert!((all[0].1 - 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn a_drawn_token_outside_the_list_joins_it() {
        let shape =
            json!({"tokens": ["9"], "token_logprobs": [-2.0], "top_logprobs": [{"7": -0.5}]});
        assert_eq!(read(shape).unwrap().len(), 2);
    }

    #[test]
    fn other_shapes_are_refused() {
        for wrong in [
            json!(null),
            json!({"content": []}),
            json!({"content": [{"token": "7"}]}),
            json!({"top_logprobs": []}),
            json!({"top_logprobs": [null]}),
            json!({"top_logprobs": [{}]}),
            json!({"top_logprobs": [{"7": "x"}]}),
            json!({"top_logprobs": [{"7": 3.0}]}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prompts_tokens_are_those_that_begin_within() {
        let answer = json!({"choices": [{"logprobs": {
            "token_logprobs": [null, -1.0, -2.0, -3.0], "text_offset": [0, 0, 3, 6]}}]});
        assert_eq!(echoed(&answer, "abcdefgh", 0..6), Ok(vec![-1.0, -2.0]));
        assert_eq!(echoed(&answer, "abcdefgh", 1..6), Ok(vec![-2.0]));
        assert!(echoed(&json!({"choices": [{}]}), "", 0..1).is_err());
    }

    #[test]
    fn what_stands_before_a_prompt_and_dropped_spaces_move_nothing() {
        let prompt = "Say it: ä one two";
        let of = |tokens: Value, offsets: Value, within: std::ops::Range<usize>| {
            let logs: Vec<f64> = (0..tokens.as_array().unwrap().len())
                .map(|n| -(n as f64))
                .collect();
            let answer = json!({"choices": [{"logprobs":
                {"tokens": tokens, "token_logprobs": logs, "text_offset": offsets}}]});
            echoed(&answer, prompt, within).unwrap()
        };
        // As vLLM tells a prompt with its BOS, and behind it the token that was written.
        let bos = json!(["<|bos|>", "Say", " it:", " ä", " one", " two", "7"]);
        let offsets = json!([0, 7, 10, 14, 16, 20, 24]);
        assert_eq!(of(bos, offsets, 7..17), [-3.0, -4.0, -5.0]);
        let bare = json!(["<s>", "Say", "it:", "ä", "one", "two"]);
        assert_eq!(
            of(bare, json!([0, 3, 6, 9, 10, 13]), 7..17),
            [-3.0, -4.0, -5.0]
        );
        // A character in bytes: the server's own places.
        let bytes = json!(["Say", " it: ", "<0xC3>", "<0xA4>", " one", " two"]);
        assert_eq!(
            of(bytes, json!([0, 3, 8, 8, 9, 13]), 8..13),
            [-2.0, -3.0, -4.0]
        );
    }

    #[test]
    fn an_embedding_is_one_vector_with_a_direction() {
        let of = |vector: Value| embedding(&json!({"data": [{"embedding": vector}]}));
        assert_eq!(of(json!([1.0, 2.0])), Ok(vec![1.0, 2.0]));
        assert!(of(json!([0.0, 0.0])).is_err() && of(json!([[1.0]])).is_err());
        assert!(embedding(&json!([])).is_err());
    }
}
