//! The process and the build it is: when it began, what it takes, what it was made of.
//!
//! What it takes is read from Linux' `/proc` (proc(5)) whenever the numbers are; elsewhere it is not
//! told. A reader would ask for a crate: three small files need none.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::super::names;
use crate::{build, stderr};

/// Registers all of it, of a process that began at `started` after the Unix epoch.
pub(super) fn register(meter: &Meter, started: Duration) {
    let build = [
        KeyValue::new(names::VERSION, build::VERSION),
        KeyValue::new(names::COMMIT, build::COMMIT),
        KeyValue::new(names::FEATURES, build::features()),
    ];
    meter
        .u64_observable_gauge(names::BUILD_INFO)
        .with_description("Always 1; the labels tell version, commit and features of the build")
        .with_callback(move |gauge| gauge.observe(1, &build))
        .build();
    meter
        .f64_observable_gauge(names::PROCESS_START)
        .with_unit("s")
        .with_description("When the process began to count, in seconds since the Unix epoch")
        .with_callback(move |gauge| gauge.observe(started.as_secs_f64(), &[]))
        .build();
    meter
        .u64_observable_counter(names::LOG_LINES_LOST)
        .with_description("Lines for standard error that were dropped since nobody read it")
        .with_callback(|counter| counter.observe(stderr::lost(), &[]))
        .build();
    #[cfg(target_os = "linux")]
    linux::register(meter);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use opentelemetry::metrics::Meter;

    use crate::record::names;

    /// Ticks a second in `/proc`: `USER_HZ`, 100 on all platforms (time(7)).
    const TICKS: f64 = 100.0;
    const KIB: u64 = 1024;

    pub(super) fn register(meter: &Meter) {
        meter
            .f64_observable_counter(names::PROCESS_CPU)
            .with_unit("s")
            .with_description("Processor time of the process, user and system")
            .with_callback(|counter| observe(cpu(), |seconds| counter.observe(seconds, &[])))
            .build();
        meter
            .u64_observable_gauge(names::PROCESS_MEMORY)
            .with_unit("By")
            .with_description("Memory of the process that is resident")
            .with_callback(|gauge| observe(resident(), |bytes| gauge.observe(bytes, &[])))
            .build();
        meter
            .u64_observable_gauge(names::PROCESS_OPEN_FILES)
            .with_description("File descriptors that are open")
            .with_callback(|gauge| observe(open_files(), |count| gauge.observe(count, &[])))
            .build();
        meter
            .u64_observable_gauge(names::PROCESS_MAX_FILES)
            .with_description("File descriptors that may be open")
            .with_callback(|gauge| observe(max_files(), |count| gauge.observe(count, &[])))
            .build();
    }

    fn observe<T>(value: Option<T>, tell: impl FnOnce(T)) {
        if let Some(value) = value {
            tell(value);
        }
    }

    /// Fields 14 and 15, counted behind the name, which may hold anything.
    fn cpu() -> Option<f64> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u32>);
        let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
        Some((f64::from(user) + f64::from(system)) / TICKS)
    }

    fn resident() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib * KIB)
    }

    fn open_files() -> Option<u64> {
        // One of them is the folder that is being read.
        u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count())
            .ok()?
            .checked_sub(1)
    }

    fn max_files() -> Option<u64> {
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))?;
        line.split_whitespace().nth(3)?.parse().ok()
    }
}
