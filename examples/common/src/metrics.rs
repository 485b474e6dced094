//! Real data: the load of this machine, every second.

use std::time::Instant;

use serde_json::{Value, json};
use sse_core::{Event, Hub, Shutdown};
use sysinfo::{Networks, System};
use tokio::time::{MissedTickBehavior, interval};

use crate::SECOND;

/// Publishes to `metrics.cpu`, `metrics.memory` and `metrics.network` until the shutdown begins.
pub(crate) async fn publish(hub: Hub, shutdown: Shutdown) {
    let mut machine = match Machine::new() {
        Ok(machine) => machine,
        Err(error) => return tracing::warn!(%error, "this machine's metrics cannot be read"),
    };
    let mut seconds = interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seconds.tick().await;
    loop {
        tokio::select! {
            () = shutdown.clone() => return,
            _ = seconds.tick() => {}
        }
        for (name, value) in machine.measure() {
            let event = Event::json(&value).event(name);
            if let Err(error) = hub.publish(format!("metrics.{name}"), event).await {
                tracing::warn!(%error, name, "a metric was not published");
            }
        }
    }
}

struct Machine {
    system: System,
    networks: Networks,
    measured_at: Instant,
}

impl Machine {
    fn new() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        Ok(Self { system, networks: Networks::new_with_refreshed_list()?, measured_at: Instant::now() })
    }

    /// Measures the load since the last call.
    fn measure(&mut self) -> [(&'static str, Value); 3] {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        let seconds = self.measured_at.elapsed().as_secs_f64().max(f64::EPSILON);
        self.measured_at = Instant::now();
        let per_second = |bytes: u64| (bytes as f64 / seconds).round() as u64;

        let cores: Vec<_> = self.system.cpus().iter().map(|core| tenths(core.usage())).collect();
        let received = self.networks.values().map(|network| network.received()).sum();
        let sent = self.networks.values().map(|network| network.transmitted()).sum();
        [
            ("cpu", json!({ "percent": tenths(self.system.global_cpu_usage()), "cores": cores })),
            ("memory", json!({ "used": self.system.used_memory(), "total": self.system.total_memory() })),
            ("network", json!({ "received": per_second(received), "sent": per_second(sent) })),
        ]
    }
}

fn tenths(percent: f32) -> f64 {
    (f64::from(percent) * 10.0).round() / 10.0
}
