//! Which of a repository's files a model consists of.

use super::trouble::Trouble;

/// What is wanted of a repository that names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Configuration, tokenizer, weights.
    Model,
    /// A LoRA adapter in PEFT's format.
    Adapter,
}

pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const ADAPTER: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

/// Without these a model cannot be read.
pub(super) const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];

/// These shape what a model computes or how it is asked, where a repository has them.
pub(super) const SHAPING: [&str; 6] = [
    "generation_config.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "juror.toml",
    INDEX,
];

/// The small files to fetch first.
pub(super) fn small(files: &[String], want: Want) -> Result<Vec<String>, Trouble> {
    let has = |name: &str| files.iter().any(|f| f == name);
    let present = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .filter(|n| has(n))
            .map(|n| (*n).to_owned())
            .collect()
    };
    if want == Want::Adapter {
        return match ADAPTER.iter().find(|n| !has(n)) {
            None => Ok(present(&ADAPTER[..1])),
            Some(missing) => Err(Trouble::new(
                format!("the repository has no {missing}"),
                "name an adapter in PEFT's format (adapter_config.json, adapter_model.safetensors)",
            )),
        };
    }
    let ggufs: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|f| f.ends_with(".gguf"))
        .collect();
    if !files.iter().any(|f| is_weights(f)) && !ggufs.is_empty() {
        return Err(Trouble::new(
            "the repository has several formats of one model in GGUF files",
            format!("name one of its files after a colon: {}", ggufs.join(", ")),
        ));
    }
    if !has("config.json") && has(ADAPTER[0]) {
        return Err(Trouble::new(
            "the repository is an adapter, not a model",
            "name it after its base model: MODEL+hf:ORG/NAME",
        ));
    }
    if let Some(missing) = NEEDED.iter().find(|n| !has(n)) {
        return Err(Trouble::new(
            format!("the repository has no {missing}"),
            "name a model with config.json, tokenizer.json and *.safetensors",
        ));
    }
    let mut chosen = present(&NEEDED);
    chosen.extend(present(&SHAPING));
    Ok(chosen)
}

/// The large files: those of the index, if there is one, so that a second copy of the weights in
/// another arrangement stays where it is.
pub(super) fn large(
    files: &[String],
    want: Want,
    index: Option<&str>,
) -> Result<Vec<String>, Trouble> {
    if want == Want::Adapter {
        return Ok(vec![ADAPTER[1].to_owned()]);
    }
    if let Some(index) = index {
        return indexed(index).ok_or_else(|| {
            Trouble::new(
                format!("{INDEX} has no object `weight_map` of file names"),
                "the repository is damaged: name another revision after @",
            )
        });
    }
    let weights = files.iter().filter(|f| is_weights(f));
    let chosen: Vec<String> = match files.iter().any(|f| f == "model.safetensors") {
        true => vec!["model.safetensors".to_owned()],
        false => weights.cloned().collect(),
    };
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(Trouble::new(
            "the repository has no *.safetensors file",
            "name a model that has (weights in PyTorch's .bin format are not read)",
        )),
    }
}

/// The files that an index names.
pub(super) fn indexed(text: &str) -> Option<Vec<String>> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let names = json["weight_map"].as_object()?.values();
    let names = names.map(|v| {
        v.as_str()
            .filter(|n| super::name::is_inside(n))
            .map(str::to_owned)
    });
    let set: std::collections::BTreeSet<String> = names.collect::<Option<_>>()?;
    (!set.is_empty()).then(|| set.into_iter().collect())
}

/// Weights at the top of a repository, not those of an adapter or an export in a folder.
pub(super) fn is_weights(file: &str) -> bool {
    file.ends_with(".safetensors") && !file.contains('/') && !file.starts_with("adapter_")
}

/// The one GGUF file that is named.
pub(super) fn gguf(files: &[String], wanted: &str) -> Result<(), Trouble> {
    if files.iter().any(|f| f == wanted) {
        return Ok(());
    }
    let ggufs: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|f| f.ends_with(".gguf"))
        .collect();
    Err(Trouble::new(
        format!("the repository has no file {wanted}"),
        match ggufs.is_empty() {
            true => {
                "it has no .gguf file at all: leave the file out, or name another repository".into()
            }
            false => format!("it has {}", ggufs.join(", ")),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn one_copy_of_the_weights_is_chosen() {
        let all = files(&[
            "config.json",
            "tokenizer.json",
            "README.md",
            "model.safetensors",
            "onnx/model.safetensors",
            "adapter_model.safetensors",
            "consolidated.safetensors",
        ]);
        assert_eq!(
            small(&all, Want::Model).unwrap(),
            ["config.json", "tokenizer.json"]
        );
        assert_eq!(
            large(&all, Want::Model, None).unwrap(),
            ["model.safetensors"]
        );
        let index =
            r#"{"weight_map":{"a":"m-2.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}}"#;
        assert_eq!(
            large(&all, Want::Model, Some(index)).unwrap(),
            ["m-1.safetensors", "m-2.safetensors"]
        );
        assert!(large(&all, Want::Model, Some(r#"{"weight_map":{"a":"../x"}}"#)).is_err());
    }

    #[test]
    fn what_is_missing_comes_with_a_cure() {
        let gguf_only = files(&["q4.gguf", "q8.gguf"]);
        assert!(
            small(&gguf_only, Want::Model)
                .unwrap_err()
                .cure
                .contains("q4.gguf, q8.gguf")
        );
        assert!(
            gguf(&gguf_only, "q5.gguf")
                .unwrap_err()
                .cure
                .contains("q4.gguf")
        );
        let adapter = files(&["adapter_config.json", "adapter_model.safetensors"]);
        assert!(
            small(&adapter, Want::Model)
                .unwrap_err()
                .cure
                .contains("MODEL+hf:")
        );
        assert_eq!(
            small(&adapter, Want::Adapter).unwrap(),
            ["adapter_config.json"]
        );
        let bin = files(&["config.json", "tokenizer.json", "pytorch_model.bin"]);
        assert!(
            large(&bin, Want::Model, None)
                .unwrap_err()
                .cause
                .contains("no *.safetensors")
        );
    }
}
