//! What a teacher replied, read tolerantly: an end that is missing, markers repeated or written another way.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The published markers.
pub const INSTRUCTION: &str = "[New Instruction]";
pub const ANSWER: &str = "[New Answer]";
pub const BETTER: &str = "[Better Answer]";
pub const END: &str = "[End]";

/// Why there is nothing to be taken from a teacher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It replied with nothing.
    Empty,
    /// None of the markers is there.
    NoMarker,
    /// There is a new instruction, but no answer to it.
    NoAnswer,
    /// There is an answer, but no new instruction.
    NoInstruction,
    /// Between the markers stands nothing.
    EmptyText,
    /// Between the markers stands what was to be replaced.
    Placeholder,
    /// The reply reached its longest length before its last end marker.
    CutOff,
    /// The teacher refused, or could not be asked.
    Failed,
    /// The request does not fit into the teacher.
    TooLong,
    /// The teacher's tokens were used up.
    OverCap,
}

impl Cause {
    /// As files have it.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Empty => "empty",
            Cause::NoMarker => "no_marker",
            Cause::NoAnswer => "no_answer",
            Cause::NoInstruction => "no_instruction",
            Cause::EmptyText => "empty_text",
            Cause::Placeholder => "placeholder",
            Cause::CutOff => "cut_off",
            Cause::Failed => "failed",
            Cause::TooLong => "too_long",
            Cause::OverCap => "over_cap",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Instruction,
    Answer,
    Better,
    End,
}

/// A marker in brackets anywhere, or its name with a colon (or alone as a heading) at the start of a line, with what
/// Markdown puts around it.
static MARKS: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(
        r"(?xim)
        (?: \*{0,2} \[ \s* (?:
            (?<closing> (?: / \s* (?: new | better ) \s+ (?: instruction | answer ) ) | / \s* end | end (?: \s+ of \s+ [^\]\n]{0,40} )? )
            | (?<bracketed> (?: new \s+ instruction ) | (?: new \s+ answer ) | (?: better \s+ answer ) )
        ) \s* \] \*{0,2} \s* :? \*{0,2} )
        | ^ [\ \t]* (?: \d+ [.)] [\ \t]+ )? (?: \#{1,6} [\ \t]+ )? [*_]{0,2}
          (?<named> new \s instruction | new \s answer | better \s answer )
          (?: [*_]{0,2} [\ \t]* : [*_]{0,2} | [*_]{1,2} [\ \t]* $ )
        ",
    )
});

/// A stretch of the reply behind a marker.
struct Block<'a> {
    mark: Mark,
    text: &'a str,
    is_closed: bool,
}

fn blocks(reply: &str) -> Vec<Block<'_>> {
    let Ok(marks) = &*MARKS else {
        return Vec::new();
    };
    let found: Vec<(Mark, usize, usize)> = marks
        .captures_iter(reply)
        .filter_map(|found| {
            let name = found.name("bracketed").or_else(|| found.name("named"));
            let mark = match name.map(|name| name.as_str().to_ascii_lowercase()) {
                None => Mark::End,
                Some(name) if name.ends_with("instruction") => Mark::Instruction,
                Some(name) if name.starts_with("new") => Mark::Answer,
                Some(_) => Mark::Better,
            };
            let whole = found.get(0)?;
            Some((mark, whole.start(), whole.end()))
        })
        .collect();
    let each = found.iter().enumerate();
    each.filter(|(_, (mark, ..))| *mark != Mark::End)
        .map(|(n, (mark, _, start))| {
            let next = found.get(n + 1);
            let end = next.map_or(reply.len(), |(_, from, _)| *from);
            Block {
                mark: *mark,
                text: &reply[*start..end],
                is_closed: next.is_some_and(|(mark, ..)| *mark == Mark::End),
            }
        })
        .collect()
}

/// Without blanks, and without the number of the point that comes next.
static NEXT_POINT: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(r"\n\s*(?:\d{1,2}[.)]|#{1,6}|[-*_]{1,3})\s*$"));

fn cleaned<'a>(block: &Block<'a>) -> &'a str {
    let text = block.text.trim();
    match (&*NEXT_POINT, block.is_closed) {
        (Ok(next), false) => match next.find(text) {
            Some(found) => text[..found.start()].trim_end(),
            None => text,
        },
        _ => text,
    }
}

/// What stands in templates, ours and the published ones, where the text is to be.
fn is_placeholder(text: &str) -> bool {
    const FILLERS: [&str; 13] = [
        "your", "the", "a", "an", "new", "better", "text", "of", "here", "insert", "write", "goes",
        "put",
    ];
    const MEANT: [&str; 3] = ["instruction", "answer", "response"];
    if text.chars().count() > 60 {
        return false;
    }
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let is_named = words.iter().any(|word| MEANT.contains(word));
    let is_all = |word: &&str| FILLERS.contains(word) || MEANT.contains(word);
    (is_named && words.iter().all(is_all)) || text.chars().all(|c| ".…".contains(c))
}

/// The text behind a marker: of the blocks with a text, the first that is closed, or else the last. `is_cut` says that
/// the reply broke off, so that the block that is open at its end is not whole.
fn text_of(blocks: &[Block<'_>], mark: Mark, is_cut: bool) -> Result<String, Cause> {
    let mut own = blocks.iter().filter(|block| block.mark == mark).peekable();
    if own.peek().is_none() {
        return Err(Cause::NoMarker);
    }
    let (mut open, mut worst) = (None, Cause::EmptyText);
    let last = blocks.last().map(|block| block.text.as_ptr());
    for block in own {
        let text = cleaned(block);
        match text.is_empty() {
            true => (),
            _ if is_placeholder(text) => worst = worst.max(Cause::Placeholder),
            _ if block.is_closed => return Ok(text.to_owned()),
            _ if is_cut && last == Some(block.text.as_ptr()) => worst = Cause::CutOff,
            _ => open = Some(text),
        }
    }
    open.map(str::to_owned).ok_or(worst)
}

/// A reply without what a reasoning model thought before it, if there is anything.
fn said(reply: &str) -> Result<&str, Cause> {
    let thought = reply.rfind("</think>").map(|at| at + "</think>".len());
    let said = reply[thought.unwrap_or(0)..].trim();
    match said.is_empty() {
        true => Err(Cause::Empty),
        false => Ok(said),
    }
}

/// A new instruction and its answer out of a reply that ended by itself.
///
/// # Errors
/// Why there are not both.
pub fn instruction(reply: &str) -> Result<(String, String), Cause> {
    instruction_of(reply, false)
}

/// The same where the reply may have broken off.
///
/// # Errors
/// Why there are not both.
pub fn instruction_of(reply: &str, is_cut: bool) -> Result<(String, String), Cause> {
    let blocks = blocks(said(reply)?);
    let question = text_of(&blocks, Mark::Instruction, is_cut);
    let answer = text_of(&blocks, Mark::Answer, is_cut);
    match (question, answer) {
        (Ok(question), Ok(answer)) => Ok((question, answer)),
        (Err(Cause::NoMarker), Err(Cause::NoMarker)) => Err(Cause::NoMarker),
        (Err(Cause::NoMarker), _) => Err(Cause::NoInstruction),
        // Cut off before the answer began.
        (_, Err(Cause::NoMarker)) if is_cut => Err(Cause::CutOff),
        (_, Err(Cause::NoMarker)) => Err(Cause::NoAnswer),
        (Err(cause), _) | (_, Err(cause)) => Err(cause),
    }
}

/// A better response out of a reply that ended by itself.
///
/// # Errors
/// Why there is none.
pub fn response(reply: &str) -> Result<String, Cause> {
    response_of(reply, false)
}

/// The same where the reply may have broken off.
///
/// # Errors
/// Why there is none.
pub fn response_of(reply: &str, is_cut: bool) -> Result<String, Cause> {
    let blocks = blocks(said(reply)?);
    match text_of(&blocks, Mark::Better, is_cut) {
        // Some write the other request's marker; there is nothing else that they could mean.
        Err(Cause::NoMarker) => text_of(&blocks, Mark::Answer, is_cut),
        found => found,
    }
}
