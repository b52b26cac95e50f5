//! Scored rows as commands that compare them with labels take them.

use std::path::Path;

use anyhow::{Error, Result, anyhow, bail};

use crate::data::scored::{self, LOWER_IS_BETTER, Scored, Wanted};

/// Reads a file, tells of rows that cannot be read and of rows that hardly belong together; how many cannot be.
///
/// # Errors
/// What reading says, and conditions that no row meets.
pub fn read(path: &Path, wanted: &Wanted) -> Result<(Scored, usize)> {
    let (rows, errors) = scored::read(path, wanted)?;
    super::tell(&errors);
    let place = path.display();
    if rows.is_empty() {
        bail!("{place}: no row is left by --where");
    }
    if rows.mixed {
        note!("juror: {place}: rows of several judges or templates are evaluated as one");
    }
    if rows.modes.len() > 1 {
        note!(
            "juror: {place}: rows with and without a reference are evaluated as one; `--where mode=reference` takes some \
             of them"
        );
    }
    Ok((rows, errors.len()))
}

/// Whether a row has the label.
pub fn is_labelled(rows: &Scored) -> bool {
    rows.label.iter().any(|label| !label.is_nan())
}

/// Says that no row has the label.
pub fn no_label(path: &Path, label: &str) -> Error {
    anyhow!(
        "{}: no row has the label `{label}`; `labels` and `meta` of the rows say which there are, and `juror score \
         --labels NAME` takes more of them",
        path.display()
    )
}

/// Ends of the scale that a signal is on, where it has some.
pub fn scale(rows: &Scored, signal: &str) -> Option<(f64, f64)> {
    let on_scale = signal.starts_with("self_eval") || signal == "generated";
    let by_range = |fusion: &String| fusion.starts_with("range");
    match signal {
        "cosine" => Some((-1.0, 1.0)),
        "fused" if rows.fusion.as_ref().is_none_or(by_range) => Some((0.0, 1.0)),
        _ => rows.scale.filter(|_| on_scale),
    }
}

/// A signal that can be cut: the one asked for, or the one that is taken without asking.
///
/// # Errors
/// A signal of which the lower number is the better one, and one that no row has.
pub fn answering<'a>(rows: &Scored, asked: Option<&'a str>) -> Result<&'a str> {
    if let Some(asked) = asked.filter(|asked| LOWER_IS_BETTER.contains(asked)) {
        // Answered are high scores.
        bail!("a lower `{asked}` is the better one, so there is no score from which on to answer");
    }
    let name = asked.unwrap_or_else(|| rows.default_signal());
    rows.signal(name).map_err(Error::msg)?;
    Ok(name)
}
