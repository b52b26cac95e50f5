//! A tournament drawn as a tree: who met whom, and who went on.

use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use super::paint::Paint;
use crate::judge::tournament::{Match, Tournament};
use crate::tui::state::{Bracket, State};
use crate::tui::text::{truncate, width as columns};

/// Signs of a tree.
struct Signs {
    line: &'static str,
    upper: &'static str,
    between: &'static str,
    lower: &'static str,
}

const UNICODE: Signs = Signs {
    line: "─",
    upper: "┬",
    between: "│",
    lower: "┘",
};
const ASCII: Signs = Signs {
    line: "-",
    upper: "+",
    between: "|",
    lower: "'",
};

/// A part of the tree, and on which of its lines its winner stands.
struct Block {
    lines: Vec<String>,
    winner: usize,
}

/// The lines of the box.
pub fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some((bracket, item)) = state
        .pairs
        .bracket
        .as_ref()
        .and_then(|bracket| Some((bracket, state.item(bracket.record)?)))
    else {
        return Vec::new();
    };
    let name = |place: usize| {
        let response = item.responses.get(place);
        let name = response.and_then(|r| r.generator.as_deref().or(Some(r.id.as_str())));
        let name = paint.safe(name.unwrap_or_default()).replace('\n', " ");
        format!("{} {name}", place + 1)
    };
    let names: Vec<String> = (0..bracket.keys.len()).map(name).collect();
    let tournament = &bracket.tournament;
    let dim = paint.style("ui.text.dim");
    let mut lines = vec![
        Line::styled(
            heading(state, bracket, &names, paint),
            paint.style("ui.text.heading"),
        ),
        Line::raw(""),
    ];
    if let Some(cause) = trouble(state, bracket) {
        lines.push(Line::styled(
            paint.safe(&cause),
            paint.style("state.warning"),
        ));
    }
    let signs = match paint.glyphs.ascii {
        true => &ASCII,
        false => &UNICODE,
    };
    // Every round takes a column.
    let rounds = names.len().next_power_of_two().trailing_zeros() as usize + 1;
    let room = (width / rounds.max(1)).saturating_sub(4).clamp(3, 24);
    let short: Vec<String> = names
        .iter()
        .map(|name| truncate(name, room, paint.glyphs.ellipsis))
        .collect();
    let champion = tournament.champion();
    for block in tree(tournament, &short, signs) {
        for (at, text) in block.lines.into_iter().enumerate() {
            let style = match champion.is_some() && at == block.winner {
                true => Style::default().add_modifier(Modifier::BOLD),
                false => Style::default(),
            };
            lines.push(Line::styled(
                truncate(&text, width, paint.glyphs.ellipsis),
                style,
            ));
        }
    }
    lines.push(Line::raw(""));
    let bye = "An odd one out goes on without a match; of equals the first goes on.";
    lines.push(Line::styled(
        truncate(bye, width, paint.glyphs.ellipsis),
        dim,
    ));
    lines
}

fn heading(state: &State, bracket: &Bracket, names: &[String], paint: &Paint<'_>) -> String {
    let tournament = &bracket.tournament;
    let (done, all) = (tournament.judgments(), names.len().saturating_sub(1));
    match tournament.champion().and_then(|place| names.get(place)) {
        Some(winner) => format!("{winner} wins after {all} judgments"),
        None => format!(
            "{} {done} of {all} judgments",
            paint.glyphs.spin(state.tick)
        ),
    }
}

/// Why the round does not go on.
fn trouble(state: &State, bracket: &Bracket) -> Option<String> {
    let matches = bracket.tournament.matches();
    let mut failed = matches.into_iter().filter_map(|places| {
        let key = bracket.pair(places)?;
        state.pairs.judged(key)?.err().map(str::to_owned)
    });
    failed.next().map(|cause| format!("Not compared: {cause}"))
}

/// One tree for each response that is left, in the order in which they stand.
fn tree(tournament: &Tournament, names: &[String], signs: &Signs) -> Vec<Block> {
    let rounds = tournament.rounds();
    let left: Vec<usize> = match tournament.champion() {
        Some(champion) => vec![champion],
        None => {
            let bye = tournament.bye();
            bye.into_iter()
                .chain(tournament.matches().concat())
                .collect()
        }
    };
    left.into_iter()
        .map(|place| block(rounds, place, names, signs))
        .collect()
}

/// How a response came to where it is after these rounds.
fn block(rounds: &[Vec<Match>], place: usize, names: &[String], signs: &Signs) -> Block {
    let Some((last, before)) = rounds.split_last() else {
        let name = names.get(place).cloned().unwrap_or_default();
        return Block {
            lines: vec![name],
            winner: 0,
        };
    };
    let Some([a, b, _]) = last.iter().find(|[_, _, winner]| *winner == place) else {
        // It had no match.
        return block(before, place, names, signs);
    };
    let upper = block(before, *a, names, signs);
    let lower = block(before, *b, names, signs);
    let (top, bottom) = (upper.winner, upper.lines.len() + lower.winner);
    let mut lines = upper.lines;
    lines.extend(lower.lines);
    let wide = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
    let name = names.get(place).map_or("", String::as_str);
    for (at, line) in lines.iter_mut().enumerate() {
        let room = wide - columns(line);
        let (fill, sign) = match at {
            at if at == top => (signs.line, format!("{}{} {name}", signs.upper, signs.line)),
            at if at == bottom => (signs.line, signs.lower.to_owned()),
            at if top < at && at < bottom => (" ", signs.between.to_owned()),
            _ => continue,
        };
        *line = format!("{line} {}{fill}{sign}", fill.repeat(room));
    }
    Block { lines, winner: top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_shows_who_met_whom() {
        let names: Vec<String> = ["one", "two", "three", "four", "five"]
            .map(str::to_owned)
            .into();
        let mut tournament = Tournament::new(1, "record", 5);
        let signs = &ASCII;
        assert_eq!(
            tree(&tournament, &names, signs).len(),
            5,
            "nobody has met yet"
        );
        while tournament.champion().is_none() {
            // The larger place wins.
            let won: Vec<bool> = tournament.matches().iter().map(|[a, b]| a > b).collect();
            tournament.advance(&won);
        }
        let blocks = tree(&tournament, &names, signs);
        let [whole] = blocks.as_slice() else {
            panic!("one tree is left");
        };
        assert_eq!(whole.lines.len(), 5);
        assert!(whole.lines[whole.winner].trim_end().ends_with("five"));
        let all = whole.lines.join("\n");
        for name in &names {
            assert!(all.contains(name.as_str()), "{all}");
        }
        assert_eq!(all.matches('+').count(), 4, "{all}");
        assert_eq!(all.matches('\'').count(), 4, "{all}");
    }
}
