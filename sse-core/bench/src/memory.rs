//! What a reader that waits costs, in resident bytes.

use std::process::Command;

use sse_core::{EventStream, Hub};

use crate::{
    Failure,
    fanout::{
        process::{Process, resident},
        readers::Readers,
    },
    machine::versioned,
    options::Options,
    report::{Cell, Row, Table},
    servers::Server,
};

/// A framework's connection with a body of nothing, with its own SSE type, and with ours.
const GROUPS: [(&str, [Server; 3]); 4] = [
    ("axum", [Server::SseAxum, Server::Axum, Server::AxumBare]),
    ("warp", [Server::SseWarp, Server::Warp, Server::WarpBare]),
    ("poem", [Server::SsePoem, Server::Poem, Server::PoemBare]),
    ("rocket", [Server::SseRocket, Server::Rocket, Server::RocketBare]),
];

/// The kind of object that a process of its own holds many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Subscriptions whose tasks wait.
    Subscription,
    /// Response bodies that wait, with their keep-alive.
    Body,
}

/// The hub's share and ours together, at most.
const LIMITS: [f64; 2] = [256.0, 512.0];

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let (count, rounds) = if options.quick { (50, 1) } else { (2_000, 3) };
    let held = if options.quick { 200 } else { 20_000 };
    let mut share = Table {
        title: "memory of a waiting reader: our share".to_owned(),
        unit: "resident bytes a reader",
        columns: vec!["bytes".to_owned()],
        rows: Vec::new(),
        targets: Vec::new(),
        notes: vec!["heap blocks as glibc rounds them, no socket, no task".to_owned()],
    };
    for (kind, limit) in Held::ALL.into_iter().zip(LIMITS) {
        let samples = (0..rounds).map(|_| in_process(kind, held)).collect::<Result<_, _>>()?;
        share.rows.push(Row {
            label: kind.label().to_owned(),
            ours: true,
            cells: vec![Some(Cell::of(samples))],
        });
        share.limit(kind.label(), 0, limit);
    }
    let mut whole = Table {
        title: format!("memory of a waiting reader: the server's, {count} connections"),
        unit: "resident KiB a connection",
        columns: GROUPS.iter().map(|(name, _)| versioned(name)).collect(),
        rows: Vec::new(),
        targets: Vec::new(),
        notes: vec!["the kernel's part of a socket is not in it".to_owned()],
    };
    for (place, label) in ["ours", "the framework's own SSE", "a body of nothing"].into_iter().enumerate() {
        let mut cells = Vec::new();
        for (_, servers) in &GROUPS {
            let server = servers.get(place).copied().ok_or("no such server")?;
            let samples = (0..rounds).map(|_| connected(server, count)).collect::<Result<_, _>>()?;
            cells.push(Some(Cell::of(samples)));
        }
        whole.rows.push(Row { label: label.to_owned(), ours: place == 0, cells });
    }
    Ok(vec![share, whole])
}

impl Held {
    pub(crate) const ALL: [Self; 2] = [Self::Subscription, Self::Body];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Body => "body",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Subscription => "the hub's: a subscription that waits",
            Self::Body => "all that is ours: a response body that waits",
        }
    }
}

/// Kibibytes a connection, between a few and many.
fn connected(server: Server, count: usize) -> Result<f64, Failure> {
    let process = Process::start(server)?;
    // What the first connections bring about is not a connection's.
    let first = Readers::connect(process.address(), count / 10, None)?;
    let before = process.resident()?;
    let readers = Readers::connect(process.address(), count, None)?;
    let after = process.resident()?;
    drop((first, readers));
    Ok(after.saturating_sub(before) as f64 / 1024.0 / count as f64)
}

/// The bytes of each of this number, as another process of this program measures them.
fn in_process(kind: Held, count: usize) -> Result<f64, Failure> {
    let output =
        Command::new(std::env::current_exe()?).args(["hold", kind.name(), &count.to_string()]).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok(printed.trim().parse::<f64>().map_err(|_| format!("no figure but {printed:?}"))?)
}

/// Holds this number, lets them wait, and prints the resident bytes of each.
pub(crate) fn hold(kind: Held, count: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Else the timers of most bodies would not even be set: see the bodies in memory of `fanout`.
    runtime.block_on(tokio::task::unconstrained(async {
        let hub = Hub::memory();
        // The first ones bring about what is there only once.
        let first = waiting(&hub, kind, count / 10).await?;
        let mut all = Vec::with_capacity(count);
        all.resize_with(count, || None);
        let before = resident(std::process::id())?;
        for place in &mut all {
            *place = waiting(&hub, kind, 1).await?.pop();
        }
        let after = resident(std::process::id())?;
        println!("{:.1}", after.saturating_sub(before) as f64 / count as f64);
        drop((first, all));
        Ok(())
    }))
}

/// One that waits; what it is made of is held, not read.
type Waiting = std::pin::Pin<Box<dyn std::any::Any>>;

async fn waiting(hub: &Hub, kind: Held, count: usize) -> Result<Vec<Waiting>, Failure> {
    use futures_util::{FutureExt as _, StreamExt as _};

    let mut held: Vec<Waiting> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut subscription = hub.subscribe("prices").await?;
        match kind {
            Held::Subscription => {
                let _ = subscription.next().now_or_never();
                held.push(Box::pin(subscription));
            }
            Held::Body => {
                let mut body = EventStream::new(subscription).into_response().into_body();
                while body.next().now_or_never().is_some() {}
                held.push(Box::pin(body));
            }
        }
    }
    Ok(held)
}
