//! How much of a batch is computed at a time, and whether that fits.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::net::Net;

/// Bytes of activations that are kept for the way back.
const ACTIVATIONS: usize = 1 << 30;

/// Whether activations are computed again on the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// Where a single unit would need more memory than a pass may have.
    #[default]
    Auto,
    Always,
    Never,
}

/// How a batch is cut into passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    pub tokens: usize,
    pub units: usize,
    pub recompute: bool,
}

impl Passes {
    /// Passes of at most `units` units, the longest of which has `longest` tokens.
    pub fn plan(net: &Net, units: usize, longest: usize, wish: Recompute) -> Self {
        let layers = net.config.layers.len();
        let kept = net.kept_floats() * layers * size_of::<f32>();
        let fitting = ACTIVATIONS / kept.max(1);
        let recompute = match wish {
            Recompute::Always => true,
            Recompute::Never => false,
            Recompute::Auto => longest > fitting,
        };
        let each = match recompute {
            true => net.config.dim * layers * size_of::<f32>(),
            false => kept,
        };
        Passes {
            tokens: (ACTIVATIONS / each.max(1)).clamp(256, 8192).max(longest),
            units,
            recompute,
        }
    }

    /// Bytes that a training takes beside the weights that are loaded.
    pub fn bytes(&self, net: &Net) -> usize {
        let layers = match self.recompute {
            true => 1,
            false => net.config.layers.len(),
        };
        let inputs = net.config.dim * net.config.layers.len();
        let activations = self.tokens * (net.kept_floats() * (layers + 2) + inputs);
        // Gradient and two moments.
        (activations + 3 * net.trained().len()) * size_of::<f32>()
    }
}

/// Bytes of memory that are free for use, where the system tells: of the machine, and of what the process's control
/// groups may still take.
pub fn available() -> Option<usize> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let machine = of_machine(&read("/proc/meminfo"));
    let groups = of_groups(Path::new("/sys/fs/cgroup"), &read("/proc/self/cgroup"));
    machine.into_iter().chain(groups).min()
}

fn of_machine(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Where control groups say what they may have and what they have.
struct Version {
    folder: &'static str,
    most: &'static str,
    taken: &'static str,
    /// Pages of files, which are given up where memory runs short.
    pages: [&'static str; 2],
}

const V1: Version = Version {
    folder: "memory",
    most: "memory.limit_in_bytes",
    taken: "memory.usage_in_bytes",
    pages: ["total_active_file", "total_inactive_file"],
};

const V2: Version = Version {
    folder: "",
    most: "memory.max",
    taken: "memory.current",
    pages: ["active_file", "inactive_file"],
};

/// What the narrowest of a process's groups and the groups around them leaves.
fn of_groups(root: &Path, groups: &str) -> Option<usize> {
    let left = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (kinds, path) = (fields.next()?, fields.next()?);
        let version = match kinds {
            "" => V2,
            _ if kinds.split(',').any(|kind| kind == "memory") => V1,
            _ => return None,
        };
        let own = Path::new(path.trim_start_matches('/'));
        let folder = root.join(version.folder);
        let around = own.ancestors();
        around
            .filter_map(|group| left_in(&folder.join(group), &version))
            .min()
    });
    left.min()
}

fn left_in(group: &Path, version: &Version) -> Option<usize> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    let most: usize = read(version.most)?.trim().parse().ok()?;
    let taken: usize = read(version.taken)?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let pages = stat.lines().filter_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        let is_file = version.pages.contains(&name);
        bytes.parse::<usize>().ok().filter(|_| is_file)
    });
    Some(most.saturating_sub(taken.saturating_sub(pages.sum())))
}

/// Why a training would not fit into memory, if it would not.
pub fn lacking(needed: usize, available: Option<usize>) -> Option<String> {
    let available = available.filter(|available| needed > *available)?;
    Some(format!(
        "training needs about {} MiB of memory beside the loaded weights, {} are free: set activation_checkpointing = \
         \"always\", a smaller cutoff_len, or an adapter (lora_r) instead of all weights",
        needed >> 20,
        available >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Format;
    use crate::train::tune::net::Trained;
    use crate::train::tune::net::tests::{config, made};

    #[test]
    fn layers_that_are_computed_again_take_less() {
        let net = Net::load(config(), &made(&config()), Trained::All, Format::F32, 1).unwrap();
        let of = |longest, wish| Passes::plan(&net, 4, longest, wish);
        assert!(!of(64, Recompute::Auto).recompute);
        let long = ACTIVATIONS / net.config.dim;
        assert!(of(long, Recompute::Auto).recompute);
        let never = of(long, Recompute::Never).bytes(&net);
        assert_eq!(of(long, Recompute::Auto), of(long, Recompute::Always));
        assert!(never > of(long, Recompute::Always).bytes(&net));
        // What is kept of every token in every layer, and a gradient and two moments for every weight.
        let kept = long * net.kept_floats() * net.config.layers.len() + 3 * net.parameters.len();
        assert!(never >= kept * size_of::<f32>());
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_cure() {
        assert_eq!(lacking(1 << 30, None), None);
        assert_eq!(lacking(1 << 30, Some(1 << 30)), None);
        let said = lacking(3 << 30, Some(2 << 30)).unwrap();
        for part in [
            "3072 MiB",
            "2048 are free",
            "activation_checkpointing",
            "lora_r",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_group_may_have_less_than_the_machine() {
        assert_eq!(
            of_machine("MemTotal: 9 kB\nMemAvailable:    5 kB\n"),
            Some(5 << 10)
        );
        assert_eq!(of_machine(""), None);
        let root = tempfile::tempdir().unwrap();
        let put = |group: &str, name: &str, text: &str| {
            let folder = root.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), text).unwrap();
        };
        let free = || of_groups(root.path(), "1:name=x:/other\n0::/outer/inner\n");
        assert_eq!(free(), None);
        put("outer/inner", "memory.max", "max\n");
        put("outer/inner", "memory.current", "10\n");
        assert_eq!(free(), None);
        put("outer", "memory.max", "5000\n");
        put("outer", "memory.current", "4000\n");
        assert_eq!(free(), Some(1000));
        put(
            "outer",
            "memory.stat",
            "anon 2500\nactive_file 500\ninactive_file 1000\n",
        );
        assert_eq!(free(), Some(2500));
        put("outer/inner", "memory.max", "30\n");
        assert_eq!(free(), Some(20));
        put("outer/inner", "memory.current", "40\n");
        assert_eq!(free(), Some(0));
        // Of the first version.
        let free = || of_groups(root.path(), "3:cpuset:/\n4:hugetlb,memory:/a/b\n");
        assert_eq!(free(), None);
        put("memory/a", "memory.limit_in_bytes", "9223372036854771712\n");
        put("memory/a", "memory.usage_in_bytes", "7\n");
        assert_eq!(free(), Some(9_223_372_036_854_771_705));
        put("memory/a/b", "memory.limit_in_bytes", "100\n");
        put("memory/a/b", "memory.usage_in_bytes", "90\n");
        put(
            "memory/a/b",
            "memory.stat",
            "active_file 1\ntotal_active_file 30\n",
        );
        assert_eq!(free(), Some(40));
    }
}
