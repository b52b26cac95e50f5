//! Two runs over the same data: what changed, by how much.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde_json::Value;

/// One response whose score changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub id: String,
    pub response_id: String,
    pub before: f64,
    pub after: f64,
}

/// What changed between two runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The signal that is compared: `fused` where all rows have it, `self_eval` otherwise.
    pub signal: String,
    /// Responses scored in both, largest change first.
    pub rows: Vec<Changed>,
    pub only_before: usize,
    pub only_after: usize,
    /// Mean of after minus before, and of its size; 0 without rows.
    pub mean: f64,
    pub mean_size: f64,
    /// Pearson correlation of both; `None` where it is not defined.
    pub pearson: Option<f64>,
}

impl Changes {
    /// Responses whose verdict is another at a threshold on the signal: those answered now, those declined now.
    pub fn flipped(&self, threshold: f64) -> (usize, usize) {
        let flips = |to: bool| {
            let flipped =
                |c: &&Changed| (c.before >= threshold) != to && (c.after >= threshold) == to;
            self.rows.iter().filter(flipped).count()
        };
        (flips(true), flips(false))
    }
}

type Key = (String, String);

struct Numbers {
    fused: Option<f64>,
    self_eval: Option<f64>,
}

fn read(lines: impl BufRead, name: &str) -> io::Result<Vec<(Key, Numbers)>> {
    let mut rows = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let row: Value = serde_json::from_str(&line?).map_err(|cause| {
            let place = format!("{name}:{}: not a scored row: {cause}", number + 1);
            io::Error::other(place)
        })?;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let signal = |name: &str| row["signals"][name].as_f64();
        let key = (text("id"), text("response_id"));
        let numbers = Numbers {
            fused: signal("fused"),
            self_eval: signal("self_eval"),
        };
        rows.push((key, numbers));
    }
    Ok(rows)
}

/// Compares the rows of two runs, as `juror score` writes them; the names are for messages.
///
/// # Errors
/// What reading says; a line that is no scored row, with its number.
pub fn compare(before: (&str, impl BufRead), after: (&str, impl BufRead)) -> io::Result<Changes> {
    let old = read(before.1, before.0)?;
    let new = read(after.1, after.0)?;
    let scored = |rows: &[(Key, Numbers)]| {
        rows.iter()
            .all(|(_, n)| n.fused.is_some() || n.self_eval.is_none())
    };
    let fused = scored(&old) && scored(&new);
    let value = |n: &Numbers| if fused { n.fused } else { n.self_eval };
    let count = |rows: &[(Key, Numbers)]| rows.iter().filter(|(_, n)| value(n).is_some()).count();
    let (all_old, all_new) = (count(&old), count(&new));
    let mut known: HashMap<Key, f64> = HashMap::with_capacity(old.len());
    for (key, numbers) in old {
        if let Some(value) = value(&numbers) {
            known.insert(key, value);
        }
    }
    let mut rows: Vec<Changed> = Vec::new();
    for (key, numbers) in new {
        if let (Some(after), Some(before)) = (value(&numbers), known.remove(&key)) {
            rows.push(Changed {
                id: key.0,
                response_id: key.1,
                before,
                after,
            });
        }
    }
    let (olds, news): (Vec<f64>, Vec<f64>) = rows.iter().map(|c| (c.before, c.after)).unzip();
    let changes: Vec<f64> = rows.iter().map(|c| c.after - c.before).collect();
    let sizes: Vec<f64> = changes.iter().map(|change| change.abs()).collect();
    let mean = |values: &[f64]| match values.is_empty() {
        true => 0.0,
        false => crate::stats::correlation::mean(values),
    };
    rows.sort_by(|a, b| {
        (b.after - b.before)
            .abs()
            .total_cmp(&(a.after - a.before).abs())
    });
    Ok(Changes {
        signal: if fused { "fused" } else { "self_eval" }.into(),
        only_before: all_old - rows.len(),
        only_after: all_new - rows.len(),
        mean: mean(&changes),
        mean_size: mean(&sizes),
        pearson: crate::stats::pearson(&olds, &news),
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, fused: &str, own: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"response_id\":\"a\",\"signals\":{{\"fused\":{fused},\"self_eval\":{own}}}}}\n"
        )
    }

    #[test]
    fn what_changed_is_told() {
        let before = row("x", "0.4", "3") + &row("y", "0.6", "5") + &row("z", "0.1", "1");
        let after = row("y", "0.45", "4")
            + &row("x", "0.5", "4")
            + &row("w", "0.9", "8")
            + &row("v", "null", "null");
        let found = compare(("b", before.as_bytes()), ("a", after.as_bytes())).unwrap();
        assert_eq!(found.signal, "fused");
        assert_eq!((found.only_before, found.only_after), (1, 1));
        assert_eq!(found.rows[0].id, "y");
        assert!((found.mean - -0.025).abs() < 1e-12 && (found.mean_size - 0.125).abs() < 1e-12);
        assert_eq!(found.flipped(0.5), (1, 1));
        assert_eq!(found.flipped(0.05), (0, 0));
    }

    #[test]
    fn without_fusion_self_evaluation_is_compared() {
        let before = row("x", "null", "3");
        let found = compare(
            ("b", before.as_bytes()),
            ("a", row("x", "0.5", "4").as_bytes()),
        )
        .unwrap();
        assert_eq!((found.signal.as_str(), found.mean), ("self_eval", 1.0));
        let error = compare(("b.jsonl", &b"{\n"[..]), ("a", &b""[..])).unwrap_err();
        assert!(error.to_string().starts_with("b.jsonl:1: not a scored row"));
    }
}
