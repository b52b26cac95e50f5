//! Conversations: ShareGPT (`conversations: [{from, value}]`) and chat (`messages: [{role, content}]`),
//! judged on the last turn of the assistant.

use serde_json::{Value, json};

use super::fields::{FieldError, Fields, describe};
use super::record::{Record, Response};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    fn of(name: &str) -> Option<Role> {
        match name.to_ascii_lowercase().as_str() {
            "system" | "developer" => Some(Role::System),
            "user" | "human" | "prompter" => Some(Role::User),
            "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "bing" | "bard" => {
                Some(Role::Assistant)
            }
            "tool" | "function" | "ipython" | "observation" => Some(Role::Tool),
            _ => None,
        }
    }

    /// As turns before the judged one are written down.
    pub fn word(self) -> &'static str {
        match self {
            Role::System => "System",
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
        }
    }
}

/// What somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    pub text: String,
}

/// Name and turns of a row's conversation, all of them in their order.
fn take_turns(row: &mut Fields) -> Result<(&'static str, Vec<Turn>), FieldError> {
    let name = if row.has("conversations") {
        "conversations"
    } else {
        "messages"
    };
    let items = match row.value(name) {
        Some(Value::Array(items)) => items,
        Some(other) => return Err(row.wrong(name, "an array of turns", &other)),
        None => return Err(row.missing(name, "")),
    };
    let mut turns: Vec<Turn> = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let said = turns.iter().rev().find(|turn| turn.role != Role::System);
        let next = match said {
            Some(Turn {
                role: Role::User, ..
            }) => Role::Assistant,
            _ => Role::User,
        };
        turns.push(turn(item, next, &format!("{name}[{place}]"))?);
    }
    Ok((name, turns))
}

/// All turns of a conversation, an answer in a field of its own (`response`) being the last.
///
/// # Errors
/// A field that is no list of turns, or a turn that is none, named.
pub fn turns(mut row: Fields) -> Result<Vec<Turn>, FieldError> {
    let (_, mut turns) = take_turns(&mut row)?;
    if row.has("response") {
        turns.push(Turn {
            role: Role::Assistant,
            text: row.needed("response", "")?,
        });
    }
    Ok(turns)
}

/// Reads a conversation. The last assistant turn is the response, the last user turn before it the
/// instruction, the other turns up to there the context; without an assistant turn the last user turn
/// is the instruction and there is no response. A system turn stays in the meta as `system`, turns
/// after the judged one as `turns_after`.
pub fn read(mut row: Fields, labels: &[String]) -> Result<Record, FieldError> {
    let (name, all) = take_turns(&mut row)?;
    let (system, mut turns): (Vec<Turn>, Vec<Turn>) =
        all.into_iter().partition(|turn| turn.role == Role::System);
    let system: Vec<String> = system.into_iter().map(|turn| turn.text).collect();

    // An answer of its own field answers the last user turn.
    let given = row.has("response");
    let answer = turns
        .iter()
        .rposition(|turn| turn.role == Role::Assistant)
        .filter(|_| !given);
    let before = answer.unwrap_or(turns.len());
    let Some(question) = turns[..before]
        .iter()
        .rposition(|turn| turn.role == Role::User)
    else {
        return Err(FieldError::Shape(match answer {
            Some(_) => format!("field `{name}`: no user turn before the last assistant turn"),
            None => format!("field `{name}`: no user turn"),
        }));
    };

    let mut record = row.setting()?;
    record.id = row.id()?.unwrap_or_default();
    let mut context: Vec<String> = record.context.take().into_iter().collect();
    for (place, turn) in turns[..before].iter().enumerate() {
        if place != question && !turn.text.trim().is_empty() {
            context.push(format!("{}: {}", turn.role.word(), turn.text.trim()));
        }
    }
    record.context = Some(context.join("\n\n").trim().to_string()).filter(|text| !text.is_empty());
    let after: Vec<Value> = turns
        .drain(answer.map_or(turns.len(), |answer| answer + 1)..)
        .map(|turn| json!({"role": turn.role.word().to_ascii_lowercase(), "content": turn.text}))
        .collect();
    if given {
        record.responses.push(row.response("response", labels)?);
    } else if let Some(answer) = answer {
        record.responses.push(Response {
            generator: row.filled("generator")?,
            text: std::mem::take(&mut turns[answer].text),
            labels: row.labels(labels)?,
            ..Response::default()
        });
    }
    record.instruction = std::mem::take(&mut turns[question].text);
    if record.instruction.trim().is_empty() {
        return Err(FieldError::Shape(format!(
            "field `{name}`: the judged user turn is empty"
        )));
    }
    record.meta = row.rest();
    if !system.is_empty() {
        let key = if record.meta.contains_key("system") {
            "system_turn"
        } else {
            "system"
        };
        record
            .meta
            .insert(key.to_string(), Value::String(system.join("\n\n")));
    }
    if !after.is_empty() {
        record
            .meta
            .insert("turns_after".to_string(), Value::Array(after));
    }
    Ok(record)
}

/// One turn; `next` is whose turn it is where the turn does not say.
fn turn(item: Value, next: Role, path: &str) -> Result<Turn, FieldError> {
    let map = match item {
        Value::String(text) => return Ok(Turn { role: next, text }),
        Value::Object(map) => map,
        other => {
            return Err(FieldError::Type {
                field: path.to_string(),
                expected: "an object with role and text",
                found: describe(&other),
            });
        }
    };
    let mut turn = Fields::within(format!("{path}."), map);
    let mut role = next;
    for name in ["from", "role"] {
        if let Some(said) = turn.text(name)? {
            role = Role::of(&said).ok_or_else(|| {
                turn.wrong(
                    name,
                    "system, user, human, assistant, gpt or tool",
                    &Value::String(said),
                )
            })?;
            break;
        }
    }
    let text = match ["value", "content", "text"]
        .into_iter()
        .find(|name| turn.has(name))
    {
        Some(name) => match turn.value(name) {
            Some(Value::String(text)) => text,
            Some(Value::Array(parts)) => joined(&turn, name, parts)?,
            Some(other) => return Err(turn.wrong(name, "a string", &other)),
            None => String::new(),
        },
        // An assistant that only calls a tool has no text.
        None if turn.has("tool_calls") || turn.has("function_call") => String::new(),
        None => return Err(turn.missing("content", "")),
    };
    Ok(Turn { role, text })
}

/// `[{"type": "text", "text": …}, …]` as one text.
fn joined(turn: &Fields, name: &str, parts: Vec<Value>) -> Result<String, FieldError> {
    let mut text = String::new();
    for part in parts {
        match part.get("text").and_then(Value::as_str).or(part.as_str()) {
            Some(piece) => text.push_str(piece),
            None => return Err(turn.wrong(name, "text parts only", &part)),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: Value) -> Result<Record, FieldError> {
        match value {
            Value::Object(map) => read(Fields::new(map), &["score".to_string()]),
            _ => unreachable!("tests give objects"),
        }
    }

    #[test]
    fn the_last_assistant_turn_is_judged() {
        let read = record(json!({
            "id": 7, "score": 4, "topic": "tea",
            "conversations": [
                {"from": "system", "value": "be brief"},
                {"from": "human", "value": "hot?\n"},
                {"from": "gpt", "value": "yes"},
                {"from": "human", "value": "how hot?"},
                {"from": "gpt", "value": "80 degrees"},
                {"from": "human", "value": "thanks"}
            ]
        }))
        .unwrap();
        assert_eq!(read.id, "7");
        assert_eq!(
            read.context.as_deref(),
            Some("User: hot?\n\nAssistant: yes")
        );
        assert_eq!(read.instruction, "how hot?");
        assert_eq!(read.responses[0].text, "80 degrees");
        assert_eq!(read.responses[0].labels["score"], 4.0);
        assert_eq!(read.meta["system"], "be brief");
        assert_eq!(read.meta["topic"], "tea");
        assert_eq!(read.meta["turns_after"][0]["content"], "thanks");
    }

    #[test]
    fn roles_may_be_unsaid_and_named_otherwise() {
        for turns in [
            json!([{"value": "q"}, {"value": "a"}]),
            json!([{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]),
            json!(["q", "a"]),
            json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]),
            json!([{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"content": "a"}]),
        ] {
            for name in ["conversations", "messages"] {
                let mut row = serde_json::Map::new();
                row.insert(name.to_string(), turns.clone());
                let read = record(Value::Object(row)).unwrap();
                assert_eq!(read.instruction, "q");
                assert_eq!(read.context, None);
                assert_eq!(read.responses[0].text, "a");
                assert!(read.meta.is_empty());
            }
        }
    }

    #[test]
    fn all_turns_come_in_their_order() {
        let row = json!({"messages": [
            {"role": "system", "content": "s"}, "q", "a", {"role": "user", "content": "r"}
        ], "response": "b"});
        let Value::Object(row) = row else {
            unreachable!("an object")
        };
        let turns = turns(Fields::new(row)).unwrap();
        let said: String = turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(said, "sqarb");
        let roles: Vec<&str> = turns.iter().map(|turn| turn.role.word()).collect();
        assert_eq!(roles, ["System", "User", "Assistant", "User", "Assistant"]);
    }

    #[test]
    fn a_question_alone_and_tool_turns() {
        let read = record(json!({"messages": [{"role": "user", "content": "q"}]})).unwrap();
        assert_eq!((read.instruction.as_str(), read.responses.len()), ("q", 0));
        let read = record(json!({
            "messages": [{"role": "assistant", "content": "hello"}, {"role": "user", "content": "q"}],
            "response": "r", "score": 2
        }))
        .unwrap();
        assert_eq!(read.context.as_deref(), Some("Assistant: hello"));
        assert_eq!(read.responses[0].text, "r");
        assert_eq!(read.responses[0].labels["score"], 2.0);
        let read = record(json!({"messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": null, "tool_calls": [{}]},
            {"role": "tool", "content": "rain"},
            {"role": "assistant", "content": "It rains."}
        ]}))
        .unwrap();
        assert_eq!(read.instruction, "weather?");
        assert_eq!(read.context.as_deref(), Some("Tool: rain"));
        assert_eq!(read.responses[0].text, "It rains.");
    }

    #[test]
    fn broken_conversations_are_named() {
        let message = |row: Value| record(row).unwrap_err().to_string();
        assert!(message(json!({"messages": []})).contains("no user turn"));
        assert!(message(json!({"messages": "x"})).contains("expected an array of turns"));
        assert!(
            message(json!({"messages": [{"role": "assistant", "content": "a"}]}))
                .contains("no user turn before")
        );
        assert!(
            message(json!({"messages": [{"role": "judge", "content": "a"}]}))
                .contains("messages[0].role")
        );
        assert!(
            message(json!({"messages": [{"role": "user", "content": 5}]}))
                .contains("messages[0].content")
        );
        assert!(message(json!({"messages": [{"role": "user"}]})).contains("messages[0].content"));
        assert!(message(json!({"messages": [7]})).contains("messages[0]"));
        assert!(message(json!({"messages": [{"role": "user", "content": " "}]})).contains("empty"));
    }
}
