//! What `juror eval` found, as tables.

use super::{Evaluated, Group, Report};
use crate::cli::table::{figure, interval, table};
use crate::stats::evaluation::Correlations;
use crate::stats::pair_order::{Level, PairAccuracy};
use crate::stats::prediction_powered::PoweredMean;
use crate::stats::preference::Led;

/// Groups shown as columns; all of them are in the JSON.
const SHOWN_GROUPS: usize = 8;

/// The report as tables; those with nothing to tell are left out.
pub fn text(report: &Report, several_files: bool) -> String {
    let name = |e: &Evaluated| match several_files {
        true => format!("{} {}", e.file.display(), e.signal),
        false => e.signal.clone(),
    };
    let all = &report.evaluated;
    let mut out = format!("against `{}`, 95 % intervals by bootstrap\n", report.label);
    let mut section = |head: &[&str], lines: Vec<Vec<String>>| {
        if !lines.is_empty() {
            let head = head.iter().map(|cell| (*cell).to_owned()).collect();
            let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
            out += "\n";
            out += &table(&lines);
        }
    };
    let lines = all.iter().map(|e| {
        let mut line = vec![name(e), e.all.rows.to_string(), e.left_out.to_string()];
        line.extend([e.all.pearson, e.all.spearman, e.all.kendall].map(interval));
        line
    });
    section(
        &[
            "signal",
            "rows",
            "left out",
            "Pearson",
            "Spearman",
            "Kendall τ-b",
        ],
        lines.collect(),
    );
    if let Some(by) = all.iter().find_map(|e| e.by.as_ref()) {
        let shown = by.groups.len().min(SHOWN_GROUPS);
        let title = match by.groups.len() > shown {
            false => format!("Pearson × 100 by {}", by.field),
            true => format!(
                "Pearson × 100 by {} ({shown} of {})",
                by.field,
                by.groups.len()
            ),
        };
        let mut head = vec![title.as_str(), "average"];
        head.extend(by.groups[..shown].iter().map(|g| g.value.as_str()));
        let lines = all.iter().filter_map(|e| Some((e, e.by.as_ref()?)));
        let lines = lines.map(|(e, by)| {
            let mut line = vec![name(e), hundred(&by.average)];
            let groups = by.groups.iter().take(shown);
            line.extend(groups.map(|g| hundred(&g.correlations)));
            line
        });
        section(&head, lines.collect());
        let means = all.iter().filter_map(|e| Some((e, e.by.as_ref()?)));
        let means = means.flat_map(|(e, by)| {
            let each = by.groups.iter().filter_map(|g| Some((g, g.mean_label?)));
            let line = |(g, m): (&Group, PoweredMean)| {
                vec![
                    format!("{} by {}", g.value, name(e)),
                    m.labelled.to_string(),
                    m.unlabelled.to_string(),
                    interval(Some(m.labels_alone)),
                    interval(Some(m.powered)),
                ]
            };
            each.take(SHOWN_GROUPS).map(line).collect::<Vec<_>>()
        });
        section(
            &[
                "mean label",
                "labels",
                "further scores",
                "labels alone",
                "prediction-powered",
            ],
            means.collect(),
        );
    }
    let lines = all.iter().flat_map(|e| {
        let own = e.pairs.iter().map(|(level, p)| {
            let what = match level {
                Level::All => "all",
                Level::Easy => "easy: the better is the richer in style",
                Level::Normal => "normal: the same style",
                Level::Hard => "hard: the other is the richer",
            };
            (what.to_owned(), *p)
        });
        let by = e.by.iter().flat_map(|by| &by.groups);
        let groups = by.filter_map(|g| Some((g.value.clone(), g.pairs?)));
        let line = |(what, p): (String, PairAccuracy)| {
            vec![
                name(e),
                what,
                p.records.to_string(),
                interval(Some(p.accuracy)),
            ]
        };
        let average = e.by.as_ref().and_then(|by| {
            let mean = figure(Some(by.pairs_average?));
            let counted = by.groups.iter().filter(|g| g.pairs.is_some()).count();
            let what = format!("average over {counted} of {}", by.field);
            Some(vec![name(e), what, String::new(), mean])
        });
        own.chain(groups)
            .map(line)
            .chain(average)
            .collect::<Vec<_>>()
    });
    section(
        &["order of answers", "pairs", "records", "accuracy"],
        lines.collect(),
    );
    let lines = all.iter().map(|e| {
        let mut line = vec![name(e), figure(e.selective.good)];
        let s = &e.selective;
        line.extend([s.auroc, s.aurc, s.excess_aurc].map(interval));
        line
    });
    section(
        &["selective", "good", "AUROC", "AURC", "excess AURC"],
        lines.collect(),
    );
    let lines = all.iter().flat_map(|e| {
        e.calibration.iter().map(|c| {
            let (fitted, reported) = (c.fitted.to_string(), c.reported.to_string());
            let mut line = vec![name(e), c.fit.into(), fitted, reported];
            line.extend([c.ece, c.brier, c.log_loss].map(figure));
            line
        })
    });
    section(
        &[
            "calibration",
            "fit",
            "fitted on",
            "reported on",
            "ECE",
            "Brier",
            "log loss",
        ],
        lines.collect(),
    );
    let lines = all.iter().filter_map(|e| {
        let a = e.agreement.as_ref()?;
        let mut line = vec![name(e), a.categories.to_string()];
        line.extend([a.quadratic_kappa, a.krippendorff, a.gwet_ac1].map(interval));
        Some(line)
    });
    section(
        &[
            "agreement",
            "categories",
            "quadratic κ",
            "Krippendorff α",
            "Gwet AC1",
        ],
        lines.collect(),
    );
    let lines = all.iter().flat_map(|e| {
        let each = [("characters", e.length), ("list items", e.list_items)];
        let line = |(what, led): (&str, Option<Led>)| {
            let led = led?;
            let mut line = vec![name(e), what.to_owned()];
            line.extend([led.judge, led.label, led.difference].map(interval));
            Some(line)
        };
        each.into_iter().filter_map(line).collect::<Vec<_>>()
    });
    section(
        &["led by", "Spearman with", "judge", "label", "difference"],
        lines.collect(),
    );
    let lines = all
        .iter()
        .filter_map(|e| Some(vec![name(e), interval(Some(e.self_preference?))]));
    section(
        &["self-preference", "own family above others at equal label"],
        lines.collect(),
    );
    let lines = all.iter().filter_map(|e| {
        let a = e.ahead_of_first.as_ref()?;
        let settled = a
            .clusters_to_settle
            .map(|n| format!("about {n} instructions"));
        Some(vec![
            name(e),
            interval(a.pearson),
            interval(a.spearman),
            settled.unwrap_or_default(),
        ])
    });
    section(
        &["ahead of the first by", "Pearson", "Spearman", "settled at"],
        lines.collect(),
    );
    out
}

/// As the paper's table has it.
fn hundred(correlations: &Correlations) -> String {
    let value = correlations
        .pearson
        .map(|p| format!("{:.2}", 100.0 * p.estimate));
    value.unwrap_or_else(|| "–".into())
}
