//! Records, labels, preference pairs and reports, as files.

use std::collections::HashMap;
use std::path::Path;

use super::effect::{ReportFacts, ScoredRow};
use super::state::Exported;
use super::writer::save;
use crate::data::export::{self, ExportError, PairRule};
use crate::data::{Library, Record, Response};
use crate::report::{self, Asked, Cut, Facts, Good, Label, Origin, Report, Rows, Section, Slices};
use crate::stats::group_ids;
use crate::store::{Journal, Store, StoreError, tables};

/// Draws of the bootstrap for a report's intervals.
const ROUNDS: usize = 1000;

/// Writes a table of the listed records, all where `listed` is `None`; what to say of it.
///
/// # Errors
/// A sentence with the file and the cause.
pub fn export(
    path: &Path,
    what: Exported,
    library: &Library,
    listed: Option<&[u32]>,
    label: Option<&str>,
    store: Result<Store, StoreError>,
) -> Result<String, String> {
    let records: Vec<Record> = match listed {
        None => library
            .iter()
            .map(|(_, item)| item.record.clone())
            .collect(),
        Some(listed) => {
            let items = listed.iter().filter_map(|at| library.get(*at as usize));
            items.map(|item| item.record.clone()).collect()
        }
    };
    let journal = || {
        let events = store.and_then(|store| store.events());
        events.map(Journal::of).map_err(|error| error.to_string())
    };
    let failed = |error: ExportError| error.to_string();
    let rows = match what {
        Exported::Records => export::write(path, || export::records(&records)).map_err(failed)?,
        Exported::Labels => {
            let journal = journal()?;
            export::write(path, || tables::labels(&journal, &records, None)).map_err(failed)?
        }
        Exported::Pairs => {
            let journal = journal()?;
            let name = label.unwrap_or("rating");
            let said = tables::mean_label(&journal, name, None);
            // What annotators said here goes before what the data came with.
            let value = |record: &Record, response: &Response| {
                said(record, response).or_else(|| response.labels.get(name).copied())
            };
            let rule = PairRule::default();
            export::write(path, || export::pairs(&records, rule, &value)).map_err(failed)?
        }
    };
    Ok(format!("{rows} rows are in {}.", path.display()))
}

/// Writes a report of what is scored; what to say of it.
///
/// # Errors
/// A sentence with the file and the cause.
pub fn report(
    path: &Path,
    library: &Library,
    scored: &[ScoredRow],
    facts: &ReportFacts,
) -> Result<String, String> {
    let rows = rows(library, scored, facts);
    let asked = Asked {
        rounds: ROUNDS,
        seed: 0,
        cut: Some(Cut {
            threshold: facts.threshold,
            origin: None,
        }),
    };
    let figures = report::figures(&rows, &asked).map_err(|error| error.to_string())?;
    let errors = scored.iter().filter(|row| row.score.is_err()).count();
    let origin = |(name, hash): &(String, String)| Origin {
        name: name.clone(),
        hash: hash.clone(),
    };
    let report = Report {
        title: format!("Judge report: {}", facts.title),
        version: env!("CARGO_PKG_VERSION").into(),
        made: report::utc(crate::store::now()),
        sections: vec![Section {
            facts: Facts {
                name: facts.title.clone(),
                rows: scored.len(),
                errors,
                judges: vec![origin(&facts.judge)],
                templates: vec![origin(&facts.template)],
                modes: facts.modes.clone(),
                ..Facts::default()
            },
            figures,
        }],
    };
    let page = report::render(&report).map_err(|error| error.to_string())?;
    save(path, page.as_bytes())?;
    let count = scored.len() - errors;
    Ok(format!(
        "The report of {count} scored responses is in {}.",
        path.display()
    ))
}

/// The columns of a report.
fn rows(library: &Library, scored: &[ScoredRow], facts: &ReportFacts) -> Rows {
    let mut labels = Vec::with_capacity(scored.len());
    let mut instructions = Vec::with_capacity(scored.len());
    let mut names: Vec<String> = Vec::new();
    let mut places: HashMap<String, u32> = HashMap::new();
    let mut slices = Vec::with_capacity(scored.len());
    for row in scored {
        let item = library.get(row.row.0);
        let response = item.as_ref().and_then(|item| item.responses.get(row.row.1));
        let value = response
            .zip(facts.label.as_ref())
            .and_then(|(response, name)| response.labels.get(name));
        labels.push(value.copied().unwrap_or(f64::NAN));
        instructions.push(item.as_ref().map(|item| item.instruction_hash()));
        let category = item.as_ref().and_then(|item| item.category.clone());
        slices.push(category.map(|category| {
            *places.entry(category).or_insert_with_key(|name| {
                names.push(name.clone());
                names.len() as u32 - 1
            })
        }));
    }
    let good = labels.iter().map(|label| *label >= facts.good).collect();
    Rows {
        signal: facts.signal.clone(),
        scores: scored
            .iter()
            .map(|row| row.decision.unwrap_or(f64::NAN))
            .collect(),
        range: Some((0.0, 1.0)),
        label: facts.label.as_ref().map(|name| Label {
            name: name.clone(),
            values: labels,
            good: Some(Good {
                rule: format!(">={}", facts.good),
                rows: good,
            }),
        }),
        clusters: group_ids(instructions.iter()),
        slices: (!names.is_empty()).then(|| Slices {
            field: "category".into(),
            names,
            rows: slices,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::live::Subject;
    use crate::store::{Event, Kind};
    use crate::tui::state::{Decision, ShownMode};
    use crate::tui::tests::fixture::{judged, records};

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn what_is_listed_is_written_and_own_labels_go_before_the_datas() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let database = folder.path().join("juror.db");
        let (library, _) = Library::of(records());
        let mut store = Store::at(&database).unwrap();
        let item = library.get(1).unwrap();
        let event = Event {
            uid: "1".into(),
            at: 0,
            annotator: "ada".into(),
            subject: item.keys[0],
            record: item.id.clone(),
            response: "a".into(),
            kind: Kind::Label,
            name: Some("rating".into()),
            value: Some(9.5),
            text: None,
            target: None,
            seconds: None,
            blind: None,
        };
        store.add_events(&[event]).unwrap();
        let write = |what, label| {
            let store = Store::at(&database);
            export(&path, what, &library, Some(&[1]), label, store).unwrap();
            lines(&path)
        };
        assert_eq!(write(Exported::Records, None).len(), 2);
        let labels = write(Exported::Labels, None);
        assert_eq!((labels.len(), &labels[0]["annotator"]), (1, &"ada".into()));
        let pairs = write(Exported::Pairs, Some("rating"));
        // The data say 3 against 9; the annotator says 9.5 of the first.
        assert_eq!(pairs[0]["chosen_id"], "a");
        let nowhere = folder.path().join("no/such/folder.csv");
        let said = export(
            &nowhere,
            Exported::Records,
            &library,
            None,
            None,
            Store::at(&database),
        );
        assert!(said.unwrap_err().contains("folder.csv"));
    }

    #[test]
    fn a_report_is_one_page_with_what_is_on_screen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let (library, _) = Library::of(records());
        let mut scored = Vec::new();
        for (at, item) in library.iter() {
            for (place, response) in item.responses.iter().enumerate() {
                let card = judged(&Subject::of(&item, &response.text));
                let decision = Decision::of(&card, ShownMode::Reference, false);
                scored.push(ScoredRow {
                    row: (at, place),
                    decision: decision.map(|decision| decision.value),
                    score: Ok(card),
                });
            }
        }
        let facts = ReportFacts {
            title: "<sample>".into(),
            judge: ("starter".into(), "abc".into()),
            template: ("standard".into(), "def".into()),
            modes: vec!["reference".into()],
            signal: "fused".into(),
            label: Some("rating".into()),
            good: 6.0,
            threshold: 0.5,
        };
        report(&path, &library, &scored, &facts).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains("&lt;sample&gt;") && !page.contains("<sample>"));
        assert!(page.contains("<svg") && page.contains("starter") && page.contains("rating"));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}
