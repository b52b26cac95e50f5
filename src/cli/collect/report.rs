//! What a collection came to, as tables and bars.

use std::path::Path;

use serde::Serialize;

use crate::cli::table::table;
use crate::data::collect::category::Category;
use crate::data::collect::explain::Explanation;
use crate::data::collect::output::Beside;
use crate::data::collect::reason::Reason;
use crate::data::collect::report::{Counts, Report};
use crate::tui::text::grouped;

/// A report with the time it took.
#[derive(Serialize)]
pub struct Told {
    #[serde(flatten)]
    report: Report,
    seconds: f64,
    rows_per_s: f64,
}

impl Told {
    /// Of a run of so many seconds.
    pub fn new(report: Report, seconds: f64) -> Self {
        Told {
            rows_per_s: report.total.read as f64 / seconds.max(1e-9),
            report,
            seconds,
        }
    }
}

/// Width of the longest bar.
const BAR: usize = 48;

/// Letters of the bars, by category.
const FILL: [char; 3] = ['█', '▓', '░'];

/// The table of sources and categories, the bars, and the reasons.
pub fn text(told: &Told, output: &Path) -> String {
    let report = &told.report;
    let mut out = sources(report) + "\n" + &bars(report);
    let reasons = reasons(&report.total);
    if !reasons.is_empty() {
        out += "\n";
        out += &reasons;
    }
    if report.crowded > 0 {
        out += &format!(
            "\n{} times a row stood in a bucket with more rows than it was compared with (templates, mostly): a near duplicate \
             may be left there\n",
            report.crowded
        );
    }
    out += &format!(
        "\n{} of {} rows kept in {:.1} s ({:.0} rows a second)",
        report.total.kept, report.total.read, told.seconds, told.rows_per_s
    );
    if output != Path::new("-") {
        let dropped = Beside::of(output).dropped;
        out += &format!(
            "; why the others are not: {}, or --explain ID -o {}",
            dropped.display(),
            output.display()
        );
    }
    out + "\n"
}

fn sources(report: &Report) -> String {
    let head = [
        "source",
        "read",
        "common",
        "coding",
        "academic",
        "kept",
        "mean chars",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let line = |counts: &Counts| {
        let [common, coding, academic] = counts.categories.counts();
        let mut line = vec![counts.source.clone()];
        line.extend([counts.read, common, coding, academic, counts.kept].map(grouped));
        line.push(
            counts
                .mean_chars
                .map_or_else(|| "–".into(), |mean| format!("{mean:.0}")),
        );
        line
    };
    lines.extend(report.sources.iter().map(line));
    if report.sources.len() > 1 {
        lines.push(line(&report.total));
    }
    table(&lines)
}

/// Kept rows of the largest sources, categories apart.
fn bars(report: &Report) -> String {
    const SHOWN: usize = 40;
    let mut sorted: Vec<&Counts> = report
        .sources
        .iter()
        .filter(|counts| counts.kept > 0)
        .collect();
    sorted.sort_by_key(|counts| std::cmp::Reverse(counts.kept));
    let most = sorted.first().map_or(1, |counts| counts.kept);
    let mut lines: Vec<Vec<String>> = Vec::new();
    for counts in sorted.iter().take(SHOWN) {
        let mut bar = String::new();
        let (mut sum, mut drawn) = (0, 0);
        for (count, fill) in counts.categories.counts().into_iter().zip(FILL) {
            sum += count;
            // Ends are rounded, so that the parts together are as long as the whole.
            let end = (sum as f64 / most as f64 * BAR as f64).round() as usize;
            bar.extend(std::iter::repeat_n(fill, end - drawn));
            drawn = end;
        }
        lines.push(vec![
            counts.source.clone(),
            bar + &" ".repeat(BAR - drawn),
            grouped(counts.kept),
        ]);
    }
    let names = Category::ALL
        .iter()
        .zip(FILL)
        .map(|(category, fill)| format!("{fill} {category}"));
    let mut out = names.collect::<Vec<_>>().join("   ") + "\n" + &table(&lines);
    if sorted.len() > SHOWN {
        out += &format!("… and {} smaller sources\n", sorted.len() - SHOWN);
    }
    out
}

fn reasons(total: &Counts) -> String {
    let mut lines = Vec::new();
    for (reason, count) in total.dropped.found() {
        let share = 100.0 * count as f64 / total.read.max(1) as f64;
        lines.push(vec![
            reason.name().to_owned(),
            grouped(count),
            format!("{share:.1} %"),
        ]);
    }
    match lines.is_empty() {
        true => String::new(),
        false => {
            lines.insert(0, ["dropped", "rows", "of all"].map(str::to_owned).to_vec());
            table(&lines)
        }
    }
}

/// Why a row is there or is not.
pub fn explained(found: &Explanation) -> String {
    let mut out = String::new();
    for row in &found.dropped {
        out += &format!(
            "{} ({}, source {}): dropped, {}",
            row.id,
            row.place,
            row.source,
            row.reason.name()
        );
        if !row.detail.is_empty() {
            out += &format!(": {}", row.detail);
        }
        out += &format!("\n    {}\n", row.start.replace('\n', " "));
    }
    if let Some(row) = &found.row {
        let text = |name: &str| {
            row.get(name)
                .and_then(serde_json::Value::as_str)
                .unwrap_or("–")
        };
        out += &format!(
            "{}: kept, source {}, category {}",
            text("id"),
            text("source"),
            text("category")
        );
        let task = ["instruction", "prompt", "question"]
            .into_iter()
            .map(text)
            .find(|text| *text != "–");
        if let Some(task) = task {
            out += &format!(
                "\n    {}",
                task.chars()
                    .take(120)
                    .collect::<String>()
                    .replace('\n', " ")
            );
        }
        out.push('\n');
        if !found.instead_of.is_empty() {
            out += &format!("    instead of {}\n", found.instead_of.join(", "));
        }
    } else if found
        .dropped
        .last()
        .is_some_and(|row| is_duplicate(row.reason))
    {
        out += "the row that stays in its place is no longer in the output\n";
    }
    out
}

fn is_duplicate(reason: Reason) -> bool {
    matches!(reason, Reason::ExactDuplicate | Reason::NearDuplicate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_bars() {
        let mut counts = Counts::new("web", 1);
        counts.read = 1500;
        for _ in 0..1200 {
            counts.keep(Category::Common, 10);
        }
        counts.keep(Category::Coding, 10);
        for _ in 0..299 {
            counts.dropped.add(Reason::Refusal);
        }
        let mut report = Report {
            sources: vec![counts],
            ..Report::default()
        };
        report.finish();
        let text = text(&Told::new(report, 2.0), Path::new("o.jsonl"));
        assert!(text.contains("web     1,500   1,200       1"), "{text}");
        assert!(
            text.contains(&"█".repeat(BAR)) && text.contains("refusal   299  19.9 %"),
            "{text}"
        );
        assert!(
            text.contains("1201 of 1500 rows kept in 2.0 s (750 rows a second)"),
            "{text}"
        );
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
