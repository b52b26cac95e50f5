use std::io::Write;

use super::*;
use crate::data::export;

fn rows(count: usize) -> String {
    (0..count)
        .map(|n| {
            let more = "x".repeat(n % 7);
            format!(
                "{{\"instruction\":\"q{}\",\"response\":\"r{n}{more}\",\"rating\":{}}}\n",
                n / 2,
                n % 10
            )
        })
        .collect()
}

fn filled(paths: &[PathBuf], hold: usize) -> (Library, Facts, usize) {
    let library = Library::default();
    let (mut facts, mut errors, mut complete) = (Facts::default(), 0, 0);
    let options = ReadOptions::default();
    library
        .fill_holding(paths, &options, hold, &mut |progress| {
            facts = progress.facts;
            errors += progress.errors.len();
            complete += usize::from(progress.complete);
        })
        .unwrap();
    assert_eq!(complete, 1);
    (library, facts, errors)
}

fn all(library: &Library) -> Vec<Record> {
    // Keys are known without reading a record again.
    for (at, item) in library.iter() {
        assert_eq!(library.responses_of(at), item.keys.len());
        for (place, key) in item.keys.iter().enumerate() {
            assert_eq!(library.key(at, place), Some(*key));
            let text = &item.responses[place].text;
            assert_eq!(*key, SubjectKey::of(&item.record, text));
        }
    }
    assert_eq!(library.key(library.len(), 0), None);
    library
        .iter()
        .map(|(_, item)| item.record.clone())
        .collect()
}

#[test]
fn what_is_held_and_what_is_read_again_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let text = rows(600);
    // A bad line among the rows of one record, a byte order mark, and an id that comes twice.
    let bad = text.replacen(
        "{\"instruction\":\"q50\"",
        "oops\n{\"instruction\":\"q50\"",
        1,
    );
    let twice = "{\"id\":\"a\",\"instruction\":\"one\",\"response\":\"1\"}\n{\"id\":\"a\",\"instruction\":\"two\",\"response\":\"2\",\"chosen\":1}\n";
    let plain = folder.path().join("plain.jsonl");
    std::fs::write(&plain, format!("\u{feff}{bad}{twice}")).unwrap();
    let zipped = folder.path().join("zipped.jsonl.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bad.as_bytes()).unwrap();
    std::fs::write(&zipped, gzip.finish().unwrap()).unwrap();
    let array = folder.path().join("array.json");
    std::fs::write(
        &array,
        r#"[{"instruction":"x","output":"y"},{"prompt":"p","chosen":"c","rejected":"r"}]"#,
    )
    .unwrap();
    // Tables, of which nothing can be read again where it is.
    let (table, columns) = (folder.path().join("a.csv"), folder.path().join("a.parquet"));
    let records = read::read(std::slice::from_ref(&zipped), &ReadOptions::default()).unwrap();
    for path in [&table, &columns] {
        export::write(path, || export::records(&records.records)).unwrap();
    }
    for path in [&plain, &zipped, &array, &table, &columns] {
        let paths = [path.clone()];
        let set = read::read(&paths, &ReadOptions::default()).unwrap();
        for hold in [0, 5_000, usize::MAX] {
            let (library, facts, errors) = filled(&paths, hold);
            assert_eq!(library.len(), set.records.len());
            assert_eq!(all(&library), set.records, "{} {hold}", path.display());
            assert_eq!(facts.records, set.records.len());
            assert_eq!(facts.responses, set.response_count());
            assert_eq!(errors, set.errors.len());
            let held = library.read().held.len();
            assert_eq!(held == 0, hold == 0);
        }
    }
    let (library, facts, _) = filled(&[plain, array], 2_000);
    assert_eq!(library.len(), 304);
    assert_eq!(facts.labels["rating"], (600, 0.0, 9.0));
    assert_eq!(library.get(301).unwrap().id, "a#2");
    assert_eq!(library.get(304), None);
}

#[test]
fn a_file_that_changed_gives_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, rows(40)).unwrap();
    let (library, ..) = filled(std::slice::from_ref(&path), 0);
    std::fs::write(&path, "").unwrap();
    assert_eq!(library.get(3), None);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(library.get(4), None);
}

#[test]
fn keys_are_told_in_slices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, rows(40)).unwrap();
    let (library, facts, _) = filled(std::slice::from_ref(&path), 3000);
    let (mut from, mut told, mut slices) = (0, Vec::new(), 0);
    while from < facts.records {
        from = library.keys(from, facts.records, 7, |at, keys| {
            told.extend(keys.iter().map(|key| (at, *key)));
        });
        slices += 1;
    }
    let items = library.iter();
    let whole = items.flat_map(|(at, item)| item.keys.iter().map(|k| (at, *k)).collect::<Vec<_>>());
    assert_eq!(told, whole.collect::<Vec<_>>());
    assert_eq!(slices, 40usize.div_ceil(8), "two responses each");
}

#[test]
fn a_record_that_is_not_held_costs_little() {
    assert_eq!(size_of::<Place>() + size_of::<usize>(), 24);
}
