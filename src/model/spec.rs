//! One string names any model.

use std::path::{Path, PathBuf};

use super::{ModelError, Result};

/// Where bundled data (the samples, the starter) lies.
///
/// Looked for in `JUROR_SHARE`, beside the executable (and in `../share/juror` from there), and in
/// the working directory: the first that holds a `sample_data` folder.
///
/// # Errors
/// When none does; the error says where was looked.
pub fn share() -> Result<PathBuf> {
    let mut places = Vec::new();
    if let Some(set) = std::env::var_os("JUROR_SHARE") {
        places.push(PathBuf::from(set));
    }
    if let Ok(executable) = std::env::current_exe()
        && let Some(folder) = executable.parent()
    {
        places.push(folder.to_owned());
        places.push(folder.join("../share/juror"));
    }
    places.push(PathBuf::from("."));
    if let Some(found) = places.iter().find(|p| p.join("sample_data").is_dir()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    Err(ModelError::Spec {
        spec: "starter".into(),
        cause: format!("no folder `sample_data` in {}", looked.join(", ")),
        cure: "set JUROR_SHARE to the folder that holds `sample_data`, or start Juror there".into(),
    })
}

/// The folder of the model that a string names.
///
/// # Errors
/// Names that lead nowhere, with what would.
pub fn resolve(spec: &str) -> Result<PathBuf> {
    let wrong = |cause: String, cure: &str| ModelError::Spec {
        spec: spec.to_owned(),
        cause,
        cure: cure.to_owned(),
    };
    if spec == "starter" {
        return Ok(share()?.join("sample_data").join("starter"));
    }
    let elsewhere = ["hf:", "http://", "https://"];
    if elsewhere.iter().any(|e| spec.starts_with(e)) {
        return Err(wrong(
            "hubs and servers cannot be read yet".into(),
            "name `starter`, a GGUF file or a folder in Hugging Face layout (config.json, \
             tokenizer.json, *.safetensors)",
        ));
    }
    let path = Path::new(spec);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !path.is_dir() {
        return Err(wrong(
            "there is no such folder".into(),
            "name `starter` or a folder in Hugging Face layout (config.json, tokenizer.json, \
             *.safetensors)",
        ));
    }
    if !path.join("config.json").is_file() {
        return Err(wrong(
            "the folder has no config.json".into(),
            "name a folder in Hugging Face layout (config.json, tokenizer.json, *.safetensors)",
        ));
    }
    Ok(path.to_owned())
}

/// The name shown for a model: `starter`, or its folder's.
pub fn short_name(spec: &str) -> String {
    let name = Path::new(spec).file_name().and_then(|n| n.to_str());
    name.unwrap_or(spec).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_with_a_cure() {
        for (spec, cause) in [
            ("hf:org/name", "cannot be read yet"),
            ("judge.gguf", "cannot be read yet"),
            ("/nowhere/at/all", "no such folder"),
            ("src", "no config.json"),
        ] {
            let error = resolve(spec).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains(spec), "{error}");
        }
        assert_eq!(short_name("/models/qwen2-0.5b/"), "qwen2-0.5b");
    }
}
