//! Which response of a record is the better one, and why, from what its data say: who won a pair, what was chosen,
//! UltraFeedback's ratings by principle, plain ratings.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::data::judged::outcome;
use crate::data::{Record, Response};
use crate::stats::bootstrap::SplitMix64;

/// Ratings by principle, as UltraFeedback has them: `annotations.PRINCIPLE.Rating` and `.Rationale`.
const ANNOTATIONS: &str = "annotations";

/// What each response is worth; `None` where nobody said.
///
/// # Errors
/// Who won, said in a way that is not known.
pub(super) fn worth(record: &Record) -> Result<Vec<Option<f64>>, String> {
    let responses = &record.responses;
    let is_pair = responses.iter().map(|r| r.id.as_str()).eq(["a", "b"]);
    if is_pair && let Some(label) = record.meta.get("label").filter(|v| !v.is_null()) {
        let a = outcome("label", label, false)?;
        return Ok(vec![Some(a), Some(1.0 - a)]);
    }
    if responses.iter().any(|r| r.labels.contains_key("chosen")) {
        return Ok(responses
            .iter()
            .map(|r| r.labels.get("chosen").copied())
            .collect());
    }
    Ok(responses.iter().map(rating).collect())
}

/// The mean of a response's ratings.
fn rating(response: &Response) -> Option<f64> {
    let by_principle: Vec<f64> = match response.meta.get(ANNOTATIONS) {
        Some(Value::Object(each)) => each
            .values()
            .filter_map(|said| number(said.get("Rating")?))
            .collect(),
        _ => Vec::new(),
    };
    let ratings = match by_principle.is_empty() {
        true => response.labels.values().copied().collect(),
        false => by_principle,
    };
    let mean = ratings.iter().sum::<f64>() / ratings.len() as f64;
    Some(mean).filter(|mean| mean.is_finite())
}

/// A number, also where it is written as text; `N/A` is none.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

/// What is said of a response by a principle: in its annotations, as its reason, or beside a pair (`rationale_a`,
/// `rationale_chosen`, …).
pub(super) fn rationale<'a>(
    record: &'a Record,
    response: &'a Response,
    principle: &str,
) -> Option<&'a str> {
    let annotated = response.meta.get(ANNOTATIONS);
    let annotated = annotated.and_then(|all| all.get(principle)?.get("Rationale")?.as_str());
    let beside = || {
        record
            .meta
            .get(&format!("rationale_{}", response.id))?
            .as_str()
    };
    annotated
        .or(response.reason.as_deref())
        .or_else(beside)
        .filter(|text| !text.trim().is_empty())
}

/// The places of the best response (of equals the longest, then the first) and of one that is strictly worse, drawn at
/// random by seed, record and `draw` alone. `None` where no response is better than another.
pub(super) fn draw(
    record: &Record,
    worth: &[Option<f64>],
    (seed, draw): (u64, &str),
) -> Option<[usize; 2]> {
    let length = |place: &usize| {
        let response = record.responses.get(*place);
        response.map_or(0, |response| response.text.chars().count())
    };
    let rated = || worth.iter().enumerate();
    let rated = || rated().filter_map(|(place, worth)| Some((place, (*worth)?)));
    let (best, most) = rated().max_by(|(one, x), (other, y)| {
        let by_length = || length(one).cmp(&length(other));
        x.total_cmp(y).then_with(by_length).then(other.cmp(one))
    })?;
    let worse: Vec<usize> = rated()
        .filter(|(_, worth)| *worth < most)
        .map(|(place, _)| place)
        .collect();
    let digest = Sha256::digest(format!("{seed}\0{}\0{draw}", record.id));
    let mut bytes = [0; 8];
    for (byte, hashed) in bytes.iter_mut().zip(digest) {
        *byte = hashed;
    }
    let at = SplitMix64(u64::from_le_bytes(bytes)).below(worse.len());
    Some([best, *worse.get(at)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(row: Value) -> Record {
        let Value::Object(row) = row else {
            unreachable!("tests give objects")
        };
        let options = crate::data::ReadOptions::default();
        crate::data::read::row(row, &options, None).unwrap().0
    }

    fn rated(ratings: &[(&str, f64)]) -> Record {
        let responses = ratings.iter();
        let responses: Vec<Value> = responses
            .map(|(text, rating)| json!({"response": text, "rating": rating}))
            .collect();
        record(json!({"id": "r", "instruction": "q", "responses": responses}))
    }

    #[test]
    fn who_is_better_is_told_in_many_ways() {
        let of = |row: Value| worth(&record(row));
        let pair = |label: &str| json!({"instruction": "q", "response_a": "x", "response_b": "y", "label": label});
        assert_eq!(of(pair("b")), Ok(vec![Some(0.0), Some(1.0)]));
        assert_eq!(of(pair("tie")), Ok(vec![Some(0.5), Some(0.5)]));
        assert!(of(pair("neither")).unwrap_err().contains("`label`"));
        let chosen = json!({"prompt": "q", "chosen": "x", "rejected": "y"});
        assert_eq!(of(chosen), Ok(vec![Some(1.0), Some(0.0)]));
        let silent = json!({"instruction": "q", "response_a": "x", "response_b": "y"});
        assert_eq!(of(silent), Ok(vec![None, None]));
        let said = |one: Value, other: Value| {
            json!({"response": "x", "rating": 9, "annotations": {
            "helpfulness": {"Rating": one, "Rationale": "because"}, "honesty": {"Rating": other}}})
        };
        let ultra = json!({"instruction": "q", "responses": [
            said(json!("5"), json!(2)), said(json!("N/A"), json!("4")), {"response": "y", "rating": 2, "score": 4}, "z"]});
        let ultra = record(ultra);
        assert_eq!(
            worth(&ultra),
            Ok(vec![Some(3.5), Some(4.0), Some(3.0), None])
        );
        let why = |principle| rationale(&ultra, &ultra.responses[0], principle);
        assert_eq!(
            (why("helpfulness"), why("honesty")),
            (Some("because"), None)
        );
        let pair = record(
            json!({"instruction": "q", "chosen": "x", "rejected": "y", "rationale_rejected": "dull"}),
        );
        assert_eq!(rationale(&pair, &pair.responses[1], "any"), Some("dull"));
    }

    #[test]
    fn the_best_meets_one_that_is_strictly_worse() {
        let of = |ratings: &[(&str, f64)], seed| {
            let record = rated(ratings);
            draw(&record, &worth(&record).unwrap(), (seed, ""))
        };
        let four = [
            ("no", 1.0),
            ("best", 5.0),
            ("the best", 5.0),
            ("so so", 3.0),
        ];
        let drawn: Vec<_> = (0..64).map(|seed| of(&four, seed).unwrap()).collect();
        assert!(
            drawn.iter().all(|[best, _]| *best == 2),
            "of equals the longest"
        );
        for worse in [0, 3] {
            let count = drawn.iter().filter(|[_, other]| *other == worse).count();
            assert!((16..=48).contains(&count), "{worse} {count}");
        }
        assert_eq!(
            drawn[5],
            of(&four, 5).unwrap(),
            "the same seed, the same pair"
        );
        assert_eq!(of(&[("a", 1.0), ("b", 1.0)], 0), None);
        assert_eq!(of(&[("a", 1.0)], 0), None);
        assert_eq!(of(&[("aa", 2.0), ("bb", 2.0), ("c", 1.0)], 0), Some([0, 2]));
    }
}
