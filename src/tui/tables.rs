//! Records, labels, preference pairs and reports, as files.

use super::effect::Write;

/// Writes what is a table or a report.
///
/// # Errors
/// A sentence with the file and the cause.
pub fn write(write: Write) -> Result<String, String> {
    let path = match &write {
        Write::Export { path, .. } | Write::Report { path, .. } | Write::Preset { path, .. } => {
            path.display().to_string()
        }
        Write::Scores { run, .. } => format!("run {}", run.id),
    };
    Err(format!("{path}: not written"))
}
