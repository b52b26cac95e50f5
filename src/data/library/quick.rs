//! The row that most large files are made of, one response to an instruction, read without what its place in a file does
//! not take: other fields are looked at and dropped. Where there is any doubt, the row is left to the reader of all shapes.

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};
use smallvec::SmallVec;

use super::brief::{Brief, Task};
use crate::data::detect::Shape;

/// Labels of a response: which one, and its value.
pub(super) type Labels = SmallVec<[(usize, f64); 2]>;

/// Reads rows one after the other, in the same room.
pub(super) struct QuickRows {
    /// A row, which is written over where something in it is escaped.
    line: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl QuickRows {
    pub fn new() -> Self {
        QuickRows {
            line: Vec::new(),
            buffers: Buffers::default(),
            tape: Tape::null(),
        }
    }

    /// Reads a row of [`Shape::Row`]: what is kept of it, and its labels. `None` where that is not certainly what
    /// [`read::row`](crate::data::read::row) says.
    pub fn row(&mut self, line: &[u8], labels: &[String]) -> Option<(Brief, Labels)> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Of parsers, some let these stand in texts. (All bytes are looked at, which is many at a time.)
        if line.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ' {
            return None;
        }
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.resize(line.len() + INPUT_PADDING, b' ');
        let mut tape = std::mem::replace(&mut self.tape, Tape::null()).reset();
        let parsed = fill_tape_padded(&mut self.line, line.len(), &mut self.buffers, &mut tape);
        let texts = parsed.ok().and_then(|()| Texts::of(&tape.0, labels));
        let found = texts.and_then(Texts::brief);
        self.tape = tape.reset();
        found
    }
}

/// Which field a name is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Instruction,
    Input,
    Context,
    Reference,
    Rubric,
    Category,
    Response,
    /// A text that is not needed here.
    Text,
    Label(usize),
    /// A field of another shape.
    Foreign,
    Other,
}

impl Key {
    fn of(name: &str, labels: &[String]) -> Self {
        match name {
            "id" => Key::Id,
            "instruction" => Key::Instruction,
            "input" => Key::Input,
            "context" => Key::Context,
            "reference" => Key::Reference,
            "rubric" => Key::Rubric,
            "category" => Key::Category,
            "response" => Key::Response,
            "generator" | "reason" | "rationale" | "response_id" => Key::Text,
            "responses" | "response_a" | "response_b" | "response_A" | "response_B" | "chosen"
            | "rejected" | "conversations" | "messages" => Key::Foreign,
            _ => match labels.iter().position(|label| label == name) {
                Some(label) => Key::Label(label),
                None => Key::Other,
            },
        }
    }
}

/// What was found in a row.
#[derive(Default)]
struct Texts<'t> {
    id: String,
    instruction: Option<&'t str>,
    input: Option<&'t str>,
    context: Option<&'t str>,
    reference: Option<&'t str>,
    rubric: Option<&'t str>,
    category: Option<&'t str>,
    response: Option<&'t str>,
    labels: Labels,
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

impl<'t> Texts<'t> {
    /// Of an object without lists and objects in it.
    fn of(nodes: &[Node<'t>], labels: &[String]) -> Option<Self> {
        let (Node::Object { len, .. }, fields) = nodes.split_first()? else {
            return None;
        };
        let (fields, rest) = fields.as_chunks::<2>();
        if fields.len() != *len || !rest.is_empty() {
            return None;
        }
        let mut texts = Texts::default();
        // The last of two fields of one name would count: such a row is looked at closely.
        let mut seen: SmallVec<[Key; 12]> = SmallVec::new();
        for [name, value] in fields {
            let Node::String(name) = name else {
                return None;
            };
            let key = Key::of(name, labels);
            match key {
                Key::Foreign => return None,
                Key::Text | Key::Other => (),
                _ if seen.contains(&key) => return None,
                _ => seen.push(key),
            }
            texts.take(key, value)?;
        }
        Some(texts)
    }

    fn take(&mut self, key: Key, value: &Node<'t>) -> Option<()> {
        let text = match (key, value) {
            (_, Node::Array { .. } | Node::Object { .. }) => return None,
            (Key::Other, _) | (_, Node::Static(StaticNode::Null)) => return Some(()),
            (Key::Label(at), Node::Static(number)) => {
                self.labels.push((at, finite(*number)?));
                return Some(());
            }
            (Key::Id, Node::Static(number)) => {
                self.id = whole(*number)?;
                return Some(());
            }
            (Key::Label(_), _) | (_, Node::Static(_)) => return None,
            (_, Node::String(text)) => *text,
        };
        match key {
            Key::Id => text.clone_into(&mut self.id),
            Key::Instruction => self.instruction = Some(text),
            Key::Input => self.input = filled(text),
            Key::Context => self.context = filled(text),
            Key::Reference => self.reference = filled(text),
            Key::Rubric => self.rubric = filled(text),
            Key::Category => self.category = filled(text),
            Key::Response => self.response = Some(text),
            Key::Text | Key::Label(_) | Key::Foreign | Key::Other => (),
        }
        Some(())
    }

    fn brief(self) -> Option<(Brief, Labels)> {
        let task = Task {
            instruction: self.instruction?,
            input: self.input,
            context: self.context,
            reference: self.reference,
            rubric: self.rubric,
            category: self.category,
        };
        let response = self.response?;
        if task.instruction.trim().is_empty() && task.input.is_none() {
            return None;
        }
        let brief = Brief::new(self.id, Shape::Row, &task, [response].into_iter());
        Some((brief, self.labels))
    }
}

fn finite(number: StaticNode) -> Option<f64> {
    let number = match number {
        StaticNode::I64(number) => number as f64,
        StaticNode::U64(number) => number as f64,
        StaticNode::F64(number) => number,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// As it is written; nothing could be −0.
fn whole(number: StaticNode) -> Option<String> {
    match number {
        StaticNode::I64(number) if number != 0 => Some(number.to_string()),
        StaticNode::U64(number) if number != 0 => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::data::options::ReadOptions;
    use crate::data::read;

    /// Whether the row was read at once; if it was, as it is read otherwise.
    fn is_quick(text: &str) -> bool {
        let options = ReadOptions::default();
        let found = QuickRows::new().row(text.as_bytes(), &options.labels);
        let Some((brief, mut labels)) = found else {
            return false;
        };
        let object: Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
        let (whole, shape) = read::row(object, &options, Some(Shape::Row)).unwrap();
        assert_eq!(shape, Shape::Row, "{text}");
        assert_eq!(brief, Brief::of(&whole, shape), "{text}");
        labels.sort_by_key(|(at, _)| options.labels[*at].clone());
        let named = labels
            .into_iter()
            .map(|(at, value)| (options.labels[at].clone(), value));
        let whole = whole.responses.into_iter().flat_map(|r| r.labels);
        assert!(named.eq(whole), "{text}");
        true
    }

    #[test]
    fn a_plain_row_is_quick() {
        for text in [
            r#"{"id":"a","instruction":"q","response":"r","rating":3,"generator":"g"}"#,
            r#"{"id":7,"instruction":"q \u00e4\n","input":" ","response":"","score":1e-3,"topic":"t","n":null}"#,
            r#"{"instruction":"","input":"x","response":"r","reference":"y","category":"c","rubric":"z","context":"w"} "#,
            r#"{"id":-3,"instruction":"q","response":"r","label":null,"reason":"so","p":0.5,"rating":-2}"#,
        ] {
            assert!(is_quick(text), "{text}");
        }
    }

    #[test]
    fn any_doubt_is_left_to_others() {
        for text in [
            r#"{"instruction":"q"}"#,
            r#"{"instruction":" ","response":"r"}"#,
            r#"{"instruction":"q","response":"r","responses":null}"#,
            r#"{"instruction":"q","response":"r","meta":{"a":1}}"#,
            r#"{"instruction":"q","response":"r","tags":[]}"#,
            r#"{"instruction":"q","instruction":"p","response":"r"}"#,
            r#"{"instruction":"q","response":"r","label":"good"}"#,
            r#"{"instruction":"q","response":"r","rating":true}"#,
            r#"{"instruction":"q","response":5}"#,
            r#"{"id":1.5,"instruction":"q","response":"r"}"#,
            r#"{"instruction":"q","response":"r","x":"\ud800"}"#,
            r#"{"instruction":"q","response":"r","x":1e999}"#,
            r#"{"instruction":"q","response":"r"} x"#,
            r#"{"instruction":"q","response":"r"}{}"#,
            r#"{"instruction":"q","response":"r",}"#,
            r#"{"instruction":"q","response":"r","rating":01}"#,
            r#"{"instruction":"q","response":"r","rating":1.}"#,
            r#"{"instruction":"q","response":"r","rating":+1}"#,
            r#"{"instruction":"q","response":"r","rating":NaN}"#,
            r#"{"instruction":"q","response":"r","x":"\ud83d\u0041"}"#,
            r#"{"instruction":"q","response":"r","x":"\q"}"#,
            r#"{"id":-0,"instruction":"q","response":"r"}"#,
            "{\"instruction\":\"q\tq\",\"response\":\"r\"}",
            "{\"instruction\":\"q\",\"response\":\"r\"}\u{c}",
            "\u{feff}{\"instruction\":\"q\",\"response\":\"r\"}",
            r#"[1]"#,
            "",
        ] {
            assert!(!is_quick(text), "{text}");
        }
        let row = b"{\"instruction\":\"q\",\"response\":\"\xff\"}";
        assert!(QuickRows::new().row(row, &[]).is_none());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            6 => "[a-z \\n\\\\\"\u{e4}\u{1f600}]{0,6}".prop_map(|text| json!(text)),
            2 => any::<i32>().prop_map(|n| json!(n)),
            1 => any::<f64>().prop_map(|x| json!(x)),
            1 => Just(json!(null)),
            1 => any::<bool>().prop_map(|b| json!(b)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_quick_is_right(fields in proptest::collection::vec((0usize..18, value()), 0..8)) {
            const NAMES: [&str; 18] = [
                "id", "instruction", "input", "context", "reference", "rubric", "category", "response", "generator",
                "reason", "response_id", "p", "rating", "label", "output", "other", "rationale", "chosen",
            ];
            let mut object = json!({"instruction": "q", "response": "r"});
            for (name, value) in fields {
                object[NAMES[name]] = value;
            }
            is_quick(&object.to_string());
            // As other programs write them.
            let escaped = object.to_string().replace('\u{e4}', "\\u00E4").replace('\u{1f600}', "\\ud83d\\ude00");
            is_quick(&escaped.replace(',', " , "));
            is_quick(&escaped);
        }

        #[test]
        fn what_is_damaged_is_never_read_otherwise(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), "[\"\\\\u0-9{}:,\\[. \\-eE]"), 1..4),
        ) {
            let mut text: Vec<char> =
                r#" {"id":"a1","instruction":"q \u00e4\n","response":"r\\\"","rating":-1.5e3,"n":null} "#.chars().collect();
            for (at, new) in damage {
                let at = at.index(text.len());
                text.splice(at..=at, new.chars());
            }
            is_quick(&text.into_iter().collect::<String>());
        }
    }
}
