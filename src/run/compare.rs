//! Two runs over the same data: what changed, by how much.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde_json::Value;

use crate::data::Verdict;

/// One response whose score changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub id: String,
    pub response_id: String,
    pub before: f64,
    pub after: f64,
    /// What a cut may be held against, before and after.
    pub held: [Held; 2],
}

/// Numbers of a response in `[0, 1]` that a verdict may follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    pub fused: Option<f64>,
    pub with_reference: Option<f64>,
    pub free: Option<f64>,
}

/// A response whose verdict is another: its place among the rows, and the numbers that decide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    pub place: usize,
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
    /// Responses whose verdict is another at a threshold on the number that decides, largest change first; and how many
    /// have a verdict in both runs.
    pub fn flipped(
        &self,
        decides: impl Fn(&Held) -> Option<f64>,
        threshold: f64,
    ) -> (Vec<Flip>, usize) {
        let mut decided = 0;
        let mut flips = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            let [old, new] = &row.held;
            let Some((before, after)) = decides(old).zip(decides(new)) else {
                continue;
            };
            decided += 1;
            if Verdict::of(before, threshold) != Verdict::of(after, threshold) {
                flips.push(Flip {
                    place,
                    before,
                    after,
                });
            }
        }
        (flips, decided)
    }
}

type Key = (String, String);

struct Numbers {
    fused: Option<f64>,
    self_eval: Option<f64>,
    held: Held,
}

/// What decides about a row; self-evaluation where its labels are numbers, which say its scale.
fn held(row: &Value) -> Held {
    let signal = |name: &str| row["signals"][name].as_f64();
    let labels = row["self_eval"]["labels"].as_array();
    let labels = labels.into_iter().flatten();
    let numbers: Option<Vec<f64>> = labels.map(|l| l.as_str()?.parse().ok()).collect();
    let numbers = numbers.unwrap_or_default();
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scaled =
        |value: f64| (most > least).then(|| ((value - least) / (most - least)).clamp(0.0, 1.0));
    // A row may have the number of its mode alone.
    let of = |name: &str, mode: &str| {
        let own = || signal("self_eval").filter(|_| row["mode"] == mode);
        signal(name).or_else(own).and_then(scaled)
    };
    Held {
        fused: signal("fused"),
        with_reference: of("self_eval_ref", "reference"),
        free: of("self_eval_free", "reference-free"),
    }
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
            held: held(&row),
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
    let mut known: HashMap<Key, (f64, Held)> = HashMap::with_capacity(old.len());
    for (key, numbers) in old {
        if let Some(value) = value(&numbers) {
            known.insert(key, (value, numbers.held));
        }
    }
    let mut rows: Vec<Changed> = Vec::new();
    for (key, numbers) in new {
        if let (Some(after), Some((before, held))) = (value(&numbers), known.remove(&key)) {
            rows.push(Changed {
                id: key.0,
                response_id: key.1,
                before,
                after,
                held: [held, numbers.held],
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
        let flips = |cut: f64| found.flipped(|held| held.fused, cut).0;
        let places: Vec<usize> = flips(0.5).iter().map(|flip| flip.place).collect();
        assert_eq!(places, [0, 1], "those that changed most come first");
        assert_eq!((flips(0.5)[0].before, flips(0.5)[0].after), (0.6, 0.45));
        assert_eq!(flips(0.05), []);
    }

    #[test]
    fn a_row_without_fusion_is_cut_by_its_scale() {
        let row = |id: &str, mode: &str, own: f64, fused: &str| {
            format!(
                "{{\"id\":\"{id}\",\"response_id\":\"a\",\"mode\":\"{mode}\",\"signals\":{{\"self_eval\":{own},\
                 \"fused\":{fused}}},\"self_eval\":{{\"labels\":[\"1\",\"3\",\"5\"]}}}}\n"
            )
        };
        let before = row("x", "reference-free", 2.0, "null") + &row("y", "reference", 4.0, "0.4");
        let after = row("x", "reference-free", 4.0, "null") + &row("y", "reference", 4.0, "0.6");
        let found = compare(("b", before.as_bytes()), ("a", after.as_bytes())).unwrap();
        assert_eq!(found.signal, "self_eval", "not every row is fused");
        let (flips, decided) = found.flipped(|held| held.fused.or(held.free), 0.5);
        let sides: Vec<_> = flips.iter().map(|f| (f.before, f.after)).collect();
        assert_eq!((sides, decided), (vec![(0.25, 0.75), (0.4, 0.6)], 2));
        assert_eq!(found.rows[1].held[0].with_reference, Some(0.75));
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
