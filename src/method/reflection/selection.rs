//! Which of the forms of a sample is kept (Li et al. 2024, §3.3).

use serde::{Deserialize, Serialize};

use super::statistics::Statistics;

/// A form of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Form {
    #[serde(rename = "original")]
    Original,
    /// New instruction with its new response.
    #[serde(rename = "Q*")]
    Question,
    /// The original instruction with a better response.
    #[serde(rename = "A*")]
    Answer,
    /// The new instruction with a better response than its own.
    #[serde(rename = "QA*")]
    Both,
}

impl Form {
    /// All, in the order in which they are made.
    pub const ALL: [Form; 4] = [Form::Original, Form::Question, Form::Answer, Form::Both];

    /// As files have it.
    pub fn name(self) -> &'static str {
        match self {
            Form::Original => "original",
            Form::Question => "Q*",
            Form::Answer => "A*",
            Form::Both => "QA*",
        }
    }
}

/// Why a sample is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drop {
    /// IFD or rIFD of the chosen form is not defined.
    Undefined,
    /// IFD ≥ 1: the instruction does not help to foresee the response.
    Ifd,
    /// rIFD ≥ 1: the response does not help to foresee the instruction.
    Rifd,
    /// As released: what ends in the original or in Q* goes.
    Released,
}

impl Drop {
    /// As files have it.
    pub fn name(self) -> &'static str {
        match self {
            Drop::Undefined => "undefined",
            Drop::Ifd => "ifd",
            Drop::Rifd => "rifd",
            Drop::Released => "released",
        }
    }
}

/// The chosen form, and why the sample is dropped, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub form: Form,
    pub dropped: Option<Drop>,
}

/// The student's numbers of each form there is, in the order of [`Form::ALL`].
pub type Candidates = [Option<Statistics>; 4];

/// Whether the new instruction is the better one: the harder to follow.
pub fn takes_question(candidates: &Candidates) -> bool {
    let ifd = |form: Form| candidates[form as usize].and_then(|found| found.ifd_ppl());
    is_less(ifd(Form::Original), ifd(Form::Question))
}

/// The selection. A comparison with what is undefined is false.
pub fn select(candidates: &Candidates, as_released: bool) -> Decision {
    let rifd = |form: Form| candidates[form as usize].and_then(|found| found.rifd_ppl());
    let (from, to) = match takes_question(candidates) {
        true => (Form::Question, Form::Both),
        false => (Form::Original, Form::Answer),
    };
    let form = match is_less(rifd(to), rifd(from)) {
        true => to,
        false => from,
    };
    let chosen = candidates[form as usize].unwrap_or_default();
    let dropped = match (chosen.ifd_ppl(), chosen.rifd_ppl()) {
        (None, _) | (_, None) => Some(Drop::Undefined),
        (Some(ifd), _) if ifd >= 1.0 => Some(Drop::Ifd),
        (_, Some(rifd)) if rifd >= 1.0 => Some(Drop::Rifd),
        _ if as_released && form == from => Some(Drop::Released),
        _ => None,
    };
    Decision { form, dropped }
}

fn is_less(one: Option<f64>, other: Option<f64>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form with these ratios.
    fn with(ifd: Option<f64>, rifd: Option<f64>) -> Option<Statistics> {
        let over = |ratio: Option<f64>| ratio.map(|ratio| 2.0 * ratio);
        Some(Statistics {
            ppl: [Some(2.0), Some(2.0), over(rifd), over(ifd)],
            loss: [None; 4],
        })
    }

    /// (IFD, rIFD) of original, Q*, A*, QA*; form; cause of a drop; the same as released.
    type Row = (
        [(Option<f64>, Option<f64>); 4],
        (Form, Option<Drop>),
        Option<Drop>,
    );

    #[test]
    fn selection_by_table() {
        use Form::*;
        let n = |x: f64| Some(x);
        let (o, none) = ((n(0.5), n(0.5)), (None, None));
        let released = Some(Drop::Released);
        let table: [Row; 14] = [
            // The harder instruction, then the response that tells it better.
            (
                [o, (n(0.6), n(0.5)), (n(0.5), n(0.1)), (n(0.7), n(0.4))],
                (Both, None),
                None,
            ),
            (
                [o, (n(0.6), n(0.5)), (n(0.5), n(0.1)), (n(0.7), n(0.6))],
                (Question, None),
                released,
            ),
            (
                [o, (n(0.4), n(0.1)), (n(0.3), n(0.4)), (n(0.7), n(0.1))],
                (Answer, None),
                None,
            ),
            (
                [o, (n(0.4), n(0.1)), (n(0.3), n(0.6)), (n(0.7), n(0.1))],
                (Original, None),
                released,
            ),
            // Equal is not better.
            (
                [o, (n(0.5), n(0.1)), (n(0.5), n(0.5)), none],
                (Original, None),
                released,
            ),
            (
                [o, (n(0.6), n(0.5)), none, (n(0.1), n(0.5))],
                (Question, None),
                released,
            ),
            // What is undefined wins nothing, and drops where it is chosen.
            ([o, none, none, none], (Original, None), released),
            (
                [none, (n(0.6), n(0.1)), (n(0.6), n(0.1)), none],
                (Original, Some(Drop::Undefined)),
                Some(Drop::Undefined),
            ),
            (
                [(None, n(0.5)), (n(0.6), n(0.1)), (n(0.6), n(0.1)), none],
                (Answer, None),
                None,
            ),
            (
                [o, (n(0.6), None), none, (n(0.6), n(0.1))],
                (Question, Some(Drop::Undefined)),
                Some(Drop::Undefined),
            ),
            (
                [o, none, (None, n(0.1)), none],
                (Answer, Some(Drop::Undefined)),
                Some(Drop::Undefined),
            ),
            // At 1 and above.
            (
                [o, (n(1.0), n(0.5)), none, none],
                (Question, Some(Drop::Ifd)),
                Some(Drop::Ifd),
            ),
            (
                [(n(0.5), n(1.2)), none, (n(0.5), n(1.0)), none],
                (Answer, Some(Drop::Rifd)),
                Some(Drop::Rifd),
            ),
            (
                [o, (n(2.0), n(3.0)), none, (n(0.9), n(0.9))],
                (Both, None),
                None,
            ),
        ];
        for (ratios, (form, dropped), as_released) in table {
            let candidates = ratios.map(|(ifd, rifd)| with(ifd, rifd));
            let decision = Decision { form, dropped };
            assert_eq!(select(&candidates, false), decision, "{ratios:?}");
            let decision = Decision {
                form,
                dropped: as_released,
            };
            assert_eq!(select(&candidates, true), decision, "{ratios:?}");
        }
    }

    #[test]
    fn forms_that_are_not_there_are_not_chosen() {
        let original = with(Some(0.5), Some(0.5));
        let decision = select(&[original, None, None, None], false);
        assert_eq!(
            decision,
            Decision {
                form: Form::Original,
                dropped: None
            }
        );
        assert_eq!(select(&[None; 4], false).dropped, Some(Drop::Undefined));
    }
}
