//! Plain tables for the terminal.

use unicode_width::UnicodeWidthStr;

pub use crate::stats::show::{NONE, figure, interval};
use crate::tui::text::inert;

/// Lines of cells as text, columns aligned: the first to the left, the others to the right. The first line is
/// the head. What is in cells steers no terminal.
pub fn table(lines: &[Vec<String>]) -> String {
    let clean = |cell: &String| inert(&cell.replace('\n', " "), false).into_owned();
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.iter().map(clean).collect())
        .collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let blank = " ".repeat(width - cell.width());
            match column {
                0 => out += &format!("{cell}{blank}"),
                _ => out += &format!("  {blank}{cell}"),
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let line = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let text = table(&[line(&["name", "τ"]), line(&["a", "0.5"]), line(&["b", ""])]);
        assert_eq!(text, "name    τ\na     0.5\nb\n");
        let text = table(&[line(&["a\x1b[2J\n", "b"])]);
        assert_eq!(text, "a␛[2J   b\n");
    }
}
