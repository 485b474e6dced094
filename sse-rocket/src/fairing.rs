use rocket::{
    Build, Orbit, Rocket,
    fairing::{self, Info, Kind},
};
use sse_core::Hub;

/// Manages the hub and ends its streams when Rocket shuts down.
///
/// Handlers take `&State<Hub>`. The hub's [`Shutdown`](sse_core::Shutdown) begins with Rocket's own, which ends every stream within its
/// window; a hub without one gets none, and its streams then end at once.
#[must_use]
pub fn fairing(hub: Hub) -> Fairing {
    Fairing { hub }
}

/// The fairing that [`fairing`] makes.
pub struct Fairing {
    hub: Hub,
}

#[rocket::async_trait]
impl fairing::Fairing for Fairing {
    fn info(&self) -> Info {
        Info { name: "Server-sent events", kind: Kind::Ignite | Kind::Shutdown }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.hub.clone()))
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        if let Some(shutdown) = self.hub.shutdown() {
            shutdown.notify();
        }
    }
}
