//! Text to token ids, such that special tokens count only where a template wrote them.

mod characters;
mod published;

use std::path::Path;

use serde_json::Value;

use self::published::Published;
use super::{ModelError, Result, files};

pub use self::characters::{BEGIN, Mark, mark_of, marked_chat, text_of};

/// A stretch of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// The slot that a person's data filled, or `None` for the template's own words.
    pub slot: Option<&'static str>,
}

impl Piece {
    /// The template's own words.
    pub fn template(text: impl Into<String>) -> Self {
        Piece {
            text: text.into(),
            slot: None,
        }
    }

    /// Data in a slot.
    pub fn data(slot: &'static str, text: impl Into<String>) -> Self {
        Piece {
            text: text.into(),
            slot: Some(slot),
        }
    }
}

/// Token ids with the bytes of the text that each stands for (empty for tokens that stand for
/// none, like a BOS).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Byte ranges in the joined text of the pieces.
    pub offsets: Vec<(usize, usize)>,
}

/// A model's tokenizer.
pub struct Tokenizer(Kind);

enum Kind {
    /// As published with the model.
    Published(Box<Published>),
    /// Of a model that is out of sight: its server takes texts, so the tokens that we can name are characters, and marks
    /// where a text or a turn begins.
    Characters,
}

/// Bytes of a text that are tokenized at most: they take some seconds and half a gigabyte, and no model reads so much.
pub const LONGEST: usize = 8 << 20;

impl Tokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// Unreadable or malformed, named.
    pub fn read(path: &Path) -> Result<Self> {
        let json = files::read_json(path)?;
        Self::from_json(&json).map_err(|e| ModelError::file(path, e))
    }

    pub(super) fn from_json(json: &Value) -> Result<Self> {
        Ok(Tokenizer(Kind::Published(Box::new(Published::from_json(
            json,
        )?))))
    }

    /// Characters in place of the tokens of a model that is out of sight.
    pub fn characters() -> Self {
        Tokenizer(Kind::Characters)
    }

    /// How many tokens there are, added ones among them; 0 where the vocabulary is out of sight.
    pub fn size(&self) -> u32 {
        match &self.0 {
            Kind::Published(own) => own.size(),
            Kind::Characters => 0,
        }
    }

    /// Encodes joined pieces. With `special`, the tokenizer's post-processor adds what it adds
    /// (such as BOS). An added token inside data is encoded as the plain text it is.
    ///
    /// # Errors
    /// What the tokenizer says; a text above [`LONGEST`].
    pub fn encode(&self, pieces: &[Piece], special: bool) -> Result<Encoded> {
        let bytes: usize = pieces.iter().map(|piece| piece.text.len()).sum();
        if bytes > LONGEST {
            return Err(ModelError::Text(format!(
                "a text of {} MiB: up to {} are tokenized",
                bytes >> 20,
                LONGEST >> 20
            )));
        }
        match &self.0 {
            Kind::Published(own) => own.encode(pieces, special),
            Kind::Characters => Ok(characters::encode(pieces, special)),
        }
    }

    /// Encodes a text that something is to follow: as [`Tokenizer::encode`], without what the post-processor puts
    /// behind it.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn encode_open(&self, pieces: &[Piece], special: bool) -> Result<Encoded> {
        let mut encoded = self.encode(pieces, special)?;
        let last = encoded.offsets.iter().rposition(|(start, end)| start < end);
        let keep = last.map_or(0, |last| last + 1);
        encoded.ids.truncate(keep);
        encoded.offsets.truncate(keep);
        Ok(encoded)
    }

    /// Encodes a text of a person's: nothing in it is special.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn encode_data(&self, text: &str, special: bool) -> Result<Encoded> {
        self.encode(&[Piece::data("text", text)], special)
    }

    /// Whether a text has in it what is an added token where a template wrote it.
    pub fn imitates_added(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Published(own) => own.imitates_added(text),
            Kind::Characters => false,
        }
    }

    /// Its special tokens as they are written; none where the vocabulary is out of sight.
    pub fn special(&self) -> impl Iterator<Item = &str> {
        let own = match &self.0 {
            Kind::Published(own) => own.special(),
            Kind::Characters => &[],
        };
        own.iter().map(String::as_str)
    }

    /// Whether an id is that of an added token, blanks apart.
    pub fn is_added(&self, id: u32) -> bool {
        match &self.0 {
            Kind::Published(own) => own.is_added(id),
            Kind::Characters => mark_of(id).is_some(),
        }
    }

    /// Text of ids, special tokens left out.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match &self.0 {
            Kind::Published(own) => own.decode(ids),
            Kind::Characters => Ok(text_of(ids)),
        }
    }

    /// A token as the vocabulary writes it.
    pub fn token(&self, id: u32) -> Option<String> {
        match &self.0 {
            Kind::Published(own) => own.token(id),
            Kind::Characters => char::from_u32(id).map(String::from),
        }
    }

    /// The id of a token of the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        match &self.0 {
            Kind::Published(own) => own.id(token),
            Kind::Characters => None,
        }
    }
}
