//! What the figures were measured on.

use std::{
    fmt, fs,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

/// The machine, the compiler's target and the day.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    date: String,
    cpu: String,
    cores: usize,
    system: String,
    /// Debug figures mean nothing.
    optimized: bool,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned())
            })
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            date: today(),
            cpu,
            cores: cores(),
            system: format!("{} {}", std::env::consts::OS, kernel.trim()),
            optimized: !cfg!(debug_assertions),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, cpu, cores, system, optimized } = self;
        write!(f, "{date}, {cpu}, {cores} cores, {system}")?;
        if !optimized {
            write!(f, "; built without optimization, so the figures mean nothing: use --profile bench")?;
        }
        Ok(())
    }
}

/// The version of a package in this workspace's lock file.
pub(crate) fn version(package: &str) -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let of_package = lock.split("\n\n").find(|block| block.contains(&format!("name = \"{package}\"\n")));
    let version = of_package.and_then(|block| block.split_once("version = \"")?.1.split_once('"'));
    version.map_or("?", |(version, _)| version)
}

/// A package with its version, as rows are labelled.
pub(crate) fn versioned(package: &str) -> String {
    format!("{package} {}", version(package))
}

/// How many cores this process may use. Asked once, at first: later it keeps itself on one, and would count no other.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The date in UTC, by the civil calendar's rule of 400 years of 146,097 days.
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    // Counted from 1 March of year 0, so that the leap day is a year's last.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year_of_era) } else { (month - 9, year_of_era + 1) };
    format!("{:04}-{month:02}-{day:02}", year + era * 400)
}
