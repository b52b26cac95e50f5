//! What is known of a model that computes on a server.

use serde::Serialize;

/// How tokens that are not among the likeliest can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Picks {
    /// Any number at once (vLLM's `logprob_token_ids`).
    Many,
    /// One with each request: nothing else may be drawn, and what is drawn is told (vLLM's `allowed_token_ids`).
    One,
    /// The same by its text, where the server does not tell ids (vLLM's `structured_outputs` with a single choice).
    Choice,
}

/// How `/completions` is asked for the log-probabilities of the prompt's own tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptLogProbs {
    /// The prompt is repeated, with them (`echo`).
    Echo,
    /// Beside the answer (vLLM's `prompt_logprobs`).
    Beside,
}

/// What a server offers for a model, as a probe found it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// `/completions` continues a text and tells so many of the likeliest tokens; `None` where it does not answer.
    pub completions: Option<usize>,
    /// The same of `/chat/completions`.
    pub chat: Option<usize>,
    /// How `/completions` tells the log-probabilities of the prompt's own tokens; `None` where it does not.
    pub prompt_log_probs: Option<PromptLogProbs>,
    /// Dimensions of what `/embeddings` answers.
    pub embeddings: Option<usize>,
    /// Whether texts can be counted in tokens.
    pub tokenize: bool,
    /// Whether tokens can be asked for by their ids, of both endpoints that tell any.
    pub picks: Option<Picks>,
    /// Whether the assistant's turn may be begun by the asker (vLLM, SGLang).
    pub continues: bool,
    /// Tokens of the longest prompt, where the server tells.
    pub context: Option<usize>,
}

/// What a signal takes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The probabilities of labels as the next token.
    Labels,
    /// The log-probabilities of a text's own tokens.
    LogProbs,
    /// A vector of a text.
    Embedding,
    /// A text.
    Text,
    /// What a reward head says.
    Reward,
}

impl Abilities {
    /// Why the need is not met, and what helps; `None` where it is.
    pub fn lacks(&self, need: Need) -> Option<&'static str> {
        let tells = |depth: Option<usize>| depth.is_some_and(|depth| depth > 0);
        let (met, why) = match need {
            Need::Labels => (
                tells(self.completions) || tells(self.chat),
                "the server tells no probabilities of next tokens (logprobs): take one that does (vLLM, SGLang, \
                 llama.cpp), or the signal `generated`",
            ),
            Need::LogProbs => (
                self.prompt_log_probs.is_some(),
                "the server tells no log-probabilities of a prompt (`echo` or `prompt_logprobs`), so there is no ppl and no \
                 IFD: take one that does (vLLM, llama-cpp-python), or a model of this machine",
            ),
            Need::Embedding => (
                self.embeddings.is_some(),
                "the server gives no embeddings of this model: name a model that does with --embedder, or leave out \
                 what compares texts (cosine, fused, vro)",
            ),
            Need::Text => (
                self.completions.is_some() || self.chat.is_some(),
                "the server writes no texts with this model: name one that does with --policy",
            ),
            Need::Reward => (
                false,
                "servers have no endpoint for a reward head: name a model of this machine",
            ),
        };
        (!met).then_some(why)
    }

    /// What all of several servers offer.
    #[must_use]
    pub fn shared(&self, other: &Abilities) -> Abilities {
        let least = |a: Option<usize>, b: Option<usize>| a.zip(b).map(|(a, b)| a.min(b));
        Abilities {
            completions: least(self.completions, other.completions),
            chat: least(self.chat, other.chat),
            prompt_log_probs: self
                .prompt_log_probs
                .filter(|_| self.prompt_log_probs == other.prompt_log_probs),
            embeddings: self
                .embeddings
                .filter(|_| self.embeddings == other.embeddings),
            tokenize: self.tokenize && other.tokenize,
            picks: self.picks.filter(|_| self.picks == other.picks),
            continues: self.continues && other.continues,
            context: least(
                self.context.or(other.context),
                other.context.or(self.context),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_helps() {
        let none = Abilities::default();
        for need in [
            Need::Labels,
            Need::LogProbs,
            Need::Embedding,
            Need::Text,
            Need::Reward,
        ] {
            assert!(none.lacks(need).unwrap().contains(':'), "{need:?}");
        }
        let chat = Abilities {
            chat: Some(0),
            ..none.clone()
        };
        assert!(chat.lacks(Need::Text).is_none() && chat.lacks(Need::Labels).is_some());
        let both = Abilities {
            chat: Some(20),
            completions: Some(5),
            ..none
        };
        assert_eq!(both.lacks(Need::Labels), None);
        assert_eq!(
            (both.shared(&chat).chat, both.shared(&chat).completions),
            (Some(0), None)
        );
    }
}
