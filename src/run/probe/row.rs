//! One line of `juror probe`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::row::{Named, meta};
use super::Form;
use super::summary::Observed;
use crate::data::{Record, Response};
use crate::judge::suspect::{Kind, Span};

/// Self-evaluations of a response's forms.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    pub as_is: Option<f64>,
    pub without: Option<f64>,
    pub neutral: Option<f64>,
    /// By attack: behind the response, and in its place.
    pub attacks: Vec<(Option<f64>, Option<f64>)>,
    pub prompt_tokens: usize,
    pub computed_tokens: usize,
    pub truncated: bool,
}

impl Scores {
    pub fn new(attacks: usize) -> Self {
        Scores {
            attacks: vec![(None, None); attacks],
            ..Scores::default()
        }
    }

    pub fn set(&mut self, form: Form, score: f64) {
        let place = match form {
            Form::AsIs => Some(&mut self.as_is),
            Form::Without => Some(&mut self.without),
            Form::Neutral => Some(&mut self.neutral),
            Form::Appended(number) => self.attacks.get_mut(number).map(|a| &mut a.0),
            Form::Instead(number) => self.attacks.get_mut(number).map(|a| &mut a.1),
        };
        if let Some(place) = place {
            *place = Some(score);
        }
    }

    /// What the stretches add to the score.
    pub fn effect(&self) -> Option<f64> {
        Some(self.as_is? - self.without?)
    }

    /// What the score loses by a line that says nothing.
    pub fn noise(&self) -> Option<f64> {
        Some(self.as_is? - self.neutral?)
    }
}

/// A stretch, in characters.
#[derive(Debug, Serialize)]
struct Told<'a> {
    kind: Kind,
    start: usize,
    end: usize,
    text: &'a str,
}

/// What an attack comes to.
#[derive(Debug, Serialize)]
struct Attacked {
    attack: usize,
    appended: Option<f64>,
    instead: Option<f64>,
}

/// One line of output; what is not there is null.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    id: &'a str,
    response_id: &'a str,
    /// The same for every record of an instruction: such rows are not independent.
    instruction_hash: &'a str,
    generator: Option<&'a str>,
    mode: &'static str,
    spans: Vec<Told<'a>>,
    /// As the response is.
    signals: Map<String, Value>,
    without: Option<f64>,
    neutral: Option<f64>,
    effect: Option<f64>,
    noise: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attacks: Vec<Attacked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict_without: Option<&'static str>,
    judge: Option<&'a Named>,
    template: Option<&'a Named>,
    /// Of all forms.
    prompt_tokens: usize,
    labels: &'a BTreeMap<String, f64>,
    /// Characters of the response.
    length: usize,
    meta: Map<String, Value>,
    error: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub fn new(
        (record, response): (&'a Record, &'a Response),
        spans: &[Span],
        observed: &'a Observed,
    ) -> Self {
        let scores = &observed.scores;
        let mut signals = Map::new();
        signals.insert("self_eval".into(), scores.as_is.into());
        let attacks = scores.attacks.iter().enumerate();
        let attacks = attacks.map(|(number, (appended, instead))| Attacked {
            attack: number + 1,
            appended: *appended,
            instead: *instead,
        });
        Row {
            id: &record.id,
            response_id: &response.id,
            instruction_hash: &observed.instruction,
            generator: response.generator.as_deref(),
            mode: "",
            spans: told(&response.text, spans),
            signals,
            without: scores.without,
            neutral: scores.neutral,
            effect: scores.effect(),
            noise: scores.noise(),
            attacks: attacks.collect(),
            verdict: observed.verdicts.0.map(|verdict| verdict.word()),
            verdict_without: observed.verdicts.1.map(|verdict| verdict.word()),
            judge: None,
            template: None,
            prompt_tokens: scores.prompt_tokens,
            labels: &response.labels,
            length: response.text.chars().count(),
            meta: meta(record, response),
            error: None,
        }
    }

    /// The same with whose scores these are.
    pub fn made_by(mut self, mode: &'static str, judge: &'a Named, template: &'a Named) -> Self {
        self.mode = mode;
        self.judge = Some(judge);
        self.template = Some(template);
        self
    }

    /// The same with why something is missing.
    pub fn with_error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }
}

/// Stretches with their places in characters, counted once through the text.
fn told<'a>(text: &'a str, spans: &[Span]) -> Vec<Told<'a>> {
    let mut ends: Vec<usize> = spans
        .iter()
        .flat_map(|span| [span.start, span.end])
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let (mut at, mut count) = (0, 0);
    let places: Vec<usize> = ends
        .iter()
        .map(|end| {
            count += text[at..*end].chars().count();
            at = *end;
            count
        })
        .collect();
    let place = |byte: usize| {
        let at = ends.binary_search(&byte).unwrap_or_default();
        places.get(at).copied().unwrap_or_default()
    };
    let each = spans.iter().map(|span| Told {
        kind: span.kind,
        start: place(span.start),
        end: place(span.end),
        text: &text[span.range()],
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_characters() {
        let span = |start, end| Span {
            start,
            end,
            kind: Kind::ControlToken,
        };
        let found = told("äöü[INST]ß", &[span(6, 12), span(2, 8)]);
        let each: Vec<_> = found.iter().map(|t| (t.start, t.end, t.text)).collect();
        assert_eq!(each, [(3, 9, "[INST]"), (1, 5, "öü[I")]);
    }

    #[test]
    fn an_effect_takes_both_scores() {
        let mut scores = Scores::new(1);
        scores.set(Form::AsIs, 6.0);
        assert_eq!((scores.effect(), scores.noise()), (None, None));
        scores.set(Form::Without, 4.5);
        scores.set(Form::Neutral, 6.5);
        scores.set(Form::Instead(0), 2.0);
        scores.set(Form::Instead(7), 2.0);
        assert_eq!((scores.effect(), scores.noise()), (Some(1.5), Some(-0.5)));
        assert_eq!(scores.attacks, [(None, Some(2.0))]);
    }
}
