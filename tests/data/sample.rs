//! The bundled data keep their promises.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use juror::data::{DataSet, ReadOptions, discover, read};
use juror::stats::spearman;

fn sample() -> DataSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data");
    let options = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    let data = read(&discover(&[folder]).unwrap(), &options).unwrap();
    assert_eq!(data.renamed, 0);
    data
}

#[test]
fn there_is_enough_of_every_category() {
    let data = sample();
    let instructions: HashSet<_> = data.records.iter().map(|record| record.task()).collect();
    assert!(instructions.len() >= 120, "{}", instructions.len());
    let mut categories: HashMap<&str, usize> = HashMap::new();
    for record in &data.records {
        let category = record.category.as_deref().unwrap_or_default();
        *categories.entry(category).or_default() += 1;
    }
    assert_eq!(categories.len(), 3, "{categories:?}");
    for name in ["academic", "coding", "common"] {
        assert!(categories[name] >= 35, "{categories:?}");
    }
}

#[test]
fn every_instruction_has_four_rated_answers() {
    let data = sample();
    let mut used = [0usize; 10];
    for record in &data.records {
        assert_eq!(record.responses.len(), 4, "{}", record.id);
        assert!(record.reference.is_some(), "{}", record.id);
        let texts: HashSet<_> = record.responses.iter().map(|one| one.text.trim()).collect();
        assert_eq!(texts.len(), 4, "{}: equal answers", record.id);
        assert!(!texts.contains(""), "{}: an empty answer", record.id);
        for response in &record.responses {
            let rating = response.labels["rating"];
            assert!(
                rating.fract() == 0.0 && (0.0..=9.0).contains(&rating),
                "{}: {rating}",
                record.id
            );
            used[rating as usize] += 1;
        }
    }
    assert!(used.iter().all(|count| *count > 0), "{used:?}");
}

#[test]
fn every_rating_has_a_reason_of_its_own() {
    let data = sample();
    let mut seen = HashSet::new();
    for record in &data.records {
        for response in &record.responses {
            let place = format!("{} {}", record.id, response.id);
            let reason = response.reason.clone().unwrap_or_default();
            assert!(!reason.trim().is_empty(), "{place}: no reason");
            assert!(!reason.contains('\n'), "{place}: a reason of several lines");
            assert!(
                seen.insert(reason.trim().to_lowercase()),
                "{place}: {reason:?} was given before"
            );
        }
    }
}

#[test]
fn length_does_not_tell_the_rating() {
    let data = sample();
    let responses = || data.records.iter().flat_map(|record| &record.responses);
    let lengths: Vec<f64> = responses()
        .map(|one| one.text.chars().count() as f64)
        .collect();
    let ratings: Vec<f64> = responses().map(|one| one.labels["rating"]).collect();
    let rho = spearman(&lengths, &ratings).unwrap();
    println!("Spearman of length and rating: {rho:.3}");
    assert!(rho.abs() < 0.35, "{rho}");
}

/// The runs of eight words of a text, lower case, without punctuation.
fn shingles(text: &str) -> HashSet<Vec<String>> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.windows(8).map(<[String]>::to_vec).collect()
}

#[test]
fn answers_to_different_instructions_are_not_alike() {
    let data = sample();
    let all: Vec<(usize, String, HashSet<Vec<String>>)> = data
        .records
        .iter()
        .enumerate()
        .flat_map(|(place, record)| {
            record.responses.iter().map(move |one| {
                (
                    place,
                    format!("{} {}", record.id, one.id),
                    shingles(&one.text),
                )
            })
        })
        .collect();
    let mut holders: HashMap<&Vec<String>, Vec<usize>> = HashMap::new();
    for (answer, (_, _, set)) in all.iter().enumerate() {
        for shingle in set {
            holders.entry(shingle).or_default().push(answer);
        }
    }
    let mut shared: HashMap<(usize, usize), usize> = HashMap::new();
    for answers in holders.values() {
        for (place, one) in answers.iter().enumerate() {
            for other in &answers[place + 1..] {
                if all[*one].0 != all[*other].0 {
                    *shared.entry((*one, *other)).or_default() += 1;
                }
            }
        }
    }
    for ((one, other), count) in shared {
        // Of the shorter one: containment, not only likeness.
        let size = all[one].2.len().min(all[other].2.len());
        let share = count as f64 / size as f64;
        assert!(
            share < 0.2,
            "{} and {} share {share:.2}",
            all[one].1,
            all[other].1
        );
    }
}
