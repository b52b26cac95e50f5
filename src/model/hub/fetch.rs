//! One file from the hub into the cache: continued where it stopped, checked, then named.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::cache::{Repository, make_parent};
use super::client::{Client, Failures, Metadata};
use super::name::Name;
use super::trouble::{Again, Step, Trouble};

/// A file of a commit, and what the hub says about it.
pub(super) struct Wanted<'a> {
    pub name: &'a Name,
    pub commit: &'a str,
    pub file: &'a str,
    pub metadata: &'a Metadata,
}

/// Makes the blob be there. `progress` is called with the bytes that are.
pub(super) fn fetch(
    client: &Client,
    repository: &Repository,
    wanted: &Wanted<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Trouble> {
    let Metadata { etag, size } = wanted.metadata;
    let blob = repository.blob(etag);
    make_parent(&blob).map_err(|e| Trouble::file(&blob, &e))?;
    // Whoever else fetches this file has it done when the lock is ours.
    let lock = repository
        .lock(etag)
        .map_err(|e| Trouble::file(&blob, &e))?;
    if !blob.is_file() {
        let partial = blob.with_file_name(format!("{etag}.incomplete"));
        let mut out = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&partial)
            .map_err(|e| Trouble::file(&partial, &e))?;
        complete(client, wanted, &partial, &mut out, progress)?;
        let sum = checksum(&mut out, etag.len(), *size).map_err(|e| Trouble::file(&partial, &e))?;
        if sum != *etag {
            let _ = fs::remove_file(&partial);
            return Err(Trouble::new(
                format!(
                    "{}: what arrived has the checksum {sum} instead of {etag}; it was deleted",
                    wanted.file
                ),
                "fetch it again; if that fails too, something between here and the hub alters files",
            ));
        }
        out.sync_all().map_err(|e| Trouble::file(&partial, &e))?;
        fs::rename(&partial, &blob).map_err(|e| Trouble::file(&blob, &e))?;
    }
    drop(lock);
    progress(*size);
    repository
        .point(wanted.commit, wanted.file, etag)
        .map_err(|e| Trouble::file(&repository.snapshot(wanted.commit), &e))
}

/// Appends until the partial file has its full length.
fn complete(
    client: &Client,
    wanted: &Wanted<'_>,
    partial: &Path,
    out: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Trouble> {
    let size = wanted.metadata.size;
    let broken = |e: std::io::Error| Trouble::file(partial, &e);
    let mut have = out.seek(SeekFrom::End(0)).map_err(broken)?;
    if have > size {
        (out.set_len(0)).map_err(broken)?;
        have = 0;
    }
    let mut failures = Failures::default();
    while have < size {
        progress(have);
        let before = have;
        let attempt = transfer(client, wanted, partial, out, &mut have, progress);
        if have > before {
            failures.forgive();
        }
        if let Err(again) = attempt {
            client.wait(&mut failures, again)?;
        }
    }
    Ok(())
}

/// One request's worth.
fn transfer(
    client: &Client,
    wanted: &Wanted<'_>,
    partial: &Path,
    out: &mut File,
    have: &mut u64,
    progress: &mut dyn FnMut(u64),
) -> Step<()> {
    let size = wanted.metadata.size;
    let broken = |e: std::io::Error| Again::Never(Trouble::file(partial, &e));
    let mut response = client.open(wanted.name, wanted.commit, wanted.file, *have)?;
    let range = response
        .headers()
        .get("content-range")
        .and_then(|v| v.to_str().ok());
    let continues = response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|r| r.starts_with(&format!("bytes {have}-")));
    if !continues {
        // The server sends all of it, or wants nothing of this offset: from the start, then.
        out.set_len(0).map_err(broken)?;
        *have = 0;
    }
    out.seek(SeekFrom::Start(*have)).map_err(broken)?;
    let interrupted = |cause: String| {
        let cause = format!("{}: {cause}", wanted.file);
        let cure = "check the network and fetch it again: it continues where it stopped";
        Again::After(
            Trouble {
                unreachable: true,
                ..Trouble::new(cause, cure)
            },
            None,
        )
    };
    if !response.status().is_success() {
        return Err(interrupted(format!(
            "the hub answers {}",
            response.status()
        )));
    }
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = body
            .read(&mut buffer)
            .map_err(|e| interrupted(e.to_string()))?;
        if read == 0 && *have < size {
            return Err(interrupted(format!(
                "the transfer ended after {have} of {size} bytes"
            )));
        }
        if read == 0 {
            return Ok(());
        }
        if *have + read as u64 > size {
            out.set_len(0).map_err(broken)?;
            *have = 0;
            return Err(interrupted(format!(
                "more than the stated {size} bytes arrive"
            )));
        }
        out.write_all(&buffer[..read]).map_err(broken)?;
        *have += read as u64;
        progress(*have);
    }
}

/// The checksum that names a blob: SHA-256 of large files, git's SHA-1 of small ones.
fn checksum(file: &mut File, digits: usize, size: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    if digits == 64 {
        return digest(Sha256::new(), file);
    }
    digest(Sha1::new().chain_update(format!("blob {size}\0")), file)
}

fn digest(mut hasher: impl Digest, file: &mut File) -> std::io::Result<String> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hex::encode(hasher.finalize()))
}
