//! What a student's four losses say: instruction-following difficulty (IFD) and its reverse (rIFD).

use serde::{Deserialize, Serialize};

/// The student's numbers of a pair; what is undefined is `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Perplexities of x, r, x behind r, r behind x: the order of the published analysis files.
    pub ppl: [Option<f64>; 4],
    /// Mean negative log-likelihoods in nats a token, in the same order.
    pub loss: [Option<f64>; 4],
}

/// Names of the data fields, `Q` the instruction and `A` the response, in the order of the analysis files.
const FIELDS: [&str; 4] = ["Q_direct", "A_direct", "Q_condition", "A_condition"];

/// The ratios' names.
pub const RATIOS: [&str; 4] = ["ifd_ppl", "rifd_ppl", "ifd_loss", "rifd_loss"];

/// A line of an analysis file as the released scripts write it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Analysis {
    pub ppl: [Option<f64>; 4],
    pub loss: [Option<f64>; 4],
}

fn ratio([above, below]: [Option<f64>; 2]) -> Option<f64> {
    let ratio = above? / below?;
    ratio.is_finite().then_some(ratio)
}

impl Statistics {
    /// Of the losses L(x), L(r), L(x|r), L(r|x).
    pub fn of(loss: [Option<f64>; 4]) -> Self {
        let ppl = |loss: Option<f64>| loss.map(f64::exp).filter(|ppl| ppl.is_finite());
        Statistics {
            ppl: loss.map(ppl),
            loss,
        }
    }

    /// `IFD = ppl(r|x) / ppl(r)`: how little the instruction helps to foresee the response.
    pub fn ifd_ppl(&self) -> Option<f64> {
        ratio([self.ppl[3], self.ppl[1]])
    }

    /// `rIFD = ppl(x|r) / ppl(x)`: how little the response helps to foresee the instruction.
    pub fn rifd_ppl(&self) -> Option<f64> {
        ratio([self.ppl[2], self.ppl[0]])
    }

    /// `L(r|x) / L(r)`.
    pub fn ifd_loss(&self) -> Option<f64> {
        ratio([self.loss[3], self.loss[1]])
    }

    /// `L(x|r) / L(x)`.
    pub fn rifd_loss(&self) -> Option<f64> {
        ratio([self.loss[2], self.loss[0]])
    }

    /// In the order of [`RATIOS`].
    pub fn ratios(&self) -> [Option<f64>; 4] {
        [
            self.ifd_ppl(),
            self.rifd_ppl(),
            self.ifd_loss(),
            self.rifd_loss(),
        ]
    }

    /// The data fields with their names: `ppl_*`, `loss_*` and the ratios.
    pub fn fields(&self) -> impl Iterator<Item = (String, Option<f64>)> {
        let of = |kind: &'static str, values: [Option<f64>; 4]| {
            let named = FIELDS.into_iter().zip(values);
            named.map(move |(name, value)| (format!("{kind}_{name}"), value))
        };
        let ratios = RATIOS.into_iter().map(str::to_owned).zip(self.ratios());
        of("ppl", self.ppl)
            .chain(of("loss", self.loss))
            .chain(ratios)
    }
}

impl From<&Statistics> for Analysis {
    fn from(found: &Statistics) -> Self {
        Analysis {
            ppl: found.ppl,
            loss: found.loss,
        }
    }
}

impl From<Analysis> for Statistics {
    /// The released scripts write 0 for what they could not compute; no perplexity is 0.
    fn from(read: Analysis) -> Self {
        let mut found = Statistics {
            ppl: read.ppl,
            loss: read.loss,
        };
        for (ppl, loss) in found.ppl.iter_mut().zip(&mut found.loss) {
            if ppl.is_some_and(|ppl| ppl <= 0.0) {
                (*ppl, *loss) = (None, None);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_what_is_behind_to_what_is_alone() {
        let of = |ppl: f64| Some(ppl.ln());
        let found = Statistics::of([of(8.0), of(10.0), of(2.0), of(5.0)]);
        let close = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-12);
        close(found.ifd_ppl(), 0.5);
        close(found.rifd_ppl(), 0.25);
        close(found.ifd_loss(), 5f64.ln() / 10f64.ln());
        close(found.rifd_loss(), 2f64.ln() / 8f64.ln());
    }

    #[test]
    fn what_is_undefined_is_never_zero() {
        let found = Statistics::of([Some(1.0), None, Some(1e9), Some(0.0)]);
        assert_eq!(found.ratios(), [None, None, None, Some(1e9)]);
        assert_eq!(found.ppl[2], None, "too large for a number");
        let certain = Statistics::of([Some(0.0); 4]);
        assert_eq!((certain.ifd_ppl(), certain.ifd_loss()), (Some(1.0), None));
        let released = Analysis {
            ppl: [Some(0.0), Some(2.0), Some(3.0), Some(4.0)],
            loss: [Some(0.0); 4],
        };
        let read = Statistics::from(released);
        assert_eq!(
            (read.ppl[0], read.loss[0], read.loss[1]),
            (None, None, Some(0.0))
        );
    }
}
