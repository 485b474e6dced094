//! One event to many readers: over real sockets, from a server in a process of its own, and without sockets.

mod in_memory;
mod outside;
pub(crate) mod process;
pub(crate) mod readers;

use std::time::Duration;

use crate::{
    Failure,
    machine::versioned,
    options::{Options, Outside},
    report::{Cell, Row, Table},
    servers::Server,
};
use process::Process;
use readers::Readers;

/// How many events are published before the server's readers are looked at.
const BURSTS: [usize; 3] = [1, 16, 64];

/// The servers that are compared with each other, ours first, and how far ahead it should be.
struct Group {
    title: &'static str,
    servers: &'static [Server],
    wanted: [f64; 3],
}

const GROUPS: [Group; 4] = [
    Group {
        title: "Axum",
        servers: &[Server::SseAxum, Server::Axum, Server::AxumTokioListener, Server::AxumHandWritten],
        wanted: [1.15, 2.2, 7.0],
    },
    Group { title: "Warp", servers: &[Server::SseWarp, Server::Warp], wanted: [1.1, 1.8, 4.0] },
    Group { title: "Poem", servers: &[Server::SsePoem, Server::Poem], wanted: [1.1, 1.8, 4.0] },
    Group { title: "Rocket", servers: &[Server::SseRocket, Server::Rocket], wanted: [3.0, 30.0, 50.0] },
];

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let mut tables = vec![in_memory::run(options)?];
    for group in &GROUPS {
        let mut servers = group.servers.to_vec();
        if servers.contains(&Server::Axum) {
            servers.extend(options.with.iter().filter_map(|outside| match outside {
                Outside::Nchan => Some(Server::Nchan),
                Outside::BetterSse => Some(Server::BetterSse),
                Outside::EventsourceParser => None,
            }));
        }
        tables.extend(measured(options, group, &servers)?);
    }
    Ok(tables)
}

/// The server's CPU time and the wall's, a delivery.
fn measured(options: &Options, group: &Group, servers: &[Server]) -> Result<[Table; 2], Failure> {
    let (count, rounds, slice) = if options.quick {
        (20, 2, Duration::from_millis(10))
    } else {
        (1_000, 7, Duration::from_millis(250))
    };
    let mut contestants = Vec::new();
    for server in servers {
        let process = Process::start(*server)?;
        let readers = Readers::connect(process.address(), count, None)?;
        contestants.push((process, readers));
    }
    let mut samples = vec![[const { (Vec::new(), Vec::new()) }; BURSTS.len()]; contestants.len()];
    for round in 0..rounds {
        for (column, burst) in BURSTS.into_iter().enumerate() {
            for place in 0..contestants.len() {
                let index = (place + round) % contestants.len();
                let Some((process, readers)) = contestants.get_mut(index) else { continue };
                let (cpu, wall) = sliced(process, readers, burst, slice)?;
                if let Some((cpus, walls)) =
                    samples.get_mut(index).and_then(|columns| columns.get_mut(column))
                {
                    cpus.push(cpu);
                    walls.push(wall);
                }
            }
        }
    }
    let row = |index: usize, server: &Server, pick: fn(&(Vec<f64>, Vec<f64>)) -> &Vec<f64>| Row {
        label: label(*server),
        ours: server.is_ours(),
        cells: samples
            .get(index)
            .into_iter()
            .flatten()
            .map(|samples| Some(Cell::of(pick(samples).clone())))
            .collect(),
    };
    let table = |what: &str, unit, pick: fn(&(Vec<f64>, Vec<f64>)) -> &Vec<f64>| Table {
        title: format!("fan-out to {count} readers, {}: {what}", group.title),
        unit,
        columns: BURSTS.iter().map(|burst| format!("{burst} a wake")).collect(),
        rows: servers.iter().enumerate().map(|(index, server)| row(index, server, pick)).collect(),
        targets: Vec::new(),
        notes: Vec::new(),
    };
    let mut cpu = table("the server's CPU", "µs a delivery", |(cpu, _)| cpu);
    let wall = table("the wall's clock", "µs a delivery", |(_, wall)| wall);
    if let [ours, theirs, ..] = servers {
        for (column, wanted) in group.wanted.into_iter().enumerate() {
            cpu.aim(ours.name(), theirs.name(), column, wanted);
            if servers.contains(&Server::AxumHandWritten) {
                cpu.aim(ours.name(), &label(Server::AxumHandWritten), column, 0.95);
            }
        }
    }
    for (theirs, wanted) in [(Server::Nchan, [1.2, 18.0]), (Server::BetterSse, [2.0, 6.0])] {
        for (column, wanted) in wanted.into_iter().enumerate() {
            cpu.aim(Server::SseAxum.name(), theirs.name(), column, wanted);
        }
    }
    Ok([cpu, wall])
}

/// Bursts for about `slice`: microseconds of the server's CPU and of the wall a delivery.
fn sliced(
    process: &mut Process,
    readers: &mut Readers,
    burst: usize,
    slice: Duration,
) -> Result<(f64, f64), Failure> {
    let cpu = process.cpu()?;
    let start = std::time::Instant::now();
    let mut deliveries = 0;
    while start.elapsed() < slice {
        process.ask(burst)?;
        deliveries += readers.len() * burst;
        readers.wait_for(readers.len() * burst)?;
        process.answered()?;
    }
    let wall = start.elapsed();
    let cpu = process.cpu()? - cpu;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / deliveries as f64;
    Ok((each(cpu), each(wall)))
}

fn label(server: Server) -> String {
    match server {
        Server::Axum | Server::Warp | Server::Poem | Server::Rocket => versioned(server.name()),
        Server::AxumTokioListener => "axum, Tokio's own listener".to_owned(),
        Server::AxumHandWritten => "axum, shared chunks by hand".to_owned(),
        ours => ours.name().to_owned(),
    }
}
