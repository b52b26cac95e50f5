//! Prompt templates with slots, filled in one pass: slot-like text inside data stays data.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::generating::Generating;
use super::scale::Scale;
use super::{JudgeError, Result};
pub use crate::data::Subject;
use crate::model::tokenizer::Piece;

/// Slots and what their names may be in a file.
const SLOTS: [(&str, &str); 7] = [
    ("instruction", "instruction"),
    ("reference", "reference"),
    ("response", "response"),
    // As the published Self-J text has it.
    ("input", "response"),
    ("context", "context"),
    ("rubric", "rubric"),
    ("criterion", "criterion"),
];

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    source: String,
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Words(String),
    Slot(&'static str),
}

/// Splits a text at its slots, given as their names in a file and here. With `python_format`, `{{` and `}}` stand for
/// braces.
pub(super) fn parts(
    source: &str,
    slots: &[(&str, &'static str)],
    python_format: bool,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut words, mut rest) = (String::new(), source);
    while let Some(c) = rest.chars().next() {
        let slot = slots.iter().find_map(|(name, slot)| {
            let after = rest.strip_prefix('{')?.strip_prefix(name)?;
            Some((*slot, after.strip_prefix('}')?))
        });
        let doubled = rest.starts_with("{{") || rest.starts_with("}}");
        if python_format && doubled {
            words.push(c);
            rest = &rest[2..];
        } else if let Some((slot, after)) = slot {
            if !words.is_empty() {
                parts.push(Part::Words(std::mem::take(&mut words)));
            }
            parts.push(Part::Slot(slot));
            rest = after;
        } else {
            words.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !words.is_empty() {
        parts.push(Part::Words(words));
    }
    parts
}

impl Template {
    /// Parses a text. With `python_format`, `{{` and `}}` stand for braces.
    pub fn parse(source: &str, python_format: bool) -> Self {
        Template {
            parts: parts(source, &SLOTS, python_format),
            source: source.to_owned(),
        }
    }

    /// Whether it has a slot.
    pub fn has(&self, slot: &str) -> bool {
        self.parts
            .iter()
            .any(|p| matches!(p, Part::Slot(s) if *s == slot))
    }

    /// Its own words, slots apart.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Words(words) => Some(words.as_str()),
            Part::Slot(_) => None,
        })
    }

    /// Fills all slots.
    pub fn fill(&self, subject: &Subject) -> Vec<Piece> {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        self.parts
            .iter()
            .map(|part| match part {
                Part::Words(words) => Piece::template(words),
                Part::Slot(slot) => Piece::data(
                    slot,
                    match *slot {
                        "instruction" => subject.instruction.clone(),
                        "reference" => of(&subject.reference),
                        "context" => of(&subject.context),
                        "rubric" => of(&subject.rubric),
                        "criterion" => of(&subject.criterion),
                        _ => subject.response.clone(),
                    },
                ),
            })
            .collect()
    }
}

/// What goes around the filled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// The model's chat template, with a generation prompt.
    Chat,
    /// The model's chat template around two turns, what comes before the response and the response:
    /// how reward models are asked. Not to be had by name.
    Turns,
    /// Nothing but what the tokenizer adds.
    None,
    /// A text before and one after.
    Around(String, String),
}

impl Wrap {
    /// `chat`, `none`, or a text with `{prompt}`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        match (text, text.split_once("{prompt}")) {
            ("chat", _) => Ok(Wrap::Chat),
            ("none", _) => Ok(Wrap::None),
            (_, Some((before, after))) => Ok(Wrap::Around(before.into(), after.into())),
            _ => Err(format!(
                "wrap `{text}`: `chat`, `none` or a text with {{prompt}} expected"
            )),
        }
    }
}

/// How a judge is asked: one template a mode, with the scale they share.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSet {
    pub name: String,
    /// With the reference shown.
    pub reference: Option<Template>,
    /// Without it.
    pub free: Option<Template>,
    pub scale: Scale,
    /// Names and texts of what the response is judged by, one prompt each; none: all in one.
    pub criteria: Vec<(String, String)>,
    /// Labels outside so many of the likeliest tokens count as 0; `None`: all count.
    pub top: Option<usize>,
    /// `None`: chat where the model has a chat template, nothing otherwise.
    pub wrap: Option<Wrap>,
    /// Put before each label.
    pub label_prefix: String,
    /// Longest chunk in tokens when the model embeds; `None`: its context.
    pub embed_tokens: Option<usize>,
    /// Tokens of a slot's text that the model was trained with: a longer text is cut to them, though it would fit.
    pub slot_tokens: BTreeMap<String, usize>,
    /// How a score is read out of what the judge writes; `None`: it is not asked to write.
    pub generate: Option<Generating>,
}

/// A template file in TOML, and the `juror.toml` of a model's folder.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    embed_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    slot_tokens: BTreeMap<String, usize>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    criteria: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generate: Option<Generating>,
}

impl TemplateSet {
    /// Our own wording for instruction-tuned models.
    ///
    /// # Errors
    /// Never in a build whose tests pass; the text is parsed like any other.
    pub fn standard() -> Result<Self> {
        Self::from_toml("standard", include_str!("templates/standard.toml"))
    }

    /// The templates of a model's own folder (`juror.toml`), or the standard ones.
    ///
    /// # Errors
    /// A malformed file, named.
    pub fn of_model(folder: &Path) -> Result<Self> {
        Self::own_of_model(folder)?.map_or_else(Self::standard, Ok)
    }

    /// The templates of a model's own folder, if it has some.
    ///
    /// # Errors
    /// A malformed file, named.
    pub fn own_of_model(folder: &Path) -> Result<Option<Self>> {
        own_file(folder)?
            .map(|(name, text)| Self::from_toml(&name, &text))
            .transpose()
    }

    /// Longest chunk in tokens that a model's own folder allows when it embeds.
    ///
    /// # Errors
    /// A malformed file, named.
    pub fn embed_tokens_of(folder: &Path) -> Result<Option<usize>> {
        let Some((name, text)) = own_file(folder)? else {
            return Ok(None);
        };
        let file: File = toml::from_str(&text).map_err(|e| JudgeError::Template {
            name,
            cause: e.to_string(),
        })?;
        Ok(file.embed_tokens)
    }

    /// As a template file in TOML, to be edited and read again by [`TemplateSet::from_toml`].
    pub fn to_toml(&self) -> String {
        let source = |t: &Option<Template>| t.as_ref().map(|t| t.source.clone());
        let wrap = self.wrap.as_ref().and_then(|wrap| match wrap {
            Wrap::Chat => Some("chat".to_owned()),
            Wrap::None => Some("none".to_owned()),
            Wrap::Around(before, after) => Some(format!("{before}{{prompt}}{after}")),
            Wrap::Turns => None,
        });
        let file = File {
            name: Some(self.name.clone()),
            labels: Some(self.scale.labels.clone()),
            wrap,
            label_prefix: self.label_prefix.clone(),
            embed_tokens: self.embed_tokens,
            slot_tokens: self.slot_tokens.clone(),
            reference: source(&self.reference),
            free: source(&self.free),
            criteria: self.criteria.iter().cloned().collect(),
            generate: self.generate.clone(),
        };
        // Texts, numbers and tables: TOML has them all.
        toml::to_string_pretty(&file).unwrap_or_default()
    }

    /// Reads a template file in TOML; `name` is for messages, and its name where it has none of its own.
    ///
    /// # Errors
    /// Malformed, or not usable as a template; named.
    pub fn from_toml(name: &str, text: &str) -> Result<Self> {
        let wrong = |cause: String| JudgeError::Template {
            name: name.to_owned(),
            cause,
        };
        let file: File = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let parse = |t: Option<String>| t.map(|t| Template::parse(&t, false));
        let set = TemplateSet {
            name: file.name.unwrap_or_else(|| stem(name)),
            reference: parse(file.reference),
            free: parse(file.free),
            scale: match file.labels {
                Some(labels) => Scale::from_labels(labels).map_err(wrong)?,
                None => Scale::digits(),
            },
            criteria: file.criteria.into_iter().collect(),
            top: None,
            wrap: file
                .wrap
                .map(|w| Wrap::parse(&w))
                .transpose()
                .map_err(wrong)?,
            label_prefix: file.label_prefix,
            embed_tokens: file.embed_tokens,
            slot_tokens: file.slot_tokens,
            generate: file.generate,
        };
        set.checked().map_err(wrong)
    }

    /// Reads template files: TOML, or plain text whose slots tell the mode (a `{reference}` makes
    /// it the one with reference).
    ///
    /// # Errors
    /// Unreadable, malformed, without a `{response}`, or two for one mode; named.
    pub fn read(paths: &[std::path::PathBuf], python_format: bool) -> Result<Self> {
        let mut set: Option<TemplateSet> = None;
        for path in paths {
            let name = path.display().to_string();
            let wrong = |cause: String| JudgeError::Template {
                name: name.clone(),
                cause,
            };
            let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
            let next = if path.extension().is_some_and(|e| e == "toml") {
                Self::from_toml(&name, &text)?
            } else {
                let template = Template::parse(&text, python_format);
                let with_reference = template.has("reference");
                let set = TemplateSet {
                    name: stem(&name),
                    reference: with_reference.then(|| template.clone()),
                    free: (!with_reference).then_some(template),
                    scale: Scale::digits(),
                    criteria: Vec::new(),
                    top: None,
                    wrap: None,
                    label_prefix: String::new(),
                    embed_tokens: None,
                    slot_tokens: BTreeMap::new(),
                    generate: None,
                };
                set.checked().map_err(wrong)?
            };
            set = Some(match set {
                None => next,
                Some(first) => {
                    let twice =
                        |a: &Option<Template>, b: &Option<Template>| a.is_some() && b.is_some();
                    if twice(&first.reference, &next.reference) || twice(&first.free, &next.free) {
                        return Err(wrong("a second template for the same mode".into()));
                    }
                    let same = first.scale == next.scale
                        && first.criteria == next.criteria
                        && first.wrap == next.wrap
                        && first.label_prefix == next.label_prefix
                        && first.slot_tokens == next.slot_tokens
                        && first.generate == next.generate;
                    if !same {
                        return Err(wrong(
                            "labels, criteria, wrap, prefix, slot_tokens or [generate] differ from the first file's"
                                .into(),
                        ));
                    }
                    TemplateSet {
                        reference: first.reference.or(next.reference),
                        free: first.free.or(next.free),
                        ..first
                    }
                }
            });
        }
        set.map_or_else(Self::standard, Ok)
    }

    fn checked(self) -> std::result::Result<Self, String> {
        let all = [("reference", &self.reference), ("free", &self.free)];
        for (mode, template) in all {
            let Some(template) = template else { continue };
            if !template.has("response") {
                return Err(format!("the template `{mode}` has no slot {{response}}"));
            }
            if template.has("criterion") && self.criteria.is_empty() {
                return Err(format!(
                    "the template `{mode}` has a slot {{criterion}}, but there is no [criteria] table of names and texts"
                ));
            }
            if !template.has("criterion") && !self.criteria.is_empty() {
                return Err(format!(
                    "the template `{mode}` has no slot {{criterion}} for [criteria]"
                ));
            }
            if mode == "free" && template.has("reference") {
                return Err("the template `free` shows the {reference}".into());
            }
            if mode == "reference" && !template.has("reference") {
                return Err("the template `reference` has no slot {reference}".into());
            }
        }
        if let Some(generate) = &self.generate {
            generate.reader()?;
        }
        for (slot, most) in &self.slot_tokens {
            if !all
                .iter()
                .any(|(_, t)| t.as_ref().is_some_and(|t| t.has(slot)))
            {
                return Err(format!(
                    "slot_tokens names {slot}, and no template has a slot {{{slot}}}"
                ));
            }
            if *most == 0 {
                return Err(format!("slot_tokens leaves nothing of {{{slot}}}"));
            }
        }
        match all.iter().any(|(_, t)| t.is_some()) {
            true => Ok(self),
            false => Err("neither a template `reference` nor one `free`".into()),
        }
    }

    /// SHA-256 over everything that shapes a prompt, in hexadecimal.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        let source = |t: &Option<Template>| t.as_ref().map(|t| t.source.clone());
        let parts = (
            source(&self.reference),
            source(&self.free),
            &self.scale,
            &self.wrap,
            &self.label_prefix,
        );
        hasher.update(format!("{parts:?}"));
        if let Some(top) = self.top {
            hasher.update(format!("top {top}"));
        }
        if !self.criteria.is_empty() {
            hasher.update(format!("{:?}", self.criteria));
        }
        if !self.slot_tokens.is_empty() {
            hasher.update(format!("{:?}", self.slot_tokens));
        }
        if let Some(generate) = &self.generate {
            hasher.update(format!("{generate:?}"));
        }
        hex::encode(hasher.finalize())
    }
}

/// Name and text of a model folder's `juror.toml`, if it has one. A model in a single file has none: what
/// lies beside it may belong to another.
fn own_file(folder: &Path) -> Result<Option<(String, String)>> {
    if folder.is_file() {
        return Ok(None);
    }
    let path = folder.join("juror.toml");
    let name = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((name, text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(JudgeError::Template {
            name,
            cause: e.to_string(),
        }),
    }
}

fn stem(name: &str) -> String {
    let stem = Path::new(name).file_stem().and_then(|s| s.to_str());
    stem.unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
