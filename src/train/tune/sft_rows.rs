//! What instruction tuning learns from: every answer of a conversation, and the token that ends it.

use std::ops::Range;
use std::path::PathBuf;

use super::example::Example;
use super::rows::{Counts, Result, RowsError, end_token};
use super::talk::{self, NoTalk, Talk};
use crate::data::container::RawRows;
use crate::data::conversation::{Role, Turn as Said};
use crate::data::{DataError, ReadOptions, RowError, discover};
use crate::judge::student::Wrapper;
use crate::model::chat::{ChatTemplate, Turn};
use crate::model::facts::Facts;
use crate::model::tokenizer::{Encoded, Piece};

/// The slot of answers.
const ANSWER: &str = "answer";

/// Between an instruction and its input, as chat prompts of instructions have it.
const BETWEEN: &str = "\n\n";

/// Tokens behind an answer among which its end is looked for: a template may write a newline first.
const END_WITHIN: usize = 3;

/// Examples, and what became of the other rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SftRows {
    /// In the order of the data.
    pub examples: Vec<Example>,
    pub counts: Counts,
}

/// How conversations become tokens.
pub struct SftForm<'a> {
    facts: &'a Facts,
    wrapper: Wrapper,
    /// Tokens of the longest example.
    limit: usize,
    end: u32,
}

impl<'a> SftForm<'a> {
    /// The model's chat template where it has one, else `alpaca`; or what `wrap` names. Examples have at most `cutoff`
    /// tokens, and at most the model's context.
    ///
    /// # Errors
    /// A wrap that is none, or the chat template where the model has none; a model without an end token.
    pub fn new(facts: &'a Facts, wrap: Option<&str>, cutoff: usize) -> Result<Self> {
        let wrapper = match (wrap, &facts.chat) {
            (Some(name), _) => name
                .parse()
                .map_err(|e| RowsError::Text(format!("`wrap`: {e}")))?,
            (None, Some(_)) => Wrapper::Chat,
            (None, None) => Wrapper::Alpaca,
        };
        if wrapper == Wrapper::Chat && facts.chat.is_none() {
            return Err(RowsError::Text(format!(
                "{} has no chat template: set `wrap` to alpaca, wizardlm, vicuna or a text with {{instruction}}",
                facts.name
            )));
        }
        Ok(SftForm {
            wrapper,
            limit: cutoff.min(facts.context),
            end: end_token(facts)?,
            facts,
        })
    }
}

/// Reads DATA. A conversation is one example in a chat template, one for each of its answers in other formats, which
/// show one instruction with the turns before it. Too long an example loses its end; one that loses all of its targets is
/// left out.
///
/// # Errors
/// Files that cannot be read or are empty; the first bad row where `options` are strict; nothing to learn from.
pub fn read(paths: &[PathBuf], options: &ReadOptions, form: &SftForm<'_>) -> Result<SftRows> {
    let mut found = SftRows::default();
    for path in discover(paths)? {
        let mut rows = RawRows::open(&path, &options.fields)?;
        if rows.is_empty() {
            return Err(DataError::Empty { path }.into());
        }
        let mut usual = None;
        for raw in rows {
            found.counts.rows += 1;
            let talk = raw.and_then(|raw| {
                let place = (raw.line, raw.element);
                match talk::of_row(raw.object, options, usual) {
                    Ok(talk) => Ok(Ok(talk)),
                    Err(NoTalk::LeftOut(cause)) => Ok(Err(cause)),
                    Err(NoTalk::Unreadable(message)) => Err(RowError {
                        file: path.clone(),
                        line: place.0,
                        element: place.1,
                        message,
                    }),
                }
            });
            match talk {
                Ok(Ok((talk, shape))) => {
                    usual.get_or_insert(shape);
                    form.add(&talk, &mut found)?;
                }
                Ok(Err(cause)) => found.counts.leave_out(cause),
                Err(error) if options.strict => return Err(error.into()),
                Err(error) => found.counts.fail("unreadable", error),
            }
        }
    }
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    found.counts.some(found.examples.len(), &names.join(", "))?;
    Ok(found)
}

impl SftForm<'_> {
    /// The examples of a conversation.
    fn add(&self, talk: &Talk, found: &mut SftRows) -> Result<()> {
        let Some(last) = talk.turns.iter().rposition(Talk::is_answer) else {
            found.counts.leave_out("without an answer");
            return Ok(());
        };
        let whole = match (&self.wrapper, &self.facts.chat) {
            (Wrapper::Chat, Some(chat)) => {
                let turns = talk.turns.get(..=last).unwrap_or_default();
                match rendered(chat, turns, talk.input.as_deref()) {
                    Ok(pieces) => vec![self.chatted(&pieces)?],
                    Err(e) => {
                        found.counts.fail("refused by the chat template", e);
                        return Ok(());
                    }
                }
            }
            _ => self.wrapped(talk)?,
        };
        if whole.is_empty() {
            found.counts.leave_out("without a question");
        }
        for mut example in whole {
            if example.targets.is_empty() {
                found.counts.leave_out("not shown by the chat template");
                continue;
            }
            let long = example.ids.len() > self.limit;
            cut(&mut example, self.limit);
            match example.targets.is_empty() {
                true => found.counts.leave_out("too long before the answer"),
                false => {
                    found.counts.cut += usize::from(long);
                    found.examples.push(example);
                }
            }
        }
        Ok(())
    }

    /// One example for each answer.
    fn wrapped(&self, talk: &Talk) -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for (place, turn) in talk.turns.iter().enumerate() {
            let Some(question) = talk.question(place).filter(|_| Talk::is_answer(turn)) else {
                continue;
            };
            let question = vec![Piece::data("instruction", question)];
            let input = talk.input.as_deref();
            let (mut pieces, special) = self.wrapper.prompt(question, input, self.facts)?;
            pieces.push(Piece::data(ANSWER, &turn.text));
            let encoded = self.facts.tokenizer.encode_open(&pieces, special)?;
            let mut targets = answers(&pieces, &encoded);
            let mut ids = encoded.ids;
            ids.push(self.end);
            if let Some(target) = targets.last_mut() {
                target.end = ids.len();
            }
            examples.push(Example { ids, targets });
        }
        Ok(examples)
    }

    /// A whole conversation in the chat template.
    fn chatted(&self, pieces: &[Piece]) -> Result<Example> {
        let tokenizer = &self.facts.tokenizer;
        // The template writes the special tokens itself.
        let encoded = tokenizer.encode_open(pieces, false)?;
        let mut targets = answers(pieces, &encoded);
        let mut ids = encoded.ids;
        let is_end = |id: u32| {
            id == self.end || self.facts.end_tokens.contains(&id) || tokenizer.is_added(id)
        };
        for target in &mut targets {
            let behind = ids.get(target.end..).unwrap_or_default();
            let at = behind.iter().take(END_WITHIN).position(|id| is_end(*id));
            target.end += at.map_or(0, |at| at + 1);
        }
        if let Some(target) = targets.last_mut() {
            // What the template writes behind the last answer is nobody's to learn.
            ids.truncate(target.end);
            if !ids.last().is_some_and(|id| is_end(*id)) {
                ids.push(self.end);
                target.end += 1;
            }
        }
        Ok(Example { ids, targets })
    }
}

/// All turns in the chat template, answers in the slot [`ANSWER`]. Where a template refuses a system's turn, the user
/// says it.
fn rendered(
    chat: &ChatTemplate,
    turns: &[Said],
    input: Option<&str>,
) -> crate::model::Result<Vec<Piece>> {
    let mut said: Vec<Turn> = turns
        .iter()
        .map(|turn| {
            let (role, slot) = match turn.role {
                Role::System => ("system", "system"),
                Role::User => ("user", "instruction"),
                Role::Assistant => ("assistant", ANSWER),
                Role::Tool => ("tool", "context"),
            };
            let mut content = vec![Piece::data(slot, &turn.text)];
            if let Some(input) = input.filter(|_| turn.role == Role::User) {
                content.push(Piece::template(BETWEEN));
                content.push(Piece::data("input", input));
            }
            Turn { role, content }
        })
        .collect();
    chat.render(&said, false).or_else(|refused| {
        let [first, second, ..] = said.as_mut_slice() else {
            return Err(refused);
        };
        if (first.role, second.role) != ("system", "user") {
            return Err(refused);
        }
        let mut both = std::mem::take(&mut first.content);
        both.push(Piece::template(BETWEEN));
        both.append(&mut second.content);
        second.content = both;
        chat.render(said.get(1..).unwrap_or_default(), false)
    })
}

/// Tokens of the answers that say something. Where a token holds the end of what comes before, too, it is the answer's.
fn answers(pieces: &[Piece], encoded: &Encoded) -> Vec<Range<usize>> {
    let mut targets: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for piece in pieces {
        let end = start + piece.text.len();
        if piece.slot == Some(ANSWER) && !piece.text.trim().is_empty() {
            let is_of = |(a, b): &(usize, usize)| a < b && *b > start && *a < end;
            let first = encoded.offsets.iter().position(is_of);
            let last = encoded.offsets.iter().rposition(is_of);
            if let (Some(first), Some(last)) = (first, last) {
                // Nothing foresees the very first token.
                let first = first.max(1).max(targets.last().map_or(0, |t| t.end));
                targets.extend(Some(first..last + 1).filter(|t| !t.is_empty()));
            }
        }
        start = end;
    }
    targets
}

/// Leaves the first tokens, and what of the targets lies among them.
fn cut(example: &mut Example, limit: usize) {
    example.ids.truncate(limit);
    for target in &mut example.targets {
        target.end = target.end.min(limit);
    }
    example.targets.retain(|target| target.start < target.end);
}

#[cfg(test)]
mod tests;
