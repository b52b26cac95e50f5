//! The hub's client against a hub of our own; nothing here leaves this machine.

pub mod server;

use std::path::Path;
use std::time::Duration;

use juror::model::hub::{Hub, Name, Settings, Token, Want, cached};
use server::{COMMIT, Fault, Seen, Server, etag};

const CONFIG: &[u8] = br#"{"model_type":"llama"}"#;

fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| ((i * 31) >> 3) as u8).collect()
}

fn model() -> Server {
    Server::start(&[
        ("config.json", CONFIG, false),
        ("tokenizer.json", b"{}", false),
        ("README.md", b"not fetched", false),
        ("model.safetensors", &weights(), true),
        ("onnx/model.safetensors", b"not fetched", true),
        ("q8.gguf", b"GGUF and so on", true),
    ])
}

fn hub(server: &Server, cache: &Path) -> Hub {
    Hub::new(Settings {
        endpoint: server.url.clone(),
        cache: cache.to_owned(),
        token: Some(Token::new("hf_secret")),
        offline: false,
        retries: 3,
        pause: Duration::from_millis(2),
        certificates: None,
    })
}

fn offline(hub: &Hub) -> Hub {
    Hub::new(Settings {
        offline: true,
        ..hub.settings().clone()
    })
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Transfers of the weights: the range of each.
fn transfers(server: &Server) -> Vec<Option<String>> {
    let large = |s: &Seen| s.verb == "GET" && s.far;
    server
        .seen()
        .into_iter()
        .filter(large)
        .map(|s| s.range)
        .collect()
}

#[test]
fn a_model_is_fetched_into_the_layout_of_hugging_face() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let mut steps = Vec::new();
    let folder = hub
        .get(&name("org/name"), Want::Model, &mut |p| {
            steps.push((p.done, p.total))
        })
        .unwrap();
    let repo = cache.path().join("models--org--name");
    assert_eq!(folder, repo.join("snapshots").join(COMMIT));
    assert_eq!(std::fs::read(folder.join("config.json")).unwrap(), CONFIG);
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).unwrap(),
        weights()
    );
    assert!(!folder.join("README.md").exists() && !folder.join("onnx").exists());
    assert_eq!(
        std::fs::read_to_string(repo.join("refs/main")).unwrap(),
        COMMIT
    );
    for (contents, large) in [(CONFIG, false), (&weights(), true)] {
        let blob = repo.join("blobs").join(etag(contents, large));
        assert_eq!(std::fs::read(blob).unwrap(), contents);
    }
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(folder.join("config.json")).unwrap(),
        Path::new("../../blobs").join(etag(CONFIG, false))
    );
    assert!(
        repo.join(".no_exist")
            .join(COMMIT)
            .join("chat_template.jinja")
            .exists()
    );
    let (done, total) = *steps.last().unwrap();
    assert_eq!((done, total), (300_000 + 2 + CONFIG.len() as u64, done));
    assert!(steps.is_sorted_by_key(|s| s.0));

    // The token goes to the hub and nowhere else.
    for seen in server.seen() {
        assert_eq!(seen.token.is_some(), !seen.far, "{seen:?}");
    }
    // What is there is not asked for again, with or without a network.
    let before = server.seen().len();
    for hub in [&hub, &offline(&hub)] {
        assert_eq!(
            hub.get(&name("org/name"), Want::Model, &mut |_| ())
                .unwrap(),
            folder
        );
    }
    assert_eq!(server.seen().len(), before);
    // An explicit pull asks what is new, and fetches nothing twice.
    hub.pull(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap();
    assert_eq!(
        (server.seen().len(), transfers(&server).len()),
        (before + 1, 1)
    );
    let list = cached(cache.path());
    assert_eq!(list[0].repo, "org/name");
    assert_eq!(list[0].revisions, [("main".into(), folder)]);
    assert!(list[0].bytes > 300_000);
}

#[test]
fn an_interrupted_transfer_continues() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    server.with(|s| {
        s.faults.push_back(("/cdn/", Fault::Cut(100_000)));
        s.faults
            .push_back(("/cdn/", Fault::Status(503, "Retry-After: 0\r\n")));
        s.faults.push_back(("/cdn/", Fault::Cut(50_000)));
    });
    let hub = hub(&server, cache.path());
    let folder = hub
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap();
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).unwrap(),
        weights()
    );
    let from = |n: u32| Some(format!("bytes={n}-"));
    assert_eq!(
        transfers(&server),
        [None, from(100_000), from(100_000), from(150_000)]
    );
}

#[test]
fn a_partial_file_of_an_earlier_process_is_continued() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let blobs = cache.path().join("models--org--name/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let partial = blobs.join(format!("{}.incomplete", etag(&weights(), true)));
    std::fs::write(&partial, &weights()[..1234]).unwrap();
    let hub = hub(&server, cache.path());
    hub.get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap();
    assert_eq!(transfers(&server), [Some("bytes=1234-".into())]);
    assert!(!partial.exists());
}

#[test]
fn patience_ends() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    server.with(|s| {
        let faults = (0..20).map(|_| ("/api/models", Fault::Status(500, "")));
        s.faults.extend(faults);
    });
    let hub = hub(&server, cache.path());
    let error = hub
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("500") && error.contains("try again later"),
        "{error}"
    );
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn wrong_contents_are_deleted() {
    for (file, large) in [("model.safetensors", true), ("config.json", false)] {
        let (server, cache) = (model(), tempfile::tempdir().unwrap());
        let mut contents = server.with(|s| s.files[file].0.clone());
        contents[7] ^= 1;
        server.with(|s| s.altered.insert(file.into(), contents.clone()));
        let hub = hub(&server, cache.path());
        let error = hub
            .get(&name("org/name"), Want::Model, &mut |_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&etag(&contents, large)) && error.contains(file),
            "{error}"
        );
        let blobs = cache.path().join("models--org--name/blobs");
        let left = std::fs::read_dir(blobs).unwrap().flatten();
        assert!(
            left.into_iter()
                .all(|e| !e.file_name().to_string_lossy().contains("incomplete"))
        );
        assert!(hub.in_cache(&name("org/name"), Want::Model).is_none());
        // The next attempt starts afresh and succeeds.
        server.with(|s| s.altered.clear());
        hub.get(&name("org/name"), Want::Model, &mut |_| ())
            .unwrap();
    }
}

#[test]
fn refusals_come_with_a_cure_and_without_the_token() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    for (text, cause, cure) in [
        ("org/other", "Invalid username or password", "HF_TOKEN"),
        ("org/gated", "is restricted", "accept the terms on"),
        ("org/name@v9", "Invalid rev id", "branches and tags"),
        ("org/name:q4.gguf", "no file q4.gguf", "it has q8.gguf"),
    ] {
        let error = hub
            .get(&name(text), Want::Model, &mut |_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(cause) && error.contains(cure), "{error}");
        assert!(error.contains(&format!("hf:{text}")), "{error}");
        assert!(!error.contains("hf_secret"), "{error}");
    }
    let adapter = hub
        .get(&name("org/name"), Want::Adapter, &mut |_| ())
        .unwrap_err();
    assert!(
        adapter.to_string().contains("no adapter_config.json"),
        "{adapter}"
    );
}

#[test]
fn without_a_network_the_cache_must_do() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let error = offline(&hub)
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains("HF_HUB_OFFLINE") && error.contains("juror model pull hf:org/name"));
    assert!(server.seen().is_empty());

    // A snapshot that another program fetched may lack optional files: good enough offline, and
    // where the hub cannot be reached.
    let folder = hub
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap();
    std::fs::remove_dir_all(cache.path().join("models--org--name/.no_exist")).unwrap();
    let nowhere = Hub::new(Settings {
        endpoint: "http://127.0.0.1:1".into(),
        ..hub.settings().clone()
    });
    for hub in [&offline(&hub), &nowhere] {
        assert_eq!(
            hub.get(&name("org/name"), Want::Model, &mut |_| ())
                .unwrap(),
            folder
        );
    }
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    assert!(
        offline(&hub)
            .get(&name("org/name"), Want::Model, &mut |_| ())
            .is_err()
    );
    let error = nowhere
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("127.0.0.1:1") && error.contains("check the network"),
        "{error}"
    );
}

#[test]
fn one_gguf_file_of_another_revision() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let wanted = name("org/name@refs/pr/1:q8.gguf");
    let file = hub.get(&wanted, Want::Model, &mut |_| ()).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"GGUF and so on");
    let reference = cache.path().join("models--org--name/refs/refs/pr/1");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    assert_eq!(
        offline(&hub)
            .get(&wanted, Want::Model, &mut |_| ())
            .unwrap(),
        file
    );
    assert_eq!(cached(cache.path())[0].revisions[0].0, "refs/pr/1");
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let (server, cache) = (model(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let folder = hub
                    .get(&name("org/name"), Want::Model, &mut |_| ())
                    .unwrap();
                assert_eq!(
                    std::fs::read(folder.join("model.safetensors")).unwrap(),
                    weights()
                );
            });
        }
    });
    assert_eq!(transfers(&server), [None]);
}

#[test]
fn shards_are_those_of_the_index() {
    let index = br#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    let server = Server::start(&[
        ("config.json", CONFIG, false),
        ("tokenizer.json", b"{}", false),
        ("model.safetensors.index.json", index, false),
        ("model-00001-of-00002.safetensors", b"one", true),
        ("model-00002-of-00002.safetensors", b"two", true),
        ("consolidated.safetensors", b"both again", true),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let hub = hub(&server, cache.path());
    let folder = hub
        .get(&name("org/name"), Want::Model, &mut |_| ())
        .unwrap();
    assert_eq!(
        std::fs::read(folder.join("model-00002-of-00002.safetensors")).unwrap(),
        b"two"
    );
    assert!(!folder.join("consolidated.safetensors").exists());
    std::fs::remove_file(folder.join("model-00001-of-00002.safetensors")).unwrap();
    assert!(hub.in_cache(&name("org/name"), Want::Model).is_none());
}
