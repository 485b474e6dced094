#![deny(unused_must_use)]

use sse_core::{Event, Hub};

async fn publish(hub: Hub) {
    hub.publish("prices", Event::message("one"));
}

fn main() {}
