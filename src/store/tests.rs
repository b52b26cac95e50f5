use proptest::prelude::*;

use super::scores::Maker;
use super::*;
use crate::data::{Record, ScoreCard, SubjectKey};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(&folder.path().join("juror.db")).unwrap();
    (folder, store)
}

fn event(number: usize, who: &str, subject: u128, kind: Kind) -> Event {
    Event {
        uid: format!("{who}-{number}"),
        at: number as i64,
        annotator: who.into(),
        subject: SubjectKey(subject),
        record: "r".into(),
        response: "a".into(),
        kind,
        name: (kind == Kind::Label).then(|| "rating".into()),
        value: (kind == Kind::Label).then_some(number as f64),
        text: None,
        target: None,
        seconds: Some(1.5),
        blind: Some(true),
    }
}

#[test]
fn what_is_said_last_counts_whatever_the_clock_says() {
    let (folder, mut store) = store();
    let said = |number: usize, at: i64, kind, target: Option<&str>| Event {
        at,
        target: target.map(str::to_owned),
        ..event(number, "ada", 7, kind)
    };
    let value = |store: &Store| {
        let journal = Journal::of(store.events().unwrap());
        let said = journal.said("ada", SubjectKey(7));
        said.and_then(|said| said.labels.get("rating").copied())
    };
    store.add_now(said(1, 5_000, Kind::Label, None)).unwrap();
    // The clock is put back by an hour, and what was said is changed.
    let kept = store.add_now(said(2, 1_400, Kind::Label, None)).unwrap();
    assert_eq!((kept.at, value(&store)), (5_000, Some(2.0)));
    // Another program says something at the right time, somebody else later.
    let mut other = Store::at(&folder.path().join("juror.db")).unwrap();
    other.add_now(said(3, 6_000, Kind::Label, None)).unwrap();
    let bob = event(9_000, "bob", 7, Kind::Label);
    assert_eq!(other.add_now(bob).unwrap().at, 9_000);
    drop(store);
    let mut store = Store::at(&folder.path().join("juror.db")).unwrap();
    let kept = store
        .add_now(said(4, 2_000, Kind::Undo, Some("ada-3")))
        .unwrap();
    assert_eq!((kept.at, value(&store)), (6_000, Some(2.0)));
    let kept = store.add_now(said(5, 7_000, Kind::Label, None)).unwrap();
    assert_eq!((kept.at, value(&store)), (7_000, Some(5.0)));
}

#[test]
fn events_outlive_the_program_and_come_once() {
    let (folder, mut store) = store();
    let mut comment = event(2, "ada", 7, Kind::Comment);
    comment.text = Some("line\n“two”".into());
    let events = [event(1, "ada", u128::MAX, Kind::Label), comment];
    assert_eq!(store.add_events(&events).unwrap(), 2);
    drop(store);
    let mut store = Store::at(&folder.path().join("juror.db")).unwrap();
    assert_eq!(store.add_events(&events).unwrap(), 0, "known by their uid");
    assert_eq!(store.events().unwrap(), events);
    let mut lines = Vec::new();
    exchange::write(&events, &mut lines).unwrap();
    assert_eq!(exchange::read("x", lines.as_slice()).unwrap(), events);
    let wrong = exchange::read("notes.jsonl", &b"\n{\"uid\":3}\n"[..]);
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .starts_with("notes.jsonl:2: not an annotation")
    );
}

#[test]
fn events_of_several_places_are_merged_by_time() {
    let at = |number: usize, who: &str, at: i64| Event {
        at,
        ..event(number, who, 1, Kind::Label)
    };
    let (a1, a2, b1, b2) = (at(1, "a", 5), at(2, "a", 9), at(1, "b", 5), at(2, "b", 7));
    // A clock that went back: what was said later stays later.
    let late = at(3, "b", 2);
    let one = vec![a1.clone(), a2.clone()];
    let other = vec![b1.clone(), b2.clone(), late.clone(), a2.clone()];
    let expected = [&a1, &b1, &b2, &late, &a2].map(Clone::clone);
    let merged = exchange::merge(vec![one.clone(), other.clone()]).unwrap();
    assert_eq!(merged, expected);
    let turned = exchange::merge(vec![other, one, merged.clone()]).unwrap();
    assert_eq!(turned, expected, "in any order, and again");
    let changed = Event {
        value: Some(0.5),
        ..a1.clone()
    };
    assert_eq!(
        exchange::merge(vec![vec![a1], vec![changed]]),
        Err("a-1".into())
    );
}

#[test]
fn undo_takes_back_and_redo_does_again() {
    let mut journal = Journal::default();
    let (one, other) = (SubjectKey(1), SubjectKey(2));
    journal.add(event(3, "ada", 1, Kind::Label));
    journal.add(event(5, "ada", 1, Kind::Label));
    journal.add(event(9, "bob", 1, Kind::Label));
    journal.add(event(6, "ada", 2, Kind::Skip));
    let rating = |journal: &Journal, who: &str| Some(journal.said(who, one)?.labels["rating"]);
    assert_eq!(rating(&journal, "ada"), Some(5.0));
    assert!(journal.said("ada", other).unwrap().skipped);
    let step = |journal: &mut Journal, kind: Kind, number: usize| {
        let last = match kind {
            Kind::Undo => journal.last_done("ada"),
            _ => journal.last_undone("ada"),
        };
        let target = last.map(|e| e.uid.clone());
        let event = Event {
            target,
            ..event(number, "ada", 0, kind)
        };
        journal.add(event);
    };
    step(&mut journal, Kind::Undo, 10);
    assert_eq!(journal.said("ada", other), None);
    step(&mut journal, Kind::Undo, 11);
    assert_eq!(rating(&journal, "ada"), Some(3.0));
    step(&mut journal, Kind::Undo, 12);
    step(&mut journal, Kind::Undo, 13);
    assert_eq!(rating(&journal, "ada"), None);
    step(&mut journal, Kind::Redo, 14);
    step(&mut journal, Kind::Redo, 15);
    assert_eq!(rating(&journal, "ada"), Some(5.0));
    // Whoever does something new has nothing to redo.
    journal.add(event(7, "ada", 1, Kind::Label));
    assert_eq!(journal.last_undone("ada"), None);
    assert_eq!(rating(&journal, "bob"), Some(9.0), "others are untouched");
    assert_eq!(journal.annotators(), ["ada", "bob"]);
}

proptest! {
    /// Whatever is done, undone and redone: replaying what is stored comes to the same, and undoing everything to
    /// nothing.
    #[test]
    fn a_replay_comes_to_the_same(steps in proptest::collection::vec((0u8..5, 0u8..3), 0..40)) {
        let mut journal = Journal::default();
        let mut events = Vec::new();
        let mut next = |journal: &mut Journal, kind: Kind, subject: u8| {
            let target = match kind {
                Kind::Undo => journal.last_done("a"),
                Kind::Redo => journal.last_undone("a"),
                _ => None,
            };
            let target = target.map(|e| e.uid.clone());
            let number = events.len() + 1;
            let event = Event { target, ..event(number, "a", u128::from(subject), kind) };
            events.push(event.clone());
            journal.add(event);
        };
        for (kind, subject) in steps {
            next(&mut journal, Kind::ALL_FOR_TESTS[usize::from(kind)], subject);
        }
        let again = Journal::of(events.clone());
        for subject in 0..3 {
            let key = SubjectKey(subject);
            prop_assert_eq!(journal.said("a", key), again.said("a", key));
        }
        while journal.last_done("a").is_some() {
            let mut undo = event(0, "a", 0, Kind::Undo);
            undo.target = journal.last_done("a").map(|e| e.uid.clone());
            journal.add(undo);
        }
        prop_assert_eq!(journal.all().count(), 0);
    }
}

#[test]
fn scores_belong_to_what_made_them() {
    let (_folder, mut store) = store();
    let (one, other) = (Maker::of(&["a", "b"]), Maker::of(&["ab", ""]));
    assert_ne!(one, other);
    let key = SubjectKey::of(&Record::default(), "text");
    let card = ScoreCard {
        self_eval_ref: Some(crate::data::LabelDistribution {
            missing: None,
            labels: vec!["0".into(), "1".into()],
            values: vec![0.0, 1.0],
            probs: vec![0.1, 0.9],
            mass: Some(0.1 + 0.2),
        }),
        cosine: Some(1.0 / 3.0),
        fused: Some(f64::MIN_POSITIVE),
        prompt_tokens: 3,
        ..ScoreCard::default()
    };
    let text = serde_json::to_string(&card).unwrap();
    store.keep_scores(one, &[(key, text)]).unwrap();
    let found = store.score(one, key).unwrap().unwrap();
    let found: ScoreCard = serde_json::from_str(&found).unwrap();
    assert_eq!(found, card, "to the last bit");
    assert_eq!(store.score(other, key).unwrap(), None);
    assert_eq!(store.score(one, SubjectKey(1)).unwrap(), None);
}

#[test]
fn runs_and_places_are_remembered() {
    let (_folder, mut store) = store();
    let mut run = Run {
        id: 0,
        started: 5,
        ended: None,
        title: "sample_data".into(),
        judge: "starter".into(),
        template: "t".into(),
        identity: "a+b".into(),
        mode: "auto".into(),
        output: None,
        done: 0,
        total: 9,
        errors: 0,
        state: RunState::Running,
        version: "0".into(),
    };
    run.id = store.keep_run(&run).unwrap();
    run.state = RunState::Done;
    run.done = 9;
    assert_eq!(store.keep_run(&run).unwrap(), run.id);
    assert_eq!(store.runs(10).unwrap(), [run]);
    assert_eq!(store.recall("place").unwrap(), None);
    store.remember("place", "1").unwrap();
    store.remember("place", "2").unwrap();
    assert_eq!(store.recall("place").unwrap().as_deref(), Some("2"));
}

#[test]
fn what_cannot_be_used_is_named_with_a_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("juror.db");
    std::fs::write(
        &path,
        "this is no database, and longer than a header of one hundred bytes would be ".repeat(4),
    )
    .unwrap();
    let said = Store::at(&path).unwrap_err().to_string();
    assert!(
        said.contains("juror.db") && said.contains("damaged"),
        "{said}"
    );
    std::fs::remove_file(&path).unwrap();
    let store = Store::at(&path).unwrap();
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    assert!(
        Store::at(&path)
            .unwrap_err()
            .to_string()
            .contains("later version")
    );
}

#[test]
fn two_at_once_do_not_lose_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("juror.db");
    std::thread::scope(|scope| {
        for who in ["a", "b", "c"] {
            let path = &path;
            scope.spawn(move || {
                let mut store = Store::at(path).unwrap();
                for number in 0..20 {
                    store
                        .add_events(&[event(number, who, 1, Kind::Label)])
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(Store::at(&path).unwrap().events().unwrap().len(), 60);
}

#[test]
fn what_came_from_elsewhere_counts_by_its_time() {
    let (_folder, mut store) = store();
    let june = event(60, "ada", 1, Kind::Label);
    let may = event(50, "ada", 1, Kind::Label);
    store.add_events(&[june]).unwrap();
    store.add_events(&[may]).unwrap();
    let journal = Journal::of(store.events().unwrap());
    let said = journal.said("ada", SubjectKey(1)).unwrap();
    assert_eq!(
        said.labels["rating"], 60.0,
        "the later label, whichever came first"
    );
}

#[test]
fn a_redo_finds_what_was_undone_before_something_new() {
    let (first, other) = (
        event(1, "ada", 1, Kind::Label),
        event(3, "ada", 2, Kind::Label),
    );
    let aimed = |number, kind| Event {
        target: Some(first.uid.clone()),
        ..event(number, "ada", 1, kind)
    };
    let events = [
        first.clone(),
        aimed(2, Kind::Undo),
        other,
        aimed(4, Kind::Redo),
    ];
    let journal = Journal::of(events.clone());
    assert!(journal.said("ada", SubjectKey(1)).is_some());
    let mut grown = Journal::default();
    events.into_iter().for_each(|event| grown.add(event));
    assert_eq!(
        grown.said("ada", SubjectKey(1)),
        journal.said("ada", SubjectKey(1))
    );
    assert_eq!(
        grown.said("ada", SubjectKey(2)),
        journal.said("ada", SubjectKey(2))
    );
}

#[test]
fn a_run_that_ends_at_once_is_one_run() {
    let (_folder, mut store) = store();
    let run = Run {
        id: 0,
        started: 7,
        ended: None,
        title: String::new(),
        judge: String::new(),
        template: String::new(),
        identity: String::new(),
        mode: String::new(),
        output: None,
        done: 0,
        total: 0,
        errors: 0,
        state: RunState::Running,
        version: "0".into(),
    };
    let id = store.keep_run(&run).unwrap();
    let ended = Run {
        state: RunState::Done,
        ..run
    };
    assert_eq!(store.keep_run(&ended).unwrap(), id);
    assert_eq!(store.runs(5).unwrap().len(), 1);
}
