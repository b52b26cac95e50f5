//! Why a row is not kept.

use serde::{Deserialize, Serialize};

/// Each dropped row has one: the first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No record could be made of it.
    Unreadable,
    /// The task has no letter or digit.
    Empty,
    /// The task is shorter than the limits.
    TooShort,
    /// The task, or a response, is longer than the limits.
    TooLong,
    /// Damaged characters.
    Encoding,
    /// A slot of a template was never filled.
    Placeholder,
    /// Hardly any letters.
    Symbols,
    /// The same words over and over.
    Repeated,
    /// All responses are empty.
    NoResponse,
    /// A response declines.
    Refusal,
    /// A language that is not asked for.
    Language,
    /// Shares its words with a test set.
    Contaminated,
    /// Equal to an earlier row in the form that is compared.
    ExactDuplicate,
    /// Nearly equal to an earlier row.
    NearDuplicate,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 14] = [
        Reason::Unreadable,
        Reason::Empty,
        Reason::TooShort,
        Reason::TooLong,
        Reason::Encoding,
        Reason::Placeholder,
        Reason::Symbols,
        Reason::Repeated,
        Reason::NoResponse,
        Reason::Refusal,
        Reason::Language,
        Reason::Contaminated,
        Reason::ExactDuplicate,
        Reason::NearDuplicate,
    ];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable",
            Reason::Empty => "empty",
            Reason::TooShort => "too_short",
            Reason::TooLong => "too_long",
            Reason::Encoding => "encoding",
            Reason::Placeholder => "placeholder",
            Reason::Symbols => "symbols",
            Reason::Repeated => "repeated",
            Reason::Language => "language",
            Reason::NoResponse => "no_response",
            Reason::Refusal => "refusal",
            Reason::Contaminated => "contaminated",
            Reason::ExactDuplicate => "exact_duplicate",
            Reason::NearDuplicate => "near_duplicate",
        }
    }
}

/// A row that is not kept, with what speaks against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// Why.
    pub reason: Reason,
    /// The figure or the words it rests on.
    pub detail: String,
}

impl Drop {
    /// A reason with its detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Drop {
            reason,
            detail: detail.into(),
        }
    }
}
