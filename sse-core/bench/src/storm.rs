//! All readers come back at once: they connect with a cursor and ask for what they missed.

use std::time::Instant;

use crate::{
    Failure,
    fanout::{process::Process, readers::Readers},
    options::Options,
    report::{Cell, Row, Table, Target},
    servers::Server,
};

/// How many events each reader has missed.
const MISSED: usize = 20;

/// How many times the raw connecting time catching up may take.
const FEW: f64 = 3.0;

const OURS: &str = "sse-axum: connected and caught up";
const BARE: &str = "axum: connected, a body of nothing";

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let (count, rounds) = if options.quick { (50, 1) } else { (9_000, 3) };
    let (mut ours, mut bare, mut own) = (Vec::new(), Vec::new(), Vec::new());
    let (mut own_memory, mut bare_memory) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (took, bytes) = stormed(Server::SseAxum, count, true)?;
        ours.push(took);
        own_memory.push(bytes);
        let (took, bytes) = stormed(Server::AxumBare, count, false)?;
        bare.push(took);
        bare_memory.push(bytes);
        own.push(stormed(Server::Axum, count, false)?.0);
    }
    let row = |label: &str, ours, samples: Vec<f64>| Row {
        label: label.to_owned(),
        ours,
        cells: vec![Some(Cell::of(samples))],
    };
    let mut table = Table {
        title: format!("{count} readers come back at once, each {MISSED} events behind"),
        unit: "s until the last has all",
        columns: vec!["seconds".to_owned()],
        rows: vec![
            row(OURS, true, ours),
            row(BARE, false, bare),
            row("axum's own SSE: connected, nothing kept", false, own),
        ],
        targets: Vec::new(),
        notes: vec!["connecting is one client's loop, and most of the time".to_owned()],
    };
    if let (Some(own), Some(raw)) = (table.figure(OURS, 0), table.figure(BARE, 0)) {
        let what = format!("{OURS}, at most {FEW} times {BARE}");
        table.targets.push(Target { what, ratio: FEW * raw / own, wanted: 1.0 });
    }
    let memory = Table {
        title: format!("memory of {count} readers that came back at once"),
        unit: "resident KiB a reader",
        columns: vec!["KiB".to_owned()],
        rows: vec![
            row("sse-axum, caught up", true, own_memory),
            row("axum, a body of nothing", false, bare_memory),
        ],
        targets: Vec::new(),
        notes: Vec::new(),
    };
    Ok(vec![table, memory])
}

/// Seconds until all have what they missed, and the server's KiB a reader then.
fn stormed(server: Server, count: usize, resume: bool) -> Result<(f64, f64), Failure> {
    let mut process = Process::start(server)?;
    let last = if resume { Some(cursor(&mut process)?) } else { None };
    let before = process.resident()?;
    let start = Instant::now();
    let mut readers = Readers::request(process.address(), count, last.as_deref())?;
    if resume {
        readers.wait_for(count * MISSED)?;
    } else {
        readers.wait_until(Readers::all_heard)?;
    }
    let took = start.elapsed().as_secs_f64();
    let bytes = process.resident()?.saturating_sub(before);
    Ok((took, bytes as f64 / 1024.0 / count as f64))
}

/// Publishes one event to a reader, and then what it misses; returns the cursor that the reader was given.
fn cursor(process: &mut Process) -> Result<String, Failure> {
    let mut readers = Readers::connect(process.address(), 1, None)?;
    process.ask(1)?;
    readers.wait_for(1)?;
    process.answered()?;
    let cursor = readers.last_id().ok_or("the reader was given no id")?;
    drop(readers);
    process.ask(MISSED)?;
    process.answered()?;
    Ok(cursor)
}
