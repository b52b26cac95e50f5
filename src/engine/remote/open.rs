//! From the names of served models to what commands need to know of them: each server is probed once.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::Settings;
use super::address::Address;
use super::ask::ServedModel;
use super::balance::Balance;
use super::pick::Ids;
use super::probe::{About, Probed, probe};
use crate::engine::request::Role;
use crate::model::ModelError;
use crate::model::facts::Facts;
use crate::model::tokenizer::{Tokenizer, marked_chat};

/// Characters that a prompt may have: how many tokens fit, the server knows and says.
const CONTEXT: usize = 1 << 30;

/// A model by name, and the roles that it fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub spec: String,
    pub urls: Vec<String>,
    pub model: String,
    pub roles: Vec<Role>,
}

/// A role with the facts of the model that fills it.
pub(super) type Filled = (Role, Arc<Facts>);

/// Probes a model's servers, which have to offer the same.
///
/// # Errors
/// A server that cannot be asked, or has another model than the others.
pub(super) fn open(
    named: &Named,
    settings: &Settings,
) -> Result<(ServedModel, Vec<Filled>), ModelError> {
    let wrong = |cause: String, cure: &str| ModelError::Spec {
        spec: named.spec.clone(),
        cause,
        cure: cure.into(),
    };
    let embeds = named.roles.contains(&Role::Embedder);
    let about = About {
        texts: named.roles.iter().any(|role| *role != Role::Embedder),
        embeddings: embeds,
        rest: false,
    };
    let mut all: Vec<Probed> = Vec::with_capacity(named.urls.len());
    for url in &named.urls {
        let cure = "is the server running, and is this its address? `juror doctor --judge URL#MODEL` tells what it can";
        all.push(probe(url, &named.model, settings, about).map_err(|cause| wrong(cause, cure))?);
    }
    let Some(first) = all.first() else {
        return Err(wrong(
            "no server is named".into(),
            "https://HOST/v1#MODEL is expected",
        ));
    };
    if let Some(other) = all.iter().find(|other| other.facts != first.facts) {
        return Err(wrong(
            format!(
                "{} and {} report different models of this name",
                first.url, other.url
            ),
            "let servers of one judge serve the same weights in the same way",
        ));
    }
    let abilities = all[1..]
        .iter()
        .fold(first.abilities.clone(), |shared, one| {
            shared.shared(&one.abilities)
        });
    let digest = Sha256::digest(json!({"served": first.facts}).to_string());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let parameters = first.facts["meta"]["n_params"].as_u64().unwrap_or(0);
    let facts = |role: Role| {
        let tells = |depth: Option<usize>| depth.is_some_and(|depth| depth > 0);
        // A judge is asked where its probabilities are told.
        let chats = match role {
            Role::Judge => tells(abilities.chat) || !tells(abilities.completions),
            Role::Policy | Role::Embedder => true,
        };
        Arc::new(Facts {
            name: named.model.clone(),
            // Nothing is found there: what a model's folder may hold, a server's has not.
            path: PathBuf::from(&named.spec),
            hash: hash.clone(),
            tokenizer: Tokenizer::characters(),
            chat: (chats && abilities.chat.is_some()).then(marked_chat),
            context: CONTEXT,
            parameters,
            end_tokens: Vec::new(),
            is_decoder: true,
            served: Some(abilities.clone()),
        })
    };
    let facts = named
        .roles
        .iter()
        .map(|role| (*role, facts(*role)))
        .collect();
    let addresses = named
        .urls
        .iter()
        .map(|url| Address::parse(url, settings.key.is_some()));
    let addresses: Vec<Address> = addresses.collect::<Result<_, _>>().map_err(|cause| {
        wrong(
            cause,
            "give its address as the server's documentation has it",
        )
    })?;
    let model = ServedModel {
        name: named.model.clone(),
        balance: Balance::new(addresses.len(), settings.concurrency),
        addresses,
        abilities,
        ids: Ids::default(),
    };
    Ok((model, facts))
}
