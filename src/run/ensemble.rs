//! Several judges as one: their mean, and how far they disagree.

use std::io::{self, BufRead, Write};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::stats::correlation::mean;

type Row = Map<String, Value>;

/// Merges the lines that each judge gave for the same responses in the same order; how many carry an error.
///
/// # Errors
/// Lines that are no rows of one run, scales that differ, and what writing says.
pub fn merge(judges: &mut [impl BufRead], out: &mut dyn Write) -> io::Result<usize> {
    let mut errors = 0;
    loop {
        let mut rows: Vec<Row> = Vec::with_capacity(judges.len());
        for judge in judges.iter_mut() {
            let mut line = String::new();
            if judge.read_line(&mut line)? == 0 {
                break;
            }
            rows.push(serde_json::from_str(&line)?);
        }
        if rows.is_empty() {
            return Ok(errors);
        }
        if rows.len() < judges.len() {
            return Err(io::Error::other("one judge has fewer rows than another"));
        }
        let row = one(&rows).map_err(io::Error::other)?;
        errors += usize::from(!row["error"].is_null());
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
    }
}

/// One row of all judges' rows of a response.
fn one(rows: &[Row]) -> Result<Row, String> {
    let mut row = rows.first().cloned().unwrap_or_default();
    let signal = |row: &Row, name: &str| row.get("signals")?.get(name)?.as_f64();
    let each = |name: &str| -> Option<Vec<f64>> { rows.iter().map(|r| signal(r, name)).collect() };
    let names: Vec<String> = match row.get("signals") {
        Some(Value::Object(signals)) => signals.keys().cloned().collect(),
        _ => return Err("a line without signals".into()),
    };
    let mut signals = Map::new();
    for name in names {
        let mean = each(&name).map(|values| mean(&values));
        signals.insert(name, mean.into());
    }
    let disagreement = each("self_eval").map(|values| {
        let center = mean(&values);
        let squares: Vec<f64> = values.iter().map(|x| (x - center).powi(2)).collect();
        mean(&squares).sqrt()
    });
    signals.insert("disagreement".into(), disagreement.into());
    row.insert("signals".into(), signals.into());
    if let Some(distribution) = mixture(rows)? {
        row.insert("self_eval".into(), distribution);
    }
    let judges = rows.iter().map(|r| {
        let of = |part: &str, name: &str| r.get(part).and_then(|part| part.get(name)).cloned();
        let mut judge = Map::new();
        judge.insert("name".into(), of("judge", "name").into());
        judge.insert("hash".into(), of("judge", "hash").into());
        for part in ["signals", "attribution", "generated"] {
            if let Some(own) = r.get(part) {
                judge.insert(part.into(), own.clone());
            }
        }
        Value::Object(judge)
    });
    let judges: Vec<Value> = judges.collect();
    // What is one judge's alone stands with it.
    row.shift_remove("attribution");
    row.shift_remove("generated");
    for part in ["judge", "template", "embedder"] {
        if row.contains_key(part) {
            row.insert(part.into(), joined(rows, part));
        }
    }
    row.insert("judges".into(), judges.into());
    let tokens = |r: &Row| r.get("prompt_tokens").and_then(Value::as_u64);
    let tokens: u64 = rows.iter().filter_map(tokens).sum();
    row.insert("prompt_tokens".into(), tokens.into());
    let causes: Vec<String> = rows
        .iter()
        .filter_map(|r| {
            let cause = r.get("error")?.as_str()?;
            let name = r.get("judge")?.get("name")?.as_str()?;
            Some(format!("{name}: {cause}"))
        })
        .collect();
    let error = (!causes.is_empty()).then(|| causes.join("; "));
    row.insert("error".into(), error.into());
    Ok(row)
}

/// The distribution of a judge drawn among these: the mean of their probabilities. `None` where one has none.
fn mixture(rows: &[Row]) -> Result<Option<Value>, String> {
    let known: Option<Vec<&Row>> = rows
        .iter()
        .map(|row| row.get("self_eval")?.as_object())
        .collect();
    let Some(known) = known else { return Ok(None) };
    let labels = known.first().and_then(|d| d.get("labels"));
    if known.iter().any(|d| d.get("labels") != labels) {
        return Err(
            "the judges' templates have different labels, so their scores have no mean".into(),
        );
    }
    let column = |d: &&Row| -> Option<Vec<f64>> {
        let probs = d.get("probs")?.as_array()?;
        probs.iter().map(Value::as_f64).collect()
    };
    let Some(all) = known.iter().map(column).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let width = all.iter().map(Vec::len).min().unwrap_or(0);
    let probs: Vec<f64> = (0..width)
        .map(|at| mean(&all.iter().map(|p| p[at]).collect::<Vec<_>>()))
        .collect();
    let text = |label: &Value| label.as_str()?.trim().parse::<f64>().ok();
    let values: Option<Vec<f64>> = labels
        .and_then(Value::as_array)
        .and_then(|labels| labels.iter().map(text).collect());
    let std = values.map(|values| {
        let expected = |f: &dyn Fn(f64) -> f64| -> f64 {
            values.iter().zip(&probs).map(|(v, p)| p * f(*v)).sum()
        };
        let center = expected(&|v| v);
        expected(&|v| (v - center).powi(2)).sqrt()
    });
    let entropy: f64 = -probs
        .iter()
        .filter(|p| **p > 0.0)
        .map(|p| p * p.ln())
        .sum::<f64>();
    let masses: Option<Vec<f64>> = known.iter().map(|d| d.get("mass")?.as_f64()).collect();
    Ok(Some(json!({
        "labels": labels, "probs": probs, "mass": masses.map(|m| mean(&m)), "std": std, "entropy": entropy,
    })))
}

/// Names joined, and a hash over all hashes; what is the same in all rows stays.
fn joined(rows: &[Row], part: &str) -> Value {
    let all: Vec<&Value> = rows.iter().filter_map(|row| row.get(part)).collect();
    if let [first, rest @ ..] = all.as_slice()
        && rest.iter().all(|one| one == first)
    {
        return (*first).clone();
    }
    let text = |name: &str| -> Vec<&str> {
        all.iter()
            .filter_map(|one| one.get(name)?.as_str())
            .collect()
    };
    let hash = hex::encode(Sha256::digest(text("hash").join("+")));
    json!({"name": text("name").join("+"), "hash": hash})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(lines: [&str; 2]) -> io::Result<(Vec<Value>, usize)> {
        let mut out = Vec::new();
        let errors = merge(&mut lines.map(str::as_bytes), &mut out)?;
        let rows = String::from_utf8(out).unwrap();
        let rows = rows.lines().map(|l| serde_json::from_str(l).unwrap());
        Ok((rows.collect(), errors))
    }

    const ONE: &str = r#"{"id":"x","signals":{"self_eval":2.0,"cosine":0.5},"self_eval":{"labels":["0","4"],"probs":[0.5,0.5],"mass":0.8},"judge":{"name":"a","hash":"1"},"template":{"name":"t","hash":"9"},"prompt_tokens":3,"error":null}"#;

    #[test]
    fn judges_are_averaged_and_their_disagreement_told() {
        let other = ONE
            .replace("2.0", "4.0")
            .replace("[0.5,0.5]", "[0.0,1.0]")
            .replace(r#""a","hash":"1""#, r#""b","hash":"2""#);
        let (rows, errors) = merged([ONE, &other]).unwrap();
        let row = &rows[0];
        assert_eq!(errors, 0);
        assert_eq!(row["signals"]["self_eval"], 3.0);
        assert_eq!(row["signals"]["disagreement"], 1.0);
        assert_eq!(row["signals"]["cosine"], 0.5);
        assert_eq!(row["self_eval"]["probs"], json!([0.25, 0.75]));
        // Σ v·p = 3, as the mean of the scores.
        assert!((row["self_eval"]["std"].as_f64().unwrap() - 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(row["judge"]["name"], "a+b");
        assert_eq!(row["template"]["name"], "t");
        assert_eq!(row["judges"][1]["signals"]["self_eval"], 4.0);
        assert_eq!(row["prompt_tokens"], 6);
    }

    #[test]
    fn what_cannot_be_averaged_is_said() {
        let failed = ONE
            .replace(r#""self_eval":2.0"#, r#""self_eval":null"#)
            .replace(r#""error":null"#, r#""error":"too long""#);
        let (rows, errors) = merged([ONE, &failed]).unwrap();
        assert_eq!(errors, 1);
        assert_eq!(rows[0]["error"], "a: too long");
        assert!(rows[0]["signals"]["self_eval"].is_null());
        assert!(rows[0]["signals"]["disagreement"].is_null());
        let other = ONE.replace(r#"["0","4"]"#, r#"["1","5"]"#);
        assert!(
            merged([ONE, &other])
                .unwrap_err()
                .to_string()
                .contains("different labels")
        );
        assert!(
            merged([ONE, ""])
                .unwrap_err()
                .to_string()
                .contains("fewer rows")
        );
    }
}
