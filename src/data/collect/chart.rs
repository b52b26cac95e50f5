//! What a collection came to, as a picture: a bar a source, cut by category.

use super::category::Category;
use super::report::{Counts, Report};
use crate::tui::text::grouped;

/// Sources that have a bar of their own; the smaller ones share the last.
const BARS: usize = 40;
const WIDTH: usize = 960;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 260;
const LONGEST: usize = 560;
/// Height of a bar with the gap to the next.
const ROW: usize = 26;
/// Space for the title, and for the legend below it.
const TOP: usize = 84;
/// Characters of a source's name.
const NAME: usize = 32;
/// By category; told apart also by who sees no colours, as they differ in lightness.
const FILL: [&str; 3] = ["#1b6ca8", "#e08e1b", "#9bc995"];

/// An SVG file of the kept rows by source and category. Names are text in it, whatever is in them.
pub fn svg(report: &Report) -> String {
    let mut sorted: Vec<&Counts> = report.sources.iter().filter(|c| c.kept > 0).collect();
    sorted.sort_by_key(|counts| std::cmp::Reverse(counts.kept));
    let (own, rest) = sorted.split_at(sorted.len().min(BARS));
    let mut bars: Vec<(String, [u64; 3])> = own
        .iter()
        .map(|counts| (short(&counts.source), counts.categories.counts()))
        .collect();
    if !rest.is_empty() {
        let mut sum = [0; 3];
        for counts in rest {
            for (all, more) in sum.iter_mut().zip(counts.categories.counts()) {
                *all += more;
            }
        }
        bars.push((format!("{} smaller sources", rest.len()), sum));
    }
    let most = bars
        .iter()
        .map(|(_, parts)| parts.iter().sum::<u64>())
        .max();
    let height = TOP + ROW * bars.len() + 16;
    let title = format!(
        "{} of {} instructions kept, {} sources",
        grouped(report.total.kept),
        grouped(report.total.read),
        report.sources.len()
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"14\">\n<title>{title}</title>\n\
         <style>text{{fill:#222}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n\
         <text x=\"16\" y=\"28\" font-size=\"18\">{title}</text>\n"
    );
    let mut x = 16;
    let totals = report.total.categories.counts();
    for ((category, fill), count) in Category::ALL.iter().zip(FILL).zip(totals) {
        let words = format!("{category} {}", grouped(count));
        out += &format!(
            "<rect x=\"{x}\" y=\"46\" width=\"14\" height=\"14\" fill=\"{fill}\"/><text x=\"{}\" y=\"58\">{words}</text>\n",
            x + 20
        );
        x += 48 + 9 * words.len();
    }
    for (row, (name, parts)) in bars.iter().enumerate() {
        let y = TOP + ROW * row;
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 10,
            y + 14,
            minijinja::HtmlEscape(name)
        );
        // Ends are rounded, so that the parts together are as long as the whole.
        let end =
            |sum: u64| (sum as f64 / most.unwrap_or(1).max(1) as f64 * LONGEST as f64).round();
        let mut sum = 0;
        for (part, fill) in parts.iter().zip(FILL) {
            let from = end(sum);
            sum += part;
            let width = end(sum) - from;
            if width > 0.0 {
                out += &format!(
                    "<rect x=\"{}\" y=\"{y}\" width=\"{width}\" height=\"18\" fill=\"{fill}\"/>",
                    LEFT as f64 + from
                );
            }
        }
        out += &format!(
            "<text x=\"{}\" y=\"{}\">{}</text>\n",
            LEFT as f64 + end(sum) + 8.0,
            y + 14,
            grouped(sum)
        );
    }
    out + "</svg>\n"
}

fn short(name: &str) -> String {
    let clean = name.chars().filter(|c| !c.is_control());
    match name.chars().count() > NAME {
        true => clean.take(NAME - 1).chain(['…']).collect(),
        false => clean.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sources: usize) -> Report {
        let mut report = Report::default();
        for n in 0..sources {
            let mut counts = Counts::new(&format!("s<{n}>&\u{202e}"), 1);
            counts.read = 100;
            for row in 0..=n {
                counts.keep(Category::ALL[row % 3], 10);
            }
            report.sources.push(counts);
        }
        report.finish();
        report
    }

    /// Lengths of the parts of all bars, one bar after the other.
    fn widths(svg: &str) -> Vec<f64> {
        let bars = svg.split("height=\"18\"").map(|before| {
            let width = before.rsplit("width=\"").next()?.split('"').next()?;
            width.parse::<f64>().ok()
        });
        let count = svg.matches("height=\"18\"").count();
        bars.take(count).flatten().collect()
    }

    #[test]
    fn bars_are_as_long_as_their_counts() {
        let svg = svg(&report(3));
        let found = widths(&svg);
        // 3 rows, 2 and 1; the parts of each together are in proportion.
        assert_eq!(found.iter().sum::<f64>(), 560.0 + 373.0 + 187.0);
        assert_eq!(found.len(), 6);
        assert!(
            svg.contains("6 of 300 instructions kept, 3 sources"),
            "{svg}"
        );
        assert!(
            svg.contains("common 3") && svg.contains("academic 1"),
            "{svg}"
        );
        assert!(
            svg.contains("s&lt;2&gt;&amp;") && !svg.contains("s<2"),
            "{svg}"
        );
    }

    #[test]
    fn small_sources_share_a_bar_and_none_is_no_picture_less() {
        let svg_of_many = svg(&report(60));
        assert!(svg_of_many.contains("20 smaller sources"));
        assert!(svg_of_many.ends_with("</svg>\n"));
        let none = svg(&Report::default());
        assert!(none.contains("0 of 0 instructions kept") && widths(&none).is_empty());
    }
}
