//! The flags that make a judge of pairs, on the commands that compare.

use anyhow::{Result, bail};
use clap::Args;

use super::judge::JudgeArguments;
use crate::judge::pairwise::{PairSetup, PairTemplates, Rule};
use crate::judge::template::Wrap;

#[derive(Args)]
#[command(
    mut_arg("template", |arg| arg.help("The same as --templates")),
    mut_arg("as_released", |arg| arg.help(
        "As the authors' script has it: what is equal counts for the second response, and prompts are cut on the left at \
         2,048 tokens (never the answer cue)"
    )),
    mut_arg("wrap", |arg| arg.help(
        "How turns become a text: chat (the chat template of the templates, else the model's), none (system, user and the \
         answer cue, a blank line between them), or a text with {prompt} around system and user; without it, chat where there \
         is a chat template"
    )),
    mut_arg("truncate", |arg| arg.help(
        "Where a prompt exceeds the context: what to keep of the responses, the longer one cut first"
    )),
    mut_arg("label_prefix", |arg| arg.help("Put before each judge token")),
    mut_arg("python_format", |arg| arg.help("In --templates, {{ and }} stand for braces")),
    mut_arg("embedder", |arg| arg.hide(true)),
    mut_arg("policy", |arg| arg.hide(true)),
    mut_arg("labels_only", |arg| arg.hide(true)),
    mut_arg("weight", |arg| arg.hide(true)),
    mut_arg("long", |arg| arg.hide(true)),
)]
pub struct PairingArguments {
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// How the judge is asked: a YAML file with a `templates:` block as SELF-JUDGE publishes them, or `standard`
    /// (helpfulness, truthfulness and harmlessness, the principle after the responses) or `system-first` (the same before
    /// them); without it, the model's own pairwise.yaml, else standard
    #[arg(long, value_name = "FILE")]
    templates: Option<String>,
    /// Some of the templates' principles
    #[arg(long, value_delimiter = ',')]
    principles: Vec<String>,
    /// The texts behind the answer cue that name position A and position B; without it, the templates', else " A" and " B"
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    judge_tokens: Option<Vec<String>>,
    /// Let the two judge tokens share all probability between them
    #[arg(long)]
    renormalize: bool,
}

impl PairingArguments {
    /// What a judge of pairs needs; differences of scores up to `margin` are ties.
    pub fn setup(&self, margin: f64) -> Result<PairSetup> {
        if !(0.0..=1.0).contains(&margin) {
            bail!("--margin {margin}: a number from 0 to 1 expected");
        }
        if self.judge.as_released && margin > 0.0 {
            bail!(
                "--margin and --as-released contradict each other: the released script knows no ties"
            );
        }
        if self.judge.each().len() != 1 {
            bail!("--judge: one judge here");
        }
        let named = match (&self.templates, self.judge.template.as_slice()) {
            (Some(name), []) => Some(name.clone()),
            (None, []) => None,
            (None, [file]) => Some(file.display().to_string()),
            _ => bail!("--templates: one file of judgment templates expected"),
        };
        let templates = named.map(|name| PairTemplates::named(&name, self.judge.python_format));
        let wrap = self.judge.wrap.as_deref().map(Wrap::parse).transpose();
        Ok(PairSetup {
            templates: templates.transpose()?,
            wrap: wrap.map_err(|e| anyhow::anyhow!("--{e}"))?,
            truncate: self.judge.truncate,
            rule: Rule {
                margin,
                renormalize: self.renormalize,
                as_released: self.judge.as_released,
            },
            tokens: self.tokens(),
            principles: self.principles.clone(),
        })
    }

    fn tokens(&self) -> Option<[String; 2]> {
        let prefix = self.judge.label_prefix.as_deref();
        let [a, b] = match self.judge_tokens.as_deref() {
            Some([a, b]) => [a.as_str(), b.as_str()],
            _ if prefix.is_some() => ["A", "B"],
            _ => return None,
        };
        let prefix = prefix.unwrap_or_default();
        Some([a, b].map(|token| format!("{prefix}{token}")))
    }
}
