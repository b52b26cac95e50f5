//! Which format a row is, by the fields it has.

use serde_json::{Map, Value};

/// Fields of which one is in every row of these formats, and so in the header of a table of them.
pub const KNOWN: [&str; 13] = [
    "instruction",
    "prompt",
    "question",
    "response",
    "responses",
    "output",
    "response_a",
    "response_b",
    "response_A",
    "response_B",
    "chosen",
    "conversations",
    "messages",
];

/// Fields that hold an answer. An empty one is an answer too, which a table cannot tell from none.
pub const ANSWERS: [&str; 8] = [
    "response",
    "output",
    "response_a",
    "response_b",
    "response_A",
    "response_B",
    "chosen",
    "rejected",
];

/// Fields that hold lists; a table may have these as JSON text.
const LISTS: [&str; 3] = ["responses", "conversations", "messages"];

/// Makes lists of those that are JSON text.
pub fn unpack(row: &mut Map<String, Value>) {
    for name in LISTS {
        if let Some(Value::String(text)) = row.get(name)
            && text.trim_start().starts_with('[')
            && let Ok(list @ Value::Array(_)) = serde_json::from_str(text)
        {
            row.insert(name.to_owned(), list);
        }
    }
}

/// The formats of a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Juror's own: an instruction and a list `responses`.
    Responses,
    /// Two answers, `response_a` and `response_b`.
    Pair,
    /// Better and worse answers in `chosen` and `rejected` (RewardBench, RM-Bench).
    Preference,
    /// `response_A`, `response_B` and which is better (JudgeBench).
    Verdict,
    /// One answer a row in `response`.
    Row,
    /// Turns in `conversations` (ShareGPT) or `messages` (chat).
    Conversation,
    /// One answer a row in `output`, with its `generator` (AlpacaEval).
    Outputs,
    /// `instruction, input, output` (Alpaca).
    Alpaca,
    /// An instruction and no answer.
    Instruction,
}

impl Shape {
    /// In the order of their declaration.
    pub const ALL: [Shape; 9] = [
        Shape::Responses,
        Shape::Pair,
        Shape::Preference,
        Shape::Verdict,
        Shape::Row,
        Shape::Conversation,
        Shape::Outputs,
        Shape::Alpaca,
        Shape::Instruction,
    ];

    /// The format of a row, where it is one of these.
    pub fn of(row: &Map<String, Value>) -> Option<Shape> {
        let has = |name: &str| row.get(name).is_some_and(|value| !value.is_null());
        let turns = has("conversations") || has("messages");
        if row.get("responses").is_some_and(Value::is_array) {
            Some(Shape::Responses)
        } else if has("chosen") && has("rejected") {
            Some(Shape::Preference)
        } else if has("response_A") && has("response_B") {
            Some(Shape::Verdict)
        } else if has("response_a") || has("response_b") {
            Some(Shape::Pair)
        } else if has("response") && (has("instruction") || !turns) {
            Some(Shape::Row)
        } else if turns {
            Some(Shape::Conversation)
        } else if has("output") && has("generator") {
            Some(Shape::Outputs)
        } else if has("output") {
            Some(Shape::Alpaca)
        } else if has("instruction") {
            Some(Shape::Instruction)
        } else {
            None
        }
    }

    /// Whether the rows of one instruction stand one below the other, to be gathered in one record.
    pub fn gathers(self) -> bool {
        matches!(self, Shape::Row | Shape::Outputs)
    }
}

/// What to say about a row without any known shape.
pub fn unknown(row: &Map<String, Value>) -> String {
    let mut names: Vec<String> = row
        .keys()
        .take(8)
        .map(|name| format!("`{}`", name.chars().take(24).collect::<String>()))
        .collect();
    if row.len() > names.len() {
        names.push("…".to_string());
    }
    let found = if names.is_empty() {
        "no fields".to_string()
    } else {
        names.join(", ")
    };
    format!(
        "no instruction, response, output, responses, response_a, conversations or messages here, found {found}; \
         name the fields with --field instruction=NAME and --field response=NAME"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(value: Value) -> Option<Shape> {
        value.as_object().and_then(Shape::of)
    }

    #[test]
    fn every_shape() {
        let cases = [
            (
                json!({"instruction": "", "responses": []}),
                Shape::Responses,
            ),
            (json!({"instruction": "", "response_a": "x"}), Shape::Pair),
            (json!({"instruction": "", "response": "x"}), Shape::Row),
            (json!({"response": "x"}), Shape::Row),
            (
                json!({"prompt": "", "chosen": "x", "rejected": "y"}),
                Shape::Preference,
            ),
            (
                json!({"question": "", "response_A": "x", "response_B": "y"}),
                Shape::Verdict,
            ),
            (json!({"messages": [], "response": ""}), Shape::Conversation),
            (json!({"conversations": []}), Shape::Conversation),
            (
                json!({"instruction": "", "output": "", "generator": "g"}),
                Shape::Outputs,
            ),
            (
                json!({"instruction": "", "input": "", "output": ""}),
                Shape::Alpaca,
            ),
            (
                json!({"instruction": "", "output": null}),
                Shape::Instruction,
            ),
            (
                json!({"instruction": "", "responses": 3}),
                Shape::Instruction,
            ),
        ];
        for (row, expected) in cases {
            assert_eq!(shape(row.clone()), Some(expected), "{row}");
        }
        assert_eq!(shape(json!({"prompt": "x"})), None);
    }

    #[test]
    fn an_unknown_row_is_described() {
        let row = json!({"prompt": 1, "completion": 2});
        let message = unknown(row.as_object().unwrap());
        assert!(
            message.contains("found `prompt`, `completion`;"),
            "{message}"
        );
        assert!(unknown(&Map::new()).contains("no fields"));
    }
}
