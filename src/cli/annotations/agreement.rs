//! `juror annotations agreement --label NAME`

use std::collections::{BTreeMap, HashSet};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::JoinArguments;
use crate::cli::export::journal;
use crate::cli::output::tell;
use crate::cli::table::{figure, table};
use crate::data::{self, SubjectKey};
use crate::stats::agreement::krippendorff_interval;
use crate::stats::evaluation::{Rows, Settings, raters};
use crate::store::{Journal, tables};

/// Figures without intervals.
const FIGURES: Settings = Settings {
    rounds: 0,
    seed: 0,
    scale: None,
};

/// How far annotators agree on the responses that they share.
#[derive(Args)]
pub struct Arguments {
    /// The label to compare
    #[arg(long, value_name = "NAME")]
    label: String,
    #[command(flatten)]
    join: JoinArguments,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct Report {
    label: String,
    /// Responses with the label of at least two.
    responses: usize,
    /// Krippendorff's interval alpha over all annotators.
    alpha: Option<f64>,
    pairs: Vec<Pair>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Pair {
    one: String,
    other: String,
    /// Responses with the label of both.
    shared: usize,
    /// Share of these on which both are equal.
    equal: f64,
    /// Cohen's kappa with quadratic weights.
    kappa: Option<f64>,
    ac1: Option<f64>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let journal = journal(None)?;
    let here: Option<HashSet<SubjectKey>> = match arguments.join.data.is_empty() {
        true => None,
        false => {
            let files = data::discover(&arguments.join.data)?;
            let set = data::read(&files, &arguments.join.options()?)?;
            crate::cli::tell(&set.errors);
            Some(tables::keys(&set.records).collect())
        }
    };
    let report = report(&journal, &arguments.label, here.as_ref());
    if report.pairs.is_empty() {
        let known = tables::label_names(&journal);
        bail!(
            "--label {}: no response has that label of two annotators; there are the labels {} by {}",
            arguments.label,
            if known.is_empty() {
                "(none)".to_owned()
            } else {
                known.join(", ")
            },
            match journal.annotators().as_slice() {
                [] => "nobody".to_owned(),
                names => names.join(", "),
            }
        );
    }
    tell(&report, arguments.json, text)
}

/// Labels by response, then by annotator; only responses in `here`, where it is given.
fn report(journal: &Journal, label: &str, here: Option<&HashSet<SubjectKey>>) -> Report {
    let mut given: BTreeMap<SubjectKey, BTreeMap<&str, f64>> = BTreeMap::new();
    for (key, who, said) in journal.all() {
        if let Some(value) = said.labels.get(label)
            && here.is_none_or(|here| here.contains(&key))
        {
            given.entry(key).or_default().insert(who, *value);
        }
    }
    given.retain(|_, by| by.len() > 1);
    let units: Vec<Vec<f64>> = given
        .values()
        .map(|by| by.values().copied().collect())
        .collect();
    let names: Vec<&str> = journal.annotators();
    let mut pairs = Vec::new();
    for (place, one) in names.iter().enumerate() {
        for other in names.iter().skip(place + 1) {
            let both = given.values();
            let both = both.filter_map(|by| Some((*by.get(one)?, *by.get(other)?)));
            let (ones, others): (Vec<f64>, Vec<f64>) = both.unzip();
            if ones.is_empty() {
                continue;
            }
            let equal = ones.iter().zip(&others).filter(|(a, b)| a == b).count();
            let cluster = vec![0; ones.len()];
            let rows = Rows {
                score: &ones,
                label: &others,
                cluster: &cluster,
            };
            let found = raters(&rows, &FIGURES);
            pairs.push(Pair {
                one: (*one).to_owned(),
                other: (*other).to_owned(),
                shared: ones.len(),
                equal: equal as f64 / ones.len() as f64,
                kappa: found.and_then(|f| Some(f.quadratic_kappa?.estimate)),
                ac1: found.and_then(|f| Some(f.gwet_ac1?.estimate)),
            });
        }
    }
    Report {
        label: label.to_owned(),
        responses: given.len(),
        alpha: krippendorff_interval(units.iter().map(Vec::as_slice)),
        pairs,
    }
}

fn text(report: &Report) -> String {
    let head = ["annotators", "shared", "equal", "kappa", "AC1"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for pair in &report.pairs {
        lines.push(vec![
            format!("{}, {}", pair.one, pair.other),
            pair.shared.to_string(),
            figure(Some(pair.equal)),
            figure(pair.kappa),
            figure(pair.ac1),
        ]);
    }
    format!(
        "{}\n`{}`: {} responses labelled by two or more; Krippendorff's alpha (interval) {}\n",
        table(&lines),
        report.label,
        report.responses,
        figure(report.alpha)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Event, Kind};

    fn label(who: &str, subject: u128, value: f64) -> Event {
        Event {
            uid: format!("{who}-{subject}"),
            at: 0,
            annotator: who.into(),
            subject: SubjectKey(subject),
            record: String::new(),
            response: String::new(),
            kind: Kind::Label,
            name: Some("rating".into()),
            value: Some(value),
            text: None,
            target: None,
            seconds: None,
            blind: None,
        }
    }

    #[test]
    fn pairs_are_compared_on_what_they_share() {
        let journal = Journal::of([
            label("ada", 1, 1.0),
            label("bob", 1, 1.0),
            label("ada", 2, 3.0),
            label("bob", 2, 3.0),
            label("eve", 2, 1.0),
            label("ada", 3, 2.0),
        ]);
        let found = report(&journal, "rating", None);
        assert_eq!(found.responses, 2);
        let pairs: Vec<_> = found
            .pairs
            .iter()
            .map(|p| (p.one.as_str(), p.other.as_str(), p.shared, p.equal))
            .collect();
        let expected = [
            ("ada", "bob", 2, 1.0),
            ("ada", "eve", 1, 0.0),
            ("bob", "eve", 1, 0.0),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(found.pairs[0].kappa, Some(1.0));
        assert!(text(&found).contains("ada, bob"));
        let here = [SubjectKey(1)].into();
        let found = report(&journal, "rating", Some(&here));
        assert_eq!((found.responses, found.pairs.len()), (1, 1));
        assert_eq!(found.alpha, None);
    }
}
