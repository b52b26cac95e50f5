//! Which of two responses is the better one, as training on preferences wants it.

use serde_json::{Map, Value};

use super::Row;
use super::records::number;
use crate::data::record::{Record, Response};

/// Which responses to one record make a pair.
///
/// Two responses do where the value of one lies above that of the other, by at least `margin`, and their texts
/// differ; a response without a value makes none. With `best_worst` only the best and the worst do, the first ones of
/// equals, so that a record makes one pair at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairRule {
    /// On the scale of the values; 0 asks for any difference.
    pub margin: f64,
    pub best_worst: bool,
}

/// Rows `id, category, instruction, context, chosen, rejected, chosen_id, rejected_id, margin`, in the order of the
/// records, those of one record from its best response down. `instruction` is the task with its input, `margin` the
/// difference of the two values. `value` says what a response is worth, from labels of the data or of annotators.
pub fn pairs<'a>(
    records: &'a [Record],
    rule: PairRule,
    value: impl Fn(&Record, &Response) -> Option<f64> + 'a,
) -> impl Iterator<Item = Row> + 'a {
    records.iter().flat_map(move |record| {
        let mut worth: Vec<(&Response, f64)> = record
            .responses
            .iter()
            .filter_map(|response| Some((response, value(record, response)?)))
            .filter(|(_, value)| value.is_finite())
            .collect();
        // Stable: equals stay in the order of the data.
        worth.sort_by(|one, other| other.1.total_cmp(&one.1));
        let mut rows = Vec::new();
        if rule.best_worst {
            let lowest = worth.last().map(|(_, value)| *value);
            let worst = worth.iter().find(|(_, value)| Some(*value) == lowest);
            if let (Some(best), Some(worst)) = (worth.first(), worst) {
                rows.extend(pair(record, rule, *best, *worst));
            }
        } else {
            for (place, better) in worth.iter().enumerate() {
                let others = worth.iter().skip(place + 1);
                rows.extend(others.filter_map(|worse| pair(record, rule, *better, *worse)));
            }
        }
        rows
    })
}

fn pair(
    record: &Record,
    rule: PairRule,
    (chosen, high): (&Response, f64),
    (rejected, low): (&Response, f64),
) -> Option<Row> {
    // 0.9 − 0.6 is a hair below 0.3: what was meant counts.
    let margin = high - low;
    let slack = 1e-9 * rule.margin.abs().max(high.abs()).max(low.abs());
    if high <= low || margin + slack < rule.margin || chosen.text == rejected.text {
        return None;
    }
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
    put("id", record.id.clone().into());
    if let Some(category) = &record.category {
        put("category", category.clone().into());
    }
    put("instruction", record.task().into());
    if let Some(context) = &record.context {
        put("context", context.clone().into());
    }
    put("chosen", chosen.text.clone().into());
    put("rejected", rejected.text.clone().into());
    put("chosen_id", chosen.id.clone().into());
    put("rejected_id", rejected.id.clone().into());
    put("margin", number(margin));
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(values: &[(&str, Option<f64>)]) -> Record {
        let responses = values
            .iter()
            .enumerate()
            .map(|(place, (text, value))| Response {
                id: format!("{place}"),
                text: (*text).into(),
                labels: value.iter().map(|v| ("p".to_owned(), *v)).collect(),
                ..Response::default()
            });
        Record {
            id: "r".into(),
            instruction: "do".into(),
            input: Some("this".into()),
            context: Some("User: hi".into()),
            responses: responses.collect(),
            ..Record::default()
        }
    }

    fn found(record: Record, margin: f64, best_worst: bool) -> Vec<String> {
        let rule = PairRule { margin, best_worst };
        let records = [record];
        pairs(&records, rule, |_, r| r.labels.get("p").copied())
            .map(|row| {
                let text = |name: &str| row[name].as_str().unwrap().to_owned();
                let (chosen, rejected) = (text("chosen_id"), text("rejected_id"));
                format!("{chosen}>{rejected} {}", row["margin"])
            })
            .collect()
    }

    #[test]
    fn every_pair_that_differs_enough() {
        let four = record(&[
            ("a", Some(3.0)),
            ("b", Some(5.0)),
            ("c", None),
            ("d", Some(3.0)),
        ]);
        assert_eq!(found(four.clone(), 0.0, false), ["1>0 2", "1>3 2"]);
        assert_eq!(found(four.clone(), 2.0, true), ["1>0 2"]);
        assert_eq!(found(four, 2.5, false), [""; 0]);
        let close = record(&[("a", Some(0.6)), ("b", Some(0.9)), ("b", Some(0.1))]);
        assert_eq!(
            found(close, 0.3, false).len(),
            2,
            "equal texts make no pair"
        );
        assert_eq!(found(record(&[("a", Some(1.0))]), 0.0, true), [""; 0]);
        let nan = record(&[("a", Some(f64::NAN)), ("b", Some(1.0))]);
        assert_eq!(found(nan, 0.0, false), [""; 0]);
    }

    #[test]
    fn a_pair_shows_the_whole_task() {
        let two = [record(&[("a", Some(1.0)), ("b", Some(0.5))])];
        let rule = PairRule::default();
        let row = pairs(&two, rule, |_, r| r.labels.get("p").copied()).next();
        let expected = serde_json::json!({
            "id": "r", "instruction": "do\n\nthis", "context": "User: hi", "chosen": "a", "rejected": "b",
            "chosen_id": "0", "rejected_id": "1", "margin": 0.5,
        });
        assert_eq!(Value::Object(row.unwrap()), expected);
    }
}
