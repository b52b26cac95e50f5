//! Judgment templates: the `templates:` block of the authors' YAML files (`oddqueue/self-judge`), read as published.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::super::template::{Part, parts};
use super::super::{JudgeError, Result};
use super::Pair;
use crate::model::tokenizer::Piece;

/// Slots of a user's turn.
const SLOTS: [(&str, &str); 3] = [
    ("context", "context"),
    ("response_a", "response_a"),
    ("response_b", "response_b"),
];

/// The file of a model's own templates, in its folder.
const OWN_FILE: &str = "pairwise.yaml";

/// Templates that Juror has, by name.
const BUILT_IN: [(&str, &str); 2] = [
    ("standard", include_str!("../templates/pairwise.yaml")),
    (
        "system-first",
        include_str!("../templates/pairwise-system-first.yaml"),
    ),
];

/// One principle's way of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principle {
    pub name: String,
    /// The system's turn; empty: none.
    pub system: String,
    user: Vec<Part>,
    /// How the assistant's turn begins, up to the judge token.
    pub cue: String,
}

impl Principle {
    /// The user's turn about a pair in an order; `swapped` puts `b` into position A.
    pub fn fill(&self, pair: &Pair, swapped: bool) -> Vec<Piece> {
        let (a, b) = pair.placed(swapped);
        self.user
            .iter()
            .map(|part| match part {
                Part::Words(words) => Piece::template(words),
                Part::Slot(slot @ "response_a") => Piece::data(slot, a),
                Part::Slot(slot @ "response_b") => Piece::data(slot, b),
                Part::Slot(slot) => Piece::data(slot, &pair.context),
            })
            .collect()
    }
}

/// How a judge is asked to choose: a prompt for each principle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairTemplates {
    pub name: String,
    /// In the order of the file.
    pub principles: Vec<Principle>,
    /// A chat template in Jinja that the file brings along; `None`: the model's own.
    pub chat: Option<String>,
    /// Introduces what the judge says of a position, with `{position}`; `None`: it is not taught to say anything.
    pub rationale: Option<String>,
    /// The judge tokens: what follows the cue, for position A and for B.
    pub tokens: [String; 2],
    source: String,
}

/// As in a configuration of the authors': what is not about templates is passed over.
#[derive(Deserialize)]
struct File {
    templates: Block,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    judge: IndexMap<String, Texts>,
    chat: Option<String>,
    decision_rationale: Option<DecisionRationale>,
    // What the authors' training scripts look turns up by.
    #[serde(rename = "skip_first_token")]
    _skip_first_token: Option<IgnoredAny>,
    #[serde(rename = "user")]
    _user: Option<IgnoredAny>,
    #[serde(rename = "assistant")]
    _assistant: Option<IgnoredAny>,
    // Ours.
    name: Option<String>,
    tokens: Option<[String; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    #[serde(default)]
    system: String,
    user: String,
    assistant: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRationale {
    decision: String,
    rationale: String,
}

impl PairTemplates {
    /// Our own wording, the principle after the content.
    ///
    /// # Errors
    /// Never in a build whose tests pass; the text is parsed like any other.
    pub fn standard() -> Result<Self> {
        Self::parse(BUILT_IN[0].0, BUILT_IN[0].1, false)
    }

    /// What `--templates` names: `standard`, `system-first`, or a YAML file. With `python_format`, `{{` stands for a
    /// brace.
    ///
    /// # Errors
    /// Unreadable, or as [`PairTemplates::parse`]; the file named.
    pub fn named(name: &str, python_format: bool) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(own, _)| *own == name) {
            return Self::parse(name, text, false);
        }
        let text = std::fs::read_to_string(name).map_err(|e| JudgeError::Template {
            name: name.to_owned(),
            cause: format!("{e}; a YAML file, `standard` or `system-first` expected"),
        })?;
        Self::parse(name, &text, python_format)
    }

    /// The templates in a model's own folder (`pairwise.yaml`), if it has some. A model in a single file has none: what
    /// lies beside it may belong to another.
    ///
    /// # Errors
    /// A malformed file, named.
    pub fn own_of_model(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(OWN_FILE);
        match folder.is_dir() && path.is_file() {
            true => Self::named(&path.display().to_string(), false).map(Some),
            false => Ok(None),
        }
    }

    /// Reads a YAML text with a block `templates:`; `name` is for messages, and its name where it has none of its own.
    ///
    /// # Errors
    /// Malformed YAML, with its line; no principle; a principle that lacks a text or a slot, both named.
    pub fn parse(name: &str, text: &str, python_format: bool) -> Result<Self> {
        let wrong = |cause: String| JudgeError::Template {
            name: name.to_owned(),
            cause,
        };
        let file: File = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let block = file.templates;
        if block.judge.is_empty() {
            return Err(wrong("`templates.judge` has no principle".into()));
        }
        let decision = block.decision_rationale.as_ref();
        let principles = block.judge.into_iter().map(|(principle, texts)| {
            let user = parts(&texts.user, &SLOTS, python_format);
            for (slot, _) in SLOTS {
                if !user.contains(&Part::Slot(slot)) {
                    return Err(wrong(format!(
                        "principle `{principle}`: `user` has no slot {{{slot}}}"
                    )));
                }
            }
            Ok(Principle {
                name: principle,
                system: texts.system,
                user,
                cue: texts.assistant + decision.map_or("", |d| &d.decision),
            })
        });
        let principles = principles.collect::<Result<Vec<_>>>()?;
        let tokens = block.tokens.unwrap_or([" A".into(), " B".into()]);
        checked(&tokens).map_err(wrong)?;
        let stem = Path::new(name).file_stem().and_then(|s| s.to_str());
        Ok(PairTemplates {
            name: block
                .name
                .unwrap_or_else(|| stem.unwrap_or(name).to_owned()),
            principles,
            chat: block.chat,
            rationale: block.decision_rationale.map(|d| d.rationale),
            tokens,
            source: format!("{python_format} {text}"),
        })
    }

    /// The same with other judge tokens.
    ///
    /// # Errors
    /// Empty or equal ones.
    pub fn with_tokens(mut self, tokens: [String; 2]) -> Result<Self> {
        checked(&tokens).map_err(JudgeError::Prompt)?;
        self.tokens = tokens;
        Ok(self)
    }

    /// The same with some of the principles, in this order.
    ///
    /// # Errors
    /// One that is not there, or none.
    pub fn with_principles(mut self, names: &[String]) -> Result<Self> {
        let mut known: BTreeMap<String, Principle> = self
            .principles
            .into_iter()
            .map(|principle| (principle.name.clone(), principle))
            .collect();
        let all: Vec<String> = known.keys().cloned().collect();
        let pick = |name: &String| {
            known.remove(name).ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "principle `{name}`: the templates {} have {}, each once",
                    self.name,
                    all.join(", ")
                ))
            })
        };
        self.principles = names.iter().map(pick).collect::<Result<_>>()?;
        match self.principles.is_empty() {
            true => Err(JudgeError::Prompt("no principle to judge by".into())),
            false => Ok(self),
        }
    }

    /// SHA-256 over everything that shapes a prompt, in hexadecimal.
    pub fn hash(&self) -> String {
        let names: Vec<&str> = self.principles.iter().map(|p| p.name.as_str()).collect();
        let parts = (&self.source, &self.tokens, names);
        hex::encode(Sha256::digest(format!("{parts:?}")))
    }
}

fn checked(tokens: &[String; 2]) -> std::result::Result<(), String> {
    match tokens[0] == tokens[1] || tokens.iter().any(String::is_empty) {
        true => Err(format!(
            "judge tokens {tokens:?}: two different texts expected"
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout of the published files, in other words.
    const PUBLISHED: &str = r#"
training_args:
  learning_rate: 2e-5
templates:
  skip_first_token: True
  chat: "<|s|>\n{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"
  user: "\n<|user|>\n"
  assistant: "\n<|assistant|>\n"
  judge:
    zeal:
      system: "Zeal."
      user: "{context}\n{response_a}\n{response_b} {{x}}"
      assistant: "Sure!\n"
    calm:
      system: "Calm."
      user: "{context}{response_a}{response_b}"
      assistant: "Sure!\n"
  decision_rationale:
    decision: "\nDecision: Response"
    rationale: "\nEvaluation of Response {position}:"

dataset: "some/set"
"#;

    fn pair() -> Pair {
        Pair {
            context: "Q {response_b}".into(),
            a: "one".into(),
            b: "two".into(),
        }
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| p.text.as_str()).collect()
    }

    #[test]
    fn the_published_layout_is_read_as_it_is() {
        let set = PairTemplates::parse("folder/jsft.yaml", PUBLISHED, false).unwrap();
        assert_eq!(set.name, "jsft");
        let names: Vec<&str> = set.principles.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["zeal", "calm"], "in the order of the file");
        assert_eq!(set.principles[0].cue, "Sure!\n\nDecision: Response");
        assert_eq!(set.tokens, [" A", " B"]);
        assert!(set.chat.is_some());
        let filled = set.principles[0].fill(&pair(), false);
        assert_eq!(
            text(&filled),
            "Q {response_b}\none\ntwo {{x}}",
            "one pass, no braces eaten"
        );
        assert!(text(&set.principles[0].fill(&pair(), true)).contains("\ntwo\none"));
        let python = PairTemplates::parse("x", PUBLISHED, true).unwrap();
        assert!(text(&python.principles[0].fill(&pair(), false)).ends_with("two {x}"));
        assert_ne!(python.hash(), set.hash());
    }

    #[test]
    fn a_missing_slot_names_principle_and_slot() {
        let text = PUBLISHED.replace("{context}{response_a}{response_b}", "{context}{response_a}");
        let error = PairTemplates::parse("t.yaml", &text, false).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("principle `calm`: `user` has no slot {response_b}"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let of = |text: &str| {
            let error = PairTemplates::parse("t.yaml", text, false).unwrap_err();
            error.to_string()
        };
        assert!(of("templates:\n  judge: {}\n").contains("no principle"));
        assert!(of("judge: {}\n").contains("templates"));
        assert!(of("templates: [\n").contains("t.yaml"));
        let misspelt = PUBLISHED.replace("assistant: \"Sure!\\n\"", "assistent: \"Sure\"");
        assert!(of(&misspelt).contains("assistent"), "{}", of(&misspelt));
        let missing = PairTemplates::named("no/such.yaml", false).unwrap_err();
        assert!(missing.to_string().contains("no/such.yaml"));
    }

    #[test]
    fn what_is_built_in_is_whole() {
        for (name, _) in BUILT_IN {
            let set = PairTemplates::named(name, false).unwrap();
            assert_eq!((set.name.as_str(), set.principles.len()), (name, 3));
        }
        let set = PairTemplates::standard().unwrap();
        let one = set.clone().with_principles(&["truthfulness".into()]);
        let one = one.unwrap();
        assert_eq!(one.principles[0].name, "truthfulness");
        assert_ne!(one.hash(), set.hash());
        let unknown = set.clone().with_principles(&["zeal".into()]).unwrap_err();
        assert!(
            unknown
                .to_string()
                .contains("have harmlessness, helpfulness")
        );
        assert!(set.clone().with_tokens(["A".into(), "A".into()]).is_err());
        // What comes before the principle is the same in all of them.
        let start = |at: usize| {
            let text = text(&set.principles[at].fill(&pair(), false));
            text.split("Compare them by").next().unwrap().to_owned()
        };
        assert!(start(0) == start(1) && start(1) == start(2));
        assert_eq!(set.principles[0].system, set.principles[2].system);
    }
}
