//! Searching the data themselves: the fuzzy filter, facets, orders by a label. Runs beside the drawing thread.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nucleo::pattern::{CaseMatching, Normalization};
use nucleo::{Config, Matcher, Nucleo, Utf32Str};
use serde_json::Value;

use super::state::{Facet, Search, SortBy, is_near};
use crate::data::{Item, Library};
use crate::judge::suspect::Detector;

/// Milliseconds that one step of matching may take before results so far are shown.
const STEP: u64 = 30;
/// Records between two looks whether something newer is wanted.
const LOOK: usize = 2048;
/// A field with more values than this is no facet.
const VALUES: usize = 200;

/// A facet with how many records have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCount {
    pub facet: Facet,
    pub records: usize,
}

/// Searches one library.
pub struct Finder {
    library: Library,
    /// The instructions, from the first filter on.
    texts: Option<Texts>,
}

struct Texts {
    nucleo: Nucleo<u32>,
    indexed: usize,
    query: String,
}

impl Finder {
    /// Of a library.
    pub fn new(library: Library) -> Self {
        Finder {
            library,
            texts: None,
        }
    }

    /// Whether it searches this library.
    pub fn is_of(&self, library: &Library) -> bool {
        self.library == *library
    }

    /// Finds records: `tell` hears of those found so far, and whether these are all. Ends early where `stop` says so.
    pub fn find(
        &mut self,
        search: &Search,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Arc<Vec<u32>>, bool),
    ) {
        let narrowed = !search.facets.is_empty() || search.narrows() || search.sort.is_some();
        if search.query.trim().is_empty() {
            let all = 0..self.count(search) as u32;
            let kept = self.narrow(all, search, stop, &mut |part| tell(part, false));
            if let Some(kept) = kept {
                tell(Arc::new(kept), true);
            }
            return;
        }
        let count = self.count(search);
        let matched = self.matching(&search.query, count, stop, &mut |part| {
            if !narrowed {
                tell(part, false);
            }
        });
        let Some(matched) = matched else { return };
        let kept = match narrowed {
            true => self.narrow(matched.into_iter(), search, stop, &mut |part| {
                tell(part, false);
            }),
            false => Some(matched),
        };
        if let Some(kept) = kept {
            tell(Arc::new(kept), true);
        }
    }

    /// Records that have been told of: others may not be readable yet.
    fn count(&self, search: &Search) -> usize {
        search.records.min(self.library.len())
    }

    /// Records by the query, best first; `None` where it was stopped.
    fn matching(
        &mut self,
        query: &str,
        count: usize,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Arc<Vec<u32>>),
    ) -> Option<Vec<u32>> {
        let texts = self.texts.get_or_insert_with(|| Texts {
            nucleo: Nucleo::new(Config::DEFAULT, Arc::new(|| ()), Some(1), 1),
            indexed: 0,
            query: String::new(),
        });
        let append = query.starts_with(&texts.query) && !texts.query.is_empty();
        texts
            .nucleo
            .pattern
            .reparse(0, query, CaseMatching::Smart, Normalization::Smart, append);
        query.clone_into(&mut texts.query);
        let injector = texts.nucleo.injector();
        while texts.indexed < count {
            if texts.indexed.is_multiple_of(LOOK) {
                if stop() {
                    return None;
                }
                texts.nucleo.tick(0);
                if texts.indexed > 0 {
                    tell(Arc::new(near(&texts.nucleo, query, LOOK)));
                }
            }
            let at = texts.indexed;
            let item = self.library.get(at);
            injector.push(at as u32, |_, columns| {
                let text = item.as_ref().map_or("", |item| item.instruction.as_str());
                if let Some(column) = columns.first_mut() {
                    *column = text.into();
                }
            });
            texts.indexed += 1;
        }
        while texts.nucleo.tick(STEP).running {
            if stop() {
                return None;
            }
            tell(Arc::new(near(&texts.nucleo, query, LOOK)));
        }
        Some(near(&texts.nucleo, query, usize::MAX))
    }

    /// Those that have the facets, and lack a label or have something aimed at the judge where that is asked, in the order
    /// asked for; `None` where it was stopped.
    fn narrow(
        &self,
        records: impl Iterator<Item = u32>,
        search: &Search,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Arc<Vec<u32>>),
    ) -> Option<Vec<u32>> {
        let mut kept: Vec<(f64, u32)> = Vec::new();
        for (count, record) in records.enumerate() {
            if count.is_multiple_of(LOOK) && count > 0 {
                if stop() {
                    return None;
                }
                if search.sort.is_none() {
                    tell(Arc::new(kept.iter().map(|(_, record)| *record).collect()));
                }
            }
            let Some(item) = self.library.get(record as usize) else {
                continue;
            };
            let has_all = search.facets.iter().all(|facet| has(&item, facet));
            let unlabelled = item.responses.iter().any(|r| r.labels.is_empty());
            let suspicious = |detector: &Arc<Detector>| {
                let mut texts = item.responses.iter().map(|response| &response.text);
                texts.any(|text| !detector.spans(&item, text).is_empty())
            };
            if has_all
                && (!search.unlabelled || unlabelled)
                && search.suspicious.as_ref().is_none_or(suspicious)
            {
                kept.push((value(&item, search.sort.as_ref()), record));
            }
        }
        if search.sort.is_some() {
            // Records without the label come last, either way.
            kept.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
                (false, false) if search.reverse => a.total_cmp(b),
                (false, false) => b.total_cmp(a),
                (a, b) => a.cmp(&b),
            });
        }
        Some(kept.into_iter().map(|(_, record)| record).collect())
    }

    /// All facets, by field and falling count; `None` where it was stopped.
    pub fn facets(&self, stop: &dyn Fn() -> bool) -> Option<Vec<FacetCount>> {
        let mut fields: BTreeMap<String, HashMap<String, usize>> = BTreeMap::new();
        for (count, item) in self.library.iter() {
            if count.is_multiple_of(LOOK) && stop() {
                return None;
            }
            let mut own: Vec<(&str, String)> = values(&item).collect();
            own.sort_unstable();
            own.dedup();
            for (field, value) in own {
                let seen = match fields.get_mut(field) {
                    Some(seen) => seen,
                    None => fields.entry(field.to_owned()).or_default(),
                };
                // One more than allowed marks the field as none.
                if seen.len() <= VALUES || seen.contains_key(&value) {
                    *seen.entry(value).or_default() += 1;
                }
            }
        }
        let facets = fields.into_iter().filter(|(_, seen)| seen.len() <= VALUES);
        let facets = facets.filter(|(_, seen)| seen.len() > 1);
        let mut all = Vec::new();
        for (field, seen) in facets {
            let mut counts: Vec<(String, usize)> = seen.into_iter().collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            all.extend(counts.into_iter().map(|(value, records)| {
                let field = field.clone();
                let facet = Facet { field, value };
                FacetCount { facet, records }
            }));
        }
        Some(all)
    }
}

/// The matches whose signs stand together, best first, of the first so many.
fn near(nucleo: &Nucleo<u32>, query: &str, most: usize) -> Vec<u32> {
    let snapshot = nucleo.snapshot();
    let pattern = nucleo::pattern::Pattern::parse(query, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let items = snapshot.matched_items(..).take(most);
    items
        .filter(|item| {
            let text = item.matcher_columns.first();
            let text: Option<Utf32Str<'_>> = text.map(|text| text.slice(..));
            text.is_some_and(|text| is_near(&pattern, text, &mut matcher))
        })
        .map(|item| *item.data)
        .collect()
}

/// What a record counts by in an order of the data; NaN where it has none.
fn value(item: &Item, sort: Option<&SortBy>) -> f64 {
    let each = item.responses.iter();
    match sort {
        Some(SortBy::Label(name)) => {
            let labels = each.filter_map(|response| response.labels.get(name));
            labels.copied().fold(f64::NAN, f64::max)
        }
        Some(SortBy::Length) => {
            let lengths = each.map(|response| response.text.chars().count() as f64);
            lengths.fold(f64::NAN, f64::max)
        }
        _ => 0.0,
    }
}

/// The fields of a record that can be facets, with their values.
fn values(item: &Item) -> impl Iterator<Item = (&str, String)> {
    let category = item.category.iter().map(|c| ("category", c.clone()));
    let responses = item.responses.iter();
    let generators = responses
        .filter_map(|response| response.generator.as_ref())
        .map(|generator| ("generator", generator.clone()));
    let responses = item.responses.iter().flat_map(|response| &response.meta);
    let others = item.meta.iter().chain(responses);
    let others = others.filter_map(|(name, value)| Some((name.as_str(), short(value)?)));
    category.chain(generators).chain(others)
}

/// A value that many records may share.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.len() <= 80 && !text.contains('\n') => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn has(item: &Item, facet: &Facet) -> bool {
    values(item).any(|(field, value)| field == facet.field && value == facet.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Record, Response};

    fn library() -> Library {
        let texts = [
            ("Explain the large diesel engine again", "cars", 3.0),
            ("How long should I boil an egg?", "kitchen", 9.0),
            ("Eggs or tofu for breakfast?", "kitchen", 6.0),
        ];
        let records = texts.map(|(instruction, category, rating)| Record {
            instruction: instruction.into(),
            category: Some(category.into()),
            responses: vec![Response {
                generator: Some(if rating > 5.0 { "a" } else { "b" }.into()),
                labels: [("rating".to_owned(), rating)].into(),
                ..Response::default()
            }],
            ..Record::default()
        });
        Library::of(records.to_vec()).0
    }

    fn found(search: &Search) -> Vec<u32> {
        let mut last = None;
        let search = &Search {
            records: 3,
            ..search.clone()
        };
        Finder::new(library()).find(search, &|| false, &mut |part, complete| {
            last = complete.then(|| part.to_vec());
        });
        last.unwrap()
    }

    fn query(query: &str) -> Search {
        Search {
            query: query.into(),
            ..Search::default()
        }
    }

    #[test]
    fn near_matches_come_first_and_scattered_signs_do_not_count() {
        let mut eggs = found(&query("egg"));
        eggs.sort_unstable();
        assert_eq!(eggs, [1, 2]);
        assert_eq!(found(&query("boil egg")), [1]);
        assert!(found(&query("zzz")).is_empty());
    }

    #[test]
    fn facets_narrow_and_labels_order() {
        let kitchen = Facet {
            field: "category".into(),
            value: "kitchen".into(),
        };
        let search = Search {
            facets: vec![kitchen],
            ..Search::default()
        };
        assert_eq!(found(&search), [1, 2]);
        let sorted = Search {
            sort: Some(SortBy::Label("rating".into())),
            ..Search::default()
        };
        assert_eq!(found(&sorted), [1, 2, 0]);
        let reverse = Search {
            reverse: true,
            ..sorted.clone()
        };
        assert_eq!(found(&reverse), [0, 2, 1]);
        let both = Search {
            query: "egg".into(),
            reverse: true,
            ..sorted
        };
        assert_eq!(found(&both), [2, 1]);
        let unlabelled = Search {
            unlabelled: true,
            ..Search::default()
        };
        assert!(found(&unlabelled).is_empty());
    }

    #[test]
    fn facets_are_counted() {
        let facets = Finder::new(library()).facets(&|| false).unwrap();
        let told: Vec<(&str, &str, usize)> = facets
            .iter()
            .map(|f| (f.facet.field.as_str(), f.facet.value.as_str(), f.records))
            .collect();
        assert_eq!(
            told,
            [
                ("category", "kitchen", 2),
                ("category", "cars", 1),
                ("generator", "a", 2),
                ("generator", "b", 1)
            ]
        );
    }

    #[test]
    fn a_newer_search_stops_an_older_one() {
        let mut told = 0;
        let search = Search {
            records: 3,
            ..query("egg")
        };
        Finder::new(library()).find(&search, &|| true, &mut |_, _| told += 1);
        assert_eq!(told, 0);
    }
}
