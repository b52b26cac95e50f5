//! One line of `juror pair`: what others' programs read.

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::row::{Named, meta};
use super::Side;
use crate::data::{Record, Response};
use crate::judge::pairwise::verdict::OnPrinciple;
use crate::judge::pairwise::{Judgment, Winner};

/// The judge tokens' probabilities in one order: in order 1 `a` stands in position A, in order 2 `b` does. `p_a` is
/// always position A's.
#[derive(Debug, Serialize)]
struct Order<'a> {
    principle: &'a str,
    order: usize,
    p_a: f64,
    p_b: f64,
}

/// One principle's verdict.
#[derive(Debug, Serialize)]
struct Said<'a> {
    principle: &'a str,
    winner: Winner,
    s_a: f64,
    s_b: f64,
    mass: f64,
    position_bias: f64,
    flips: bool,
    /// What the judge wrote about order 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<&'a str>,
}

/// One line of output. Everything about a verdict is null where there is an error.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    id: &'a str,
    /// The same for every record of an instruction: such rows are not independent.
    instruction_hash: String,
    response_a_id: Option<&'a str>,
    response_b_id: Option<&'a str>,
    generator_a: Option<&'a str>,
    generator_b: Option<&'a str>,
    winner: Option<Winner>,
    s_a: Option<f64>,
    s_b: Option<f64>,
    /// `s_a − s_b`.
    margin: Option<f64>,
    orders: Vec<Order<'a>>,
    position_bias: Option<f64>,
    flips: Option<bool>,
    mass: Option<f64>,
    principles: Vec<Said<'a>>,
    /// Characters.
    length_a: Option<usize>,
    length_b: Option<usize>,
    judge: Option<&'a Named>,
    template: Option<&'a Named>,
    prompt_tokens: usize,
    /// Who is better by the labels of the data, in words; against a reference, the response's own labels.
    labels: Map<String, Value>,
    /// What a row about one response has, so that scored rows' readers read it; only against a reference.
    #[serde(flatten)]
    as_scored: Option<AsScored<'a>>,
    meta: Map<String, Value>,
    error: Option<&'a str>,
}

/// Fields of a line of `juror score`.
#[derive(Debug, Serialize)]
struct AsScored<'a> {
    response_id: &'a str,
    generator: Option<&'a str>,
    mode: &'static str,
    signals: Map<String, Value>,
    length: usize,
}

impl<'a> Row<'a> {
    /// A line about a meeting; `said` are the rationales of the principles, where they were asked for.
    pub(super) fn new(
        record: &'a Record,
        sides: Option<&[Side<'a>; 2]>,
        judgment: Option<&'a Judgment>,
        said: &'a [String],
    ) -> Self {
        let response = |side: usize| match sides.map(|sides| sides[side]) {
            Some(Side::Response(response)) => Some(response),
            _ => None,
        };
        let id = |side: usize| match sides.map(|sides| sides[side]) {
            Some(Side::Response(response)) => Some(response.id.as_str()),
            Some(Side::Reference(_)) => Some("reference"),
            None => None,
        };
        let length = |side: usize| sides.map(|sides| sides[side].text().chars().count());
        let generator = |side: usize| response(side).and_then(|r| r.generator.as_deref());
        let principles = judgment.map_or(&[][..], |j| &j.principles);
        let (labels, as_scored, meta) = match (sides, response(0)) {
            (Some([_, Side::Reference(_)]), Some(response)) => (
                numbers(response),
                Some(AsScored::new(response, judgment)),
                meta(record, response),
            ),
            _ => (
                better(record, response(0), response(1)),
                None,
                meta(record, &Response::default()),
            ),
        };
        Row {
            id: &record.id,
            instruction_hash: record.instruction_hash(),
            response_a_id: id(0),
            response_b_id: id(1),
            generator_a: generator(0),
            generator_b: generator(1),
            winner: judgment.map(|j| j.winner),
            s_a: judgment.map(|j| j.s_a),
            s_b: judgment.map(|j| j.s_b),
            margin: judgment.map(|j| j.margin),
            orders: principles.iter().flat_map(orders).collect(),
            position_bias: judgment.map(|j| j.position_bias),
            flips: judgment.map(|j| j.flips),
            mass: judgment.map(|j| j.mass),
            principles: principles
                .iter()
                .enumerate()
                .map(|(at, p)| Said {
                    principle: &p.principle,
                    winner: p.winner,
                    s_a: p.s_a,
                    s_b: p.s_b,
                    mass: p.mass,
                    position_bias: p.position_bias,
                    flips: p.flips,
                    rationale: said.get(at).map(String::as_str),
                })
                .collect(),
            length_a: length(0),
            length_b: length(1),
            judge: None,
            template: None,
            prompt_tokens: 0,
            labels,
            as_scored,
            meta,
            error: None,
        }
    }

    /// The same with whose verdict it is.
    pub(super) fn made_by(mut self, judge: &'a Named, template: &'a Named) -> Self {
        self.judge = Some(judge);
        self.template = Some(template);
        self
    }

    /// The same with what it took, and why something is missing.
    pub(super) fn with(mut self, prompt_tokens: usize, error: Option<&'a str>) -> Self {
        self.prompt_tokens = prompt_tokens;
        self.error = error;
        self
    }

    /// Ids of both responses, for messages.
    pub(super) fn pair(&self) -> String {
        let word = |id: Option<&str>| id.unwrap_or("–").to_owned();
        format!(
            "{} and {}",
            word(self.response_a_id),
            word(self.response_b_id)
        )
    }
}

impl<'a> AsScored<'a> {
    fn new(response: &'a Response, judgment: Option<&Judgment>) -> Self {
        let mut signals = Map::new();
        let value = judgment.map_or(Value::Null, |j| j.margin.into());
        signals.insert("pair".to_owned(), value);
        AsScored {
            response_id: &response.id,
            generator: response.generator.as_deref(),
            mode: "reference",
            signals,
            length: response.text.chars().count(),
        }
    }
}

fn orders(principle: &OnPrinciple) -> impl Iterator<Item = Order<'_>> {
    let found = principle.orders.iter().enumerate();
    found.map(|(at, order)| Order {
        principle: &principle.principle,
        order: at + 1,
        p_a: order.p_a,
        p_b: order.p_b,
    })
}

fn numbers(response: &Response) -> Map<String, Value> {
    let labels = response.labels.iter();
    labels
        .map(|(name, x)| (name.clone(), (*x).into()))
        .collect()
}

/// Who is better by the data: a word in the record (`label`, `preference` or `winner`), and for each label that both
/// responses have, the one with the larger number; `label` is then the first of these, `chosen` before others.
fn better(record: &Record, a: Option<&Response>, b: Option<&Response>) -> Map<String, Value> {
    let mut found = Map::new();
    let (Some(a), Some(b)) = (a, b) else {
        return found;
    };
    for (name, one) in &a.labels {
        let Some(other) = b.labels.get(name) else {
            continue;
        };
        let word = match one.total_cmp(other) {
            std::cmp::Ordering::Greater => Winner::A,
            std::cmp::Ordering::Less => Winner::B,
            std::cmp::Ordering::Equal => Winner::Tie,
        };
        found.insert(name.clone(), word.word().into());
    }
    // A record's word is about its two responses: of more, nobody knows which two.
    let names = ["label", "preference", "winner"];
    let word = |name: &str| {
        let word = record.meta.get(name)?.as_str()?.to_lowercase();
        ["a", "b", "tie"].contains(&word.as_str()).then_some(word)
    };
    let said = match record.responses.len() {
        2 => names.into_iter().find_map(word).map(Value::from),
        _ => None,
    };
    let first = || found.get("chosen").or_else(|| found.values().next());
    if let Some(value) = said.or_else(|| first().cloned()) {
        found.insert("label".to_owned(), value);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn response(label: Option<(&str, f64)>) -> Response {
        Response {
            labels: label.map(|(n, x)| (n.to_owned(), x)).into_iter().collect(),
            ..Response::default()
        }
    }

    #[test]
    fn labels_of_a_pair_are_words() {
        let of = |meta: Value, a: Option<(&str, f64)>, b: Option<(&str, f64)>| {
            let record = Record {
                meta: meta.as_object().unwrap().clone(),
                responses: vec![response(a), response(b)],
                ..Record::default()
            };
            Value::from(better(
                &record,
                Some(&record.responses[0]),
                Some(&record.responses[1]),
            ))
        };
        assert_eq!(
            of(json!({"label": "tie"}), None, None),
            json!({"label": "tie"})
        );
        assert_eq!(of(json!({"label": "7"}), None, None), json!({}));
        assert_eq!(
            of(json!({}), Some(("p", 0.25)), Some(("p", 0.5))),
            json!({"p": "b", "label": "b"})
        );
        assert_eq!(
            of(json!({}), Some(("chosen", 1.0)), Some(("chosen", 0.0))),
            json!({"chosen": "a", "label": "a"})
        );
        assert_eq!(of(json!({}), Some(("p", 1.0)), None), json!({}));
    }
}
