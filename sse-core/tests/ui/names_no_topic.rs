use sse_core::{Hub, LastEventId};

async fn subscribe(hub: Hub, last: LastEventId) {
    let _ = hub.subscribe(42).after(last).await;
}

fn main() {}
