use rocket::{
    Build, Data, Orbit, Request, Rocket,
    fairing::{self, Info, Kind},
    figment::providers::Serialized,
};
use sse_core::{Hub, Shutdown};

use crate::request::remember_method;

/// The time, in seconds, that Rocket may need after the window to close connections whose peers do not read.
const MERCY: u32 = 1;

/// Manages the hub, so that handlers take `&State<Hub>`, and lets the hub shut down with Rocket.
///
/// The hub's [`Shutdown`] and Rocket's own begin together, whichever is triggered first, so that every stream
/// ends within the window. Rocket counts whole seconds: its `shutdown.grace` becomes the first whole second
/// after the window, so that bytes sent at the end of the window still go out, and `shutdown.mercy` becomes
/// 1 s. A hub without a `Shutdown` does not change Rocket's settings, and its streams end as soon as Rocket
/// shuts down.
///
/// The fairing also reports a HEAD to [`SseRequest`](crate::SseRequest), which Rocket hides from the handlers
/// of GETs: without the fairing, a HEAD subscribes as a GET does.
///
/// ```
/// use std::time::Duration;
/// use sse_rocket::{Hub, Shutdown, fairing};
///
/// # rocket::async_test(async {
/// let hub = Hub::builder().shutdown(Shutdown::within(Duration::from_secs(8))).memory();
/// let rocket = rocket::build().attach(fairing(hub)).ignite().await?;
/// assert_eq!(rocket.config().shutdown.grace, 9);
/// # Ok::<(), Box<rocket::Error>>(()) }).expect("Rocket ignites");
/// ```
#[must_use = "it does nothing until it is attached to Rocket"]
pub fn fairing(hub: Hub) -> Fairing {
    Fairing { hub }
}

/// The fairing that [`fairing()`] returns.
#[derive(Debug)]
pub struct Fairing {
    hub: Hub,
}

#[rocket::async_trait]
impl fairing::Fairing for Fairing {
    fn info(&self) -> Info {
        Info {
            name: "Server-sent events",
            kind: Kind::Ignite | Kind::Liftoff | Kind::Request | Kind::Shutdown,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        // Managing a type twice would panic, so the first hub stays.
        let rocket = if rocket.state::<Hub>().is_none() { rocket.manage(self.hub.clone()) } else { rocket };
        let Some(shutdown) = self.hub.shutdown() else { return Ok(rocket) };
        let figment = rocket.figment().clone();
        let figment = figment.merge(Serialized::global("shutdown.grace", grace(shutdown)));
        let figment = figment.merge(Serialized::global("shutdown.mercy", MERCY));
        Ok(rocket.configure(figment))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        if let Some(shutdown) = self.hub.shutdown() {
            // Before anything else is woken: if Rocket's `launch` is polled while its own shutdown is triggered, it can
            // see its server end first, and then returns an error at once and cuts every stream.
            let rocket = rocket.shutdown();
            shutdown.on_begin(|| rocket.notify());
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        remember_method(request);
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        if let Some(shutdown) = self.hub.shutdown() {
            shutdown.notify();
        }
    }
}

/// Returns the first whole second after the window: bytes sent at the end of the window must still go out.
fn grace(shutdown: &Shutdown) -> u32 {
    u32::try_from(shutdown.window().as_secs() + 1).unwrap_or(u32::MAX)
}
