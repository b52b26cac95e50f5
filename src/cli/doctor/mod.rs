//! `juror doctor`: what this machine has, and whether the first run can work on it.

mod kernels;
mod machine;
mod server;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::servers::ServerArguments;
use crate::kernel::Format;
use crate::model::decoder::cpu::Cpu;
use crate::model::facts::{Model, Place, device};
use crate::model::hub::{self, Settings};
use crate::model::spec;

/// How to say it.
#[derive(Args)]
pub struct Arguments {
    /// One object on standard output
    #[arg(long)]
    json: bool,
    /// What a server can do instead: https://HOST/v1#MODEL
    #[arg(long, value_name = "URL#MODEL")]
    judge: Option<String>,
    #[command(flatten)]
    servers: ServerArguments,
}

/// Everything that is asked when something does not work. Nothing secret is in it.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    os: String,
    cpu: machine::Cpu,
    memory: machine::Memory,
    devices: Vec<FoundDevice>,
    kernels: Vec<kernels::Line>,
    hub: HubCache,
    /// Where Juror keeps its state.
    data_folder: Option<PathBuf>,
    data_folder_exists: bool,
    share: Found,
    starter: Found,
    ok: bool,
}

#[derive(Serialize)]
struct FoundDevice {
    name: &'static str,
    available: bool,
    /// Why not, or what it is.
    note: String,
}

#[derive(Serialize)]
struct HubCache {
    path: PathBuf,
    exists: bool,
    bytes: u64,
    models: usize,
    endpoint: String,
    offline: bool,
    /// Whether there is one; never what it is.
    token: bool,
}

/// Something that the first run needs.
#[derive(Serialize)]
struct Found {
    ok: bool,
    /// Where or what it is, or why it is not.
    note: String,
}

impl Found {
    fn of(result: Result<String, String>) -> Self {
        Found {
            ok: result.is_ok(),
            note: result.unwrap_or_else(|why| why),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(judge) = &arguments.judge {
        return server::run(judge, &arguments.servers, arguments.json);
    }
    let report = examine();
    let mut out = io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => write!(out, "{}", table(&report))?,
    }
    if !report.ok {
        bail!("something that the first run needs is missing: see `share` and `starter` above");
    }
    Ok(())
}

fn examine() -> Report {
    let settings = Settings::from_env();
    let data_folder = crate::store::home::folder();
    let share = Found::of(match spec::share() {
        Ok(path) => Ok(path.canonicalize().unwrap_or(path).display().to_string()),
        Err(why) => Err(why.to_string()),
    });
    let starter = Found::of(starter());
    Report {
        version: env!("CARGO_PKG_VERSION"),
        os: machine::os(),
        cpu: machine::cpu(),
        memory: machine::memory(),
        devices: devices(),
        kernels: kernels::kernel_lines(),
        hub: HubCache {
            exists: settings.cache.is_dir(),
            bytes: hub::size(&settings.cache),
            models: hub::cached(&settings.cache).len(),
            path: settings.cache,
            endpoint: settings.endpoint,
            offline: settings.offline,
            token: settings.token.is_some(),
        },
        data_folder_exists: data_folder.as_ref().is_some_and(|f| f.is_dir()),
        data_folder,
        ok: share.ok && starter.ok,
        share,
        starter,
    }
}

fn starter() -> Result<String, String> {
    let started = Instant::now();
    let place = Place::new(Cpu::new(1, Format::best()), true);
    let model = place.and_then(|place| Model::load("starter", &place, |_, _, _| ()));
    let model = model.map_err(|e| e.to_string())?;
    let (seconds, parameters) = (started.elapsed().as_secs_f64(), model.facts.parameters);
    Ok(format!("loads in {seconds:.2} s ({parameters} parameters)"))
}

fn devices() -> Vec<FoundDevice> {
    let cpu = FoundDevice {
        name: "cpu",
        available: true,
        note: "always there".into(),
    };
    let optional = [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
    ];
    let optional = optional.into_iter().map(|(name, compiled)| {
        let found = match compiled {
            false => Err(format!("not compiled in (build with --features {name})")),
            true => device(name).map_err(|e| e.to_string()),
        };
        FoundDevice {
            name,
            available: found.is_ok(),
            note: found.map_or_else(|why| why, |_| "found".into()),
        }
    });
    std::iter::once(cpu).chain(optional).collect()
}

fn table(report: &Report) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
    row("juror", format!("{} on {}", report.version, report.os));
    let cpu = &report.cpu;
    let model = cpu.model.as_deref().unwrap_or("unknown");
    row("cpu", format!("{model}, {} threads", cpu.threads));
    row("features", cpu.features.join(" "));
    let size = |bytes: Option<u64>| bytes.map_or("unknown".into(), |b| BinaryBytes(b).to_string());
    let memory = &report.memory;
    row(
        "memory",
        format!(
            "{} available of {}",
            size(memory.available),
            size(memory.total)
        ),
    );
    for device in &report.devices {
        row(&format!("device {}", device.name), device.note.clone());
    }
    for line in &report.kernels {
        row(&line.what, line.kernel.clone());
    }
    let hub = &report.hub;
    let state = match hub.exists {
        true => format!("{} models, {}", hub.models, BinaryBytes(hub.bytes)),
        false => "not there yet".to_owned(),
    };
    row("hub cache", format!("{} ({state})", hub.path.display()));
    let offline = if hub.offline { ", offline" } else { "" };
    let token = if hub.token { "with" } else { "without" };
    row("hub", format!("{} {token} a token{offline}", hub.endpoint));
    let state = if report.data_folder_exists {
        ""
    } else {
        " (not there yet)"
    };
    let folder = report.data_folder.as_ref().map(|f| f.display().to_string());
    row(
        "data folder",
        format!("{}{state}", folder.as_deref().unwrap_or("unknown")),
    );
    let found = |f: &Found| format!("{}{}", if f.ok { "" } else { "MISSING: " }, f.note);
    row("share", found(&report.share));
    row("starter", found(&report.starter));
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    rows.iter()
        .map(|(key, value)| format!("{key:width$}  {value}\n"))
        .collect()
}
