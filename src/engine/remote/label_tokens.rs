//! From the likeliest next tokens, which is all that a server tells, to the probabilities of labels.

use super::reply::Likely;
use super::trouble::Trouble;

/// What is known of labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// Of each label; 0 where it is not among the likeliest tokens.
    pub probabilities: Vec<f64>,
    /// What all labels that are not listed may hold together, at most.
    pub missing: f64,
}

/// A token is asked on from only where it is likelier; otherwise it counts as missing.
const WORTH_ASKING: f64 = 1e-3;

/// What may come behind the prompt and a text that extends it; an error where the server cannot be asked that.
pub(super) type Next<'a> = dyn FnMut(&str) -> Result<Vec<Likely>, Trouble> + 'a;

/// The probabilities of labels behind a prompt. `depth` is how many of the likeliest tokens were asked for. A label of
/// several tokens is the product of the conditional ones; one that begins another does not swallow it. Where the server
/// does not go on with a text (`can_go_on`), a token that only begins a label counts as missing.
///
/// # Errors
/// What the server says; labels none of which is listed.
pub(super) fn probabilities(
    labels: &[String],
    (depth, can_go_on): (usize, bool),
    next: &mut Next<'_>,
) -> Result<Known, Trouble> {
    let mut known = Known {
        probabilities: vec![0.0; labels.len()],
        missing: 0.0,
    };
    let likely = next("")?;
    let open: Vec<(usize, &str)> = labels.iter().map(String::as_str).enumerate().collect();
    branch(
        &open,
        "",
        1.0,
        (&likely, depth, can_go_on),
        next,
        &mut known,
    )?;
    if known.probabilities.iter().all(|p| *p <= 0.0) && !labels.is_empty() {
        let first: Vec<String> = likely
            .iter()
            .take(3)
            .map(|l| format!("{:?}", l.text))
            .collect();
        return Err(Trouble::Request(format!(
            "none of the labels is among the {} likeliest tokens ({}, …): the judge does not answer as the template asks",
            likely.len(),
            first.join(", ")
        )));
    }
    Ok(known)
}

/// The texts of tokens that would be labels and are not listed, in the form that the listed ones have. What begins a
/// label is listed in its place.
pub(super) fn unlisted(labels: &[String], likely: &[Likely]) -> Vec<String> {
    let is_listed = |text: &str| likely.iter().any(|l| l.text == text);
    let begins = |label: &str| {
        likely
            .iter()
            .any(|l| !l.text.is_empty() && label.len() > l.text.len() && label.starts_with(&l.text))
    };
    let missing = |form: &dyn Fn(&str) -> String| -> Vec<String> {
        let open = labels.iter().filter(|label| !begins(label));
        open.map(|label| form(label))
            .filter(|text| !is_listed(text))
            .collect()
    };
    let is_bare = labels.iter().any(|label| is_listed(label));
    // As [`listed`] reads them: with a space only where none stands bare.
    let is_spaced = labels.iter().any(|label| is_listed(&format!(" {label}")));
    match !is_bare && is_spaced {
        true => missing(&|label| format!(" {label}")),
        false => missing(&str::to_owned),
    }
}

/// `open` are labels, by what is left of them behind `so_far`, which has probability `reached`.
fn branch(
    open: &[(usize, &str)],
    so_far: &str,
    reached: f64,
    (likely, depth, can_go_on): (&[Likely], usize, bool),
    next: &mut Next<'_>,
    known: &mut Known,
) -> Result<(), Trouble> {
    let texts: Vec<&str> = open.iter().map(|(_, rest)| *rest).collect();
    let listed = listed(&texts, likely);
    let least = least(likely, depth);
    let mut unlisted: Vec<(usize, &str)> = Vec::new();
    for ((label, rest), p) in open.iter().zip(&listed) {
        match *p > 0.0 {
            true => known.probabilities[*label] += reached * p,
            false => unlisted.push((*label, rest)),
        }
    }
    for token in likely {
        let goes_on = |rest: &&str| rest.len() > token.text.len() && rest.starts_with(&token.text);
        let onward: Vec<(usize, &str)> = unlisted
            .iter()
            .filter(|(_, rest)| !token.text.is_empty() && goes_on(rest))
            .map(|(label, rest)| (*label, &rest[token.text.len()..]))
            .collect();
        if onward.is_empty() {
            continue;
        }
        unlisted.retain(|(label, _)| onward.iter().all(|(other, _)| other != label));
        let of_token = reached * token.probability;
        let itself = open.iter().find(|(_, rest)| *rest == token.text);
        if of_token < WORTH_ASKING || !(can_go_on || itself.is_some()) {
            known.missing += of_token;
            continue;
        }
        let text = format!("{so_far}{}", token.text);
        let before: f64 = onward
            .iter()
            .map(|(label, _)| known.probabilities[*label])
            .sum();
        let after = next(&text)?;
        branch(
            &onward,
            &text,
            of_token,
            (&after, depth, can_go_on),
            next,
            known,
        )?;
        let gone_on: f64 = onward
            .iter()
            .map(|(label, _)| known.probabilities[*label])
            .sum::<f64>()
            - before;
        // The token is a label itself: what goes on is another one's.
        if let Some((label, _)) = itself {
            let own = &mut known.probabilities[*label];
            *own = (*own - gone_on).max(0.0);
        }
    }
    let all: f64 = likely.iter().map(|l| l.probability).sum();
    known.missing += reached * (unlisted.len() as f64 * least).min((1.0 - all).max(0.0));
    Ok(())
}

/// The probability of each text as a token. Where none is listed as it is, those that differ by a space before them
/// count: some servers show tokens with it, some models answer with it.
fn listed(texts: &[&str], likely: &[Likely]) -> Vec<f64> {
    let sum = |is: &dyn Fn(&str) -> bool| -> f64 {
        let own = likely.iter().filter(|l| is(&l.text));
        own.map(|l| l.probability).sum()
    };
    let exact: Vec<f64> = texts
        .iter()
        .map(|text| sum(&|token| token == *text))
        .collect();
    if exact.iter().any(|p| *p > 0.0) {
        return exact;
    }
    texts
        .iter()
        .map(|text| sum(&|token| !text.is_empty() && bare(token) == bare(text)))
        .collect()
}

/// Without a space, as vocabularies write it, too.
fn bare(text: &str) -> &str {
    text.trim_start_matches([' ', '▁', 'Ġ'])
}

/// What a token that is not listed has at most: the probability of the last one that was asked for. A server adds the
/// drawn token, which may be less likely.
fn least(likely: &[Likely], depth: usize) -> f64 {
    let mut all: Vec<f64> = likely.iter().map(|l| l.probability).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let last = all.get(depth.saturating_sub(1)).or(all.last());
    last.copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(all: &[(&str, f64)]) -> Vec<Likely> {
        let one = |(text, probability): &(&str, f64)| Likely {
            text: (*text).to_owned(),
            probability: *probability,
        };
        all.iter().map(one).collect()
    }

    fn of(labels: &[&str], all: &[(&str, f64)]) -> Result<Known, Trouble> {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        probabilities(&labels, (20, true), &mut |_| Ok(tokens(all)))
    }

    #[test]
    fn labels_that_are_not_listed_are_bounded_by_the_least_that_is() {
        let known = of(&["0", "1", "2"], &[("1", 0.6), ("The", 0.3), ("2", 0.05)]).unwrap();
        assert_eq!(known.probabilities, [0.0, 0.6, 0.05]);
        assert!((known.missing - 0.05).abs() < 1e-12);
        // No more than what nobody has.
        let known = of(&["0", "1", "2", "3"], &[("1", 0.95), ("x", 0.04)]).unwrap();
        assert!((known.missing - 0.01).abs() < 1e-12);
    }

    #[test]
    fn a_drawn_token_behind_the_list_bounds_nothing() {
        let mut all = tokens(&[("1", 0.6), ("2", 0.2)]);
        all.push(tokens(&[("rare", 1e-6)])[0].clone());
        assert_eq!(least(&all, 2), 0.2);
        assert_eq!(least(&all, 20), 1e-6);
    }

    #[test]
    fn what_is_not_listed_is_asked_for_in_the_form_of_what_is() {
        let labels = ["0", "1", "10"].map(str::to_owned);
        let of = |all: &[(&str, f64)]| unlisted(&labels, &tokens(all));
        assert_eq!(of(&[("1", 0.5), ("The", 0.2)]), ["0"]);
        assert_eq!(of(&[(" 0", 0.5), ("The", 0.2)]), [" 1", " 10"]);
        assert_eq!(of(&[("The", 0.2)]), ["0", "1", "10"]);
        assert!(of(&[("0", 0.5), ("1", 0.2), ("10", 0.1)]).is_empty());
    }

    #[test]
    fn a_space_before_the_token_counts_only_where_nothing_stands_bare() {
        let spaced = of(&["4", "5"], &[(" 5", 0.7), ("▁4", 0.2)]).unwrap();
        assert_eq!(spaced.probabilities, [0.2, 0.7]);
        let bare = of(&["4", "5"], &[("5", 0.1), (" 5", 0.7)]).unwrap();
        assert_eq!(bare.probabilities, [0.0, 0.1]);
    }

    #[test]
    fn no_label_at_all_is_an_error_that_shows_what_came() {
        let error = of(&["4", "5"], &[("Sure", 0.9)]).unwrap_err();
        assert!(error.to_string().contains("\"Sure\""), "{error}");
    }

    #[test]
    fn a_label_that_begins_another_does_not_swallow_it() {
        let labels = ["1", "10"].map(str::to_owned);
        let mut asked = Vec::new();
        let known = probabilities(&labels, (20, true), &mut |text| {
            asked.push(text.to_owned());
            Ok(match text {
                "" => tokens(&[("1", 0.8), ("2", 0.2)]),
                _ => tokens(&[("0", 0.25), ("\n", 0.75)]),
            })
        });
        let known = known.unwrap();
        assert_eq!(asked, ["", "1"]);
        assert!((known.probabilities[0] - 0.6).abs() < 1e-12);
        assert!((known.probabilities[1] - 0.2).abs() < 1e-12);
        // What only begins a label is missing where the server cannot be asked on.
        let yes = ["Yes", "No"].map(str::to_owned);
        let all = tokens(&[("No", 0.8), ("Y", 0.1)]);
        let known = probabilities(&yes, (20, false), &mut |_| Ok(all.clone())).unwrap();
        assert_eq!((known.probabilities[0], known.missing), (0.0, 0.1));
        // A vocabulary that has it as one token is not asked on.
        let whole = of(&["1", "10"], &[("1", 0.5), ("10", 0.4)]).unwrap();
        assert_eq!(whole.probabilities, [0.5, 0.4]);
    }
}
