//! Processor and memory, as the operating system states them.

use std::fs;
use std::process::Command;

use serde::Serialize;

#[derive(Serialize)]
pub struct Cpu {
    pub model: Option<String>,
    /// Those that kernels can make use of.
    pub features: Vec<String>,
    /// That may run at once, as far as the system lets this process.
    pub threads: usize,
}

/// In bytes; `None` where the system does not say.
#[derive(Serialize)]
pub struct Memory {
    pub total: Option<u64>,
    /// Without swapping.
    pub available: Option<u64>,
}

pub fn os() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    let name = pretty.map_or(std::env::consts::OS, |n| n.trim_matches('"'));
    format!("{name}, {}", std::env::consts::ARCH)
}

pub fn cpu() -> Cpu {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let stated = field(&info, "model name").or_else(|| field(&info, "Model"));
    let model = stated
        .or_else(|| sysctl("machdep.cpu.brand_string"))
        .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok());
    let mut features: Vec<String> = detected().iter().map(|f| (*f).to_owned()).collect();
    // The standard library cannot ask for these yet.
    let flags = field(&info, "flags").unwrap_or_default();
    let amx = flags
        .split_whitespace()
        .filter(|f| f.starts_with("amx_") || *f == "avx_vnni");
    features.extend(amx.map(str::to_owned));
    Cpu {
        model,
        features,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let all = [
        ("avx", has!("avx")),
        ("avx2", has!("avx2")),
        ("fma", has!("fma")),
        ("f16c", has!("f16c")),
        ("avx512f", has!("avx512f")),
        ("avx512bw", has!("avx512bw")),
        ("avx512vl", has!("avx512vl")),
        ("avx512_vnni", has!("avx512vnni")),
        ("avx512_bf16", has!("avx512bf16")),
    ];
    all.iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let all = [
        ("neon", has!("neon")),
        ("dotprod", has!("dotprod")),
        ("fp16", has!("fp16")),
        ("bf16", has!("bf16")),
        ("i8mm", has!("i8mm")),
        ("sve", has!("sve")),
    ];
    all.iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}

pub fn memory() -> Memory {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |name: &str| {
        let value = field(&info, name)?;
        let number: u64 = value.split_whitespace().next()?.parse().ok()?;
        Some(number << 10)
    };
    let total = kilobytes("MemTotal").or_else(|| sysctl("hw.memsize")?.parse().ok());
    let available = kilobytes("MemAvailable");
    // A container may be allowed less than the machine has.
    let group = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok()?;
        text.trim().parse().ok()
    };
    let (limit, used) = (group("max"), group("current"));
    let left = limit
        .zip(used)
        .map(|(limit, used)| limit.saturating_sub(used));
    let less = |a: Option<u64>, b: Option<u64>| a.map(|a| b.map_or(a, |b| a.min(b)));
    Memory {
        total: less(total, limit),
        available: less(available, left),
    }
}

/// The first value of `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// What macOS says.
fn sysctl(name: &str) -> Option<String> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let output = Command::new("sysctl").args(["-n", name]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t: 1\nmodel name\t: A CPU\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU"));
        assert_eq!(field(text, "name"), None);
    }
}
