//! Where Juror keeps its state.

use std::path::PathBuf;

/// `JUROR_HOME`, or the platform's folder for data.
pub fn folder() -> Option<PathBuf> {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|v| !v.is_empty());
        value.map(PathBuf::from)
    };
    if let Some(folder) = set("JUROR_HOME") {
        return Some(folder);
    }
    let home = std::env::home_dir();
    let base = if cfg!(target_os = "macos") {
        home.map(|h| h.join("Library/Application Support"))
    } else if cfg!(windows) {
        set("APPDATA")
    } else {
        set("XDG_DATA_HOME").or_else(|| home.map(|h| h.join(".local/share")))
    };
    base.map(|b| b.join("juror"))
}
