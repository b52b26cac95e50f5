//! An answer that comes piece by piece (server-sent events), put together to what it would have been in one piece.

use serde_json::{Value, json};

/// The pieces so far.
#[derive(Debug, Default)]
pub(super) struct Streamed {
    text: String,
    finish: Option<Value>,
    usage: Option<Value>,
    is_done: bool,
}

impl Streamed {
    /// Takes a line; the piece of text that it brings.
    ///
    /// # Errors
    /// A line that is no event of an answer; what the server says went wrong.
    pub fn take(&mut self, line: &str) -> Result<Option<String>, String> {
        // Other fields of events, and comments that keep the connection open, say nothing.
        let Some(data) = line.strip_prefix("data:").map(str::trim) else {
            return Ok(None);
        };
        if data == "[DONE]" {
            self.is_done = true;
            return Ok(None);
        }
        let event: Value =
            serde_json::from_str(data).map_err(|_| "an event of the stream is no JSON")?;
        if let Some(error) = event.get("error") {
            let said = error["message"].as_str().unwrap_or("no cause is told");
            return Err(format!("the server breaks off: {said}"));
        }
        if event["usage"].is_object() {
            self.usage = Some(event["usage"].clone());
        }
        let Some(choice) = event["choices"].get(0) else {
            return Ok(None);
        };
        if !choice["finish_reason"].is_null() {
            self.finish = Some(choice["finish_reason"].clone());
        }
        let piece = choice["delta"]["content"]
            .as_str()
            .or(choice["text"].as_str())
            .filter(|piece| !piece.is_empty());
        if let Some(piece) = piece {
            self.text.push_str(piece);
        }
        Ok(piece.map(str::to_owned))
    }

    /// Whether nothing more is to come.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The answer in one piece.
    ///
    /// # Errors
    /// A stream that ended before the answer did.
    pub fn whole(self) -> Result<Value, String> {
        if self.finish.is_none() && !self.is_done {
            return Err("the stream ends before the answer does".to_owned());
        }
        Ok(json!({
            "choices": [{"message": {"content": self.text}, "finish_reason": self.finish}],
            "usage": self.usage,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::reply;
    use super::*;

    fn all(lines: &[&str]) -> (Vec<String>, Result<Value, String>) {
        let (mut streamed, mut pieces) = (Streamed::default(), Vec::new());
        for line in lines {
            match streamed.take(line) {
                Ok(piece) => pieces.extend(piece),
                Err(cause) => return (pieces, Err(cause)),
            }
        }
        (pieces, streamed.whole())
    }

    #[test]
    fn pieces_make_the_answer() {
        let chat = [
            ": keep-alive",
            r#"data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            "",
            r#"data: {"choices":[{"delta":{"content":"One"},"finish_reason":null}]}"#,
            r#"data: {"choices":[{"delta":{"content":" two"},"finish_reason":null}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#,
            r#"data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
            "data: [DONE]",
        ];
        let (pieces, answer) = all(&chat);
        assert_eq!(pieces, ["One", " two"]);
        let written = reply::written(&answer.unwrap()).unwrap().unwrap();
        assert_eq!((written.text.as_str(), written.is_cut), ("One two", true));
        assert_eq!(
            (written.prompt_tokens, written.written_tokens),
            (Some(7), Some(2))
        );
        let texts = [r#"data: {"choices":[{"text":"Hm","finish_reason":"stop"}]}"#];
        assert!(all(&texts).1.is_ok());
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        let begun = r#"data: {"choices":[{"text":"Hm","finish_reason":null}]}"#;
        assert!(all(&[begun]).1.unwrap_err().contains("ends before"));
        assert!(
            all(&[begun, "data: {\"choi"])
                .1
                .unwrap_err()
                .contains("no JSON")
        );
        let error = r#"data: {"error":{"message":"out of memory"}}"#;
        assert!(
            all(&[begun, error])
                .1
                .unwrap_err()
                .contains("out of memory")
        );
        assert!(all(&[]).1.is_err());
    }
}
