//! From a pair to token ids that end with the cue, behind which a judge token follows.

use super::super::prompt::{Truncate, shortened};
use super::super::template::Wrap;
use super::super::{JudgeError, Result};
use super::Pair;
use super::templates::{PairTemplates, Principle};
use crate::model::chat::{ChatTemplate, Turn};
use crate::model::facts::Facts;
use crate::model::tokenizer::{Encoded, Piece};

/// Tokens that a prompt has at most as the authors' script cuts it.
const RELEASED_TOKENS: usize = 2048;

/// Between turns where no chat template says what stands there.
const BETWEEN: &str = "\n\n";

/// How turns become one text.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A chat template's, and whether the tokenizer adds its own special tokens (exactly one BOS comes out either way).
    Chat(ChatTemplate, bool),
    /// System, user and the assistant's beginning, a blank line between them, with a text before and one after the first
    /// two; the tokenizer adds its special tokens.
    Plain(String, String),
}

impl Form {
    /// The form of a wrap; without one the templates' own chat template, else the model's, else the plain form.
    pub(super) fn new(
        wrap: Option<&Wrap>,
        templates: &PairTemplates,
        facts: &Facts,
    ) -> Result<Self> {
        let plain = || Form::Plain(String::new(), String::new());
        let chat = || match (&templates.chat, &facts.chat) {
            (Some(source), own) => Some(Form::Chat(theirs(source, own.as_ref(), facts), true)),
            (None, Some(own)) => Some(Form::Chat(own.clone(), false)),
            (None, None) => None,
        };
        Ok(match wrap {
            None => chat().unwrap_or_else(plain),
            Some(Wrap::None) => plain(),
            Some(Wrap::Around(before, after)) => Form::Plain(before.clone(), after.clone()),
            Some(Wrap::Chat | Wrap::Turns) => chat().ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "neither the templates {} nor {} have a chat template: use --wrap none",
                    templates.name, facts.name
                ))
            })?,
        })
    }

    /// All of a prompt, and whether the tokenizer adds its own special tokens.
    fn wrapped(&self, system: &str, user: Vec<Piece>, cue: &str) -> Result<(Vec<Piece>, bool)> {
        match self {
            Form::Chat(chat, special) => Ok((chatted(chat, system, user, cue)?, *special)),
            Form::Plain(before, after) => {
                let mut all = vec![Piece::template(before)];
                if !system.is_empty() {
                    all.push(Piece::template(format!("{system}{BETWEEN}")));
                }
                all.extend(user);
                all.push(Piece::template(after));
                if !cue.is_empty() {
                    all.push(Piece::template(format!("{BETWEEN}{cue}")));
                }
                Ok((all, true))
            }
        }
    }
}

/// A chat template that the templates bring along, with the model's tokens.
fn theirs(source: &str, own: Option<&ChatTemplate>, facts: &Facts) -> ChatTemplate {
    let token = |id: Option<u32>| id.and_then(|id| facts.tokenizer.token(id));
    let first = facts.tokenizer.encode(&[], true).ok();
    let first = first.and_then(|encoded| encoded.ids.first().copied());
    let (bos, eos) = match own.map(ChatTemplate::ends) {
        Some((bos, eos)) => (bos.to_owned(), eos.to_owned()),
        None => (
            token(first).unwrap_or_default(),
            token(facts.end_tokens.first().copied()).unwrap_or_default(),
        ),
    };
    ChatTemplate::new(source.to_owned(), bos, eos)
}

/// Stands behind the cue while a chat template is rendered: what comes after it is the turn's end, and goes.
const END: &str = "end";

fn chatted(chat: &ChatTemplate, system: &str, user: Vec<Piece>, cue: &str) -> Result<Vec<Piece>> {
    let turn = |role, content| Turn { role, content };
    let assistant = || {
        turn(
            "assistant",
            vec![Piece::template(cue), Piece::data(END, "-")],
        )
    };
    let rendered = match system.is_empty() {
        true => chat.render(&[turn("user", user), assistant()], false)?,
        false => {
            let first = turn("system", vec![Piece::template(system)]);
            let turns = [first, turn("user", user.clone()), assistant()];
            match chat.render(&turns, false) {
                Ok(rendered) => rendered,
                // Some templates refuse a system's turn: the user says it then.
                Err(_) => {
                    let mut both = vec![Piece::template(format!("{system}{BETWEEN}"))];
                    both.extend(user);
                    chat.render(&[turn("user", both), assistant()], false)?
                }
            }
        }
    };
    let mut pieces = rendered;
    let end = pieces.iter().position(|piece| piece.slot == Some(END));
    let Some(end) = end else {
        return Err(JudgeError::Prompt(
            "the chat template does not show the assistant's turn: use --wrap none".into(),
        ));
    };
    pieces.truncate(end);
    Ok(pieces)
}

/// A prompt ready for a model.
pub(super) struct Made {
    pub ids: Vec<u32>,
    /// Tokens of the judge tokens behind it.
    pub labels: Vec<Vec<u32>>,
    pub truncated: bool,
}

/// A verdict to be learned: a prompt, and behind it what the judge is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    pub ids: Vec<u32>,
    /// The judge token's first place.
    pub from: usize,
    /// Whether a response or a rationale was cut.
    pub truncated: bool,
}

/// What a prompt of a principle is made with.
pub(super) struct Maker<'a> {
    pub form: &'a Form,
    pub facts: &'a Facts,
    pub tokens: &'a [String; 2],
    pub truncate: Truncate,
    pub as_released: bool,
}

impl Maker<'_> {
    /// The prompt of a principle for a pair in an order; `swapped` puts `b` into position A.
    ///
    /// # Errors
    /// A prompt that does not fit; a judge token that does not follow it; what tokenizer and chat template say.
    pub fn make(&self, principle: &Principle, pair: &Pair, swapped: bool) -> Result<Made> {
        let user = principle.fill(pair, swapped);
        let (all, special) = self.form.wrapped(&principle.system, user, &principle.cue)?;
        let labels = self.labels(&all, special)?;
        // All but a label's last token have to be read, too.
        let room = labels.iter().map(|label| label.len() - 1).max();
        let (ids, truncated) = self.fitting(principle, pair, swapped, "", room.unwrap_or(0))?;
        Ok(Made {
            ids,
            labels,
            truncated,
        })
    }

    /// The same with `tail` behind the cue and `room` tokens left behind that, to be gone on from.
    ///
    /// # Errors
    /// A prompt that does not fit; what tokenizer and chat template say.
    pub fn make_to_go_on(
        &self,
        principle: &Principle,
        pair: &Pair,
        swapped: bool,
        tail: &str,
        room: usize,
    ) -> Result<Vec<u32>> {
        Ok(self.fitting(principle, pair, swapped, tail, room)?.0)
    }

    /// The prompt with the judge token of a position and `behind` it, all of at most `limit` tokens. The responses give
    /// way first; where `behind` alone takes more than half of the tokens, its end is cut, never the judge token.
    ///
    /// # Errors
    /// As [`Maker::make`]; what stands behind the judge token changing it.
    pub fn make_to_learn(
        &self,
        principle: &Principle,
        (pair, swapped): (&Pair, bool),
        position: usize,
        behind: &[Piece],
        limit: usize,
    ) -> Result<Lesson> {
        let limit = limit.min(self.facts.context);
        let user = principle.fill(pair, swapped);
        let (all, special) = self.form.wrapped(&principle.system, user, &principle.cue)?;
        let labels = self.labels(&all, special)?;
        let (Some(label), Some(token)) = (labels.get(position), self.tokens.get(position)) else {
            return Err(JudgeError::Prompt(format!("no position {position}")));
        };
        let mut target = label.clone();
        if !behind.is_empty() {
            let more: Vec<Piece> = [Piece::template(token)]
                .into_iter()
                .chain(behind.to_vec())
                .collect();
            let whole = self.extension(&all, special, &more)?;
            target = whole.filter(|ids| ids.starts_with(label)).ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "judge token `{token}` is other tokens where a rationale follows it: begin the templates' \
                     `rationale` otherwise"
                ))
            })?;
        }
        let longest = label.len().max(limit / 2);
        let cut = target.len() > longest;
        target.truncate(longest);
        let room = self.facts.context - limit + target.len();
        let (mut ids, truncated) = self.fitting(principle, pair, swapped, "", room)?;
        let from = ids.len();
        ids.extend(target);
        Ok(Lesson {
            ids,
            from,
            truncated: truncated || cut,
        })
    }

    /// Ids that fit, and whether something was cut.
    fn fitting(
        &self,
        principle: &Principle,
        pair: &Pair,
        swapped: bool,
        tail: &str,
        room: usize,
    ) -> Result<(Vec<u32>, bool)> {
        let limit = self.facts.context.saturating_sub(room);
        let cue = format!("{}{tail}", principle.cue);
        let mut user = principle.fill(pair, swapped);
        let mut truncated = false;
        // Each round cuts by what was measured; joining cut ends may cost a token or two more.
        for _ in 0..8 {
            let (all, special) = self.form.wrapped(&principle.system, user.clone(), &cue)?;
            let mut encoded = self.encode(&all, special)?;
            if self.as_released {
                let limit = limit.min(RELEASED_TOKENS);
                truncated |= self.cut_left(&mut encoded, limit, cue.len(), &all)?;
            }
            let over = encoded.ids.len().saturating_sub(limit);
            if over == 0 {
                return Ok((encoded.ids, truncated));
            }
            if self.truncate == Truncate::Error {
                return Err(JudgeError::Prompt(format!(
                    "the prompt has {} tokens, {limit} fit: allow cutting with --truncate middle",
                    encoded.ids.len()
                )));
            }
            truncated = true;
            cut_responses(&mut user, &all, &encoded, over, self.truncate)?;
        }
        Err(JudgeError::Prompt(format!(
            "the prompt does not fit into {limit} tokens even with its responses cut"
        )))
    }

    /// Encodes without what the tokenizer puts behind a text: the judge token comes there.
    fn encode(&self, all: &[Piece], special: bool) -> Result<Encoded> {
        Ok(self.facts.tokenizer.encode_open(all, special)?)
    }

    /// The ids by which each judge token extends the prompt.
    fn labels(&self, all: &[Piece], special: bool) -> Result<Vec<Vec<u32>>> {
        let of = |token: &String| {
            let tokens = self.extension(all, special, &[Piece::template(token)])?;
            tokens.ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "judge token `{token}` does not follow the prompt as tokens of its own: end the template's \
                     `assistant` otherwise, or set others with --judge-tokens"
                ))
            })
        };
        self.tokens.iter().map(of).collect()
    }

    /// The ids by which `more` extends a prompt; `None` where it changes the prompt's own.
    fn extension(&self, all: &[Piece], special: bool, more: &[Piece]) -> Result<Option<Vec<u32>>> {
        // What the data say changes nothing behind the last of them, and encoding it takes time.
        let tail = all.iter().rposition(|piece| piece.slot.is_some());
        let tail = &all[tail.map_or(0, |at| at + 1)..];
        let (tail, special) = match tail.iter().any(|piece| !piece.text.is_empty()) {
            true => (tail, false),
            false => (all, special),
        };
        let prompt = self.encode(tail, special)?.ids;
        let with: Vec<Piece> = tail.iter().chain(more).cloned().collect();
        let ids = self.encode(&with, special)?.ids;
        let tokens = ids.strip_prefix(prompt.as_slice());
        Ok(tokens.filter(|t| !t.is_empty()).map(<[u32]>::to_vec))
    }

    /// Drops tokens on the left, behind a BOS; whether there were too many.
    fn cut_left(
        &self,
        encoded: &mut Encoded,
        limit: usize,
        cue_bytes: usize,
        all: &[Piece],
    ) -> Result<bool> {
        let over = encoded.ids.len().saturating_sub(limit);
        if over == 0 {
            return Ok(false);
        }
        let bos = match self.form {
            Form::Chat(chat, _) => self.facts.tokenizer.id(chat.ends().0),
            Form::Plain(..) => None,
        };
        // What stands for no text was put there by the tokenizer.
        let stays = |(id, (a, b)): &(&u32, &(usize, usize))| a == b || Some(**id) == bos;
        let begins = encoded.ids.iter().zip(&encoded.offsets);
        let kept = begins.take_while(stays).count();
        let bytes: usize = all.iter().map(|piece| piece.text.len()).sum();
        let is_cue = |(_, end): &(usize, usize)| *end > bytes.saturating_sub(cue_bytes);
        let cut = kept..kept + over;
        let gone = encoded.offsets.get(cut.clone()).unwrap_or_default();
        if gone.len() < over || gone.iter().any(is_cue) {
            return Err(JudgeError::Prompt(format!(
                "the answer cue alone has more than {limit} tokens"
            )));
        }
        encoded.ids.drain(cut.clone());
        encoded.offsets.drain(cut);
        Ok(true)
    }
}

/// Shortens the responses by `over` tokens in all, the longer one first: both then have the same say.
fn cut_responses(
    user: &mut [Piece],
    all: &[Piece],
    encoded: &Encoded,
    over: usize,
    truncate: Truncate,
) -> Result<()> {
    const SIDES: [&str; 2] = ["response_a", "response_b"];
    let tokens = SIDES.map(|side| tokens_of(side, all, encoded));
    let counts = [tokens[0].len(), tokens[1].len()];
    let left = (counts[0] + counts[1]).saturating_sub(over);
    let keep = match counts[0].min(counts[1]) {
        // The shorter one stays whole where that leaves the longer one at least as much.
        short if 2 * short <= left => left - short,
        _ => left / 2,
    };
    let mut any = false;
    for (side, tokens) in SIDES.iter().zip(&tokens) {
        for piece in user.iter_mut().filter(|p| p.slot == Some(side)) {
            let text = shortened(&piece.text, tokens, keep.min(tokens.len()), truncate);
            any |= text != piece.text;
            piece.text = text;
        }
    }
    match any {
        true => Ok(()),
        false => Err(JudgeError::Prompt(
            "the prompt does not fit into the model's context, and its responses are not what takes the room"
                .into(),
        )),
    }
}

/// Byte ranges within a slot's text of its tokens, at the slot's first place.
fn tokens_of(slot: &str, all: &[Piece], encoded: &Encoded) -> Vec<(usize, usize)> {
    let mut start = 0;
    for piece in all {
        let end = start + piece.text.len();
        if piece.slot == Some(slot) {
            let inside = encoded
                .offsets
                .iter()
                .filter(|(a, b)| a < b && *a >= start && *b <= end);
            return inside.map(|(a, b)| (a - start, b - start)).collect();
        }
        start = end;
    }
    Vec::new()
}
