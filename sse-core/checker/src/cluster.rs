//! The engine under test, its nodes, the cables between them, and the faults that can be applied.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::json;
use sse_core::{
    Cursor,
    history::{FileHistory, History, NatsHistory, PostgresHistory, Record, RedisHistory},
};
use sse_testkit::history_cases::{texts, wait_for};
use tempfile::TempDir;
use tokio::{sync::Mutex, time::sleep};

use super::{Digest, EngineKind, Fault, Kept, client::TOPICS, node::Node, postgres};
use crate::engines::{NatsServer, Proxy, RedisServer, Sentinel};

/// The name under which Redis, NATS and PostgreSQL keep the events.
pub(super) const NAME: &str = "checked";

/// Number of events per topic that a node retains in memory: few, so that it reads often from the engine.
const RETAIN: &str = "40";

pub(super) struct Cluster {
    pub(super) nodes: Vec<Arc<Node>>,
    /// The cables of each node, one to each server.
    cables: Vec<Vec<Proxy>>,
    engine: Mutex<Engine>,
}

enum Engine {
    File(TempDir),
    Redis(Box<Pair>),
    Nats(NatsServer),
    Postgres(Box<postgres::Pair>),
}

/// A Redis primary and its replica.
struct Pair {
    servers: [RedisServer; 2],
    primary: usize,
    sentinel: Option<Sentinel>,
}

impl Cluster {
    /// Starts an engine and its nodes; each is one of the programs, in turn.
    pub(super) async fn start(kind: EngineKind, programs: &[PathBuf]) -> Self {
        let engine = match kind {
            EngineKind::File => Engine::File(TempDir::new().unwrap()),
            EngineKind::Redis => Engine::Redis(Box::new(Pair::start().await)),
            EngineKind::Nats => Engine::Nats(NatsServer::start().await),
            EngineKind::Postgres => Engine::Postgres(Box::new(postgres::Pair::start().await)),
        };
        let ports = match &engine {
            Engine::File(_) => Vec::new(),
            Engine::Redis(pair) => pair.servers.iter().map(RedisServer::port).collect(),
            Engine::Nats(server) => vec![server.port()],
            Engine::Postgres(pair) => pair.ports(),
        };
        let (mut nodes, mut cables) = (Vec::new(), Vec::new());
        for program in programs.iter().cycle().take(kind.nodes()) {
            let mut own = Vec::new();
            for port in &ports {
                own.push(Proxy::to(*port).await);
            }
            let urls: Vec<String> =
                own.iter().map(|cable| format!("{kind}://127.0.0.1:{}", cable.port())).collect();
            let history = match &engine {
                Engine::File(folder) => format!("file:{}", path(folder).display()),
                Engine::Postgres(_) => {
                    let ports: Vec<u16> = own.iter().map(Proxy::port).collect();
                    format!("{kind}:{}", postgres::Pair::url_at(&ports))
                }
                _ => format!("{kind}:{}", urls.join(",")),
            };
            let arguments = ["--history", &*history, "--name", NAME, "--retain", RETAIN].map(str::to_owned);
            let node = Arc::new(Node::new(program.clone(), arguments.into()));
            node.away(async || {}).await;
            nodes.push(node);
            cables.push(own);
        }
        Self { nodes, cables, engine: Mutex::new(engine) }
    }

    /// Applies a fault, and undoes it if it is temporary.
    pub(super) async fn strike(&self, fault: Fault) {
        match fault {
            Fault::KillNode { node, away } => self.nodes[node].away(async || sleep(away).await).await,
            Fault::Cut { node, length } => self.cable(node, Proxy::cut, length).await,
            Fault::Delay { node, by, length } => {
                self.cable(node, |cable| cable.delay(by), length).await;
            }
            Fault::Hold { node, length } => self.cable(node, Proxy::hold, length).await,
            fault => match &mut *self.engine.lock().await {
                Engine::File(folder) => strike_file(&self.nodes[0], folder, fault).await,
                Engine::Redis(pair) => pair.strike(fault, &self.cables).await,
                Engine::Nats(server) => strike_nats(server, fault).await,
                Engine::Postgres(pair) => pair.strike(fault, &self.cables).await,
            },
        }
    }

    async fn cable(&self, node: usize, act: impl Fn(&Proxy), length: Duration) {
        self.cables[node].iter().for_each(&act);
        sleep(length).await;
        self.cables[node].iter().for_each(Proxy::mend);
    }

    /// What the engine holds. For a file, this ends its node.
    pub(super) async fn kept(&self) -> Kept {
        match &*self.engine.lock().await {
            Engine::File(folder) => {
                self.nodes[0].stop().await;
                kept(&FileHistory::open(path(folder)).unwrap()).await
            }
            Engine::Redis(pair) => {
                kept(&RedisHistory::connect(pair.servers[pair.primary].url(), NAME).await.unwrap()).await
            }
            Engine::Nats(server) => kept(&NatsHistory::connect(server.url(), NAME).await.unwrap()).await,
            Engine::Postgres(pair) => {
                kept(&PostgresHistory::connect(pair.primary().url(), NAME).await.unwrap()).await
            }
        }
    }
}

/// Our own events among the kept ones: example applications publish others as well.
async fn kept(history: &impl History) -> Kept {
    let span = history.bounds(&[]).await.unwrap();
    let mut records: Vec<(Cursor, Digest)> = Vec::new();
    let mut after = span.oldest - 1;
    while after < span.head {
        let more = history.read(after, 1_000, usize::MAX).await.unwrap();
        after += more.len() as u64;
        let is_ours = |record: &Record| record.topics.iter().any(|topic| TOPICS.contains(&topic.as_str()));
        let ours = more.iter().zip(texts(&more)).filter(|(record, _)| is_ours(record));
        records.extend(ours.map(|(record, text)| (record.cursor, Digest::of(&text))));
    }
    Kept { records, oldest: span.oldest, epochs: span.epochs.rows().to_vec() }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("events.redb")
}

async fn strike_file(node: &Node, folder: &TempDir, fault: Fault) {
    let (path, copy) = (path(folder), folder.path().join("copy"));
    match fault {
        Fault::Trim { keep } => {
            node.set("--keep", &keep.to_string());
            node.away(async || {}).await;
        }
        Fault::DeleteAll => node.away(async || std::fs::remove_file(path).unwrap()).await,
        Fault::Rollback { lag } => {
            node.away(async || std::fs::copy(&path, &copy).unwrap()).await;
            sleep(lag).await;
            node.away(async || std::fs::copy(&copy, &path).unwrap()).await;
        }
        other => unreachable!("{other:?} is no fault of a file"),
    }
}

async fn strike_nats(server: &mut NatsServer, fault: Fault) {
    match fault {
        Fault::KillEngine { away } => {
            server.kill();
            sleep(away).await;
            server.run().await;
        }
        Fault::Trim { keep } => {
            let info = server.api(&format!("STREAM.INFO.{NAME}"), json!({})).await;
            let Some(config) = info.map(|info| info["config"].clone()).filter(|config| config.is_object())
            else {
                return;
            };
            let mut less = config.clone();
            less["max_msgs"] = keep.into();
            for config in [less, config] {
                server.api(&format!("STREAM.UPDATE.{NAME}"), config).await;
            }
        }
        Fault::DeleteAll => {
            server.api(&format!("STREAM.DELETE.{NAME}"), json!({})).await;
        }
        Fault::Rollback { lag } => {
            server.kill();
            let copy = server.copy();
            server.run().await;
            sleep(lag).await;
            server.kill();
            server.restore(&copy);
            server.run().await;
        }
        other => unreachable!("{other:?} is no fault of NATS"),
    }
}

impl Pair {
    async fn start() -> Self {
        let primary = RedisServer::start(&OPTIONS);
        let port = primary.port().to_string();
        let replica = RedisServer::start(&[&OPTIONS[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let pair = Self { servers: [primary, replica], primary: 0, sentinel: None };
        pair.is_replicated().await;
        pair
    }

    /// Waits until the replica follows.
    async fn is_replicated(&self) {
        wait_for("the replica follows", async {
            let replica = &self.servers[1 - self.primary];
            while !replica.ask(&["INFO", "replication"]).contains("master_link_status:up") {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    async fn strike(&mut self, fault: Fault, cables: &[Vec<Proxy>]) {
        let (primary, other) = (self.primary, 1 - self.primary);
        match fault {
            Fault::KillEngine { away } => {
                self.servers[primary].kill();
                sleep(away).await;
                self.servers[primary].revive_with(&OPTIONS);
            }
            Fault::Trim { keep } => {
                self.servers[primary].ask(&[
                    "XTRIM",
                    &format!("sse:{{{NAME}}}:log"),
                    "MAXLEN",
                    &keep.to_string(),
                ]);
            }
            Fault::DeleteStream => {
                self.servers[primary].ask(&["DEL", &format!("sse:{{{NAME}}}:log")]);
            }
            Fault::DeleteAll => {
                self.servers[primary].ask(&["FLUSHALL"]);
            }
            Fault::Promote { lag } => {
                self.is_replicated().await;
                // After it is cut off, it keeps its data.
                self.servers[other].ask(&["REPLICAOF", "127.0.0.1", "1"]);
                sleep(lag).await;
                self.servers[primary].kill();
                self.servers[other].ask(&["REPLICAOF", "NO", "ONE"]);
                self.primary = other;
                let port = self.servers[other].port().to_string();
                self.servers[primary]
                    .revive_with(&[&OPTIONS[..], &["--replicaof", "127.0.0.1", &port]].concat());
            }
            Fault::FailBack { lag } => {
                self.is_replicated().await;
                let to_primary = || cables.iter().map(|own| &own[primary]);
                to_primary().for_each(Proxy::cut);
                self.servers[other].ask(&["REPLICAOF", "NO", "ONE"]);
                sleep(lag).await;
                to_primary().for_each(Proxy::mend);
                self.servers[other].kill();
                sleep(lag).await;
                let port = self.servers[primary].port().to_string();
                self.servers[other]
                    .revive_with(&[&OPTIONS[..], &["--replicaof", "127.0.0.1", &port]].concat());
            }
            Fault::Sentinel { lag } => {
                self.is_replicated().await;
                let port = self.servers[primary].port();
                let sentinel = self.sentinel.get_or_insert_with(|| Sentinel::start(port));
                until("Sentinel knows both", || sentinel.watches(port)).await;
                self.servers[primary].freeze();
                let role = |server: &RedisServer, role: &str| server.ask(&["ROLE"]).starts_with(role);
                until("Sentinel promotes the replica", || role(&self.servers[other], "master")).await;
                // The nodes detect it, and write to the new primary.
                sleep(Duration::from_secs(6) + lag).await;
                self.servers[primary].thaw();
                until("Sentinel demotes the former primary", || role(&self.servers[primary], "slave")).await;
                self.primary = other;
            }
            Fault::Rollback { lag } => {
                self.servers[primary].kill();
                let copy = self.servers[primary].copy();
                self.servers[primary].revive_with(&OPTIONS);
                sleep(lag).await;
                self.servers[primary].kill();
                self.servers[primary].restore(&copy);
                self.servers[primary].revive_with(&OPTIONS);
            }
            other => unreachable!("{other:?} is no fault of Redis"),
        }
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    wait_for(what, async {
        while !condition() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Small stream nodes, so that trimming takes small steps.
const OPTIONS: [&str; 2] = ["--stream-node-max-entries", "10"];
