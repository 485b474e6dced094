//! PostgreSQL under test: a primary and its replica, and the faults that can be applied to them.

use tokio::time::sleep;

use super::{Fault, cluster::NAME};
use crate::engines::{PostgresServer, Proxy};

/// A primary and its replica.
pub(super) struct Pair {
    servers: [PostgresServer; 2],
    primary: usize,
}

impl Pair {
    pub(super) async fn start() -> Self {
        let primary = PostgresServer::start().await;
        let replica = primary.replica(&[]).await;
        Self { servers: [primary, replica], primary: 0 }
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.servers.iter().map(PostgresServer::port).collect()
    }

    /// The URL of both servers, reached through these ports.
    pub(super) fn url_at(ports: &[u16]) -> String {
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://admin@{}/postgres", hosts.join(","))
    }

    pub(super) fn primary(&self) -> &PostgresServer {
        &self.servers[self.primary]
    }

    pub(super) async fn strike(&mut self, fault: Fault, cables: &[Vec<Proxy>]) {
        let (primary, other) = (self.primary, 1 - self.primary);
        match fault {
            Fault::KillEngine { away } => {
                self.servers[primary].kill();
                sleep(away).await;
                self.servers[primary].revive().await;
            }
            Fault::KillBackend => self.kill_backend().await,
            Fault::Trim { keep } => {
                let most = i64::MAX / 2;
                let age = 1_000_000_000;
                let trim = format!("select {NAME}.trim({keep}, {most}, {age}, {age}, 100000)");
                self.primary().ask(&trim).await;
            }
            Fault::DeleteEnd { count } => {
                let delete = format!("delete from {NAME}.event where seq > {NAME}.head() - {count}");
                self.primary().ask(&delete).await;
            }
            Fault::DeleteAll => {
                self.primary().ask(&format!("truncate {NAME}.event")).await;
            }
            Fault::Promote { lag } => {
                // The replica receives nothing of what is written during this time.
                self.servers[other].kill();
                sleep(lag).await;
                self.servers[primary].kill();
                self.servers[other].revive().await;
                self.promote(other).await;
            }
            Fault::FailBack { lag } => {
                let to_primary = || cables.iter().map(|own| &own[primary]);
                to_primary().for_each(Proxy::cut);
                self.promote_beside(other).await;
                sleep(lag).await;
                to_primary().for_each(Proxy::mend);
                self.servers[other].kill();
                sleep(lag).await;
                let [first, second] = &mut self.servers;
                let (old, new) = if other == 0 { (first, &*second) } else { (second, &*first) };
                old.follow(new).await;
            }
            Fault::Rollback { lag } => {
                self.servers[primary].kill();
                let copy = self.servers[primary].copy();
                self.servers[primary].revive().await;
                sleep(lag).await;
                self.servers[primary].kill();
                self.servers[primary].restore(&copy);
                self.servers[primary].revive().await;
                self.follow().await;
            }
            other => unreachable!("{other:?} is not a fault of PostgreSQL"),
        }
    }

    /// Kills the process of one of the nodes' sessions; the server ends all others and recovers.
    async fn kill_backend(&self) {
        let find =
            "select pid from pg_stat_activity where application_name like '% writer' order by pid limit 1";
        if let Some(pid) = self.primary().ask(find).await.first().and_then(|pid| pid.parse().ok()) {
            self.primary().kill_backend(pid);
            self.primary().is_back().await;
        }
    }

    /// Makes the replica the primary, and the dead primary its replica.
    async fn promote(&mut self, other: usize) {
        self.promote_beside(other).await;
        self.primary = other;
        self.follow().await;
    }

    async fn promote_beside(&self, other: usize) {
        self.servers[other].ask("select pg_promote()").await;
    }

    /// Copies the primary to the other server, as its replica.
    async fn follow(&mut self) {
        let [first, second] = &mut self.servers;
        let (primary, replica) = if self.primary == 0 { (&*first, second) } else { (&*second, first) };
        replica.kill();
        replica.follow(primary).await;
    }
}
