//! What models' special tokens are written as, and signs that are not seen.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{Kind, Span};

/// The families' tokens, with the role that some have behind them.
const KNOWN: &str = r"<\|start_header_id\|>\w{0,20}<\|end_header_id\|>|(?:<\|im_start\|>|<start_of_turn>)(?:system|user|assistant|model)?|<\|/?[A-Za-z][A-Za-z0-9_.▁-]{0,40}\|>|<｜[^｜\n]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos)>|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]";

/// Longest text that is struck through, in bytes.
const STRUCK: usize = 400;

/// Directional signs that turn text around; runs of signs without width; tags, flags apart; variation selectors in runs.
const HIDDEN: &str = r"(?P<override>[\x{202D}\x{202E}]+)|(?P<bidi>[\x{202A}-\x{202C}\x{2066}-\x{2069}]+)|[\x{200B}-\x{200D}\x{2060}-\x{2064}\x{FEFF}\x{180E}]{3,}|(?P<tags>\x{1F3F4}?[\x{E0000}-\x{E007F}]+)|[\x{E0100}-\x{E01EF}]{2,}";

/// A flag of a region has no more tags.
const FLAG: usize = 8;

fn known() -> Option<&'static Regex> {
    static KNOWN_TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(KNOWN).ok());
    KNOWN_TOKENS.as_ref()
}

/// What finds special tokens that the usual pattern does not; `None` where there are none of these.
pub(super) fn beside_known<'t>(special: impl IntoIterator<Item = &'t str>) -> Option<Regex> {
    let known = known()?;
    let others: Vec<String> = special
        .into_iter()
        // What has no signs around it is a word, and what stands for the unknown no command.
        .filter(|token| token.len() > 3 && !token.chars().all(char::is_alphanumeric))
        .filter(|token| !["<unk>", "<pad>", "[UNK]", "[PAD]", "<mask>", "[MASK]"].contains(token))
        .filter(|token| known.find(token).is_none_or(|hit| hit.as_str() != *token))
        .map(regex::escape)
        .collect();
    match others.is_empty() {
        true => None,
        false => Regex::new(&others.join("|")).ok(),
    }
}

/// Control tokens of the families and of the judge.
pub(super) fn spans(own: Option<&Regex>, text: &str) -> Vec<Span> {
    let span = |hit: Match<'_>| Span {
        start: hit.start(),
        end: hit.end(),
        kind: Kind::ControlToken,
    };
    let mut found: Vec<Span> = Vec::new();
    let mut opened: Option<Match<'_>> = None;
    for hit in known().into_iter().flat_map(|regex| regex.find_iter(text)) {
        if let Some(start) = opened.take() {
            let between = &text[start.end()..hit.start()];
            let is_struck =
                !between.is_empty() && !between.contains('\n') && between.len() <= STRUCK;
            if hit.as_str() == "</s>" && is_struck {
                // HTML, which strikes a text through.
                continue;
            }
            found.push(span(start));
        }
        match hit.as_str() {
            "<s>" => opened = Some(hit),
            _ => found.push(span(hit)),
        }
    }
    found.extend(opened.map(span));
    found.extend(
        own.into_iter()
            .flat_map(|regex| regex.find_iter(text))
            .map(span),
    );
    found
}

/// What nobody sees.
pub(super) fn hidden(text: &str) -> Vec<Span> {
    static HIDDEN_SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(HIDDEN).ok());
    let Some(regex) = HIDDEN_SIGNS.as_ref() else {
        return Vec::new();
    };
    let mut found: Vec<Span> = Vec::new();
    let mut turned = None;
    for hit in regex.captures_iter(text) {
        let Some(whole) = hit.get(0) else { continue };
        let is_usual = match (hit.name("bidi"), hit.name("tags")) {
            // Scripts that run from the right have use for them.
            (Some(_), _) => *turned.get_or_insert_with(|| text.chars().any(runs_from_the_right)),
            (_, Some(tags)) => {
                let tags = tags.as_str();
                let is_flag = tags.starts_with('\u{1F3F4}') && tags.ends_with('\u{E007F}');
                is_flag && tags.chars().count() <= FLAG
            }
            _ => false,
        };
        if !is_usual {
            found.push(Span {
                start: whole.start(),
                end: whole.end(),
                kind: Kind::HiddenText,
            });
        }
    }
    found
}

fn runs_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}')
}
