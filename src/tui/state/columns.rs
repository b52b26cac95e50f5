//! Which numbers the list shows for a response.

/// One number of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The deciding number as a bar with the cut on it.
    Bar,
    /// Self-evaluation in the mode shown.
    SelfEval,
    /// Self-evaluation without the reference.
    Free,
    Cosine,
    Fused,
    Verdict,
    /// Characters.
    Length,
    /// What people said.
    Label,
}

impl Column {
    /// All of them with their names, in the order they are shown.
    pub const ALL: [(Column, &'static str); 8] = [
        (Column::Bar, "bar"),
        (Column::SelfEval, "self-eval"),
        (Column::Free, "without reference"),
        (Column::Cosine, "cosine"),
        (Column::Fused, "fused"),
        (Column::Verdict, "verdict"),
        (Column::Length, "length"),
        (Column::Label, "label"),
    ];

    /// Those shown unless others are chosen.
    pub const USUAL: [Column; 4] = [
        Column::Bar,
        Column::SelfEval,
        Column::Verdict,
        Column::Label,
    ];
}
