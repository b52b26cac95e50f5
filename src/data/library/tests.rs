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

#[test]
fn a_kept_index_is_the_one_that_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let (home, path) = (folder.path().join("indices"), folder.path().join("a.jsonl"));
    let twice = "{\"id\":\"a\",\"instruction\":\"one\",\"response\":\"1\"}\nno row\n{\"id\":\"a\",\"instruction\":\"two\",\"response\":\"2\"}\n";
    std::fs::write(&path, format!("\u{feff}{twice}{}{twice}", rows(400))).unwrap();
    let long_ago = SystemTime::now() - std::time::Duration::from_secs(60);
    let settle = || {
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(long_ago).unwrap();
    };
    let filled = |hold: usize| {
        let library = Library::default();
        let (mut parts, mut bad) = (Vec::new(), 0);
        let options = ReadOptions::default();
        let paths = [path.clone()];
        library
            .fill_kept(&paths, &options, (hold, &home), &mut |part| {
                bad += part.errors.len();
                parts.push(part);
            })
            .unwrap();
        assert_eq!(bad, 2);
        let facts = parts.pop().unwrap().facts;
        (all(&library), facts, library.read().held.len())
    };
    let indices = || std::fs::read_dir(&home).map_or(0, Iterator::count);
    // A file that has just been written may change again.
    let (records, facts, held) = filled(5_000);
    assert!(held > 0 && held < records.len());
    assert_eq!(indices(), 0);
    settle();
    for hold in [5_000, 0, usize::MAX] {
        assert_eq!(filled(hold).0, records);
        assert_eq!(indices(), 1);
        let (again, told, held) = filled(hold);
        assert_eq!((&again, &told, held), (&records, &facts, 0));
        std::fs::remove_dir_all(&home).unwrap();
    }
    // What is damaged is made anew.
    filled(0);
    let index = std::fs::read_dir(&home)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = std::fs::read(&index).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&index, &bytes).unwrap();
        assert_eq!(filled(0).0, records, "{at}");
        std::fs::write(&index, &whole[..at]).unwrap();
        assert_eq!(filled(0).0, records, "{at}");
    }
    // Another size, another time, other options: another index.
    std::fs::write(&path, rows(10)).unwrap();
    settle();
    let library = Library::default();
    let paths = [path.clone()];
    let options = ReadOptions::default();
    library
        .fill_kept(&paths, &options, (0, &home), &mut |_| ())
        .unwrap();
    assert_eq!((library.len(), indices()), (5, 2));
}

#[test]
fn lines_that_are_parsed_side_by_side_are_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    // Several blocks, lines longer than one, blank and bad ones, no line end at the end.
    let long = "y".repeat(1 << 20);
    let mut text = String::new();
    for n in 0..6_000 {
        text.push_str(&rows(1).replace("q0", &format!("q{}", n / 3)));
        match n % 1500 {
            7 => text.push_str("\n \n"),
            9 => text.push_str("{\"instruction\": 5}\n"),
            11 => text.push_str(&format!(
                "{{\"instruction\":\"long\",\"response\":\"{long}{n}\"}}\n"
            )),
            _ => (),
        }
        text.push_str(
            &format!(
                "{{\"instruction\":\"{}\",\"response\":\"x\"}}\r\n",
                "z".repeat(n % 400)
            )
            .replace("\"\",", "\"a\","),
        );
    }
    text.push_str(rows(1).trim_end());
    std::fs::write(&path, &text).unwrap();
    let paths = [path];
    let set = read::read(&paths, &ReadOptions::default()).unwrap();
    let (library, facts, errors) = filled(&paths, 0);
    assert_eq!(errors, set.errors.len());
    assert_eq!(facts.responses, set.response_count());
    assert!(all(&library) == set.records);
    let strict = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    let failed = Library::default().fill_holding(&paths, &strict, 0, &mut |_| ());
    assert_eq!(
        failed.unwrap_err().to_string(),
        read::read(&paths, &strict).unwrap_err().to_string()
    );
}
