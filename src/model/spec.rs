//! One string names any model.

use std::path::{Path, PathBuf};

use super::hub::{Hub, Name, Progress, Want};
use super::{ModelError, Result};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The one that ships with Juror.
    Starter,
    /// A folder in Hugging Face layout.
    Folder(PathBuf),
    /// A file with everything in it.
    Gguf(PathBuf),
    /// A repository on the hub, with revision and file.
    Hub(Name),
    /// A model on an OpenAI-compatible server, or on several.
    Server { urls: Vec<String>, model: String },
}

/// `MODEL[+ADAPTER…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub source: Source,
    /// LoRA adapters, folders or repositories on the hub: each changes what those before it have left.
    pub adapters: Vec<Source>,
}

/// What a name leads to on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// A model's folder, or a GGUF file.
    pub path: PathBuf,
    /// Folders of adapters, in the order in which they are merged.
    pub adapters: Vec<PathBuf>,
}

const NAMES: &str = "name `starter`, a folder in Hugging Face layout (config.json, tokenizer.json, \
                     *.safetensors), a .gguf file, hf:ORG/NAME[@REVISION][:FILE.gguf], or https://HOST/v1#MODEL";

fn wrong(spec: &str, cause: impl Into<String>, cure: impl Into<String>) -> ModelError {
    ModelError::Spec {
        spec: spec.to_owned(),
        cause: cause.into(),
        cure: cure.into(),
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(wrong(text, "an empty name", NAMES));
        }
        if text == "starter" {
            return Ok(Source::Starter);
        }
        if let Some(name) = text.strip_prefix("hf:") {
            let name = Name::parse(name);
            let shape = "hf:ORG/NAME[@REVISION][:FILE.gguf] is expected";
            return name
                .map(Source::Hub)
                .map_err(|cause| wrong(text, cause, shape));
        }
        let path = PathBuf::from(text);
        let is_file = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
        Ok(match is_file && !path.is_dir() {
            true => Source::Gguf(path),
            false => Source::Folder(path),
        })
    }
}

impl Spec {
    /// Tells the parts of a name apart. Only where a `+` could be part of a path is the disk asked.
    ///
    /// # Errors
    /// A name that can be none, with what can.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Spec {
                source: servers(text)?,
                adapters: Vec::new(),
            });
        }
        let (model, mut rest) = split(text);
        let source = Source::parse(model)?;
        let mut adapters = Vec::new();
        while let Some(more) = rest {
            let name;
            (name, rest) = split(more);
            adapters.push(adapter(text, name)?);
        }
        Ok(Spec { source, adapters })
    }
}

/// `URL#MODEL[,URL#MODEL…]`: servers of one model.
fn servers(text: &str) -> Result<Source> {
    let shape = "https://HOST/v1#MODEL is expected";
    let (mut urls, mut name) = (Vec::new(), None);
    for one in text.split(',').map(str::trim) {
        let (url, model) = one
            .split_once('#')
            .filter(|(_, model)| !model.is_empty())
            .ok_or_else(|| wrong(text, "the server's model is not named", shape))?;
        if *name.get_or_insert(model) != model {
            return Err(wrong(
                text,
                "servers of different models",
                "servers share the work of one model: give all the same #MODEL",
            ));
        }
        urls.push(url.trim_end_matches('/').to_owned());
    }
    match name {
        Some(model) => Ok(Source::Server {
            urls,
            model: model.to_owned(),
        }),
        None => Err(wrong(text, "the server's model is not named", shape)),
    }
}

/// One of the names that follow a `+` in `text`.
fn adapter(text: &str, name: &str) -> Result<Source> {
    match Source::parse(name)? {
        Source::Starter | Source::Gguf(_) | Source::Server { .. } => {
            let cure = "name a folder with adapter_config.json and adapter_model.safetensors, or hf:ORG/NAME, after the +";
            let cause = format!("{name}, which follows a +, is no adapter");
            Err(wrong(text, cause, cure))
        }
        Source::Hub(Name {
            file: Some(file), ..
        }) => Err(wrong(
            text,
            format!("the adapter's file {file} cannot be chosen"),
            "leave it out",
        )),
        source => Ok(source),
    }
}

/// Where the first name ends: names on the hub have no `+`, paths may. The longest path that is there counts; where
/// none is, every `+` ends a name.
fn split(text: &str) -> (&str, Option<&str>) {
    let at = if text.starts_with("hf:") || text.starts_with("starter+") {
        text.find('+')
    } else if Path::new(text).exists() {
        None
    } else {
        let mut places = text.rmatch_indices('+').map(|(at, _)| at);
        let known = places.find(|at| Path::new(&text[..*at]).exists());
        known.or_else(|| text.find('+'))
    };
    match at {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

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
    Err(wrong(
        "starter",
        format!("no folder `sample_data` in {}", looked.join(", ")),
        "set JUROR_SHARE to the folder that holds `sample_data`, or start Juror there",
    ))
}

/// What a name leads to, fetched from the hub where it must be.
///
/// # Errors
/// Names that lead nowhere, with what would; whatever keeps files from being fetched.
pub fn locate(text: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Located> {
    locate_with(&Hub::from_env(), text, progress)
}

/// [`locate`] with a hub of the caller's.
///
/// # Errors
/// As there.
pub fn locate_with(
    hub: &Hub,
    text: &str,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Located> {
    let spec = Spec::parse(text)?;
    // Adapters first: they are small, and without them the model is not needed.
    let mut adapters = Vec::new();
    for adapter in &spec.adapters {
        adapters.push(match adapter {
            Source::Hub(name) => hub.get(name, Want::Adapter, progress)?,
            Source::Folder(path) if path.join("adapter_config.json").is_file() => path.clone(),
            other => {
                let what = match other {
                    Source::Folder(path) => path.display().to_string(),
                    _ => "what follows the +".to_owned(),
                };
                return Err(wrong(
                    text,
                    format!("{what} is no folder with an adapter_config.json"),
                    "name a LoRA adapter in PEFT's format behind the +: a folder, or hf:ORG/NAME",
                ));
            }
        });
    }
    let path = match &spec.source {
        Source::Starter => share()?.join("sample_data").join("starter"),
        Source::Hub(name) => hub.get(name, Want::Model, progress)?,
        Source::Server { .. } => {
            return Err(wrong(
                text,
                "a server keeps its weights to itself, and they are needed here",
                NAMES,
            ));
        }
        Source::Gguf(path) if !path.is_file() => {
            return Err(wrong(text, "there is no such file", NAMES));
        }
        Source::Gguf(path) => path.clone(),
        Source::Folder(path) => {
            if !path.is_dir() {
                return Err(wrong(text, "there is no such folder", NAMES));
            }
            if !path.join("config.json").is_file() {
                return Err(wrong(text, "the folder has no config.json", NAMES));
            }
            path.clone()
        }
    };
    Ok(Located { path, adapters })
}

/// The name shown for a model: `starter`, its folder's or repository's, with its adapters'.
pub fn short_name(text: &str) -> String {
    let last = |text: &str| {
        let name = Path::new(text).file_name().and_then(|n| n.to_str());
        name.unwrap_or(text).to_owned()
    };
    let of = |source: &Source| match source {
        Source::Starter => "starter".to_owned(),
        Source::Folder(path) | Source::Gguf(path) => last(&path.to_string_lossy()),
        Source::Hub(name) => last(name.file.as_ref().unwrap_or(&name.repo)),
        Source::Server { model, .. } => model.clone(),
    };
    match Spec::parse(text) {
        Ok(Spec { source, adapters }) => {
            let names: Vec<String> = std::iter::once(&source).chain(&adapters).map(of).collect();
            names.join("+")
        }
        Err(_) => last(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_with_a_cure() {
        for (spec, cause) in [
            (
                "https://host/v1#judge",
                "a server keeps its weights to itself",
            ),
            ("https://host/v1", "the server's model is not named"),
            ("judge.gguf", "no such file"),
            ("hf:a/b/c", "no ORG/NAME"),
            ("/nowhere/at/all", "no such folder"),
            ("src", "no config.json"),
            ("starter+src", "no folder with an adapter_config.json"),
            (
                "starter+starter",
                "starter, which follows a +, is no adapter",
            ),
            ("starter+src+tests", "src is no folder with"),
        ] {
            let error = locate(spec, &mut |_| ()).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains(spec), "{error}");
        }
    }

    #[test]
    fn every_kind_of_name_is_told_apart() {
        let name = |text: &str| Source::Hub(Name::parse(text).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let plus = folder.path().join("c++");
        std::fs::create_dir(&plus).unwrap();
        let plus = plus.to_str().unwrap();
        let cases = [
            ("starter".to_owned(), Source::Starter, vec![]),
            (
                "./starter".into(),
                Source::Folder("./starter".into()),
                vec![],
            ),
            ("a/b.gguf".into(), Source::Gguf("a/b.gguf".into()), vec![]),
            (
                "hf:org/name@v1:q8.gguf".into(),
                name("org/name@v1:q8.gguf"),
                vec![],
            ),
            (
                "hf:org/name+hf:me/lora".into(),
                name("org/name"),
                vec![name("me/lora")],
            ),
            (
                "starter+out/lora".into(),
                Source::Starter,
                vec![Source::Folder("out/lora".into())],
            ),
            (plus.into(), Source::Folder(plus.into()), vec![]),
            (
                format!("{plus}+x+y"),
                Source::Folder(plus.into()),
                vec![Source::Folder("x".into()), Source::Folder("y".into())],
            ),
            (
                format!("a+{plus}+hf:me/lora+b"),
                Source::Folder("a".into()),
                vec![
                    Source::Folder(plus.into()),
                    name("me/lora"),
                    Source::Folder("b".into()),
                ],
            ),
            (
                "http://localhost:8000/v1/#org/m+x".into(),
                Source::Server {
                    urls: vec!["http://localhost:8000/v1".into()],
                    model: "org/m+x".into(),
                },
                vec![],
            ),
        ];
        for (text, source, adapters) in cases {
            assert_eq!(
                Spec::parse(&text).unwrap(),
                Spec { source, adapters },
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_shown_short() {
        for (text, shown) in [
            ("/models/qwen2-0.5b/", "qwen2-0.5b"),
            ("hf:org/name@v1", "name"),
            ("hf:org/name:sub/q8.gguf", "q8.gguf"),
            ("starter+hf:me/lora", "starter+lora"),
            ("starter+hf:me/lora+out/two", "starter+lora+two"),
            ("https://host/v1#m", "m"),
        ] {
            assert_eq!(short_name(text), shown);
        }
    }
}
