//! What `juror rank` found in judged pairs, as tables.

use super::leaderboard;
use super::pairs::{LengthControlled, Matrix, Report};
use crate::cli::table::{figure, interval, table};
use crate::stats::Interval;
use crate::stats::show::NONE;

/// Matrices up to this size are shown; all are in the JSON.
const SHOWN: usize = 12;

/// The report as tables; those with nothing to tell are left out.
pub fn text(report: &Report) -> String {
    let anchor = match &report.scale.anchor {
        Some(name) => format!("{name} is"),
        None => "their mean is".to_owned(),
    };
    let mut out = format!(
        "by `{}` on {} comparisons over {} instructions; Bradley–Terry ratings, a tie half a win, 400 points are odds of 10 \
         to 1, {anchor} {}; 95 % intervals by bootstrap over instructions; rank: 1 + those whose interval lies wholly \
         above\n\n",
        report.verdict, report.comparisons, report.instructions, report.scale.rating
    );
    let head = [
        "generator",
        "rank",
        "rating",
        "comparisons",
        "win rate",
        "mean characters",
    ];
    let mut lines = vec![cells(&head)];
    for rated in &report.ranking {
        lines.push(vec![
            rated.generator.clone(),
            rated.rank.to_string(),
            rated.rating.map_or_else(|| NONE.into(), points),
            rated.comparisons.to_string(),
            interval(Some(rated.win_rate)),
            rated
                .mean_length
                .map_or_else(|| NONE.into(), |x| format!("{x:.0}")),
        ]);
    }
    out += &table(&lines);
    if report.rounds_left_out > 0 {
        out += &format!(
            "{} draws of the bootstrap have no ratings and are left out of the intervals\n",
            report.rounds_left_out
        );
    }
    if report.matrix.generators.len() <= SHOWN {
        out += "\n";
        out += &table(&matrix(&report.matrix));
    }
    if let Some(controlled) = &report.length_controlled {
        out += &length_controlled(controlled);
    }
    if let Some(bias) = &report.position_bias {
        out += &format!(
            "\nposition bias: {} pairs in both orders, {} with the same verdict, {} flipped, mean shift to the first {}\n",
            bias.pairs,
            interval(Some(bias.consistent)),
            interval(Some(bias.flipped)),
            interval(Some(bias.mean_shift))
        );
    }
    if report.left_out > 0 {
        out += &format!(
            "\n{} rows have no verdict or no two generators and are left out\n",
            report.left_out
        );
    }
    out += &leaderboard::text(
        "ratings and",
        &report.leaderboard,
        &report.not_on_leaderboard,
    );
    out
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A rating without decimals that nobody can tell apart.
fn points(rating: Interval) -> String {
    match rating.low.is_nan() || rating.low == rating.high {
        true => format!("{:.0}", rating.estimate),
        false => format!(
            "{:.0} [{:.0}, {:.0}]",
            rating.estimate, rating.low, rating.high
        ),
    }
}

/// The row against the column, with how often they were compared.
fn matrix(matrix: &Matrix) -> Vec<Vec<String>> {
    let numbered = matrix.generators.iter().enumerate();
    let mut head = vec!["the row wins against (count)".to_owned()];
    head.extend(numbered.clone().map(|(at, _)| (at + 1).to_string()));
    let mut lines = vec![head];
    for (at, name) in numbered {
        let mut line = vec![format!("{} {name}", at + 1)];
        let rates = matrix.win_rate[at].iter().zip(&matrix.count[at]);
        line.extend(rates.map(|(rate, count)| match rate {
            Some(rate) => format!("{rate:.2} ({count})"),
            None => NONE.to_owned(),
        }));
        lines.push(line);
    }
    lines
}

fn length_controlled(controlled: &LengthControlled) -> String {
    let head = format!("against {}", controlled.baseline);
    let names = [
        head.as_str(),
        "rows",
        "win rate",
        "length-controlled",
        "θ",
        "φ length",
        "ψ difficulty",
        "C",
    ];
    let mut lines = vec![cells(&names)];
    for one in &controlled.generators {
        let found = &one.found;
        let mut line = vec![
            one.generator.clone(),
            found.rows.to_string(),
            interval(Some(found.win_rate)),
        ];
        match (&found.model, found.why_not) {
            (Some(model), None) => {
                line.push(interval(found.length_controlled));
                line.extend([Some(model.model), Some(model.length), model.difficulty].map(figure));
                line.push(format!("{:.4}", model.c));
            }
            (_, why) => line.push(why.unwrap_or(NONE).to_owned()),
        }
        lines.push(line);
    }
    let kept = match (controlled.difficulty_kept, &controlled.difficulty_left_out) {
        (true, None) => "the instruction-difficulty term is kept\n".to_owned(),
        (true, Some(why)) => format!("the instruction-difficulty term is kept, but not {why}\n"),
        (false, why) => format!(
            "the instruction-difficulty term is left out: {}\n",
            why.as_deref().unwrap_or(NONE)
        ),
    };
    let board = leaderboard::text("length-controlled and", &controlled.leaderboard, &[]);
    format!("\n{}{kept}{board}", table(&lines))
}
