//! What `juror eval` evaluates: signals of files, and the surface ridge.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Error, Result, anyhow};

use crate::data::scored::Scored;
use crate::stats::surface::cross_fitted;

/// Signals that say the same as `self_eval` in one of the modes.
const MODES: [&str; 2] = ["self_eval_ref", "self_eval_free"];

/// One signal's column with where it comes from.
pub struct Candidate<'a> {
    pub file: &'a Path,
    pub rows: &'a Scored,
    pub signal: &'a str,
    pub score: Cow<'a, [f64]>,
    pub cluster: Rc<[usize]>,
}

/// The signals that are evaluated, the surface ridge of the first file behind them.
///
/// # Errors
/// A signal or a field that no row has; a ridge that cannot be fitted.
pub fn candidates<'a>(
    files: &'a [(&'a Path, Scored)],
    asked: &[String],
    cluster: Option<&str>,
    surface: bool,
) -> Result<Vec<Candidate<'a>>> {
    let mut found = Vec::new();
    for (file, rows) in files {
        let cluster = rows.clusters(cluster);
        let cluster: Rc<[usize]> = cluster
            .map_err(|cause| anyhow!("{}: {cause}", file.display()))?
            .into();
        let whole = rows.signals.get("self_eval");
        let again = |name: &String, column: &Vec<f64>| {
            let same = |one: &f64, other: &f64| one.to_bits() == other.to_bits();
            MODES.contains(&name.as_str())
                && whole.is_some_and(|w| w.iter().zip(column).all(|(a, b)| same(a, b)))
        };
        for name in asked {
            rows.signal(name)
                .map_err(|cause| anyhow!("{}: {cause}", file.display()))?;
        }
        let order = |name: &str| match name {
            "self_eval" => 0,
            "cosine" => 1,
            "fused" => 2,
            _ => 3,
        };
        let mut own: Vec<_> = rows
            .signals
            .iter()
            .filter(|(name, column)| match asked.is_empty() {
                true => column.iter().any(|x| !x.is_nan()) && !again(name, column),
                false => asked.contains(name),
            })
            .collect();
        own.sort_by_key(
            |(name, _)| match asked.iter().position(|one| one == *name) {
                Some(place) => place,
                None => order(name),
            },
        );
        found.extend(own.into_iter().map(|(signal, score)| Candidate {
            file,
            rows,
            signal,
            score: score.into(),
            cluster: Rc::clone(&cluster),
        }));
    }
    if let Some((file, rows)) = files.first().filter(|_| surface) {
        let cluster = rows.clusters(cluster).map_err(Error::msg)?;
        let ridge = surface_ridge(rows, &cluster);
        found.push(Candidate {
            file,
            rows,
            signal: SURFACE,
            score: ridge
                .map_err(|cause| anyhow!("{}: --surface: {cause}", file.display()))?
                .into(),
            cluster: cluster.into(),
        });
    }
    match found.is_empty() {
        true => Err(anyhow!("no row has a signal")),
        false => Ok(found),
    }
}

/// Name of the surface ridge among the signals.
const SURFACE: &str = "surface ridge";

/// For each labelled row what ridges say that were fitted on the surfaces of other clusters; NaN for others.
/// Labels within 0 and 1 are taken for preferences, of which the root is fitted: nearly all of them are close to 0.
fn surface_ridge(rows: &Scored, cluster: &[usize]) -> Result<Vec<f64>, String> {
    let kept: Vec<usize> = (0..rows.len())
        .filter(|row| !rows.label[*row].is_nan() && !rows.surface[*row].is_empty())
        .collect();
    if kept.is_empty() {
        return Err("no labelled row has the field `surface`: score the data again".into());
    }
    let wide: Vec<Vec<f64>> = kept
        .iter()
        .map(|row| rows.surface[*row].iter().map(|x| f64::from(*x)).collect())
        .collect();
    let raw: Vec<&[f64]> = wide.iter().map(Vec::as_slice).collect();
    let mut target: Vec<f64> = kept.iter().map(|row| rows.label[*row]).collect();
    if target.iter().all(|label| (0.0..=1.0).contains(label)) {
        target.iter_mut().for_each(|label| *label = label.sqrt());
    }
    let groups: Vec<usize> = kept.iter().map(|row| cluster[*row]).collect();
    let fitted = cross_fitted(&raw, &target, &groups)
        .ok_or("too few labelled instructions to fit the surface ridge")?;
    let mut found = vec![f64::NAN; rows.len()];
    kept.iter().zip(fitted).for_each(|(row, x)| found[*row] = x);
    Ok(found)
}
